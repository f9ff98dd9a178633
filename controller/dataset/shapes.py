"""Blocks of rows as they are written to batches of examples: the shape of the rows, and what is wrong with others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from controller.dataset.columns import Columns
from controller.dataset.conversations import (
    NotSent,
    Object,
    Turn,
    contents,
    conversation,
    is_sharegpt,
    messages,
    messages_key,
    prompt_and_completion,
    sharegpt,
    sound,
)
from controller.dataset.problems import Fault, Findings, shown
from controller.dataset.rows import Batch, Block, Layout, Shape
from controller.dataset.strict_json import Number, kind
from controller.state.desired import Example

_LOOKED_AT = 64  # rows by which the shape of a file is told; every other one has to fit it too


class Ambiguous(Exception):
    """Every row fits several shapes, so somebody has to say which is meant."""

    def __init__(self, fault: Fault, line: int) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.line = line


class Shaper:
    """The rows of one file to examples. Rows that are none are noted in the findings, columns in ``columns``."""

    def __init__(self, layout: Layout, columns: Columns, findings: Findings) -> None:
        self._layout = layout
        self._columns = columns
        self._findings = findings
        self._make: Callable[[Object], Example] | None = None
        self.shape: Shape = layout.shape or "pairs"
        self._used = frozenset(self.columns)

    def batch(self, block: Block) -> Batch:
        """The examples of a block. Raises `Ambiguous`."""
        if self._make is None and block.values:
            self._settle(block)
        if block.is_flat and self.shape == "pairs" and not self._layout.system:
            pairs = _texts_alone(block.values, self._layout)
            if pairs is not None:
                return Batch(block.lines, pairs, block.is_plain, is_paired=True)
        return self._one_by_one(block)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that examples are made of."""
        return used_columns(self.shape, self._layout)

    def _settle(self, block: Block) -> None:
        self.shape = shape_of(block, self._layout)
        self._make = _maker(self.shape, self._layout)
        self._columns.settle(self.shape, self.columns)
        self._used = frozenset(self.columns)

    def _one_by_one(self, block: Block) -> Batch:
        lines: list[int] = []
        examples: list[Example] = []
        paired = True
        for at, value in enumerate(block.values):
            line = block.lines[at]
            try:
                example = self._example(value, line)
            except NotSent as error:
                self._findings.add(error.fault, line, block.columns[at] if block.columns else 1)
                continue
            except ManyFaults as error:
                self._columns.note(error.row, line)
                for fault in error.faults:
                    self._findings.add(fault, line, block.columns[at] if block.columns else 1)
                continue
            lines.append(line)
            examples.append(example)
            paired = paired and example.is_pair
        return Batch(lines, examples, block.is_plain, paired)

    def _example(self, value: object, line: int) -> Example:
        assert self._make is not None  # noqa: S101 - settled before
        if not isinstance(value, dict):
            raise NotSent(_no_object(value, self._layout))
        if self._layout.shape is None and _other_shape(value, self.shape, self._layout):
            raise NotSent(_odd_one(value, self.shape, self._layout))
        if not value.keys() <= self._used:
            self._columns.note(value, line)
        return self._make(value)


class ManyFaults(Exception):
    """All that is wrong with the columns of a row."""

    def __init__(self, faults: tuple[Fault, ...], row: Object) -> None:
        super().__init__(*(fault.code for fault in faults))
        self.faults = faults
        self.row = row


def used_columns(shape: Shape, layout: Layout) -> tuple[str, ...]:
    """The columns of a row that an example is made of."""
    return layout.columns if shape == "pairs" else _COLUMNS[shape]


CONVERSATIONS: frozenset[Shape] = frozenset(("messages", "contents", "sharegpt"))
_COLUMNS: Mapping[Shape, tuple[str, ...]] = MappingProxyType(
    {
        "messages": ("messages",),
        "contents": ("contents",),
        "sharegpt": ("conversations",),
        "promptCompletion": ("prompt", "completion"),
        "alpaca": ("instruction", "input", "output"),
    }
)


def fits(row: Mapping[str, object], layout: Layout) -> tuple[Shape, ...]:
    """The shapes that a row may have, by the columns it has. Columns that a spec names are pairs and nothing else."""
    if layout.columns != Layout().columns:
        return ("pairs",) if any(name in row for name in layout.columns) else ()
    told: dict[Shape, bool] = {
        "pairs": all(name in row for name in layout.columns),
        "promptCompletion": "prompt" in row and "completion" in row,
        "alpaca": "instruction" in row and "output" in row,
        "messages": isinstance(row.get(messages_key(dict(row))), list),
        "contents": isinstance(row.get("contents"), list),
        "sharegpt": is_sharegpt(dict(row)),
    }
    return tuple(shape for shape, may in told.items() if may)


def shape_of(block: Block, layout: Layout) -> Shape:
    """The shape of a file, by its first rows. Raises `Ambiguous`."""
    if layout.shape is not None:
        return layout.shape
    rows = [(line, row) for line, row in zip(block.lines, block.values, strict=True) if isinstance(row, dict)]
    found = [(line, shapes) for line, row in rows[:_LOOKED_AT] if (shapes := fits(row, layout))]
    counts = Counter(shape for _, shapes in found for shape in shapes)
    if not counts:
        return "pairs"
    most = max(counts.values())
    best = [shape for shape, count in counts.items() if count == most]
    if len(best) > 1 and any(len(shapes) > 1 for _, shapes in found):
        raise Ambiguous(_several(best), found[0][0])
    return best[0]


