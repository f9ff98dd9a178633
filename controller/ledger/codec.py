"""A record to plain values with camelCase keys and to its status file, and back with every type checked. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import quote, unquote

import msgspec

from controller import documents
from controller.documents import Path, Value
from controller.errors import LedgerError
from controller.state.identity import NAME
from controller.state.observed import LossPoint
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run

_STEP = re.compile(r"\.([A-Za-z_]+)|\[(\d+|\.\.\.)\]")
_DIGEST = re.compile(r"[0-9a-f]{64}|")
_T = TypeVar("_T")
_LISTS: Final = {name: get_args(hint)[0] for name, hint in get_type_hints(Record).items() if get_origin(hint) is tuple}
# Not by functools.cache: mypy holds that a type has no hash.
_KINDS: Final[dict[type[object], tuple[tuple[str, str, object], ...]]] = {}
_DIGESTS: Final = frozenset({"fingerprint", "datasetDigest"})
# Fields that have another name by now: files keep the key that every release reads.
_KEYS: Final = {"tombstone": "doomed", "tombstone_revision": "doomedAt", "tombstone_told": "doomedTold"}
_NAMES: Final = {key: name for name, key in _KEYS.items()}


class Garbled(Exception):
    """Plain values that are no record; ``path`` says where."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def to_plain(value: object) -> Value:
    """A frozen value as plain ones; what is at its default is left out."""
    match value:
        case Enum():
            return str(value.value)
        case str():
            # Half a surrogate pair cannot be written anywhere.
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case None | bool() | int() | float():
            return value
        case tuple() if value and isinstance(value[0], LossPoint):
            return write_losses(value)
        case tuple():
            return [to_plain(item) for item in value]
        case _:
            return {
                key: to_plain(given)
                for name, key, default in _fields_of(type(value))
                if (given := getattr(value, name)) != default
            }


def _fields_of(kind: type[object]) -> tuple[tuple[str, str, object], ...]:
    """Each field of a kind of value: its name, its key, and the default at which it is left out."""
    known = _KINDS.get(kind)
    if known is None:
        if not is_dataclass(kind):
            raise TypeError(f"no plain form for {kind.__name__}")
        known = _KINDS[kind] = tuple((field.name, key_of(field.name), _default(field)) for field in fields(kind))
    return known


def from_plain(plain: Value) -> Record:
    """The record that plain values say. Unknown keys are passed over: a newer Gitune may have written them.

    Raises `Garbled`.
    """
    readable = _readable(plain, ())
    if not isinstance(readable, dict):
        raise Garbled("a status is a mapping", ())
    lists: dict[str, Any] = {  # mypy cannot tie each name to its item's kind
        name: tuple(_item(item, kind, (key_of(name), index)) for index, item in enumerate(items))
        for name, kind in _LISTS.items()
        if isinstance(items := readable.get(name), list)
    }
    return replace(_convert({**readable, **dict.fromkeys(lists, ())}, Record, ()), **lists)


def _item(value: object, kind: type[_T], path: Path) -> _T:
    """A run's losses are points already, and are kept as they are."""
    if kind is not Run or not isinstance(value, dict) or "losses" not in value:
        return _convert(value, kind, path)
    run: Any = _convert({key: item for key, item in value.items() if key != "losses"}, kind, path)
    found: _T = replace(run, losses=value["losses"])
    return found


