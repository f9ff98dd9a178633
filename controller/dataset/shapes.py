"""Blocks of rows as they are written to batches of examples, with what is wrong with the rows that are none."""

from __future__ import annotations

from typing import Any, Final

from controller.dataset.columns import Columns
from controller.dataset.problems import Fault, Findings, shown
from controller.dataset.rows import Batch, Block, Layout
from controller.dataset.strict_json import Number
from controller.state.desired import Example

Object = dict[str, object]
Faults = tuple[Fault, ...]


class Shaper:
    """The rows of one file to examples. Rows that are none are noted in the findings, columns in ``columns``."""

    def __init__(self, layout: Layout, columns: Columns, findings: Findings) -> None:
        self._findings = findings
        self._pairs = _Pairs(layout, columns)
        self._layout = layout

    def batch(self, block: Block) -> Batch:
        """The examples of a block."""
        if block.is_flat and (pairs := self._pairs.examples(block.values)) is not None:
            return Batch(block.lines, pairs, block.is_plain)
        lines: list[int] = []
        examples: list[Example] = []
        make = self._pairs.example
        for at, value in enumerate(block.values):
            line = block.lines[at]
            found = make(value, line) if type(value) is dict else (_no_object(value, self._layout),)
            if type(found) is Example:
                lines.append(line)
                examples.append(found)
            else:
                self._refuse(found, line, block.columns[at] if block.columns else 1)
        return Batch(lines, examples, block.is_plain)

    def _refuse(self, faults: Example | Faults, line: int, column: int) -> None:
        assert not isinstance(faults, Example)  # noqa: S101 - narrows for the type checker what the loop asked quickly
        for fault in faults:
            self._findings.add(fault, line, column)


class _Pairs:
    """Rows that hold an input and an output in a column each."""

    def __init__(self, layout: Layout, columns: Columns) -> None:
        self._layout = layout
        self._columns = columns
        self._input, self._output = layout.columns
        self._prefix = layout.prefix

    def examples(self, rows: list[Any]) -> list[Example] | None:
        """The examples of rows that hold texts alone, if each holds the two and nothing else."""
        try:
            inputs = [row[self._input] for row in rows]
            outputs = [row[self._output] for row in rows]
        except KeyError:
            return None
        if any(len(row) != 2 for row in rows):  # noqa: PLR2004 - the two
            return None
        if self._prefix:
            inputs = [self._prefix + text for text in inputs]
        return list(map(Example, inputs, outputs))

    def example(self, row: Object, line: int) -> Example | Faults:
        """The example with its prefix. Columns beside the two are fine, and noted."""
        text_input, output = row.get(self._input), row.get(self._output)
        if type(text_input) is str and type(output) is str and not _halved(text_input) and not _halved(output):
            if len(row) != 2:  # noqa: PLR2004 - the two
                self._columns.note(row, line)
            return Example(self._prefix + text_input, output)
        names = self._layout.columns
        if not row.keys() & set(names) and (fault := self._columns.chat(row)):
            return (fault,)
        self._columns.note(row, line)
        return tuple(fault for name in names if (fault := _column_fault(row, name, names)))


_KINDS: Final[dict[type[object], str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    Number: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}


def _no_object(value: object, layout: Layout) -> Fault:
    hint = f'write {{"{layout.columns_input}": "…", "{layout.columns_output}": "…"}}'
    return Fault("GT251", f"an example is an object, this is {_KINDS[type(value)]}", hint)


def _halved(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _column_fault(row: Object, name: str, expected: tuple[str, ...]) -> Fault | None:
    if name not in row:
        has = shown(row, expected)
        hint = f"the object has {has or 'no keys'}; name the columns in dataset.columns"
        return Fault("GT252", f"column '{name}' is missing", hint)
    found = row[name]
    if not isinstance(found, str):
        return Fault("GT253", f"column '{name}' holds {_KINDS[type(found)]}, not text", _text_hint(found))
    if _halved(found):
        hint = r"write the character itself, or both halves: \ud83d\ude00"
        return Fault("GT250", f"column '{name}' holds half of a surrogate pair", hint)
    return None


def _text_hint(found: object) -> str:
    if isinstance(found, Number | bool | int | float):
        return 'put it in quotes: "7", not 7'
    return "leave the example out, or give it a text" if found is None else "join it into one text"
