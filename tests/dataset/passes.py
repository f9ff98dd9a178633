"""What tests ask of one pass over the bytes of a file: its rows with their lines, its problems, its tally."""

from __future__ import annotations

from dataclasses import dataclass

from controller import dataset
from controller.dataset import Layout, Loaded, Rules, Tally
from controller.dataset.checks import check as check_tally
from controller.dataset.reading import Reading
from controller.errors import Problem
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example


@dataclass(frozen=True)
class Row:
    """One example and its line."""

    example: Example
    line: int


@dataclass(frozen=True)
class Read:
    """A file that was read once; ``data`` so that it can be gone through again under other rules."""

    data: bytes
    file: str
    layout: Layout
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    whole: bool

    @property
    def examples(self) -> tuple[Example, ...]:
        return tuple(row.example for row in self.rows)


def read_examples(data: bytes, file: str, layout: Layout) -> Read:
    reading = Reading(lambda: [data], file, layout)
    rows = [
        Row(example, line) for batch in list(reading) for line, example in zip(batch.lines, batch.examples, strict=True)
    ]
    return Read(data, file, layout, tuple(rows) if reading.count else (), reading.problems, reading.whole)


def tallied(read: Read | None, rules: Rules | None = None) -> Tally | None:
    """What a set comes to; by default one that a run is judged by."""
    if read is None:
        return None
    return load(read.data, read.file, read.layout, rules or Rules(FACTS.examples, is_evaluation=True)).tally


def check(read: Read, rules: Rules) -> tuple[Problem, ...]:
    """What the checks alone say."""
    reading = Reading(lambda: [read.data], read.file, read.layout)
    tally = Tally(reading, rules)
    for batch in reading:
        tally.add(batch)
    return check_tally(reading, tally) if reading.count else ()


def load(data: bytes, file: str, layout: Layout, rules: Rules) -> Loaded:
    return dataset.load(lambda: [data], file, layout, rules)
