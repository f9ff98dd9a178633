"""YAML events of one document to a plain value, the place of every part of it, and the problems in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from controller.documents.events import BrokenDocument
from controller.documents.values import FileLimits, NumberRefused, Path, Spot, Value, resolve
from controller.errors import Problem

_Collection: TypeAlias = MappingStartEvent | SequenceStartEvent
_Node: TypeAlias = ScalarEvent | _Collection
_KEY_HINT = "put quotes around it"
_NO_KEY = "?"  # stands for a key that is not text
_MOST_PROBLEMS = 100  # of one document: nobody reads more, and a hostile file would have as many as it has lines


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being filled. ``key`` is the mapping key whose value comes next."""

    value: list[Value] | dict[str, Value]
    path: Path
    anchor: str | None
    first_node: int
    key: str | None = None
    height: int = 1
    lines: dict[str, int] = field(default_factory=dict)
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an alias stands for, and how much it adds wherever it is used."""

    value: Value
    nodes: int
    height: int


class Composition:
    """One document while it is put together, without recursion. Feed it events; read ``value`` and the rest."""

    def __init__(self, file: str, first_line: int, limits: FileLimits) -> None:
        self.value: Value = None
        self.places: dict[Path, Spot] = {}
        self.keys: dict[Path, Spot] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._offset = first_line - 1
        self._limits = limits
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._aliases = 0
        self._nodes = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Take in a document's events. Raises `BrokenDocument` past a limit; what was built until then stays."""
        for event in events:
            match event:
                case ScalarEvent():
                    self._scalar(event)
                case MappingStartEvent():
                    self._start(event, {})
                case SequenceStartEvent():
                    self._start(event, [])
                case MappingEndEvent() | SequenceEndEvent():
                    self._end()
                case AliasEvent():
                    self._alias(event)
                case _:
                    pass  # stream and document marks carry nothing

    def _scalar(self, event: ScalarEvent) -> None:
        spot = self._properties(event)
        text = cast("str", event.value)
        if len(text) > self._limits.scalar:
            message = f"a single value has {len(text):,} characters, more than {self._limits.scalar:,}"
            raise BrokenDocument(self._spot(event), "GT115", message, "put long texts into a dataset file")
        plain = event.style is None and event.tag is None
        if self._wants_key():
            self._key(text, spot, plain=plain)
            return
        value: Value = text
        if plain:
            try:
                value = resolve(text)
            except NumberRefused as error:
                self._problem(spot, "GT114", f"the number {_cut(text)} {error}", "write a finite number of usual size")
        self._count(event, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, 1, 0)
        self._place(value, spot)

    def _key(self, text: str, spot: Spot, *, plain: bool) -> None:
        top = self._stack[-1]
        if plain and text == "<<":
            self._problem(spot, "GT110", "merge keys (<<) are not allowed", "write the fields out where they are used")
        elif plain and not _is_text(text):
            self._problem(spot, "GT113", f"the key {_cut(text) or 'null'} is not text", _KEY_HINT)
        if text in top.lines:
            message = f"the key {_cut(text)!r} is here twice: on line {top.lines[text]} and on line {spot.line}"
            self._problem(spot, "GT112", message, "keep one of the two")
        else:
            top.lines[text] = spot.line
            self.keys[(*top.path, text)] = spot
        top.key = text

    def _start(self, event: _Collection, value: list[Value] | dict[str, Value]) -> None:
        spot = self._properties(event)
        if len(self._stack) >= self._limits.depth:
            message = f"values are nested more than {self._limits.depth} levels deep"
            raise BrokenDocument(self._spot(event), "GT107", message, "a spec needs far less: simplify the file")
        is_key = self._wants_key()
        if is_key:
            self._problem(spot, "GT113", "a list or mapping cannot be a key", "write the key as text")
        self._count(event, 1)
        path = (*self._stack[-1].path, _NO_KEY) if is_key else self._next_path()
        self.places.setdefault(path, spot)
        self._stack.append(_Open(value, path, event.anchor, self._nodes, is_key=is_key))
        if len(self._stack) == 1:
            self.value = value

    def _end(self) -> None:
        done = self._stack.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = _Anchored(done.value, self._nodes - done.first_node + 1, done.height)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, done.height + 1)
        if done.is_key:
            self._stack[-1].key = _NO_KEY
        else:
            self._attach(done.value)

    def _alias(self, event: AliasEvent) -> None:
        spot = self._spot(event)
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            message = f"the document uses more than {self._limits.aliases} aliases"
            raise BrokenDocument(self._spot(event), "GT108", message, "write the values out")
        if self._wants_key():
            self._problem(spot, "GT113", "an alias cannot be a key", "write the key as text")
            self._stack[-1].key = _NO_KEY
            return
        found = self._anchored(event.anchor, spot)
        self._count(event, found.nodes)
        if len(self._stack) + found.height > self._limits.depth:
            message = f"this alias nests values more than {self._limits.depth} levels deep"
            raise BrokenDocument(self._spot(event), "GT107", message, "write the values out")
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, found.height + 1)
        self._place(found.value, spot)

    def _anchored(self, name: str, spot: Spot) -> _Anchored:
        if any(o.anchor == name for o in self._stack):
            self._problem(spot, "GT109", f"the alias *{_cut(name)} is used inside its own value", "write the value out")
        elif name not in self._anchors:
            hint = f"define it before with &{_cut(name)}, or put quotes around a value that starts with *"
            self._problem(spot, "GT118", f"the alias *{_cut(name)} has no anchor", hint)
        else:
            return self._anchors[name]
        return _Anchored(None, 1, 0)

    def _place(self, value: Value, spot: Spot) -> None:
        self.places.setdefault(self._next_path(), spot)
        self._attach(value)

    def _attach(self, value: Value) -> None:
        """Put a finished value where it belongs; of a repeated key the first value stays."""
        if not self._stack:
            self.value = value
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value.setdefault(cast("str", top.key), value)
            top.key = None

    def _next_path(self) -> Path:
        if not self._stack:
            return ()
        top = self._stack[-1]
        return (*top.path, len(top.value) if isinstance(top.value, list) else cast("str", top.key))

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _count(self, event: Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            message = f"the document holds more than {self._limits.nodes:,} values, its aliases written out"
            raise BrokenDocument(self._spot(event), "GT127", message, "a spec needs far less: simplify the file")

    def _properties(self, event: _Node) -> Spot:
        """The place of a node; a tag on it is a problem."""
        spot = self._spot(event)
        if event.tag is not None:
            hint = "remove the tag, or put quotes around a value that starts with !"
            self._problem(spot, "GT111", f"the tag {_cut(str(event.tag))} is not allowed", hint)
        return spot

    def _spot(self, event: Event) -> Spot:
        return Spot(event.start_mark.line + 1 + self._offset, event.start_mark.column + 1)

    def _problem(self, spot: Spot, code: str, message: str, hint: str) -> None:
        self.problems.append(Problem(self._file, spot.line, spot.column, code, message, hint=hint))
        if len(self.problems) == _MOST_PROBLEMS:
            message = f"the document has {_MOST_PROBLEMS} problems up to here; the rest of it was not read"
            raise BrokenDocument(spot, "GT130", message, "correct these first")


def _is_text(text: str) -> bool:
    try:
        return isinstance(resolve(text), str)
    except NumberRefused:
        return False


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to find it by
