"""Bytes of a request in, JSON objects read field by field out, with every fault named by its path.

Google's parser takes more than JSON, and its own samples rely on that: snake_case names, trailing commas, numbers in
strings, enums as integers. Unknown names it refuses. Both are so here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn, TypeVar

from controller.server.models import SamplingDefaults
from controller.server.status import ApiError, Json, StatusCode, Violation, invalid

T = TypeVar("T")

_STRING_OR_TRAILING_COMMA: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|,(?=\s*[}\]])', re.DOTALL)
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}")
_INT32: Final = 2**31
_INT64: Final = 2**63


def camel(name: str) -> str:
    """The lowerCamelCase form of a field name; a name already in that form stays as it is."""
    return re.sub(r"_([a-zA-Z0-9])", lambda found: found[1].upper(), name)


def parse(body: bytes) -> Json:
    """The JSON value of a request body; an empty body is an empty object. Raises `ApiError` where it is no JSON."""
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


def _no_json(why: str) -> ApiError:
    return ApiError(StatusCode.INVALID_ARGUMENT, f"Invalid JSON payload received. {why}")


class Node:
    """One JSON object being read: names that are asked for are known; `close` reports all others.

    The methods return None where the field is absent or null. A value of the wrong type is noted, not raised, so that
    one answer names every fault; the reader at the root calls `check` in the end.
    """

    def __init__(self, raw: Json, path: str = "", faults: list[Violation] | None = None) -> None:
        self.path = path
        self.faults: list[Violation] = [] if faults is None else faults
        self._known: set[str] = set()
        self._fields: dict[str, Json] = {}
        self._written: dict[str, str] = {}
        if not isinstance(raw, dict):
            self.fault("", "must be a JSON object")
            return
        for name, value in raw.items():
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

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Notes each of these fields that is given, with the reason why it cannot be."""
        self.skip(*reasons)
        for name, why in reasons.items():
            if self.has(name):
                self.fault(name, why)

    def at_most(self, name: str, text: str | None, limit: int) -> None:
        """Notes a text of the field that has more characters."""
        if text is not None and len(text) > limit:
            self.fault(name, f"has {len(text)} characters; the limit is {limit}")

    def _read(self, name: str, convert: Callable[[Json], T]) -> T | None:
        self._known.add(name)
        if name not in self._fields:
            return None
        try:
            return convert(self._fields[name])
        except _Unfit as unfit:
            self.fault(name, str(unfit))
            return None

    def string(self, name: str) -> str | None:
        """A string that can be written as UTF-8."""
        return self._read(name, _to_string)

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of strings, an empty one where there is none."""
        return self._read(name, lambda value: tuple(_to_string(item) for item in _to_list(value))) or ()

    def number(self, name: str) -> float | None:
        """A finite number, also one in a string."""
        return self._read(name, _to_number)

    def positive(self, name: str) -> float | None:
        """A number greater than 0."""
        return self._expect(name, self.number(name), lambda value: value > 0, "must be greater than 0")

    def integer(self, name: str) -> int | None:
        """A whole number within int32, also one in a string or written 5.0."""
        return self._read(name, lambda value: _to_integer(value, _INT32))

    def share(self, name: str) -> float | None:
        """A number from 0 to 1."""
        return self._expect(name, self.number(name), lambda value: 0 <= value <= 1, "must be between 0 and 1")

    def positive_integer(self, name: str, most: int = (1 << 31) - 1) -> int | None:
        """A whole number from 1 to ``most``."""
        number = self._expect(name, self.integer(name), lambda value: value >= 1, "must be at least 1")
        return self._expect(name, number, lambda value: value <= most, f"must be at most {most:,}")

    def _expect(self, name: str, value: T | None, is_fit: Callable[[T], bool], otherwise: str) -> T | None:
        if value is not None and not is_fit(value):
            self.fault(name, otherwise)
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of int64, which JSON clients write as strings; an empty one where there is none."""
        return self._read(name, lambda value: tuple(_to_integer(item, _INT64) for item in _to_list(value))) or ()

    def sampling(self) -> SamplingDefaults:
        """The three fields that say how answers are drawn."""
        return SamplingDefaults(self.share("temperature"), self.share("topP"), self.positive_integer("topK"))

    def node(self, name: str) -> Node:
        """A nested object, an empty one where there is none."""
        self._known.add(name)
        return Node(self._fields.get(name, {}), self.at(name), self.faults)

    def nodes(self, name: str) -> list[Node]:
        """A list of nested objects, an empty one where there is none."""
        items = self._read(name, _to_list) or []
        return [Node(item, f"{self.at(name)}[{i}]", self.faults) for i, item in enumerate(items)]

    def close(self) -> None:
        """Notes every name nobody asked for."""
        for key, name in self._written.items():
            if key not in self._known:
                where = f' at "{self.path}"' if self.path else ""
                self.faults.append(
                    Violation(self.at(name), f'Invalid JSON payload received. Unknown name "{name}"{where}.')
                )

    def check(self) -> None:
        """Raises `ApiError` with the faults noted so far, if any."""
        if self.faults:
            raise invalid(*self.faults[:20])


class _Unfit(Exception):
    """A value that cannot be what its field wants; the message says what that is."""


def _to_string(value: Json) -> str:
    if not isinstance(value, str):
        raise _Unfit("must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Unfit("holds a lone surrogate, which is no character") from None
    return value


def _to_list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise _Unfit("must be a list")
    return value


def _to_number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Unfit("must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Unfit("must be a number") from None
    if not math.isfinite(number):
        raise _Unfit("must be a finite number")
    return number


def _to_integer(value: Json, bound: int) -> int:
    number = _to_number(value)
    if number != int(number):
        raise _Unfit("must be a whole number")
    exact = isinstance(value, int) or (isinstance(value, str) and _DIGITS.fullmatch(value))
    whole = int(str(value)) if exact else int(number)  # a float would have rounded an int64
    if not -bound <= whole < bound:
        raise _Unfit("is out of range")
    return whole
