"""JSON Lines and JSON arrays to rows: each line or element is judged by itself and keeps its line.

The JSON is read more strictly than the standard library does: no repeated keys, no NaN, a depth that is capped before.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Final, NoReturn

from controller.dataset.columns import Columns
from controller.dataset.problems import BLANK_LINE, Fault, Findings, at_least_20, carriage_return, shown
from controller.dataset.rows import LONGEST, TOO_LONG, ExampleRow, Layout, too_many
from controller.state.desired import Example

DEPTH = 64
BLANK = " \t\r\n"

# A string, closed or running to the end of the text (so that no quote is ever looked at twice), or a bracket.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|[\[\]{}]', re.DOTALL)
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|-?(?:NaN|Infinity)', re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]*+")
_WORD = re.compile(r"None|True|False|undefined")


class Number:
    """Stands for a number: none is ever used, and a million digits are not worth converting."""

    __slots__ = ()

    def __init__(self, _digits: str) -> None:
        """What the digits say is not kept."""


class _RepeatedKey(ValueError):
    """An object has the key that is the argument twice."""


class _Constant(ValueError):
    """NaN or Infinity."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _RepeatedKey(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return made


def _constant(_name: str) -> NoReturn:
    raise _Constant


_decode: Callable[[str, int], tuple[object, int]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_constant
).raw_decode


def parse(text: str, start: int, expected: tuple[str, ...]) -> tuple[object, int] | Fault:
    """The value that starts at an offset and where it ends. ``expected`` are names a message may show.

    The caller has asked `too_deep` first, so the library's recursion stays below DEPTH.
    """
    try:
        return _decode(text, start)
    except json.JSONDecodeError as error:
        return _explain(text, error.pos, error.msg)
    except _RepeatedKey as error:
        return _repeated(text, start, error.args[0], expected)
    except _Constant:
        return Fault("GT249", "NaN and Infinity are not JSON", "leave the value out", _constant_at(text, start))


def too_deep(text: str) -> Fault | None:
    """The fault of the bracket that opens one level too many, before anything is parsed."""
    if text.count("[") + text.count("{") <= DEPTH:
        return None
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > DEPTH:
                hint = "an example is one flat object of texts"
                return Fault("GT254", f"the JSON is nested deeper than {DEPTH} levels", hint, token.start())
        elif first != '"':
            depth = max(0, depth - 1)
    return None


def skip_blank(text: str, start: int) -> int:
    """The offset of the next character that is not white space."""
    blank = _BLANKS.match(text, start)
    return blank.end() if blank else start


def _repeated(text: str, start: int, key: str, expected: tuple[str, ...]) -> Fault:
    name = shown([key], expected)
    # A key written with escapes is not found again: the place is then the object's own.
    keys = re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text[start:])
    again = next((m.start() for number, m in enumerate(keys) if number == 1), 0)
    message = f"the key {name} is given twice in one object" if name.startswith("'") else "a key is given twice"
    return Fault("GT248", message, "keep one of the two", start + again)


def _constant_at(text: str, start: int) -> int:
    found = (m.start() for m in _CONSTANT.finditer(text, start) if text[m.start()] != '"')
    return next(found, start)


def _explain(text: str, at: int, library: str) -> Fault:
    if library.startswith("Invalid control character"):
        hint = r"write it as an escape: \n, \t or \u00XX"
        return Fault("GT246", "a control character in a text is not escaped", hint, at)
    here = skip_blank(text, at)
    if library.startswith("Unterminated string"):
        return Fault("GT265", "the JSON ends too early", "a text is not closed", here)
    if (comma := _trailing_comma(text, here)) is not None:
        return Fault("GT247", "there is a comma before the end of an object or array", "remove the comma", comma)
    if here >= len(text):
        return Fault("GT265", "the JSON ends too early", "the object, array or text is not closed", min(at, len(text)))
    message, hint = _syntax(text, here)
    return Fault("GT246", message, hint, here)


def _trailing_comma(text: str, here: int) -> int | None:
    # Python 3.13 points at the comma, 3.11 and 3.12 behind it.
    if text[here : here + 1] == ",":
        return here if text[skip_blank(text, here + 1) :][:1] in ("}", "]") else None
    if text[here : here + 1] not in ("}", "]"):
        return None
    before = here - 1
    while before >= 0 and text[before] in BLANK:
        before -= 1
    return before if before >= 0 and text[before] == "," else None


