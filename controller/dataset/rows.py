"""What reading a dataset needs and gives: the layout a spec states, rows that remember their line, caps on both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from controller.dataset.problems import Fault, Findings
from controller.errors import Problem, Severity
from controller.state.desired import Example

Format = Literal["jsonl", "json", "csv"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out. ``format`` None means by suffix; ``prefix`` is put before every input."""

    format: Format | None = None
    columns_input: str = "text_input"
    columns_output: str = "output"
    prefix: str = ""

    @property
    def columns(self) -> tuple[str, str]:
        """The columns an example is read from, input first."""
        return self.columns_input, self.columns_output


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example as sent (prefix included), and the line of the file on which it starts."""

    example: Example
    line: int


@dataclass(frozen=True, slots=True)
class Unused:
    """A column beside the two: in how many ``rows`` it has text, and the first ``line`` that does.

    ``content`` says that it reads like text rather than an id; ``always`` is the text, where it is the same in each.
    """

    name: str = field(repr=False)
    rows: int
    line: int
    content: bool
    always: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadDataset:
    """The rows of one file that could be read, and what is wrong with the file."""

    rows: tuple[ExampleRow, ...] = field(repr=False)
    problems: tuple[Problem, ...]
    file: str = ""
    layout: Layout = field(default_factory=Layout)
    unused: tuple[Unused, ...] = ()
    written: Format = "jsonl"

    @property
    def whole(self) -> bool:
        """Whether every row was read. A dataset that is not whole is never trained on, whatever a policy says."""
        return all(p.severity is not Severity.ERROR for p in self.problems)

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples in the order of the file."""
        return tuple(row.example for row in self.rows)

    def inputs(self) -> Iterator[tuple[ExampleRow, str]]:
        """Each row with its input as it stands in the file, without the prefix."""
        cut = len(self.layout.prefix)
        return ((row, row.example.text_input[cut:]) for row in self.rows)


LONGEST = 1_000_000  # characters of one example as it is written
MOST = 1_000_000  # examples of one file
TOO_LONG = Fault("GT255", f"one example is longer than {LONGEST:,} characters", "an input takes 40,000 at the most")


def too_many(rows: int, line: int, findings: Findings) -> bool:
    """Whether the cap of rows is passed; it is noted then, and reading ends."""
    if rows <= MOST:
        return False
    findings.add(Fault("GT256", f"the file has more than {MOST:,} examples", "tune on a sample of them"), line)
    return True
