"""Two sets of examples to what an edit did: counts and the numbers of examples, never a row."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from controller.dataset.repeats import Keys, Repeats, new_keys
from controller.state.desired import Example

_LABELS_REPEAT = 2  # fewer examples for each output than this, and outputs are answers rather than labels


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit did; numbers count examples from 1.

    ``edited`` are those whose input stayed and whose output changed. ``reordered`` says whether the examples that
    stayed stand in another order. ``duplicates`` and ``contradictions`` (inputs with several outputs) are those after.
    ``shift`` is the share of examples, in percent, by which the frequencies of labels moved; None where outputs are no
    labels. ``lengths`` are the characters of each example after. ``gone`` and ``come`` are keys of this process alone.
    """

    added: tuple[int, ...] = ()
    removed: int = 0
    edited: tuple[int, ...] = ()
    reordered: bool = False
    duplicates: int = 0
    contradictions: int = 0
    shift: int | None = None
    lengths: Sequence[int] = field(default=(), repr=False, compare=False)
    gone: frozenset[int] = field(default=frozenset(), repr=False, compare=False)
    come: frozenset[int] = field(default=frozenset(), repr=False, compare=False)


class _Set:
    """The keys of some examples: of all of each, of its input, of its output."""

    def __init__(self, examples: Iterable[Example]) -> None:
        self.inputs: Keys = new_keys()
        self.outputs: Keys = new_keys()
        self.wholes: Keys = new_keys()
        self.lengths = array("I")
        for example in examples:
            asked = example.text_input if example.is_pair else (example.system, example.earlier, example.text_input)
            self.inputs.append(hash(asked))
            self.outputs.append(hash(example.output))
            self.wholes.append(hash((asked, example.output)))
            self.lengths.append(sum(map(len, example.texts)))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.wholes)


def difference(before: Iterable[Example], after: Iterable[Example]) -> Difference:
    """Compare two sets as multisets of examples."""
    old, new = _Set(before), _Set(after)
    stayed, fresh = _matched(old, new)
    gone = [row for row in range(len(old)) if not stayed[row]]
    inputs = Counter(old.inputs[row] for row in gone)
    added, edited = [], []
    for row in fresh:
        if inputs[new.inputs[row]] > 0:
            inputs[new.inputs[row]] -= 1
            edited.append(row + 1)
        else:
            added.append(row + 1)
    changed = set(fresh)
    kept = (old.wholes[row] for row in range(len(old)) if stayed[row])
    still = (key for row, key in enumerate(new.wholes) if row not in changed)
    repeats = Repeats(new.inputs, new.outputs)
    return Difference(
        added=tuple(added),
        removed=len(gone) - len(edited),
        edited=tuple(edited),
        reordered=any(one != other for one, other in zip(kept, still, strict=True)),
        duplicates=repeats.same.count,
        contradictions=_contradictions(new),
        shift=_shift(old.outputs, new.outputs),
        lengths=new.lengths,
        gone=frozenset(old.wholes[row] for row in gone),
        come=frozenset(new.wholes[row] for row in fresh),
    )


def _matched(old: _Set, new: _Set) -> tuple[bytearray, list[int]]:
    """Which of the old ones stayed, and the rows of the new ones that were not there; of equal ones the first stay."""
    there = Counter(old.wholes)
    common: Counter[int] = Counter()
    fresh = []
    for row, key in enumerate(new.wholes):
        if there[key] > common[key]:
            common[key] += 1
        else:
            fresh.append(row)
    stayed = bytearray(len(old))
    for row, key in enumerate(old.wholes):
        if common[key] > 0:
            common[key] -= 1
            stayed[row] = True
    return stayed, fresh


def _contradictions(found: _Set) -> int:
    """How many inputs have several outputs."""
    first: dict[int, int] = {}
    several = set()
    for asked, answer in zip(found.inputs, found.outputs, strict=True):
        if first.setdefault(asked, answer) != answer:
            several.add(asked)
    return len(several)


def _shift(before: Keys, after: Keys) -> int | None:
    """By how many hundredths the shares of labels moved; None where there are no labels on both sides."""
    was, now = Counter(before), Counter(after)
    if not was or not now or any(len(one) * _LABELS_REPEAT > one.total() for one in (was, now)):
        return None
    moved = sum(abs(was[key] / was.total() - now[key] / now.total()) for key in was.keys() | now.keys())
    return round(100 * moved / 2)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many examples went from one set of a spec to the other."""

    to_evaluation: int = 0
    to_training: int = 0


def moved(training: Difference, evaluation: Difference) -> Moved:
    """What left one set and came to the other."""
    return Moved(len(training.gone & evaluation.come), len(evaluation.gone & training.come))
