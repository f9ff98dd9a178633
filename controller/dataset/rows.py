"""What reading a dataset needs and gives: the layout a spec states, batches of examples with their lines, caps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from controller.dataset.problems import Fault, Findings
from controller.state.desired import Example

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "xlsx"]
Shape = Literal["pairs", "messages", "contents", "promptCompletion", "alpaca", "sharegpt"]
Learn = Literal["last", "all"]
TaskType = Literal["classification", "summarization", "search", "other"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out, and what is made of its rows.

    ``format`` None means by suffix, ``shape`` None the one that every row fits. ``prefix`` is put before the first turn
    of the user, ``system`` is the system message of rows that carry none, ``learn`` says which of the model's turns are
    learned. ``delimiter`` separates the columns of a CSV file, "" for a comma; ``sheet`` names that of a workbook.
    """

    format: Format | None = None
    columns_input: str = "text_input"
    columns_output: str = "output"
    prefix: str = ""
    shape: Shape | None = None
    system: str = ""
    learn: Learn = "last"
    delimiter: str = ""
    sheet: str = ""

    @property
    def columns(self) -> tuple[str, str]:
        """The columns an example is read from, input first."""
        return self.columns_input, self.columns_output


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file as they are written, in its order, each with the line (and column, if not 1) it starts on.

    ``is_plain`` says that all their texts are ASCII without control characters but tabs and line breaks, ``is_flat``
    that all values are objects that hold texts alone, without half of a surrogate pair.
    """

    lines: list[int]
    values: list[object] = field(repr=False)
    is_plain: bool = False
    is_flat: bool = False
    columns: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some examples of a file, in its order, each with the line it starts on.

    ``is_plain`` is that of their block; ``is_paired`` says that each is one turn without a system message.
    """

    lines: list[int]
    examples: list[Example] = field(repr=False)
    is_plain: bool = False
    is_paired: bool = False


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


LONGEST = 1_000_000  # characters of one example as it is written
MOST = 2_000_000  # examples of one file
TOO_LONG = Fault("GT255", f"one example is longer than {LONGEST:,} characters", "an input takes 40,000 at the most")


def too_many(batch: Batch, before: int, findings: Findings) -> bool:
    """Whether a batch behind so many examples passes the cap; it is noted then, and reading ends."""
    if before + len(batch.lines) <= MOST:
        return False
    fault = Fault("GT256", f"the file has more than {MOST:,} examples", "tune on a sample of them")
    findings.add(fault, batch.lines[MOST - before])
    return True