def _several(shapes: Iterable[Shape]) -> Fault:
    *most, last = (f"'{shape}'" for shape in shapes)
    message = f"the rows can be read as {', '.join(most)} and as {last}"
    return Fault("GT272", message, f"say which is meant: `shape: {last.strip(chr(39))}` in the dataset of the spec")


def _other_shape(row: Object, shape: Shape, layout: Layout) -> bool:
    found = fits(row, layout)
    return shape not in found and (bool(found) or is_preference(row, layout))


def _odd_one(row: Object, shape: Shape, layout: Layout) -> Fault:
    if is_preference(row, layout):
        return _PREFERENCE
    other = fits(row, layout)[0]
    hint = "convert these rows, keep them in a file of their own, or say in the spec which `shape:` the file has"
    return Fault("GT272", f"the row is of the shape '{other}', and the file of the shape '{shape}'", hint)


_CHOICES = (("chosen", "rejected"), ("preferred_output", "non_preferred_output"))
_PREFERENCE = Fault(
    "GT271",
    "the row is a preference pair: an answer that is liked and one that is not",
    "it is supervised tuning that is done here: name the liked answer in dataset.columns, such as "
    "`columns: {input: prompt, output: chosen}`, and the other one is left out",
)


def is_preference(row: Object, layout: Layout) -> bool:
    """Whether a row has two answers, and the spec does not say that one of them is meant."""
    return any(liked in row and other in row and liked not in layout.columns for liked, other in _CHOICES)


def _texts_alone(rows: list[Any], layout: Layout) -> list[Example] | None:
    """The pairs of rows that hold texts alone, if each holds the two and nothing else."""
    name_in, name_out = layout.columns
    try:
        inputs = [row[name_in] for row in rows]
        outputs = [row[name_out] for row in rows]
    except KeyError:
        return None
    if any(len(row) != 2 for row in rows):  # noqa: PLR2004 - the two
        return None
    if layout.prefix:
        inputs = [layout.prefix + text for text in inputs]
    return list(map(Example, inputs, outputs))


def _maker(shape: Shape, layout: Layout) -> Callable[[Object], Example]:
    match shape:
        case "messages":
            return _from_turns(messages, layout)
        case "contents":
            return _from_turns(contents, layout)
        case "sharegpt":
            return _from_turns(sharegpt, layout)
        case "promptCompletion":
            return lambda row: _prompt_completion(row, layout)
        case "alpaca":
            return lambda row: _alpaca(row, layout)
        case "pairs":
            return lambda row: _pair(row, layout.columns, layout)


def _from_turns(turns: Callable[[Object], list[Turn]], layout: Layout) -> Callable[[Object], Example]:
    return lambda row: conversation(turns(row), layout)


def _prompt_completion(row: Object, layout: Layout) -> Example:
    turns = prompt_and_completion(row)
    return _pair(row, _COLUMNS["promptCompletion"], layout) if turns is None else conversation(turns, layout)


def _alpaca(row: Object, layout: Layout) -> Example:
    faults = [fault for name in ("instruction", "output") if (fault := _column_fault(row, name, _COLUMNS["alpaca"]))]
    if row.get("input") is not None and (fault := _column_fault(row, "input", _COLUMNS["alpaca"])):
        faults.append(fault)
    if faults:
        raise ManyFaults(tuple(faults), row)
    text_input = "\n\n".join(str(row[name]) for name in ("instruction", "input") if row.get(name))
    return Example(layout.prefix + text_input, str(row["output"]), layout.system)


def _pair(row: Object, names: tuple[str, ...], layout: Layout) -> Example:
    text_input, output = row.get(names[0]), row.get(names[1])
    if type(text_input) is str and type(output) is str and text_input.isascii() and output.isascii():
        return Example(layout.prefix + text_input, output, layout.system)
    if faults := tuple(fault for name in names if (fault := _column_fault(row, name, names))):
        raise ManyFaults(faults, row)
    return Example(f"{layout.prefix}{text_input}", str(output), layout.system)


def _no_object(value: object, layout: Layout) -> Fault:
    hint = f'write {{"{layout.columns_input}": "…", "{layout.columns_output}": "…"}}'
    return Fault("GT251", f"an example is an object, this is {kind(value)}", hint)


def _column_fault(row: Object, name: str, expected: tuple[str, ...]) -> Fault | None:
    if name not in row:
        has = shown(row, expected)
        hint = f"the object has {has or 'no keys'}; name the columns in dataset.columns"
        return Fault("GT252", f"column '{name}' is missing", hint)
    found = row[name]
    if not isinstance(found, str):
        return Fault("GT253", f"column '{name}' holds {kind(found)}, not text", _text_hint(found))
    try:
        sound(found, f"column '{name}'")
    except NotSent as error:
        return error.fault
    return None


def _text_hint(found: object) -> str:
    if isinstance(found, Number | bool | int | float):
        return 'put it in quotes: "7", not 7'
    return "leave the example out, or give it a text" if found is None else "join it into one text"
