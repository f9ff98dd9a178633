"""CSV (RFC 4180: commas, double quotes, a header) to rows, with the line on which each record starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from controller.dataset.columns import Columns
from controller.dataset.problems import BLANK_LINE, Fault, Findings, at_least_20, carriage_return, plain, shown
from controller.dataset.rows import LONGEST, TOO_LONG, Block, Layout, Shape
from controller.dataset.shapes import CONVERSATIONS, shape_of, used_columns

# The csv module is not asked: it knows no columns, and its cap on a field is one for the whole process.
_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')
_SEP = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
_AT_ONCE = 1000
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


class _Signs:
    """What a field looks like, and what ends it, where columns are separated by one sign."""

    def __init__(self, delimiter: str) -> None:
        sign = re.escape(delimiter)
        self.delimiter = delimiter
        self.field = re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^"{sign}\r\n]*+))({sign}|\r\n|\n|\Z)')
        self.bare = re.compile(rf'[^"{sign}\r\n]*+')


@dataclass(frozen=True, slots=True)
class _Record:
    line: int
    fields: list[str]
    length: int

    @property
    def blank(self) -> bool:
        return len(self.fields) == 1 and not self.fields[0].strip()


def read_csv(text: str, layout: Layout, columns: Columns, findings: Findings) -> Iterator[Block]:
    """Every row that could be read, by the names of the header; what could not is in the findings."""
    if text.lstrip()[:1] in ("{", "["):
        findings.add(
            Fault("GT245", "the file holds JSON, not CSV", "name it .jsonl or .json, or set dataset.format"), 1
        )
        return
    delimiter, skipped = _delimiter(text, layout, columns)
    signs = _Signs(delimiter)
    records = _records(text[skipped:].rstrip("\r\n"), signs, 2 if skipped else 1, findings)
    header = _header(records, findings)
    if header is None:
        return
    faults = tuple(_header_faults(header, layout, _shape(header, layout), signs))
    for fault in faults:
        findings.add(fault, header.line)
    if faults:
        columns.note({name: name for name in header.fields}, header.line)
        return
    while part := list(islice(records, _AT_ONCE)):
        block = Block([], [])
        for record in part:
            if record is None:
                continue
            if wrong := _record_fault(record, len(header.fields)):
                findings.add(wrong, record.line)
            else:
                block.lines.append(record.line)
                block.values.append(dict(zip(header.fields, record.fields, strict=True)))
        yield block


def _header(records: Iterator[_Record | None], findings: Findings) -> _Record | None:
    """The first record that is not blank; None where it cannot be read."""
    line = 1
    for record in records:
        if record is None or not record.blank:
            return record
        line = record.line
        findings.add(BLANK_LINE, line)
    findings.add(at_least_20("the file holds no examples"), line)
    return None


def _delimiter(text: str, layout: Layout, columns: Columns) -> tuple[str, int]:
    """What separates the columns, and how many characters of the file say so: a first line such as ``sep=;``."""
    first = text.partition("\n")[0]
    said = _SEP.fullmatch(first.strip())
    if layout.delimiter or not said:
        return layout.delimiter or ("\t" if columns.written == "tsv" else ","), 0
    return said[1], len(first) + 1


def _records(text: str, signs: _Signs, line: int, findings: Findings) -> Iterator[_Record | None]:
    """The records one after the other; None for one that cannot be read, behind which it goes on at the next line."""
    at, more = 0, True
    while more:
        found = _fields(text, at, signs)
        if isinstance(found, Fault):
            place = line + text.count("\n", at, found.offset)
            findings.add(found, place, found.offset - text.rfind("\n", 0, found.offset))
            yield None
            end = text.find("\n", found.offset) + 1
            more = found.code != "GT261" and end > 0
        else:
            fields, end, more = found
            yield _Record(line, fields, end - at)
        line += text.count("\n", at, end)
        at = end


def _fields(text: str, at: int, signs: _Signs) -> tuple[list[str], int, bool] | Fault:
    """One record's fields, the offset behind it, and whether a line break ended it."""
    fields: list[str] = []
    while match := signs.field.match(text, at):
        quoted, bare, end = match.groups()
        fields.append(bare if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if end != signs.delimiter:
            return fields, at, bool(end)
    return _explain(text, at, signs)


def _explain(text: str, at: int, signs: _Signs) -> Fault:
    """Why no field can be read at an offset."""
    whole = (_QUOTED if text[at] == '"' else signs.bare).match(text, at)
    if whole is None:
        return Fault("GT261", "a quote is not closed", "close it, or double a quote that is text", at)
    if text[whole.end()] == "\r":
        return carriage_return(whole.end())
    if text[at] == '"' and text[whole.end()] in _DELIMITERS:
        return _other_delimiter(text[whole.end()], whole.end())
    if text[at] == '"':
        return Fault("GT262", "text follows a closing quote", 'a quote that is text is doubled: ""', at)
    hint = 'put the whole field in quotes, no space before the first, and double those inside: "say ""hi"""'
    return Fault("GT262", "there is a quote inside a field without quotes", hint, whole.end())


def _shape(header: _Record, layout: Layout) -> Shape:
    row: dict[str, object] = dict.fromkeys(header.fields, "")
    return shape_of(Block([header.line], [row]), layout)


def _header_faults(record: _Record, layout: Layout, shape: Shape, signs: _Signs) -> Iterator[Fault]:
    if fault := _another_format(record, layout, signs):
        yield fault
        return
    if shape in CONVERSATIONS:
        hint = "write one conversation a line, as JSON Lines"
        yield Fault("GT272", f"a table has no rows of the shape '{shape}'", hint)
        return
    used = used_columns(shape, layout)
    for name in used:
        if name not in record.fields and (shape, name) != ("alpaca", "input"):
            hint = f"the header has {shown(record.fields, used)}; {_missing(name, record)}"
            yield Fault("GT258", f"the header has no column '{name}'", hint)
        elif record.fields.count(name) > 1:
            yield Fault("GT259", f"the header names the column '{name}' twice", "rename one of the two")


def _missing(name: str, record: _Record) -> str:
    if plain(name) in {plain(field) for field in record.fields}:
        return "names are taken to the letter, case and white space included"
    return "add a header line, or name the columns in dataset.columns"


def _another_format(record: _Record, layout: Layout, signs: _Signs) -> Fault | None:
    for sign in _DELIMITERS:
        parts = {part.strip(' "') for part in signs.delimiter.join(record.fields).split(sign)}
        if sign != signs.delimiter and set(layout.columns) <= parts:
            return _other_delimiter(sign, 0)
    return None


def _other_delimiter(sign: str, offset: int) -> Fault:
    message = f"the columns are separated by {_DELIMITERS[sign]}"
    hint = f"say so in the dataset of the spec: `delimiter: {_written(sign)}`, or save it with commas"
    return Fault("GT263", message, hint, offset)


def _written(sign: str) -> str:
    return '"\\t"' if sign == "\t" else f'"{sign}"'


def _record_fault(record: _Record, width: int) -> Fault | None:
    if record.blank:
        return BLANK_LINE
    if record.length > LONGEST:
        return TOO_LONG
    if len(record.fields) == width:
        return None
    more = len(record.fields) > width
    return Fault(
        "GT260",
        f"the row has {'more' if more else 'fewer'} fields than the header's {width:,}",
        "put a text that holds commas or line breaks in quotes" if more else "write every column, empty ones too",
    )