def _convert(value: object, kind: type[_T], path: Path) -> _T:
    """One item at a time, since the library does not say which item of a list it stumbled over."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        raise Garbled(message.replace("`", "'"), (*path, *_path(place))) from None


def _default(field: Field[object]) -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


@cache
def key_of(name: str) -> str:
    """The key that a field has in a file."""
    if name in _KEYS:
        return _KEYS[name]
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@lru_cache(maxsize=1024)  # keys come from files too
def _snake(name: str) -> str:
    return _NAMES.get(name) or re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


def _readable(plain: Value, path: Path) -> object:
    """The values with the names of fields for keys, and losses as points; digests are looked at."""
    match plain:
        case dict():
            return {_snake(key): _readable_field(key, value, (*path, key)) for key, value in plain.items()}
        case list():
            return [_readable(item, (*path, index)) for index, item in enumerate(plain)]
        case _:
            return plain


def _readable_field(key: str, value: Value, path: Path) -> object:
    if key in _DIGESTS and isinstance(value, str) and not _DIGEST.fullmatch(value):
        raise Garbled(f"{key} is not 64 hex digits", path)
    return _losses(value, path) if key == "losses" else _readable(value, path)


def _losses(value: Value, path: Path) -> object:
    if not isinstance(value, str):
        raise Garbled("losses are not a text", path)
    try:
        return read_losses(value)
    except ValueError as error:
        raise Garbled(str(error), path) from None


def _path(place: str) -> Path:
    """The ``.runs[...].attempt`` of msgspec in our keys, as far as it says which item."""
    path: list[str | int] = []
    for name, index in _STEP.findall(place):
        if index == "...":
            break
        path.append(int(index) if index else key_of(name))
    return tuple(path)


_UNESCAPED: Final = re.compile(r"[A-Za-z0-9_.~:+-]*")  # what `quote` leaves alone
_LOSSES_HEAD: Final = "step,epoch,meanLoss,time"


def write_losses(points: tuple[LossPoint, ...]) -> str:
    """A head, then a line a point. A float's text reads back as the same float; a time that is none is escaped."""
    lines = [f"{p.step},{p.epoch},{float(p.mean_loss)!r},{_escaped(p.time)}" for p in points]
    return "\n".join((_LOSSES_HEAD, *lines, ""))


def _escaped(time: str) -> str:
    return time if _UNESCAPED.fullmatch(time) else quote(time, safe=":+")


def read_losses(text: str) -> tuple[LossPoint, ...]:
    """The points again. Raises `ValueError` for a text that `write_losses` did not write."""
    head, *lines = text.removesuffix("\n").split("\n")
    if head != _LOSSES_HEAD:
        raise ValueError(f"the losses do not start with {_LOSSES_HEAD}")
    return tuple(_point(line) for line in lines)


def _point(line: str) -> LossPoint:
    try:
        step, epoch, loss, time = line.split(",")
        told = unquote(time, errors="strict") if "%" in time else time
        point = LossPoint(int(step), int(epoch), float(loss), told)
    except ValueError:
        raise ValueError(f"a line of the losses is not {_LOSSES_HEAD}") from None
    if not math.isfinite(point.mean_loss):
        raise ValueError("a mean loss is not a finite number")
    return point


API_VERSION: Final = "gitune.dev/v1alpha1"
KIND: Final = "TunedModelStatus"
SCHEMA_VERSION: Final = 2
# Of the first version: no reviews, and these reasons. A status that says no more is written as such, so that an older
# release reads it; one that does is refused by it, since it would act without the reviews and write them away.
_FIRST_VERSION: Final = 1
_LATER_REASONS: Final = {
    Reason.NOT_REVIEWED,
    Reason.ATTEMPT_LOWERED,
    Reason.EVALUATING,
    Reason.BASE_MODEL_GONE,
    Reason.SETTLING,
}
_FIRST_REASONS: Final = frozenset(Reason) - _LATER_REASONS
_VERSIONS: Final = (_FIRST_VERSION, SCHEMA_VERSION)
README: Final = "README.md"
STATUS: Final = "status"  # the folder of the status files
LARGEST_STATUS: Final = 1024 * 1024  # bytes
_RESTORE: Final = (
    "The ledger is written by Gitune alone: put the file back as it was (the branch has its history), then run again."
)


def is_ours(path: str) -> bool:
    """Whether the ledger writes this path, and takes it away when it is no longer needed; other files are let be."""
    return path == README or path.startswith((f"{STATUS}/", "curves/"))


