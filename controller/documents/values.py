"""What a YAML file is read into: plain values, and the place of each in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from controller.errors import Problem, Severity

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place inside one file; both count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. ``places`` has every value's place by its path, ``keys`` that of the key before it.

    ``problems`` are its own. ``whole`` is False where the text broke off: ``value`` then holds what came before.
    """

    value: Value
    places: Mapping[Path, Spot]
    file: str
    place: Spot
    keys: Mapping[Path, Spot]
    problems: tuple[Problem, ...] = ()
    whole: bool = True

    @property
    def valid(self) -> bool:
        """Whether nothing worse than a warning was found."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    def value_place(self, path: Path) -> Spot:
        """Where that value stands; of a path that is not there, the nearest enclosing value that is."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.place)

    def key_place(self, path: Path) -> Spot:
        """Where the key of that path stands; of a list item, the item itself."""
        return self.keys[path] if path in self.keys else self.value_place(path)


@dataclass(frozen=True, slots=True)
class Parsed:
    """All documents of one file in order, empty ones left out, and every problem found in it."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold, so that no file can use up time, memory or the stack. Sizes in bytes or characters."""

    size: int = 1 << 20
    depth: int = 50
    aliases: int = 20
    documents: int = 500
    tokens: int = 250_000
    nodes: int = 100_000
    scalar: int = 1 << 20
    line: int = 100_000


LIMITS = Limits()
