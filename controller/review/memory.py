"""What a comment of ours remembers to the text that the code host keeps with it, and back.

A plan's memory is what a merge can grant: what of it cannot be read grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum

from controller.settings import Settings
from controller.state.identity import NAME
from controller.state.reviews import Basis

_VERSION, _FIRST_VERSION = 2, 1
_STAMPS_LIMIT = 1 << 20  # bytes, unpacked
_DIGEST = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"(?:[0-9a-f]{64})?")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|")
_PART = re.compile(r"(?:[0-9a-f]{6})?")
_WORD = re.compile(r"[A-Za-z]{1,40}")
_OURS = re.compile(r'\{"v":[0-9]{1,4},"purpose":"plan"[,}]')


class StoryStage(StrEnum):
    """Where the story of a pull request stands."""

    PLANNED = "planned"  # for review, nothing applied
    FOREIGN = "foreign"  # a fork's own job planned it: a stranger's word
    REFUSED = "refused"  # merged, and something of it was not reviewed as it is
    APPLYING = "applying"  # merged and granted, runs on their way
    DONE = "done"  # every model is where it was meant to be, or needs a person


@dataclass(frozen=True, slots=True)
class Stamp:
    """One model that a plan names, and what its action rests on."""

    name: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Memory:
    """All that the comment remembers: ``head`` is the commit planned, ``base`` the branch it is to be merged into.

    ``stamps`` is what the plan names, None where they were too many to fit: then it grants nothing. ``config`` digests
    the configuration it was made with. ``posted`` is when the plan was posted, where the comment was written over since
    without having been taken into the ledger. After the merge ``names`` are the models it tells of, and ``commit`` the
    one that was applied.
    """

    stage: StoryStage
    head: str
    base: str = ""
    config: str = ""
    stamps: tuple[Stamp, ...] | None = ()
    names: tuple[str, ...] = ()
    commit: str = ""
    posted: str = ""


def written(memory: Memory) -> str:
    """One line of JSON in ASCII, without what could end an HTML comment."""
    said: dict[str, object] = {
        "v": _VERSION,
        "purpose": "plan",
        "stage": str(memory.stage),
        "head": memory.head,
        "base": memory.base,
        "config": memory.config,
        "names": list(memory.names),
        "commit": memory.commit,
        "posted": memory.posted,
        "stamps": None if memory.stamps is None else _packed(memory.stamps),
    }
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("--", "-\\u002d")


def is_plan(text: str) -> bool:
    """Whether a memory is that of the comment with the plan, of whatever version."""
    return _OURS.match(text) is not None


def read(text: str) -> Memory | None:
    """What a text remembers; None where it is no memory of this version, or not whole."""
    try:
        return _memory(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error, zlib.error):
        return None


def config_digest(settings: Settings) -> str:
    """A short digest of the configuration that a plan was made with, to say that it is another one now."""
    providers = sorted((key, repr(one)) for key, one in settings.providers.items())
    raw = repr((providers, settings.instance, settings.default_provider, sorted(settings.specs), settings.policy))
    return hashlib.sha256(raw.encode()).hexdigest()[:6]


def _memory(said: dict[str, object]) -> Memory | None:
    if said["purpose"] != "plan":
        return None
    if said["v"] == _FIRST_VERSION:
        return _first(said)
    if said["v"] != _VERSION:
        return None
    packed, names = said["stamps"], said["names"]
    if not isinstance(names, list):
        return None
    return Memory(
        stage=StoryStage(_text(said["stage"])),
        head=_checked(said["head"], _COMMIT),
        base=_text(said["base"]),
        config=_checked(said["config"], _PART),
        stamps=None if packed is None else _unpacked(_text(packed)),
        names=tuple(_checked(name, NAME) for name in names),
        commit=_checked(said["commit"], _COMMIT),
        posted=_text(said["posted"]),
    )


def _first(said: dict[str, object]) -> Memory | None:
    """The story of a merge that an older release began to tell goes on; a plan of it grants nothing."""
    stage, packed = StoryStage(_text(said["stage"])), said.get("stamps")
    if stage not in {StoryStage.REFUSED, StoryStage.APPLYING, StoryStage.DONE} or packed is None:
        return None
    names = [_checked(row[0], NAME) for row in _rows(_text(packed)) if isinstance(row, list) and row]
    head, commit = _checked(said["head"], _COMMIT), _checked(said.get("commit", ""), _COMMIT)
    return Memory(stage, head, names=tuple(dict.fromkeys(names)), commit=commit)


def _packed(stamps: tuple[Stamp, ...]) -> str:
    rows = [[stamp.name, *_row(stamp.basis)] for stamp in stamps]
    raw = json.dumps(rows, separators=(",", ":"), ensure_ascii=True).encode()
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def _row(one: Basis) -> list[object]:
    parts = [one.spec, one.dataset, one.base, one.observed]
    return [one.action, one.reason, one.asked, one.digest, one.fingerprint, one.attempt, *parts]


def _unpacked(packed: str) -> tuple[Stamp, ...]:
    return tuple(_stamp(row) for row in _rows(packed))


def _rows(packed: str) -> list[object]:
    opened = zlib.decompressobj()
    raw = opened.decompress(base64.b64decode(packed, validate=True), _STAMPS_LIMIT)
    if not opened.eof:
        raise ValueError("more than a memory holds")
    rows = json.loads(raw)
    if not isinstance(rows, list):
        raise TypeError("not a list")
    return rows


def _stamp(row: object) -> Stamp:
    if not isinstance(row, list) or len(row) != 11:  # noqa: PLR2004 - the fields of a stamp
        raise ValueError("not a stamp")
    name, action, reason, asked, digest, fingerprint, attempt, *parts = row
    if not isinstance(attempt, int) or isinstance(attempt, bool):
        raise TypeError("not a number")
    spec, dataset, base, observed = (_checked(part, _PART) for part in parts)
    basis = Basis(
        action=_checked(action, _WORD),
        reason=_checked(reason, _WORD),
        asked=_checked(asked, _DIGEST),
        digest=_checked(digest, _DIGEST),
        fingerprint=_checked(fingerprint, _FINGERPRINT),
        attempt=attempt,
        spec=spec,
        dataset=dataset,
        base=base,
        observed=observed,
    )
    return Stamp(_checked(name, NAME), basis)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _checked(value: object, pattern: re.Pattern[str]) -> str:
    text = _text(value)
    if not pattern.fullmatch(text):
        raise ValueError("not what stands there")
    return text