def _syntax(text: str, here: int) -> tuple[str, str]:
    first = text[here]
    if first == "'":
        return "not valid JSON: a single quote", 'texts and keys are in double quotes: "…"'
    if first == "\\":
        return "not valid JSON: a backslash that escapes nothing", r"a backslash is written \\"
    if first == '"':
        return "not valid JSON", 'a comma or colon is missing before this, or a quote inside a text is not written \\"'
    if first in "#/":
        return "not valid JSON: a comment", "JSON has no comments: remove it"
    if first == "\ufeff":
        return "not valid JSON: a byte-order mark in mid-file", "two files were joined: remove the mark"
    if _WORD.match(text, here):
        return "not valid JSON: a word of another language", "JSON writes null, true and false"
    return "not valid JSON", "check quotes, commas and brackets here; write the file with a JSON library"


_SURROGATE = re.compile("[\ud800-\udfff]")


def to_example(value: object, layout: Layout, columns: Columns, line: int) -> Example | tuple[Fault, ...]:
    """The example with its prefix. Columns beside the two are fine; ``columns`` notes them."""
    if not isinstance(value, dict):
        hint = f'write {{"{layout.columns_input}": "…", "{layout.columns_output}": "…"}}'
        return (Fault("GT251", f"an example is an object, this is {_KINDS[type(value)]}", hint),)
    text_input, output = value.get(layout.columns_input), value.get(layout.columns_output)
    if type(text_input) is str and type(output) is str and not _halved(text_input) and not _halved(output):
        if len(value) > len(layout.columns):
            columns.note(value, line)
        return Example(layout.prefix + text_input, output)
    if not value.keys() & set(layout.columns) and (fault := columns.chat(value)):
        return (fault,)
    columns.note(value, line)
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


def read_jsonl(text: str, layout: Layout, columns: Columns, findings: Findings) -> list[ExampleRow]:
    """Every row that could be read; what could not is in the findings."""
    lines = text.rstrip(BLANK).split("\n")
    if fault := _not_json_lines(lines, layout):
        findings.add(fault, 1)
        return []
    rows: list[ExampleRow] = []
    for number, line in enumerate(lines, 1):
        found = _example(line, number, layout, columns)
        if isinstance(found, Example):
            rows.append(ExampleRow(found, number))
        else:
            for fault in found:
                findings.add(fault, number, fault.offset + 1)
        if too_many(len(rows), number, findings):
            break
    return rows


def _example(line: str, number: int, layout: Layout, columns: Columns) -> Example | tuple[Fault, ...]:
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
    return to_example(value, layout, columns, number)


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


def read_json(text: str, layout: Layout, columns: Columns, findings: Findings) -> list[ExampleRow]:
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
    while (after := _element(text, at, layout, columns, places)) is not None:
        at = after
    return places.rows


class _Places:
    """The rows so far; offsets to lines and columns, counting forward only: a file may be one line of megabytes."""

    def __init__(self, text: str, findings: Findings) -> None:
        self._text = text
        self._findings = findings
        self._line = 1
        self._begins = 0
        self._counted = 0
        self.rows: list[ExampleRow] = []

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

    def many(self, offset: int) -> bool:
        """Whether the cap of rows is passed at that offset."""
        return too_many(len(self.rows), self.line(offset), self._findings)

    def end(self, at: int) -> None:
        """Nothing may follow the array."""
        if (rest := skip_blank(self._text, at)) < len(self._text):
            self.add(Fault("GT266", "more text follows the array", "the file holds one array and nothing else", rest))


def _element(text: str, at: int, layout: Layout, columns: Columns, places: _Places) -> int | None:
    """Read one element; the offset of the next one, None at the end or where reading cannot go on."""
    parsed = parse(text, at, layout.columns)
    if isinstance(parsed, Fault):
        places.add(parsed)
        return None
    value, end = parsed
    found = (TOO_LONG,) if end - at > LONGEST else to_example(value, layout, columns, places.line(at))
    if isinstance(found, Example):
        places.rows.append(ExampleRow(found, places.line(at)))
    else:
        for fault in found:
            places.add(fault, at)
    return None if places.many(at) else _next(text, end, places)


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
