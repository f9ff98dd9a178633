"""A dataset file by itself to what it is taken for: shape, rows, lengths, labels, repeats; never a word of a row."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass

from controller.dataset.checks import check
from controller.dataset.reading import Reading, Source
from controller.dataset.rows import LONGEST, Batch, Format, Layout, Shape
from controller.dataset.tally import Rules, Tally
from controller.errors import Problem
from controller.state.facts import ExampleLimits, Turns

# No provider is asked: whatever any of them may take.
ANY = ExampleLimits(
    fewest=0,
    input_characters=LONGEST,
    output_characters=LONGEST,
    output_bytes=None,
    inline_bytes=None,
    system=True,
    turns=Turns.ANY,
)
_LABELS = 50  # with more different outputs than this, or fewer than two rows for each, they are answers and no labels
_SHORT = 200  # characters of an output that may be a label


@dataclass(frozen=True, slots=True)
class Lengths:
    """Characters of texts: half of them have no more than ``median``, nineteen of twenty no more than ``most``."""

    median: int
    most: int
    longest: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is taken for.

    ``turns`` counts examples of several turns, ``systems`` those with a system message. ``labels`` are how many rows
    each output has, the most frequent first, where they are few and repeat. ``leaks`` counts inputs that the
    evaluation set asks too, None where none was given. ``digest`` is "" where a row could not be read.
    """

    file: str
    format: Format
    shape: Shape
    rows: int
    turns: int
    systems: int
    inputs: Lengths
    outputs: Lengths
    labels: tuple[int, ...]
    characters: int
    bytes: int
    duplicates: int
    contradictions: int
    leaks: int | None
    digest: str
    problems: tuple[Problem, ...]


def inspect(source: Source, file: str, layout: Layout, evaluation: tuple[Source, str] | None = None) -> Inspection:
    """Look at a file, and whether it holds what an evaluation set asks. Raises `Unreadable`."""
    apart = _tally(*evaluation, layout, Rules(ANY, is_evaluation=True))[1] if evaluation is not None else None
    reading, tally, measured = _tally(source, file, layout, Rules(ANY, evaluation=apart))
    found = check(reading, tally) if reading.count else ()
    asked = set(apart.asked.keys) if apart is not None else set()
    return Inspection(
        file=file,
        format=reading.written,
        shape=reading.shape,
        rows=reading.count,
        turns=measured.turns,
        systems=measured.systems,
        inputs=_lengths(measured.inputs),
        outputs=_lengths(measured.outputs),
        labels=measured.labels(),
        characters=tally.characters,
        bytes=tally.digest.bytes,
        duplicates=tally.repeats.same.count,
        contradictions=tally.repeats.contradicting.count,
        leaks=None if apart is None else sum(key in asked for key in tally.asked.keys),
        digest=tally.digest.hex() if reading.whole and reading.count else "",
        problems=(*reading.problems, *found),
    )


def _tally(source: Source, file: str, layout: Layout, rules: Rules) -> tuple[Reading, Tally, _Measured]:
    reading = Reading(source, file, layout)
    tally, measured = Tally(reading, rules), _Measured()
    for batch in reading:
        tally.add(batch)
        measured.add(batch)
    return reading, tally, measured


class _Measured:
    """Lengths and labels of the examples so far."""

    def __init__(self) -> None:
        self.inputs = array("I")
        self.outputs = array("I")
        self.turns = 0
        self.systems = 0
        self._outputs: Counter[str] | None = Counter()

    def add(self, batch: Batch) -> None:
        for example in batch.examples:
            self.inputs.append(sum(map(len, example.texts[:-1])))
            self.outputs.append(len(example.output))
            self.turns += bool(example.earlier)
            self.systems += bool(example.system)
        if self._outputs is not None:
            self._outputs.update(example.output for example in batch.examples)
            if len(self._outputs) > _LABELS or max(map(len, self._outputs), default=0) > _SHORT:
                self._outputs = None

    def labels(self) -> tuple[int, ...]:
        """How many rows each label has, the most frequent first."""
        found = self._outputs or Counter[str]()
        return tuple(sorted(found.values(), reverse=True)) if 2 * len(found) <= len(self.outputs) else ()


def _lengths(found: array[int]) -> Lengths:
    ordered = sorted(found) or [0]
    return Lengths(*(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 1.0)))
