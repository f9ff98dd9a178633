"""Two sets of examples to what an edit did: counts, never a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.state.desired import Example


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit did.

    ``edited`` counts examples whose input stayed and whose output changed. ``reordered`` says whether the examples that
    stayed stand in another order. ``duplicates`` and ``contradictions`` (inputs with several outputs) are those after.
    """

    added: int = 0
    removed: int = 0
    edited: int = 0
    reordered: bool = False
    duplicates: int = 0
    contradictions: int = 0


def difference(before: Iterable[Example], after: Iterable[Example]) -> Difference:
    """Compare two sets as multisets of examples."""
    before, after = tuple(before), tuple(after)
    was, now = Counter(before), Counter(after)
    gone, come = was - now, now - was
    edited = sum((_inputs(gone.elements()) & _inputs(come.elements())).values())
    stayed = was & now
    return Difference(
        added=come.total() - edited,
        removed=gone.total() - edited,
        edited=edited,
        reordered=_kept(before, stayed) != _kept(after, stayed),
        duplicates=now.total() - len(now),
        contradictions=sum(count > 1 for count in _inputs(now).values()),
    )


def _inputs(examples: Iterable[Example]) -> Counter[str]:
    return Counter(example.text_input for example in examples)


def _kept(examples: Sequence[Example], stayed: Counter[Example]) -> list[Example]:
    """Those that stayed, in order; of equal ones the first so many."""
    left = Counter(stayed)
    kept = []
    for example in examples:
        if left[example]:
            left[example] -= 1
            kept.append(example)
    return kept
