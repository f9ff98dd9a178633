"""A JSON array of objects to rows, element by element, so that each keeps its line."""

from __future__ import annotations

import re

from controller.dataset.findings import Fault, Findings
from controller.dataset.limits import LONGEST, too_long, too_many
from controller.dataset.objects import to_example
from controller.dataset.rows import Layout, Row
from controller.dataset.strict_json import deep, parse, skip_blank, too_deep
from controller.state.desired import Example

_SECOND_OBJECT = re.compile(r"\}[ \t]*\r?\n\s*\{")


def read_json(text: str, layout: Layout, findings: Findings) -> list[Row]:
    """Every row up to the first syntax error: behind it nobody can tell where an element begins."""
    places = _Places(text, findings)
    start = skip_blank(text, 0)
    if text[start] != "[":
        places.add(_another_format(text, start))
        return []
    if (bracket := too_deep(text)) is not None:
        places.add(deep(bracket))
        return []
    rows: list[Row] = []
    at = skip_blank(text, start + 1)
    if text[at : at + 1] == "]":
        places.add(Fault("GT201", "the array is empty", "commit at least 20 examples", start))
        places.end(text, at + 1)
        return rows
    while (after := _element(text, at, layout, places, rows)) is not None:
        at = after
    return rows


class _Places:
    """Offsets to lines and columns, counting forward only: a file may be one line of many megabytes."""

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

    def add(self, fault: Fault) -> None:
        """Note a fault at its own offset, wherever that is."""
        line = self._text.count("\n", 0, fault.offset) + 1
        self._findings.add(fault, line, fault.offset - self._text.rfind("\n", 0, fault.offset))

    def many(self, rows: int, offset: int) -> bool:
        """Whether the cap of rows is passed at that offset."""
        return too_many(rows, self.line(offset), self._findings)

    def element(self, fault: Fault, offset: int) -> None:
        """Note a fault of the element that starts at an offset."""
        self._findings.add(fault, self.line(offset), offset - self._begins + 1)

    def end(self, text: str, at: int) -> None:
        """Nothing may follow the array."""
        if (rest := skip_blank(text, at)) < len(text):
            self.add(Fault("GT266", "more text follows the array", "the file holds one array and nothing else", rest))


def _element(text: str, at: int, layout: Layout, places: _Places, rows: list[Row]) -> int | None:
    """Read one element; the offset of the next one, None at the end or where reading cannot go on."""
    parsed = parse(text, at, layout.columns)
    if isinstance(parsed, Fault):
        places.add(parsed)
        return None
    value, end = parsed
    if end - at > LONGEST:
        places.element(too_long(), at)
    else:
        _keep(to_example(value, layout), at, places, rows)
    return None if places.many(len(rows), at) else _next(text, end, places)


def _keep(found: Example | tuple[Fault, ...], at: int, places: _Places, rows: list[Row]) -> None:
    if isinstance(found, Example):
        rows.append(Row(found, places.line(at)))
        return
    for fault in found:
        places.element(fault, at)


def _next(text: str, end: int, places: _Places) -> int | None:
    at = skip_blank(text, end)
    match text[at : at + 1]:
        case ",":
            following = skip_blank(text, at + 1)
            if text[following : following + 1] != "]":
                return following
            places.add(Fault("GT247", "a comma stands before the end of the array", "take the comma out", at))
            places.end(text, following + 1)
        case "]":
            places.end(text, at + 1)
        case "":
            places.add(Fault("GT265", "the JSON ends too early", "the array is not closed: ] is missing", len(text)))
        case _:
            places.add(Fault("GT246", "not valid JSON", "a comma is missing between two examples", at))
    return None


def _another_format(text: str, start: int) -> Fault:
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
