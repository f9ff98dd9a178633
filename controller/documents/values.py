"""What a YAML file is read into: plain values, the place of each, and how much of both a file may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from controller.errors import Problem, Severity

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]


class Spot(NamedTuple):
    """A place inside one file; both count from 1, columns in characters."""

    line: int
    column: int


class Positions(Protocol):
    """Where the parts of a document stand. What is not known yet is found out when it is asked for."""

    def everything(self) -> Places:
        """The places of all of it."""

    def value(self, path: Path) -> Spot | None:
        """Where that value stands; None where there is none at this path."""


@dataclass(frozen=True, slots=True)
class Places:
    """``values`` has every value's place by its path, ``keys`` that of the key before it."""

    values: Mapping[Path, Spot]
    keys: Mapping[Path, Spot]

    def everything(self) -> Places:
        """These."""
        return self

    def value(self, path: Path) -> Spot | None:
        """Where that value stands; None where there is none at this path."""
        return self.values.get(path)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. ``place`` is where it starts.

    ``problems`` are its own. ``whole`` is False where the text broke off: ``value`` then holds what came before.
    """

    value: Value
    file: str
    place: Spot
    positions: Positions
    problems: tuple[Problem, ...] = ()
    whole: bool = True

    @property
    def valid(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    @property
    def places(self) -> Mapping[Path, Spot]:
        """Every value's place by its path."""
        return self.positions.everything().values

    @property
    def keys(self) -> Mapping[Path, Spot]:
        """The place of the key before every value that has one, by the value's path."""
        return self.positions.everything().keys

    def value_place(self, path: Path) -> Spot:
        """Where that value stands; of a path that is not there, the nearest enclosing value that is."""
        found = self.positions.value(path)
        while path and found is None:
            path = path[:-1]
            found = self.positions.value(path)
        return found or self.place

    def key_place(self, path: Path) -> Spot:
        """Where the key of that path stands; of a list item, the item itself."""
        return self.keys[path] if path in self.keys else self.value_place(path)


@dataclass(frozen=True, slots=True)
class Parsed:
    """All documents of one file in order, empty ones left out, and every problem found in it."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may hold, so that no file can use up time, memory or the stack. Sizes in bytes or characters."""

    size: int = 1 << 20
    depth: int = 50
    aliases: int = 20
    documents: int = 500
    tokens: int = 250_000
    nodes: int = 100_000
    scalar: int = 1 << 20
    line: int = 100_000


LIMITS = FileLimits()


INTEGER_DIGITS = 30  # far beyond any number a field can hold, far below where int() gets slow
FLOAT_CHARACTERS = 64

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# Each pattern starts where a number starts and has no nested repetition, so a match takes linear time.
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEXADECIMAL = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class NumberRefused(ValueError):
    """A number that is not finite, or too long to be one that is meant."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar (YAML 1.2.2, 10.3.2). Raises `NumberRefused`."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_A_NUMBER.fullmatch(text):
        raise NumberRefused("is not a finite number")
    if _DECIMAL.fullmatch(text):
        return int(_short(text, INTEGER_DIGITS))
    if _OCTAL_OR_HEXADECIMAL.fullmatch(text):
        return int(_short(text, INTEGER_DIGITS), 0)
    if _FLOAT.fullmatch(text):
        number = float(_short(text, FLOAT_CHARACTERS))
        if not math.isfinite(number):
            raise NumberRefused("is too large for a number")
        return number
    return text


def _short(text: str, limit: int) -> str:
    if len(text) > limit:
        raise NumberRefused(f"has {len(text)} characters, more than the {limit} a number may have")
    return text
