"""Bytes of a request in, JSON objects read field by field out, with every fault named by its path.

Google's parser takes more than JSON, and its own samples rely on that: snake_case names, trailing commas, numbers in strings,
enums as integers. Unknown names it refuses. Both are so here.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

from controller.server.status import Code, Json, Refused, Violation, invalid

__all__ = ["Node", "camel", "parse"]

_STRING_OR_TRAILING_COMMA: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|,(?=\s*[}\]])', re.DOTALL)
_INT32: Final = 2**31
_INT64: Final = 2**63


def camel(name: str) -> str:
    """The lowerCamelCase form of a field name; a name already in that form stays as it is."""
    return re.sub(r"_([a-zA-Z0-9])", lambda found: found[1].upper(), name)


def parse(body: bytes) -> Json:
    """The JSON value of a request body; an empty body is an empty object. Raises `Refused` where it is no JSON."""
    if not body.strip():
        return {}
    try:
        text = body.decode()
        try:
            return _load(text)
        except json.JSONDecodeError:
            return _load(_STRING_OR_TRAILING_COMMA.sub(lambda found: "" if found[0] == "," else found[0], text))
    except RecursionError:
        raise _no_json("the values are nested too deeply") from None
    except ValueError as fault:
        raise _no_json(str(fault)) from None


def _load(text: str) -> Json:
    loaded: Json = json.loads(text, parse_constant=_refuse_constant)
    return loaded


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _no_json(why: str) -> Refused:
    return Refused(Code.INVALID_ARGUMENT, f"Invalid JSON payload received. {why}")


class Node:
    """One JSON object being read: names that are asked for are known; `close` reports all others.

    The methods return None where the field is absent or null. A value of the wrong type is noted, not raised, so that one
    answer names every fault; the reader at the root calls `check` in the end.
    """

    def __init__(self, raw: Json, path: str = "", faults: list[Violation] | None = None) -> None:
        self.path = path
        self.faults: list[Violation] = [] if faults is None else faults
        self._known: set[str] = set()
        self._fields: dict[str, Json] = {}
        self._written: dict[str, str] = {}
        if isinstance(raw, dict):
            for name, value in raw.items():
                self._add(name, value)
        else:
            self.fault("", "must be a JSON object")

    def _add(self, name: str, value: Json) -> None:
        key = camel(name)
        if key in self._written:
            self.fault(key, "is given twice")
        self._written[key] = name
        if value is not None:
            self._fields[key] = value

    def at(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def fault(self, name: str, description: str) -> None:
        """Notes a fault of a field (or of this object, where ``name`` is empty)."""
        self.faults.append(Violation(self.at(name), description))

    def has(self, name: str) -> bool:
        """Whether the field is given and not null."""
        return name in self._fields

    def skip(self, *names: str) -> None:
        """Marks fields as known though nothing reads them: those only the server sets."""
        self._known.update(names)

    def _take(self, name: str) -> Json:
        self._known.add(name)
        return self._fields.get(name)

    def string(self, name: str) -> str | None:
        """A string that can be written as UTF-8."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, str):
            return self.fault(name, "must be a string")
        try:
            value.encode()
        except UnicodeEncodeError:
            return self.fault(name, "holds a lone surrogate, which is no character")
        return value

    def number(self, name: str) -> float | None:
        """A finite number, also one in a string."""
        value = self._take(name)
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            return self.fault(name, "must be a number")
        return number if math.isfinite(number) else self.fault(name, "must be a finite number")

    def integer(self, name: str, bound: int = _INT32) -> int | None:
        """A whole number within the bound (that of int32 unless said otherwise), also one in a string or written 5.0."""
        value = self._take(name)
        return None if value is None else self._whole(name, value, bound)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of int64, which JSON clients write as strings."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list):
            return self.fault(name, "must be a list")
        found = [self._whole(f"{name}[{i}]", item, _INT64) for i, item in enumerate(value)]
        return tuple(item for item in found if item is not None)

    def strings(self, name: str) -> tuple[str, ...] | None:
        """A list of strings."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return self.fault(name, "must be a list of strings")
        return tuple(str(item) for item in value)

    def _whole(self, name: str, value: Json, bound: int) -> int | None:
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise ValueError
            number = int(value)
            if isinstance(value, float) and number != value:
                raise ValueError
        except (ValueError, OverflowError):
            return self.fault(name, "must be a whole number")
        return number if -bound <= number < bound else self.fault(name, "is out of range")

    def node(self, name: str) -> Node | None:
        """A nested object."""
        value = self._take(name)
        return None if value is None else Node(value, self.at(name), self.faults)

    def nodes(self, name: str) -> list[Node] | None:
        """A list of nested objects."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list):
            return self.fault(name, "must be a list")
        return [Node(item, f"{self.at(name)}[{i}]", self.faults) for i, item in enumerate(value)]

    def close(self) -> None:
        """Notes every name nobody asked for."""
        for key, name in self._written.items():
            if key not in self._known:
                where = f' at "{self.path}"' if self.path else ""
                self.faults.append(
                    Violation(self.at(name), f'Invalid JSON payload received. Unknown name "{name}"{where}.')
                )

    def check(self) -> None:
        """Raises `Refused` with the faults noted so far, if any."""
        if self.faults:
            raise invalid(*self.faults[:20])
