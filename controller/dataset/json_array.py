"""The text of a JSON array to blocks of values: each element is judged by itself and keeps its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.dataset.problems import Fault, Findings, at_least_20
from controller.dataset.rows import LONGEST, TOO_LONG, Block, Layout
from controller.dataset.strict_json import parse, skip_blank, too_deep

_SECOND_OBJECT = re.compile(r"\}[ \t]*\r?\n\s*\{")
_AT_ONCE = 1000


def read_json_array(text: str, layout: Layout, findings: Findings) -> Iterator[Block]:
    """Every row up to the first syntax error: behind it nobody can tell where an element begins."""
    places = _Places(text, findings)
    start = skip_blank(text, 0)
    if text[start] != "[":
        places.add(_not_an_array(text, start))
        return
    if fault := too_deep(text):
        places.add(fault)
        return
    at: int | None = skip_blank(text, start + 1)
    if text.startswith("]", at):
        places.add(at_least_20("the array is empty", start))
        places.end((at or 0) + 1)
        return
    while at is not None:
        block = Block([], [], columns=[])
        while at is not None and len(block.lines) < _AT_ONCE:
            at = _element(text, at, layout, block, places)
        yield block


class _Places:
    """Offsets to lines and columns, counting forward only: a file may be one line of megabytes."""

    def __init__(self, text: str, findings: Findings) -> None:
        self._text = text
        self._findings = findings
        self._line = 1
        self._begins = 0
        self._counted = 0

    def line(self, offset: int) -> int:
        """The line of an offset no earlier than any asked before."""
        if breaks := self._text.count("\n", self._counted, offset):
            self._line += breaks
            self._begins = self._text.rfind("\n", self._counted, offset) + 1
        self._counted = offset
        return self._line

    def add(self, fault: Fault, offset: int | None = None) -> None:
        """Note a fault at an offset no earlier than any asked before, by default its own."""
        offset = fault.offset if offset is None else offset
        self._findings.add(fault, *self.place(offset))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset no earlier than any asked before."""
        line = self.line(offset)
        return line, offset - self._begins + 1

    def end(self, at: int) -> None:
        """Nothing may follow the array."""
        if (rest := skip_blank(self._text, at)) < len(self._text):
            self.add(Fault("GT266", "more text follows the array", "the file holds one array and nothing else", rest))


def _element(text: str, at: int, layout: Layout, block: Block, places: _Places) -> int | None:
    """Read one element; the offset of the next one, None at the end or where reading cannot go on."""
    parsed = parse(text, at, layout.columns)
    if isinstance(parsed, Fault):
        places.add(parsed)
        return None
    value, end = parsed
    if end - at > LONGEST:
        places.add(TOO_LONG, at)
    else:
        line, column = places.place(at)
        block.lines.append(line)
        block.values.append(value)
        assert block.columns is not None  # noqa: S101 - it was made with them
        block.columns.append(column)
    return _next(text, end, places)


def _next(text: str, end: int, places: _Places) -> int | None:
    at = skip_blank(text, end)
    match text[at : at + 1]:
        case ",":
            following = skip_blank(text, at + 1)
            if text[following : following + 1] != "]":
                return following
            places.add(Fault("GT247", "there is a comma before the end of the array", "remove the comma", at))
            places.end(following + 1)
        case "]":
            places.end(at + 1)
        case "":
            places.add(Fault("GT265", "the JSON ends too early", "the array is not closed: ] is missing", len(text)))
        case _:
            places.add(Fault("GT246", "not valid JSON", "a comma is missing between two examples", at))
    return None


def _not_an_array(text: str, start: int) -> Fault:
    if text[start] != "{":
        return Fault("GT246", "not a JSON array", 'the file is one array of objects: [{"…": "…"}, …]', start)
    if _SECOND_OBJECT.search(text, start):
        return Fault(
            "GT245",
            "the file is JSON Lines, not one array",
            "name it .jsonl, set dataset.format: jsonl, or join it (jq -s . FILE)",
            start,
        )
    hint = "write an array of objects, one object per example: [{…}, {…}]"
    return Fault("GT245", "the file is one JSON object, not an array", hint, start)
