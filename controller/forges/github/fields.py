"""JSON from outside to the few values that are wanted of it; what is missing or of another type is empty."""

from __future__ import annotations

from collections.abc import Mapping

from controller.rest import JSON

Object = Mapping[str, JSON]


def objects(value: JSON) -> tuple[Object, ...]:
    """The objects of a list."""
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()


def at(value: JSON, *path: str) -> JSON:
    """What stands below a path of keys; None where it breaks off."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def text(value: JSON, *path: str) -> str:
    """A text, or ""."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: JSON, *path: str) -> int:
    """A whole number above 0, or 0."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def flag(value: JSON, *path: str) -> bool:
    """True only where it says so."""
    return at(value, *path) is True
