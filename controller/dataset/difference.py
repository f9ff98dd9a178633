"""The examples before and after an edit, to what the edit did, in counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from controller.state.desired import Example

_Pair = tuple[str, str]


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


def difference(before: Sequence[Example], after: Sequence[Example]) -> Difference:
    """Compare two sets as multisets of (input, output)."""
    old, new = [_pair(e) for e in before], [_pair(e) for e in after]
    was, now = Counter(old), Counter(new)
    gone, come = was - now, now - was
    edited = sum((_by_input(gone) & _by_input(come)).values())
    stayed = was & now
    return Difference(
        added=come.total() - edited,
        removed=gone.total() - edited,
        edited=edited,
        reordered=_kept(old, stayed) != _kept(new, stayed),
        duplicates=repeats(after),
        contradictions=_contradictions(now),
    )


def repeats(examples: Sequence[Example]) -> int:
    """How many examples repeat an earlier one exactly."""
    return len(examples) - len({_pair(e) for e in examples})


def _pair(example: Example) -> _Pair:
    return example.text_input, example.output


def _by_input(pairs: Counter[_Pair]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for (text_input, _), count in pairs.items():
        counts[text_input] += count
    return counts


def _kept(pairs: list[_Pair], stayed: Counter[_Pair]) -> list[_Pair]:
    """Those that stayed, in order; of equal ones the first so many."""
    left = Counter(stayed)
    kept = []
    for pair in pairs:
        if left[pair]:
            left[pair] -= 1
            kept.append(pair)
    return kept


def _contradictions(pairs: Counter[_Pair]) -> int:
    outputs: defaultdict[str, int] = defaultdict(int)
    for text_input, _ in pairs:
        outputs[text_input] += 1
    return sum(count > 1 for count in outputs.values())
