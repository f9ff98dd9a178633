"""JSON Lines to rows: one object on each line, each line judged by itself."""

from __future__ import annotations

from controller.dataset.findings import Fault, Findings
from controller.dataset.limits import LONGEST, too_long, too_many
from controller.dataset.objects import to_example
from controller.dataset.rows import Layout, Row
from controller.dataset.strict_json import BLANK, deep, parse, skip_blank, too_deep
from controller.state.desired import Example


def read_jsonl(text: str, layout: Layout, findings: Findings) -> list[Row]:
    """Every row that could be read; what could not is in the findings."""
    lines = text.rstrip(BLANK).split("\n")
    if fault := _another_format(lines, layout):
        findings.add(fault, 1)
        return []
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        found = _example(line, layout)
        if isinstance(found, Example):
            rows.append(Row(found, number))
        else:
            for fault in found:
                findings.add(fault, number, fault.offset + 1)
        if too_many(len(rows), number, findings):
            break
    return rows


def _example(line: str, layout: Layout) -> Example | tuple[Fault, ...]:
    start = skip_blank(line, 0)
    if start == len(line):
        return (Fault("GT257", "a blank line stands between examples", "take it out"),)
    if len(line) > LONGEST:
        return (too_long(),)
    if (bracket := too_deep(line)) is not None:
        return (deep(bracket),)
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
        hint = "save the file with line feeds: tr '\\r' '\\n' < FILE"
        return Fault("GT264", "lines end in a carriage return alone", hint, end)
    if line[after] == ",":
        hint = "JSON Lines has no commas between objects: take it out"
    elif line[after] == "{":
        hint = "write each object on a line of its own"
    else:
        hint = "a line holds one object and nothing else"
    return Fault("GT266", "more text follows the object", hint, after)


def _another_format(lines: list[str], layout: Layout) -> Fault | None:
    first = lines[0].strip(BLANK)
    if first.startswith("[") and not _closes(first):
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


def _closes(first: str) -> bool:
    # Lines that are arrays of texts are judged line by line; an array of objects is another format.
    return first.endswith("]") and "{" not in first
