"""JSON Lines and JSON arrays to rows: each line or element is judged by itself and keeps its line."""

from __future__ import annotations

import re
from typing import Final

from controller.dataset.problems import BLANK_LINE, Fault, Findings, at_least_20, carriage_return, shown
from controller.dataset.rows import LONGEST, TOO_LONG, ExampleRow, Layout, too_many
from controller.dataset.strict_json import BLANK, Number, parse, skip_blank, too_deep
from controller.state.desired import Example

_SURROGATE = re.compile("[\ud800-\udfff]")


def to_example(value: object, layout: Layout) -> Example | tuple[Fault, ...]:
    """The example with its prefix. Columns beside the two are fine and not looked at."""
    if not isinstance(value, dict):
        hint = f'write {{"{layout.columns_input}": "…", "{layout.columns_output}": "…"}}'
        return (Fault("GT251", f"an example is an object, this is {_KINDS[type(value)]}", hint),)
    text_input, output = value.get(layout.columns_input), value.get(layout.columns_output)
    if type(text_input) is str and type(output) is str and not _halved(text_input) and not _halved(output):
        return Example(layout.prefix + text_input, output)
    return tuple(fault for name in layout.columns if (fault := _column_fault(value, name, layout)))


_KINDS: Final[dict[type[object], str]] = {
    type(None): "null",
    bool: "true or false",
    Number: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}


def _halved(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def _column_fault(value: dict[str, object], name: str, layout: Layout) -> Fault | None:
    if name not in value:
        has = shown(value, layout.columns)
        hint = f"the object has {has or 'no keys'}; name the columns in dataset.columns"
        return Fault("GT252", f"column '{name}' is missing", hint)
    found = value[name]
    if not isinstance(found, str):
        return Fault("GT253", f"column '{name}' holds {_KINDS[type(found)]}, not text", _text_hint(found))
    if _halved(found):
        hint = r"write the character itself, or both halves: \ud83d\ude00"
        return Fault("GT250", f"column '{name}' holds half of a surrogate pair", hint)
    return None


def _text_hint(found: object) -> str:
    if isinstance(found, Number | bool):
        return 'put it in quotes: "7", not 7'
    return "leave the example out, or give it a text" if found is None else "join it into one text"


def read_jsonl(text: str, layout: Layout, findings: Findings) -> list[ExampleRow]:
    """Every row that could be read; what could not is in the findings."""
    lines = text.rstrip(BLANK).split("\n")
    if fault := _not_json_lines(lines, layout):
        findings.add(fault, 1)
        return []
    rows: list[ExampleRow] = []
    for number, line in enumerate(lines, 1):
        found = _example(line, layout)
        if isinstance(found, Example):
            rows.append(ExampleRow(found, number))
        else:
            for fault in found:
                findings.add(fault, number, fault.offset + 1)
        if too_many(len(rows), number, findings):
            break
    return rows


def _example(line: str, layout: Layout) -> Example | tuple[Fault, ...]:
    start = skip_blank(line, 0)
    if start == len(line):
        return (BLANK_LINE,)
    if len(line) > LONGEST:
        return (TOO_LONG,)
    if fault := too_deep(line):
        return (fault,)
    parsed = parse(line, start, layout.columns)
    if isinstance(parsed, Fault):
        return (_in_a_line(parsed, line),)
    value, end = parsed
    if (after := skip_blank(line, end)) < len(line):
        return (_more(line, end, after),)
    return to_example(value, layout)


def _in_a_line(fault: Fault, line: str) -> Fault:
    if fault.code != "GT265":
        return fault
    hint = "write each object on one line of its own (jq -c . FILE does), without line breaks inside"
    return Fault(fault.code, "the JSON ends before it is complete", hint, min(fault.offset, len(line)))


def _more(line: str, end: int, after: int) -> Fault:
    if "\r" in line[end:after]:
        return carriage_return(end)
    if line[after] == ",":
        hint = "JSON Lines has no commas between objects: remove it"
    elif line[after] == "{":
        hint = "write each object on a line of its own"
    else:
        hint = "a line holds one object and nothing else"
    return Fault("GT266", "more text follows the object", hint, after)


def _not_json_lines(lines: list[str], layout: Layout) -> Fault | None:
    first = lines[0].strip(BLANK)
    # Lines that are arrays of texts are judged line by line; an array of objects is another format.
    if first.startswith("[") and not (first.endswith("]") and "{" not in first):
        return Fault(
            "GT245",
            "the file is one JSON array, not JSON Lines",
            "name it .json, set dataset.format: json, or write one object a line (jq -c '.[]' FILE)",
        )
    if first == "{" or (first.startswith("{") and first.endswith(",") and not first.endswith("},")):
        hint = "write each object on one line of its own: jq -c . FILE"
        return Fault("GT245", "the file holds objects written over several lines, not JSON Lines", hint)
    if first[:1] not in ("{", "[") and all(name in first for name in layout.columns):
        return Fault("GT245", "the file looks like CSV, not JSON Lines", "name it .csv or set dataset.format: csv")
    return None


_SECOND_OBJECT = re.compile(r"\}[ \t]*\r?\n\s*\{")


def read_json(text: str, layout: Layout, findings: Findings) -> list[ExampleRow]:
    """Every row up to the first syntax error: behind it nobody can tell where an element begins."""
    places = _Places(text, findings)
    start = skip_blank(text, 0)
    if text[start] != "[":
        places.add(_not_an_array(text, start))
        return []
    if fault := too_deep(text):
        places.add(fault)
        return []
    at = skip_blank(text, start + 1)
    if text[at : at + 1] == "]":
        places.add(at_least_20("the array is empty", start))
        places.end(at + 1)
        return []
    rows: list[ExampleRow] = []
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

    def add(self, fault: Fault, offset: int | None = None) -> None:
        """Note a fault at an offset no earlier than any asked before, by default its own."""
        offset = fault.offset if offset is None else offset
        self._findings.add(fault, self.line(offset), offset - self._begins + 1)

    def many(self, rows: int, offset: int) -> bool:
        """Whether the cap of rows is passed at that offset."""
        return too_many(rows, self.line(offset), self._findings)

    def end(self, at: int) -> None:
        """Nothing may follow the array."""
        if (rest := skip_blank(self._text, at)) < len(self._text):
            self.add(Fault("GT266", "more text follows the array", "the file holds one array and nothing else", rest))


def _element(text: str, at: int, layout: Layout, places: _Places, rows: list[ExampleRow]) -> int | None:
    """Read one element; the offset of the next one, None at the end or where reading cannot go on."""
    parsed = parse(text, at, layout.columns)
    if isinstance(parsed, Fault):
        places.add(parsed)
        return None
    value, end = parsed
    found = (TOO_LONG,) if end - at > LONGEST else to_example(value, layout)
    if isinstance(found, Example):
        rows.append(ExampleRow(found, places.line(at)))
    else:
        for fault in found:
            places.add(fault, at)
    return None if places.many(len(rows), at) else _next(text, end, places)


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
