"""Keys of the rows of a set to the rows that share them: 64-bit keys in arrays, compared one part at a time.

A key is Python's own hash of a text, which is drawn anew for each process: it is never kept. That two of two million
texts share one by chance happens once in some million sets, and then a warning is wrong.
"""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from controller.dataset.invisible import folded

_PARTS = 64
Keys: TypeAlias = "array[int]"  # of signed 64-bit numbers, in the order of rows


def new_keys() -> Keys:
    """No keys yet."""
    return array("q")


def _parts(keys: Keys) -> list[array[int]]:
    """The numbers of the rows, by the last bits of their keys: rows that share a key are in one part, in order."""
    parts = [array("I") for _ in range(_PARTS)]
    for row, key in enumerate(keys):
        parts[key % _PARTS].append(row)
    return parts


def shared(keys: Keys) -> Iterator[list[int]]:
    """The rows that share a key, each group in order, the groups in none."""
    for part in _parts(keys):
        if len({keys[row] for row in part}) == len(part):
            continue
        groups: dict[int, list[int]] = {}
        for row in part:
            groups.setdefault(keys[row], []).append(row)
        yield from (rows for rows in groups.values() if len(rows) > 1)


def distinct(keys: Keys) -> int:
    """How many different keys there are."""
    return sum(len({keys[row] for row in part}) for part in _parts(keys))


def met(keys: Keys, others: Keys) -> Iterator[tuple[int, int]]:
    """Each row whose key others have, with the first row of those."""
    for part, other_part in zip(_parts(keys), _parts(others), strict=True):
        first: dict[int, int] = {}
        for row in other_part:
            first.setdefault(others[row], row)
        if first:
            yield from ((row, first[key]) for row in part if (key := keys[row]) in first)


def unmet(keys: Keys, others: Keys) -> Iterator[int]:
    """Each row whose key none of the others has."""
    for part, other_part in zip(_parts(keys), _parts(others), strict=True):
        there = {others[row] for row in other_part}
        yield from (row for row in part if keys[row] not in there)


_NAMED = 3  # so many pairs are named; the rest is counted


class Few:
    """How many pairs of rows there are, and the first few of them in order; they may come in any."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.count > 0

    def add(self, late: int, early: int) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < _NAMED or (late, early) < self.first[-1]:
            insort(self.first, (late, early))
            del self.first[_NAMED:]


class Repeats:
    """Rows that have the input of another.

    ``same`` are those that repeat a row, each with the first that it repeats; ``contradicting`` those with another
    output than the first of their input, which stands with them.
    """

    def __init__(self, inputs: Keys, outputs: Keys) -> None:
        self.same, self.contradicting = Few(), Few()
        for rows in shared(inputs):
            first: dict[int, int] = {}
            for row in rows:
                if (early := first.setdefault(outputs[row], row)) != row:
                    self.same.add(row, early)
                if early != rows[0]:
                    self.contradicting.add(row, rows[0])


_ENDS = 16  # characters of a text's beginning and end by which most pairs of texts are told apart
_LOOKED_AT = 32
_MOST_ENDS = 100_000


class Candidates:
    """Inputs, case and white space aside, that may be among those of another set: their keys and rows.

    Putting a text into that form costs more than all else that is done with it, so those that begin or end in a way
    that none of the others does are left out.
    """

    def __init__(self, others: Candidates | None = None) -> None:
        self.keys: Keys = new_keys()
        self.rows = array("I")
        self._count = 0
        self._begins: set[str] = set()
        self._ends: set[str] = set()
        self._others = others if others and len(others.rows) <= _MOST_ENDS else None
        self._is_other = others is None

    def add(self, texts: Sequence[str]) -> None:
        """The next inputs, as they are compared."""
        for row, text in enumerate(texts, self._count):
            if self._others is not None and self._others.lacks(text):
                continue
            seen = folded(text)
            self.keys.append(hash(seen))
            self.rows.append(row)
            if self._is_other and row < _MOST_ENDS:
                self._begins.add(seen[:_ENDS])
                self._ends.add(seen[-_ENDS:])
        self._count += len(texts)

    def lacks(self, text: str) -> bool:
        """Whether it is none of these for sure. Of ASCII only: elsewhere a cut may part a letter from its accent."""
        if not text.isascii() or len(text) < _LOOKED_AT:
            return False
        end = " ".join(text[-_LOOKED_AT:].split()).casefold()
        if len(end) >= _ENDS and end[-_ENDS:] not in self._ends:
            return True
        begin = " ".join(text[:_LOOKED_AT].split()).casefold()
        return len(begin) >= _ENDS and begin[:_ENDS] not in self._begins
