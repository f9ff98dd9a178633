"""A plain value to YAML 1.2 text in block style, deterministic, that reads back as the same value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from controller.documents.scalars import INTEGER_DIGITS
from controller.documents.values import LIMITS

Writable: TypeAlias = "bool | int | float | str | Sequence[Writable] | Mapping[str, Writable] | None"

_KEY_LENGTH = 200  # a YAML key without `?` ends within 1024 characters of its start; escapes take up to ten each
# Text that no YAML version reads as anything but text: no number, no date, no indicator, no `: ` or ` #` inside.
_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./@+=~(),;'!?<>-]|:(?=[A-Za-z0-9_/])| (?=[A-Za-z0-9_./(]))*")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})  # YAML 1.1 reads some as booleans
_ESCAPED = re.compile(
    r"[\"\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)
_NOT_LITERAL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def dump(value: Writable) -> str:
    """The value as one YAML document, keys in their order, each line ended by a line feed.

    Raises `ValueError` for what `parse` would refuse: NaN and infinities, integers over 30 digits, keys over 200
    characters, more than 50 levels.
    """
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, str) and value:
        lines: list[str] = []
        _block(value, "", lines, 1)
        return "\n".join(lines) + "\n"
    return _inline(value) + "\n"


def _block(value: Mapping[str, Writable] | Sequence[Writable], indent: str, lines: list[str], depth: int) -> None:
    if depth > LIMITS.depth:
        raise ValueError(f"values are nested more than {LIMITS.depth} levels deep")
    for head, item in _items(value):
        if isinstance(item, str):
            lines.extend(_text(item, indent + head + " ", indent + "  "))
        elif isinstance(item, (Mapping, Sequence)) and item:
            if head == "-":
                _nested_in_list(item, indent, lines, depth)
            else:
                lines.append(indent + head)
                _block(item, indent + "  ", lines, depth + 1)
        else:
            lines.append(f"{indent}{head} {_inline(item)}")


def _items(value: Mapping[str, Writable] | Sequence[Writable]) -> Iterable[tuple[str, Writable]]:
    if isinstance(value, Mapping):
        return ((_key(k) + ":", v) for k, v in value.items())
    return (("-", item) for item in value)


def _nested_in_list(
    item: Mapping[str, Writable] | Sequence[Writable], indent: str, lines: list[str], depth: int
) -> None:
    """The first line of the item stands on the line of its dash."""
    start = len(lines)
    _block(item, indent + "  ", lines, depth + 1)
    lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"


def _key(key: str) -> str:
    if len(key) > _KEY_LENGTH:
        raise ValueError(f"a key has more than {_KEY_LENGTH} characters")
    return _scalar(key)


def _inline(value: Writable) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return _integer(value)
        case float():
            return _number(value)
        case str():
            return _scalar(value)
        case Mapping():
            return "{}"
        case _:
            return "[]"


def _integer(value: int) -> str:
    if abs(value) >= 10 ** (INTEGER_DIGITS - 1):
        raise ValueError(f"an integer has {INTEGER_DIGITS} digits or more")
    return str(int(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("NaN and infinities cannot be written")
    return repr(float(value))


def _text(text: str, start: str, indent: str) -> Iterable[str]:
    if "\n" not in text or not _fits_literal(text):
        return (start + _scalar(text),)
    body = text.rstrip("\n")
    ending = len(text) - len(body)
    chomping = "-" if ending == 0 else "" if ending == 1 else "+"
    written = (indent + line if line else "" for line in text.split("\n")[: None if ending == 0 else -1])
    return (f"{start}|{chomping}", *written)


def _fits_literal(text: str) -> bool:
    """Whether a literal block keeps the text exactly: it starts with a letter or sign, and nothing needs an escape."""
    return (
        not text[0].isspace()
        and not _NOT_LITERAL.search(text)
        and not any(line and not line.strip(" \t") for line in text.split("\n"))
    )


def _scalar(text: str) -> str:
    return _short_scalar(text) if len(text) <= _KEY_LENGTH else _written(text)


@lru_cache(maxsize=4096)  # the same ids, states and reasons stand in every status
def _short_scalar(text: str) -> str:
    return _written(text)


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _OLD_WORDS:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - all escaped ones are below U+10000
