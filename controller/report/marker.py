"""What was reviewed to the hidden line at the head of a comment, and back.

The line is how the comment is found again, and the approval that apply checks: what of it cannot be read approves
nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum

_VERSION = 1
_LINE = re.compile(r"<!-- gitune: (\{[^<>\n]{1,60000}\}) -->")
_STAMPS_LIMIT = 1 << 20  # bytes, unpacked
_DIGEST = re.compile(r"[0-9a-f]{32}")
_FULL_DIGEST = re.compile(r"[0-9a-f]{64}|")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|")
_PART = re.compile(r"[0-9a-f]{6}")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_WORD = re.compile(r"[a-z]{1,12}")


class Stage(StrEnum):
    """Where the story of a pull request stands."""

    PLANNED = "planned"  # for review, nothing applied
    REFUSED = "refused"  # merged, and what was reviewed is not what is there
    APPLYING = "applying"  # merged and verified, runs on their way
    DONE = "done"  # every model is where it was meant to be, or needs a person


@dataclass(frozen=True, slots=True)
class Stamp:
    """One reviewed action: its digest, and short digests of the parts it rests on, to say which of them moved."""

    name: str
    word: str
    digest: str
    spec: str
    dataset: str
    base: str
    observed: str


@dataclass(frozen=True, slots=True)
class Marker:
    """All that a comment remembers: ``head`` is the commit reviewed, ``digest`` the whole plan's.

    ``config`` digests the configuration, ``commit`` is the one that was applied ("" before that).
    ``stamps`` is None where they were too many to fit: then only the whole digest can approve.
    """

    stage: Stage
    head: str
    digest: str
    config: str
    stamps: tuple[Stamp, ...] | None = ()
    commit: str = ""


def written(marker: Marker) -> str:
    """The hidden line, without a line end: one HTML comment in ASCII."""
    said: dict[str, object] = {
        "v": _VERSION,
        "purpose": "plan",
        "stage": str(marker.stage),
        "head": marker.head,
        "digest": marker.digest,
        "config": marker.config,
    }
    if marker.commit:
        said["commit"] = marker.commit
    if marker.stamps is not None:
        said["stamps"] = _packed(marker.stamps)
    return f"<!-- gitune: {json.dumps(said, separators=(',', ':'), ensure_ascii=True)} -->"


def is_marked(body: str) -> bool:
    """Whether a comment begins as the one with the plan does."""
    return body.startswith('<!-- gitune: {"v":1,"purpose":"plan"')


def read(body: str) -> Marker | None:
    """What the first line of a comment remembers; None where it is no marker, or not whole."""
    found = _LINE.match(body)
    if found is None:
        return None
    try:
        said = json.loads(found[1])
        return _marker(said)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error, zlib.error):
        return None


def _marker(said: dict[str, object]) -> Marker | None:
    if said["v"] != _VERSION or said["purpose"] != "plan":
        return None
    packed = said.get("stamps")
    return Marker(
        stage=Stage(_text(said["stage"])),
        head=_checked(said["head"], _COMMIT),
        digest=_checked(said["digest"], _FULL_DIGEST),
        config=_checked(said["config"], _PART),
        stamps=None if packed is None else _unpacked(_text(packed)),
        commit=_checked(said.get("commit", ""), _COMMIT),
    )


def _packed(stamps: tuple[Stamp, ...]) -> str:
    rows = [[s.name, s.word, s.digest, s.spec, s.dataset, s.base, s.observed] for s in stamps]
    raw = json.dumps(rows, separators=(",", ":"), ensure_ascii=True).encode()
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def _unpacked(packed: str) -> tuple[Stamp, ...]:
    opened = zlib.decompressobj()
    raw = opened.decompress(base64.b64decode(packed, validate=True), _STAMPS_LIMIT)
    if not opened.eof:
        raise ValueError("more than a marker holds")
    return tuple(_stamp(row) for row in json.loads(raw))


def _stamp(row: object) -> Stamp:
    if not isinstance(row, list) or len(row) != 7:  # noqa: PLR2004 - the fields of a stamp
        raise ValueError("not a stamp")
    name, word, digest, *parts = row
    spec, dataset, base, observed = (_checked(part, _PART) for part in parts)
    return Stamp(_checked(name, _NAME), _checked(word, _WORD), _checked(digest, _DIGEST), spec, dataset, base, observed)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _checked(value: object, pattern: re.Pattern[str]) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise ValueError("not what stands there")
    return text
