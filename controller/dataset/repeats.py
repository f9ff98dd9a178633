"""Rows that say the same, or contradict each other, within one set or across training and evaluation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from controller.dataset.codes import CODES
from controller.dataset.findings import listed
from controller.dataset.rows import ReadDataset
from controller.dataset.rules import FEWEST
from controller.errors import Problem

_PAIRS = 3  # so many pairs of lines are named; the rest is counted
_LABELS_REPEAT = 2  # fewer examples for each output than this, and outputs are answers rather than labels


def duplicates(read: ReadDataset) -> Iterator[Problem]:
    """Exact repeats, each with the line it repeats."""
    first: dict[tuple[str, str], int] = {}
    pairs: list[tuple[int, int]] = []
    for row in read.rows:
        pair = (row.example.text_input, row.example.output)
        if pair in first:
            pairs.append((row.line, first[pair]))
        else:
            first[pair] = row.line
    if pairs:
        named = _named([f"line {late} repeats line {early}" for late, early in pairs])
        yield _problem(read, pairs[0][0], "GT209", named, "take the repeat out: it counts double in training")


def contradictions(read: ReadDataset) -> Iterator[Problem]:
    """The same input with another output."""
    first: dict[str, tuple[str, int]] = {}
    pairs: list[tuple[int, int]] = []
    for row in read.rows:
        output, line = first.setdefault(row.example.text_input, (row.example.output, row.line))
        if output != row.example.output:
            pairs.append((row.line, line))
    if pairs:
        named = _named([f"line {late} has the input of line {early} and another output" for late, early in pairs])
        yield _problem(read, pairs[0][0], "GT210", named, "keep the one that is right")


def same_output(read: ReadDataset) -> Iterator[Problem]:
    """Nothing can be learned where every answer is the same."""
    outputs = {row.example.output for row in read.rows}
    if len(outputs) == 1 and len(read.rows) >= FEWEST:
        message = f"all {len(read.rows):,} examples have the same output"
        yield _problem(read, read.rows[0].line, "GT217", message, "see that the columns are the right ones")


def near_labels(read: ReadDataset) -> Iterator[Problem]:
    """Labels of a classification that differ in case or white space only: the rarer spelling is a slip."""
    spellings: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in read.rows:
        spellings[_plain(row.example.output)][row.example.output].append(row.line)
    if len(spellings) * _LABELS_REPEAT > len(read.rows):
        return
    slips: list[int] = []
    for written in spellings.values():
        usual = max(written, key=lambda spelling: len(written[spelling]))
        slips += [line for spelling, lines in written.items() if spelling != usual for line in lines]
    if slips:
        slips.sort()
        where = f"lines {listed(slips)} have" if len(slips) > 1 else f"line {slips[0]} has"
        message = f"{where} a label that differs from a more frequent one in case or white space only"
        yield _problem(read, slips[0], "GT218", message, "write each label in one way")


def overlap(read: ReadDataset, evaluation: ReadDataset) -> Iterator[Problem]:
    """Inputs of the evaluation set that are trained on, case and white space aside: their score proves nothing."""
    asked: dict[str, int] = {}
    for row in evaluation.rows:
        asked.setdefault(_plain(row.example.text_input), row.line)
    shared = [(row.line, asked[key]) for row in read.rows if (key := _plain(row.example.text_input)) in asked]
    if shared:
        named = _named([f"line {line} is also line {other} of {evaluation.file}" for line, other in shared])
        yield _problem(read, shared[0][0], "GT211", named, "take it out of one of the two files")


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _named(sentences: Sequence[str]) -> str:
    rest = len(sentences) - _PAIRS
    return "; ".join(sentences[:_PAIRS]) + (f"; and {rest:,} more" if rest > 0 else "")


def _problem(read: ReadDataset, line: int, code: str, message: str, hint: str) -> Problem:
    return Problem(read.file, line, 1, code, message, CODES[code].severity, hint)