def status_path(name: str) -> str:
    """Where the status of a spec name is. Raises `LedgerError` for what is no name: it would become a path."""
    if not NAME.fullmatch(name):
        raise LedgerError(f"{name!r} is not a name a spec can have, so it has no status file")
    return f"{STATUS}/{name}.yaml"


def curve_path(name: str, kind: str) -> str:
    """Where the curve of a spec name is, as ``csv`` or ``svg``."""
    return f"curves/{name}.{kind}"


def is_status(path: str) -> bool:
    """Whether a path is a status file's."""
    folder, _, name = path.rpartition("/")
    return folder == STATUS and name.endswith(".yaml")


def drawn(record: Record) -> Run | None:
    """The run whose curve is kept as a file: the last one that has any."""
    return next((run for run in reversed(record.runs) if run.losses), None)


def status_file(record: Record) -> bytes:
    """One status file."""
    return written_status(record)[0]


def written_status(record: Record) -> tuple[bytes, Record | None]:
    """One status file, and the record as it is read from it; None where it could not be.

    As plain values give it: that YAML gives back what was written is held by tests of that room.
    """
    plain = to_plain(record)
    status = {key: value for key, value in plain.items() if key != "name"} if isinstance(plain, dict) else plain
    content = _status_file(record, status)
    with suppress(Garbled):
        return content, from_plain(plain) if len(content) <= LARGEST_STATUS else None
    return content, None


def _status_file(record: Record, status: Value) -> bytes:
    whole: Value = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "schemaVersion": _version(record),
        "metadata": {"name": record.name},
        "status": status,
    }
    return documents.dump(whole).encode()


def _version(record: Record) -> int:
    later = record.reviews or record.commands or any(c.reason not in _FIRST_REASONS for c in record.conditions)
    return SCHEMA_VERSION if later else _FIRST_VERSION


def read_status(path: str, content: bytes) -> Record:
    """The record of one status file. Raises `LedgerError` naming file and line for anything Gitune did not write."""
    written = documents.read_back(content)  # much faster, for what is byte for byte one of ours
    if written is not None:
        with suppress(Garbled):
            return _record(path, written)
    parsed = documents.parse(content, path)
    if parsed.problems:
        raise LedgerError(f"the ledger cannot be read: {parsed.problems[0]}", hint=_RESTORE)
    if len(parsed.documents) != 1:
        raise LedgerError(f"the ledger cannot be read: {path} is not one document", hint=_RESTORE)
    document = parsed.documents[0]
    try:
        return _record(path, document.value if isinstance(document.value, dict) else {})
    except Garbled as error:
        spot = document.value_place(error.path)
        place = f"{path}:{spot.line}:{spot.column}"
        raise LedgerError(f"the ledger cannot be read: {place}: {error}", hint=_RESTORE) from error


def _record(path: str, whole: Mapping[str, Value]) -> Record:
    """The record of a status file's only document. Raises `Garbled`, or `LedgerError` for that of a newer Gitune."""
    version = whole.get("schemaVersion")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise LedgerError(
            f"{path} was written by a newer Gitune (schemaVersion {version}; this one reads up to {SCHEMA_VERSION})",
            hint="Upgrade Gitune here; nothing was changed.",
        )
    if version not in _VERSIONS or isinstance(version, bool):
        raise Garbled("schemaVersion is missing or unknown", ("schemaVersion",))
    if whole.get("kind") != KIND or whole.get("apiVersion") != API_VERSION:
        raise Garbled(f"it is not a {KIND} of {API_VERSION}", ("kind",))
    metadata, status = whole.get("metadata"), whole.get("status")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name) or path != status_path(name):
        raise Garbled("the name is not the file's", ("metadata", "name"))
    if not isinstance(status, dict):
        raise Garbled("there is no status", ("status",))
    try:
        return from_plain({**status, "name": name})
    except Garbled as error:
        raise Garbled(str(error), ("status", *error.path)) from None
