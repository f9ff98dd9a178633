"""The columns that rows carry, counted, to the mapping that fits them, and to those that are left unused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.dataset.problems import FAMILIAR, Fault, plain, shown
from controller.dataset.rows import Format, Layout, Shape, Unused

# Names that data sets give the parts of an input, in the order in which a prompt has them: what Alpaca, Dolly and SQuAD
# spread over two columns is joined in this order. The others are an input by themselves, if there is nothing else:
# `text` is often the whole prompt with its answer, made of the other columns.
_PARTS = ("system", "instruction", "instructions", "context", "input", "inputs", "question", "query", "prompt")
_WHOLE = ("text_input", "textinput", "text", "document", "content")
_OUTPUTS = (
    *("text_output", "output", "outputs", "completion", "response", "chosen", "answer", "answers", "label", "labels"),
    *("target", "summary", "expected", "category", "class"),
)
_NAMES = 100  # so many different names are looked at: keys that are data would be a name a row


@dataclass(slots=True)
class _Column:
    rows: int = 0  # in which it has text
    spoken: int = 0  # of them, those that read like words rather than an id
    line: int = 0
    text: str = ""
    varies: bool = False

    def add(self, text: str, line: int) -> None:
        if not self.rows:
            self.line, self.text = line, text
        self.rows += 1
        self.varies = self.varies or text != self.text
        # One word of ASCII is an id, a date or a tag; scripts without blanks between words are outside ASCII.
        self.spoken += not text.isascii() or len(text.split(None, 1)) > 1


class Columns:
    """What the rows of one file carry, gathered row by row."""

    def __init__(self, layout: Layout, written: Format) -> None:
        self._layout = layout
        self.written = written
        self._columns: dict[str, _Column] = {}
        self._shape: Shape = layout.shape or "pairs"
        self._used: tuple[str, ...] = layout.columns

    def settle(self, shape: Shape, used: tuple[str, ...]) -> None:
        """Know the shape of the rows, and which columns examples are made of."""
        self._shape, self._used = shape, used

    def note(self, row: Mapping[str, object], line: int) -> None:
        """Count the columns of a row that hold text, and know those that do not by name."""
        for name, found in row.items():
            column = self._columns.get(name)
            if column is None:
                if len(self._columns) >= _NAMES:
                    continue
                column = self._columns[name] = _Column()
            if isinstance(found, str) and (text := found.strip()):
                column.add(text, line)

    def unused(self) -> tuple[Unused, ...]:
        """The columns beside the two that hold text, in the order of the file."""
        return tuple(
            Unused(
                name, c.rows, c.line, plain(name) in FAMILIAR or c.spoken * 2 >= c.rows, None if c.varies else c.text
            )
            for name, c in self._columns.items()
            if name not in self._used and c.rows
        )

    def mapping(self) -> str:
        """A hint to rows that lack a column, as the file as a whole suggests it; "" where its names are not known."""
        if self._shape != "pairs":
            return ""
        said = self._layout
        inputs = self._named(said.columns_input, _PARTS) or self._named("", _WHOLE)[:1]
        outputs = self._named(said.columns_output, _OUTPUTS)
        if not inputs or not outputs or (inputs[0], outputs[0]) == said.columns:
            return ""
        if len(inputs) > 1:
            joined = _join(inputs, outputs[0], said, self.written)
            return f"the input is in {_and(inputs)}, and columns are not joined: {joined}"
        return f"add to the dataset in the spec: `columns: {{input: {inputs[0]}, output: {outputs[0]}}}`"

    def _named(self, said: str, usual: tuple[str, ...]) -> list[str]:
        """The columns that can stand for one: itself, else those of a usual name, with text where any of them has."""
        if said in self._columns:
            return [said]
        known = {plain(name): name for name in self._columns if name == name.strip()}
        named = [known[name] for name in usual if name in known]
        return [name for name in named if self._columns[name].rows] or named[:1]


def _join(inputs: list[str], output: str, layout: Layout, written: Format) -> str:
    """How several columns become the one that holds the input, with a blank line between them."""
    if written not in ("json", "jsonl"):
        return "write them into one column, a blank line between them"
    parts = ", ".join(f".{name}" for name in inputs)  # names of `_PARTS`, which jq takes as they are
    joined = f'([{parts}] | map(select(. != null and . != "")) | join("\\n\\n"))'
    return f"write them into one: {_jq(joined, f'.{output}', layout, written)}"


def _jq(text_input: str, output: str, layout: Layout, written: Format) -> str:
    names = layout.columns if all(name.isascii() and name.isidentifier() for name in layout.columns) else _PLAIN
    each = ".[] | " if written == "json" else ""
    return f"`jq -c '{each}{{{names[0]}: {text_input}, {names[1]}: {output}}}' FILE > NEW.jsonl`"


_PLAIN = Layout().columns


def _and(names: list[str]) -> str:
    *most, last = (f"'{name}'" for name in names)
    return f"{', '.join(most)} and {last}" if most else last


_ALPACA = {"instruction": "input", "input": "instruction"}
_MANY = 0.2  # a column that fewer rows have is a remark


def left_out(
    unused: tuple[Unused, ...], rows: int, layout: Layout, used: tuple[str, ...]
) -> Iterator[tuple[int, Fault]]:
    """What is said of columns that are not sent though they look like content, each with its first line."""
    partner = _ALPACA.get(plain(used[0]))
    for one in unused:
        if one.always and one.always in layout.prefix:
            continue
        name = shown([one.name], used)
        column = f"column {name}" if name.startswith("'") else "a column of another name"
        where = f"{one.rows:,} of {rows:,} rows"
        if plain(one.name) == partner:
            yield (
                one.line,
                Fault("GT223", f"{column} holds text in {where} and is not sent", _both(one)),
            )
        elif one.content and one.rows >= _MANY * rows:
            sent = "the two columns of dataset.columns are" if used == layout.columns else f"{_and(list(used))} are"
            hint = f"only {sent} sent: join it to that, or take it out of the file"
            yield one.line, Fault("GT222", f"{column} holds text in {where} and is not used", hint)


def _both(one: Unused) -> str:
    if one.always:
        return "it is the same in every row: put its text into dataset.prefix"
    return "take dataset.columns out of the spec and say `shape: alpaca`, which joins the two by a blank line"
