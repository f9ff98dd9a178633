"""The bytes of a dataset file to the value that plans are made of, with every problem on the way."""

from __future__ import annotations

from dataclasses import dataclass

from controller.dataset.checks import check
from controller.dataset.difference import repeats
from controller.dataset.digest import digest
from controller.dataset.reading import read_examples
from controller.dataset.rows import Layout, ReadDataset
from controller.dataset.rules import Rules
from controller.errors import Problem
from controller.state.desired import Dataset


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file, read and checked. ``dataset`` is None where rows could not be read."""

    read: ReadDataset
    dataset: Dataset | None
    problems: tuple[Problem, ...]


def load(data: bytes, file: str, layout: Layout, rules: Rules | None = None) -> Loaded:
    """Read and check in one go. Whether an error of the checks holds the spec is the caller's policy."""
    read = read_examples(data, file, layout)
    problems = (*read.problems, *check(read, rules or Rules()))
    dataset = to_dataset(read, file, layout.prefix) if read.whole and read.rows else None
    return Loaded(read, dataset, problems)


def to_dataset(read: ReadDataset, path: str, prefix: str) -> Dataset:
    """The examples with their digest. ``prefix`` is the one the rows were read with, for callers to send too."""
    examples = read.examples
    return Dataset(path, digest(examples), examples, prefix, repeats(examples))
