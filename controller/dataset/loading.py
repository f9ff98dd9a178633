"""A dataset file to its dataset and problems in one pass, and again to its examples whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from controller.dataset.checks import check
from controller.dataset.digest import Digest
from controller.dataset.reading import Reading, Source
from controller.dataset.rows import Layout
from controller.dataset.tally import Rules, Tally
from controller.errors import Problem, Unreadable
from controller.state.desired import Dataset, Example


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file, read and checked, and how many of its rows could be read.

    ``dataset`` is None where one could not. ``tally`` is there for a set that runs are judged by: what its training set
    is held against.
    """

    dataset: Dataset | None
    problems: tuple[Problem, ...]
    count: int
    tally: Tally | None = field(default=None, repr=False, compare=False)


def load(source: Source, file: str, layout: Layout, rules: Rules) -> Loaded:
    """Read and check in one pass. Whether an error of the checks holds the spec is the caller's policy."""
    reading = Reading(source, file, layout)
    tally = Tally(reading, rules)
    for batch in reading:
        tally.add(batch)
    if not reading.count:
        return Loaded(None, reading.problems, 0)
    problems = (*reading.problems, *check(reading, tally))
    apart = tally if rules.is_evaluation else None
    if not reading.whole:
        return Loaded(None, problems, reading.count, apart)
    found = Dataset(
        path=file,
        digest=tally.digest.hex(),
        examples=Examples(source, file, layout, tally.digest.hex()),
        count=reading.count,
        characters=tally.characters,
        bytes=tally.digest.bytes,
        prefix=layout.prefix,
        shape=reading.shape,
        duplicates=tally.repeats.same.count,
    )
    return Loaded(found, problems, reading.count, apart)


def digest(examples: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) over examples as sent, as `Digest` defines it."""
    made = Digest()
    made.add(list(examples))
    return made.hex()


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a file, read anew on each pass.

    A pass ends with `Unreadable` where they are no longer those of the digest: whoever acts on all of them has to have
    come to the end before it does.
    """

    source: Source = field(repr=False)
    file: str
    layout: Layout
    digest: str

    def __iter__(self) -> Iterator[Example]:
        """Each in its order."""
        reading, made = Reading(self.source, self.file, self.layout), Digest()
        for batch in reading:
            made.add(batch.examples)
            yield from batch.examples
        if not reading.whole or made.hex() != self.digest:
            message = f"the rows of {self.file} have changed since they were checked"
            raise Unreadable(message, code="GT421", hint="run the command again: it then acts on what is there now")
