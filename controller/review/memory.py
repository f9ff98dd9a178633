"""What a comment of ours remembers to the text that the code host keeps with it, and back.

A plan's memory is what a merge can grant: what of it cannot be read grants nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from controller.settings import Settings
from controller.state.identity import NAME
from controller.state.reviews import Basis

_STAMPS_LIMIT = 1 << 20  # bytes, unpacked
_OURS = re.compile(r'\{"v":[0-9]{1,4},"purpose":"plan"[,}]')
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
_Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9a-f]{64})?\Z")]
_Commit = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64}|)\Z")]
_Part = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9a-f]{6})?\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{1,40}\Z")]
_Name = Annotated[str, msgspec.Meta(pattern=rf"^(?:{NAME.pattern})\Z")]
_T = TypeVar("_T")


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


class _Written(msgspec.Struct):
    v: Literal[2]
    purpose: Literal["plan"]
    stage: StoryStage
    head: _Commit
    base: str
    config: _Part
    names: tuple[_Name, ...]
    commit: _Commit
    posted: str
    stamps: str | None


class _First(msgspec.Struct):
    """What an older release wrote: of a plan it is too little, the story of a merge goes on."""

    v: Literal[1]
    purpose: Literal["plan"]
    stage: Literal["refused", "applying", "done"]
    head: _Commit
    stamps: str
    commit: _Commit = ""


class _Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: _Name
    action: _Word
    reason: _Word
    asked: _Digest
    digest: _Digest
    fingerprint: _Fingerprint
    attempt: int
    spec: _Part
    dataset: _Part
    base: _Part
    observed: _Part


_BASIS = _Row.__struct_fields__[1:]


def written(memory: Memory) -> str:
    """One line of JSON in ASCII, without what could end an HTML comment."""
    said = _Written(
        v=2,
        purpose="plan",
        stage=memory.stage,
        head=memory.head,
        base=memory.base,
        config=memory.config,
        names=memory.names,
        commit=memory.commit,
        posted=memory.posted,
        stamps=None if memory.stamps is None else _packed(memory.stamps),
    )
    text = json.dumps(msgspec.to_builtins(said), separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("--", "-\\u002d")


def is_plan(text: str) -> bool:
    """Whether a memory is that of the comment with the plan, of whatever version."""
    return _OURS.match(text) is not None


def read(text: str) -> Memory | None:
    """What a text remembers; None where it is no memory of a version that is known, or not whole."""
    try:
        said = msgspec.json.decode(text)
        is_first = isinstance(said, dict) and said.get("v") == 1
        return _first(msgspec.convert(said, _First)) if is_first else _memory(msgspec.convert(said, _Written))
    except (ValueError, msgspec.MsgspecError, RecursionError, zlib.error):
        return None


def config_digest(settings: Settings) -> str:
    """A short digest of the configuration that a plan was made with, to say that it is another one now."""
    providers = sorted((key, repr(one)) for key, one in settings.providers.items())
    raw = repr((providers, settings.instance, settings.default_provider, sorted(settings.specs), settings.policy))
    return hashlib.sha256(raw.encode()).hexdigest()[:6]


def _memory(said: _Written) -> Memory:
    return Memory(
        stage=said.stage,
        head=said.head,
        base=said.base,
        config=said.config,
        stamps=None if said.stamps is None else tuple(map(_stamp, _unpacked(said.stamps, list[_Row]))),
        names=said.names,
        commit=said.commit,
        posted=said.posted,
    )


def _first(said: _First) -> Memory:
    names = [msgspec.convert(row[0], _Name) for row in _unpacked(said.stamps, list[list[Any]]) if row]
    return Memory(StoryStage(said.stage), said.head, names=tuple(dict.fromkeys(names)), commit=said.commit)


def _packed(stamps: tuple[Stamp, ...]) -> str:
    rows = [_Row(stamp.name, **{key: getattr(stamp.basis, key) for key in _BASIS}) for stamp in stamps]
    return base64.b64encode(zlib.compress(msgspec.json.encode(rows), 9)).decode()


def _unpacked(packed: str, kind: type[_T]) -> _T:
    opened = zlib.decompressobj()
    raw = opened.decompress(base64.b64decode(packed, validate=True), _STAMPS_LIMIT)
    if not opened.eof:
        raise ValueError("more than a memory holds")
    return msgspec.json.decode(raw, type=kind)


def _stamp(row: _Row) -> Stamp:
    name, *basis = msgspec.structs.astuple(row)
    return Stamp(name, Basis(**dict(zip(_BASIS, basis, strict=True))))
