"""One field of a remote's JSON object to a typed value: whatever cannot be read counts as not said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from controller.rest import JSON

Object: TypeAlias = Mapping[str, JSON]

# Past 15 digits a double, and so JSON in many languages, no longer counts exactly.
_MOST_DIGITS = 15
_LONGEST_TEXT = 65_536


def an_object(value: JSON) -> Object:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: JSON) -> tuple[Object, ...]:
    """The objects of a list; anything else in it is left out."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(item for item in listed if isinstance(item, Mapping))


def text(of: Object, field: str) -> str:
    """A string, at most 64 Ki characters of it; "" where there is none."""
    return as_text(of.get(field))


def as_text(value: JSON) -> str:
    """The same of a value."""
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def number(of: Object, field: str) -> float | None:
    """A finite number, also where it is written as a string (protobuf's JSON does so)."""
    return as_number(of.get(field))


def as_number(value: JSON) -> float | None:
    """The same of a value."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(of: Object, field: str) -> int | None:
    """A whole number from 0, also where it is written as a string (int64) or as 5.0."""
    return as_count(of.get(field))


def as_count(value: JSON) -> int | None:
    """The same of a value."""
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    found = as_number(value)
    if found is None or found < 0 or not found.is_integer() or found >= 10**_MOST_DIGITS:
        return None
    return int(found)
