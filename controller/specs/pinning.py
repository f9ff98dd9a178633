"""A spec file's bytes and new digests to the same bytes with these digests in place, and nothing else changed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from controller.documents import Document, Parsed, Path, Spot, Value, parse
from controller.errors import ControllerError, Severity
from controller.specs.data_uri import BadUri, DataUri, parse_data_uri
from controller.specs.fields import API_VERSION
from controller.state.desired import Place

_DATASETS: Final[tuple[Path, ...]] = (("spec", "dataset"), ("spec", "evaluation", "dataset"))
_HINT: Final = "Write `uri:` and `sha256:` each as a plain value on a line of its own, and pin again."
_ENDS: Final = re.compile(r"(\r\n|\r|\n)")
_QUOTED: Final = r"\"[^\"\\]*\"|'[^']*'"
_KEY: Final = re.compile(r"(?P<quote>[\"']?)(?:uri|sha256)(?P=quote)[ \t]*:")
_VALUE: Final = re.compile(rf"[ \t]*(?P<value>{_QUOTED}|[^\s,\[\]{{}}#&*!|>'\"%@`][^\s,\[\]{{}}]*)?")


@dataclass(frozen=True, slots=True)
class PinnedUri:
    """A uri of a spec file, and the digest that stands beside it, "" where there is none."""

    uri: DataUri
    sha256: str
    place: Place
    document: int
    path: Path


def pins_of(data: bytes, file: str) -> tuple[PinnedUri, ...]:
    """Every uri of the specs in a file, training sets and evaluation sets. Raises `ControllerError`."""
    parsed = _parsed(data, file)
    return tuple(found for number, document in enumerate(parsed.documents) for found in _pins(number, document))


def with_pins(data: bytes, file: str, digests: Mapping[PinnedUri, str]) -> bytes:
    """The file with these digests. Raises `ControllerError` where it is written in a way that cannot be edited."""
    parsed = _parsed(data, file)
    wanted = [deepcopy(document.value) for document in parsed.documents]
    for pin, digest in digests.items():
        _at(wanted[pin.document], pin.path)["sha256"] = digest
    for quote in ("", '"'):  # a digest of digits alone is no text without quotes
        text = _Text(data)
        for pin, digest in sorted(digests.items(), key=lambda item: (item[0].place.line, item[0].place.column))[::-1]:
            _edit(text, parsed.documents[pin.document], pin, quote, digest)
        edited = text.joined()
        read = parse(edited, file)
        if [document.value for document in read.documents] == wanted and not _errors(read):
            return edited
    raise _unedited(file)


def _parsed(data: bytes, file: str) -> Parsed:
    parsed = parse(data, file)
    if found := _errors(parsed):
        raise ControllerError(str(found[0]), hint="`gitune validate` shows every problem.")
    return parsed


def _errors(parsed: Parsed) -> Sequence[object]:
    return [problem for problem in parsed.problems if problem.severity is Severity.ERROR]


def _pins(number: int, document: Document) -> Iterator[PinnedUri]:
    value = document.value
    if not isinstance(value, dict) or (value.get("apiVersion"), value.get("kind")) != (API_VERSION, "TunedModel"):
        return
    for path in _DATASETS:
        held = _held(value, path)
        text = held.get("uri")
        if not isinstance(text, str):
            continue
        spot = document.value_place((*path, "uri"))
        place = Place(document.file, spot.line, spot.column)
        try:
            uri = parse_data_uri(text)
        except BadUri as error:
            raise ControllerError(str(place.problem("GT031", error.message)), hint=error.hint) from None
        said = held.get("sha256")
        yield PinnedUri(uri, "" if said is None else str(said), place, number, path)


def _held(value: Value, path: Path) -> Mapping[str, Value]:
    for step in path:
        value = value.get(str(step)) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _at(value: Value, path: Path) -> dict[str, Value]:
    for step in path:
        assert isinstance(value, dict), "a pin was found there"  # noqa: S101 - narrows for the type checker
        value = value[str(step)]
    assert isinstance(value, dict), "a pin was found there"  # noqa: S101 - see above
    return value


class _Text:
    """A file's lines, each with the line end that it has."""

    def __init__(self, data: bytes) -> None:
        self._mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        pieces = _ENDS.split(data[len(self._mark) :].decode())
        self.lines, self.ends = pieces[::2], [*pieces[1::2], ""]

    def after_key(self, spot: Spot) -> tuple[str, re.Match[str]] | None:
        """The quote of the key at a place, and the value behind it on its line."""
        line = self.lines[spot.line - 1]
        key = _KEY.match(line, spot.column - 1)
        found = _VALUE.match(line, key.end()) if key else None
        return (key["quote"], found) if key and found else None

    def put(self, line: int, start: int, end: int, text: str) -> None:
        """Replace a part of a line; ``line`` counts from 1."""
        self.lines[line - 1] = self.lines[line - 1][:start] + text + self.lines[line - 1][end:]

    def insert_below(self, line: int, text: str) -> None:
        """A new line below one, ended as that one is."""
        end = self.ends[line - 1]
        self.ends[line - 1] = end or "\n"
        self.lines.insert(line, text)
        self.ends.insert(line, end)

    def joined(self) -> bytes:
        """The file."""
        return self._mark + "".join(a + b for a, b in zip(self.lines, self.ends, strict=True)).encode()


def _edit(text: _Text, document: Document, pin: PinnedUri, quote: str, digest: str) -> None:
    """Write one digest. Raises `ControllerError` where it is not clear where it goes."""
    own, beside = (document.keys.get((*pin.path, name)) for name in ("sha256", "uri"))
    if own is not None:
        found = text.after_key(own)
        if found is None:
            raise _unedited(document.file)
        start, end = (found[1].start("value"), found[1].end("value")) if found[1]["value"] else (found[1].end(),) * 2
        quote = found[1]["value"][:1] if (found[1]["value"] or "x")[0] in "\"'" else quote
        line = text.lines[own.line - 1]
        before = "" if line[start - 1] in " \t" else " "
        behind = "" if line[end : end + 1] in {"", " ", "\t", ",", "}"} else " "
        text.put(own.line, start, end, f"{before}{quote}{digest}{quote}{behind}")
        return
    found = text.after_key(beside) if beside is not None else None
    if beside is None or found is None or not found[1]["value"]:
        raise _unedited(document.file)
    held = document.value_place(pin.path)
    if text.lines[held.line - 1][held.column - 1 : held.column] == "{":
        name = f"{found[0]}sha256{found[0]}"
        quote = quote or found[0]
        text.put(beside.line, found[1].end(), found[1].end(), f", {name}: {quote}{digest}{quote}")
    else:
        text.insert_below(beside.line, f"{' ' * (beside.column - 1)}sha256: {quote}{digest}{quote}")


def _unedited(file: str) -> ControllerError:
    return ControllerError(f"{file}: there is no plain place for the sha256 beside its uri", hint=_HINT)
