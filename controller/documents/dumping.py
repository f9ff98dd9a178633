"""A plain value to deterministic YAML text in block style, and such text back to the value faster than YAML is read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from controller.documents.values import INTEGER_DIGITS, LIMITS, Value

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
            start = len(lines)
            if head != "-":
                lines.append(indent + head)
            _block(item, indent + "  ", lines, depth + 1)
            if head == "-":  # the first line of the item stands on the line of its dash
                lines[start] = f"{indent}- {lines[start][len(indent) + 2 :]}"
        else:
            lines.append(f"{indent}{head} {_inline(item)}")


def _items(value: Mapping[str, Writable] | Sequence[Writable]) -> Iterable[tuple[str, Writable]]:
    if isinstance(value, Mapping):
        return ((_key(k) + ":", v) for k, v in value.items())
    return (("-", item) for item in value)


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
            if abs(value) >= 10 ** (INTEGER_DIGITS - 1):
                raise ValueError(f"an integer has {INTEGER_DIGITS} digits or more")
            return str(int(value))
        case float():
            if not math.isfinite(value):
                raise ValueError("NaN and infinities cannot be written")
            return repr(float(value))
        case str():
            return _scalar(value)
        case Mapping():
            return "{}"
        case _:
            return "[]"


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
    return _remembered(text) if len(text) <= _KEY_LENGTH else _written(text)


def _written(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _OLD_WORDS:
        return text
    return '"' + _ESCAPED.sub(_escape, text) + '"'


_remembered = lru_cache(maxsize=4096)(_written)  # the same ids, states and reasons stand in every status


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - all escaped ones are below U+10000


LONGEST: Final = 1 << 16  # bytes: well below every limit of `parse`
_PAIR = re.compile(r'("(?:[^"\\]|\\.)*"|[^"\s-].*?):(?: (.+))?')
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))")
_UNESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS: Final[dict[str, Value]] = {"null": None, "true": True, "false": False}


class _Other(Exception):
    """`dump` does not write so."""


def read_back(data: bytes) -> dict[str, Value] | None:
    """The mapping of one document, as `parse` reads it. What it is taken for is written again and compared."""
    if len(data) > LONGEST:
        return None
    try:
        text = data.decode()
        value = _Reading(text).mapping("")
        return value if dump(value) == text else None
    except (_Other, ValueError, RecursionError):
        return None


class _Reading:
    """Lines, and how far they are read."""

    def __init__(self, text: str) -> None:
        self._lines = text.removesuffix("\n").split("\n")
        self._at = 0

    def mapping(self, indent: str) -> dict[str, Value]:
        """The pairs that stand at this indent."""
        found: dict[str, Value] = {}
        while (rest := self._rest(indent)) is not None:
            pair = _PAIR.fullmatch(rest)
            if pair is None:
                raise _Other
            self._at += 1
            key, said = pair.groups()
            found[_plain_text(key)] = self._nested(indent) if said is None else self._said(said, indent)
        return found

    def _items(self, indent: str) -> list[Value]:
        found: list[Value] = []
        while (rest := self._rest(indent)) is not None and rest.startswith("- "):
            item = rest[2:]
            if item.startswith("- ") or _PAIR.fullmatch(item):
                self._lines[self._at] = f"{indent}  {item}"  # as if the dash stood on a line of its own
                found.append(self._nested(indent))
            else:
                self._at += 1
                found.append(self._said(item, indent))
        return found

    def _nested(self, indent: str) -> Value:
        deeper = f"{indent}  "
        rest = self._rest(deeper)
        return self._items(deeper) if rest is not None and rest.startswith("- ") else self.mapping(deeper)

    def _rest(self, indent: str) -> str | None:
        """The line that is next, behind its indent; None where it stands less deep, or there is none."""
        if self._at >= len(self._lines) or not (line := self._lines[self._at]).startswith(indent):
            return None
        return line[len(indent) :]

    def _said(self, said: str, indent: str) -> Value:
        if said in {"|", "|-", "|+"}:
            return self._literal(said[1:], f"{indent}  ")
        if said in {"{}", "[]"}:
            return {} if said == "{}" else []
        if said in _WORDS:
            return _WORDS[said]
        if _INTEGER.fullmatch(said):
            return int(said)
        return float(said) if _NUMBER.fullmatch(said) else _plain_text(said)

    def _literal(self, chomping: str, indent: str) -> str:
        lines: list[str] = []
        while self._at < len(self._lines) and (not (line := self._lines[self._at]) or line.startswith(indent)):
            lines.append(line.removeprefix(indent))
            self._at += 1
        return "\n".join(lines) + ("" if chomping == "-" else "\n")


def _plain_text(written: str) -> str:
    if not written.startswith('"'):
        return written
    return _ESCAPE.sub(_unescaped, written[1:-1]) if "\\" in written else written[1:-1]


def _unescaped(match: re.Match[str]) -> str:
    short, long, sign = match.groups()
    if sign is None:
        return chr(int(short or long, 16))
    return _UNESCAPED.get(sign, sign)
