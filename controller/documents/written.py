"""Text that `dump` wrote to the mapping it was written from, an order faster than YAML is read; None for other text."""

from __future__ import annotations

import re
from typing import Final

from controller.documents.dumping import dump
from controller.documents.values import Value

LONGEST: Final = 1 << 16  # bytes: well below every limit of `parse`
_PAIR = re.compile(r'("(?:[^"\\]|\\.)*"|[^"\s-].*?):(?: (.+))?')
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))")
_SHORT: Final = {"n": "\n", "t": "\t", "r": "\r"}
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
            found[_text(key)] = self._nested(indent) if said is None else self._said(said, indent)
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
        return float(said) if _NUMBER.fullmatch(said) else _text(said)

    def _literal(self, chomping: str, indent: str) -> str:
        lines: list[str] = []
        while self._at < len(self._lines) and (not (line := self._lines[self._at]) or line.startswith(indent)):
            lines.append(line.removeprefix(indent))
            self._at += 1
        return "\n".join(lines) + ("" if chomping == "-" else "\n")


def _text(written: str) -> str:
    if not written.startswith('"'):
        return written
    return _ESCAPE.sub(_unescaped, written[1:-1]) if "\\" in written else written[1:-1]


def _unescaped(match: re.Match[str]) -> str:
    short, long, sign = match.groups()
    if sign is None:
        return chr(int(short or long, 16))
    return _SHORT.get(sign, sign)
