"""A record to plain values with camelCase keys, and back with every type checked. Pure."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from controller.ledger.curves import read_losses, write_losses
from controller.state.observed import LossPoint
from controller.state.recorded import Record

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = tuple[str | int, ...]
_STEP = re.compile(r"\.([A-Za-z_]+)|\[(\d+|\.\.\.)\]")
_DIGEST = re.compile(r"[0-9a-f]{64}|")
_T = TypeVar("_T")
_LISTS: Final = {name: get_args(hint)[0] for name, hint in get_type_hints(Record).items() if get_origin(hint) is tuple}
# Not by functools.cache: mypy holds that a type has no hash.
_KINDS: Final[dict[type[object], tuple[tuple[str, str, object], ...]]] = {}
_DIGESTS: Final = frozenset({"fingerprint", "datasetDigest"})


class Garbled(Exception):
    """Plain values that are no record; ``path`` says where."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


def to_plain(value: object) -> Plain:
    """A frozen value as plain ones; what is at its default is left out."""
    match value:
        case Enum():
            return str(value.value)
        case None | bool() | int() | float():
            return value
        case str():
            return value.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written anywhere
        case tuple() if value and isinstance(value[0], LossPoint):
            return write_losses(value)
        case tuple():
            return [to_plain(item) for item in value]
        case _:
            return _fields(value)


def _fields(value: object) -> dict[str, Plain]:
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
        known = _KINDS[kind] = tuple((field.name, _camel(field.name), _default(field)) for field in fields(kind))
    return known


def from_plain(plain: Plain) -> Record:
    """The record that plain values say. Unknown keys are passed over: a newer Gitune may have written them.

    Raises `Garbled`.
    """
    _check_digests(plain, ())
    readable = _readable(plain, ())
    if not isinstance(readable, dict):
        raise Garbled("a status is a mapping", ())
    lists: dict[str, Any] = {  # mypy cannot tie each name to its item's kind
        name: tuple(_convert(item, kind, (_camel(name), index)) for index, item in enumerate(items))
        for name, kind in _LISTS.items()
        if isinstance(items := readable.get(name), list)
    }
    return replace(_convert({**readable, **dict.fromkeys(lists, ())}, Record, ()), **lists)


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
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@lru_cache(maxsize=1024)  # keys come from files too
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


def _readable(plain: Plain, path: Path) -> object:
    """The values with the names of fields for keys, and losses as points."""
    match plain:
        case dict():
            return {
                _snake(key): _losses(value, (*path, key)) if key == "losses" else _readable(value, (*path, key))
                for key, value in plain.items()
            }
        case list():
            return [_readable(item, (*path, index)) for index, item in enumerate(plain)]
        case _:
            return plain


def _losses(value: Plain, path: Path) -> object:
    if not isinstance(value, str):
        raise Garbled("losses are not a text", path)
    try:
        return [
            {"step": p.step, "epoch": p.epoch, "mean_loss": p.mean_loss, "time": p.time} for p in read_losses(value)
        ]
    except ValueError as error:
        raise Garbled(str(error), path) from None


def _check_digests(plain: Plain, path: Path) -> None:
    match plain:
        case dict():
            for key, value in plain.items():
                if key in _DIGESTS and isinstance(value, str) and not _DIGEST.fullmatch(value):
                    raise Garbled(f"{key} is not 64 hex digits", (*path, key))
                _check_digests(value, (*path, key))
        case list():
            for index, item in enumerate(plain):
                _check_digests(item, (*path, index))
        case _:
            pass


def _path(place: str) -> Path:
    """The ``.runs[...].attempt`` of msgspec in our keys, as far as it says which item."""
    path: list[str | int] = []
    for name, index in _STEP.findall(place):
        if index == "...":
            break
        path.append(int(index) if index else _camel(name))
    return tuple(path)
