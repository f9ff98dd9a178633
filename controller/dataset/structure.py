"""The inputs of a set to the labelled parts that most of them are built of, and the rows that are built otherwise."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

from controller.dataset.problems import FAMILIAR, Fault, Lines, listed

_LABEL = re.compile(r"[^\W\d_][\w-]{0,29}")
_COLON = re.compile(r":(?=\s|\Z)")
_LONGEST = 30  # characters of a label
_MOST = 0.6  # a label belongs to the set's structure where this share of the inputs carries it
_ENOUGH = 5  # below so many rows nothing is usual yet
# A label of most inputs is among the first few hundred that are met; the names in a million chats need not be held.
_NAMES = 500
_KINDS = 20_000


class Structure:
    """Which labels each input carries, gathered row by row."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], int] = {(): 0}
        self._names: set[str] = set()
        self._rows = array("I")

    def add(self, texts: Iterable[str]) -> None:
        """The next inputs, as they are compared."""
        self._rows.extend([self._kind(text) if ":" in text else 0 for text in texts])

    def _kind(self, text: str) -> int:
        labels = tuple(dict.fromkeys(label for label in _labels(text) if self._is_known(label)))
        known = self._kinds.get(labels)
        if known is None:
            known = len(self._kinds) if len(self._kinds) < _KINDS else 0
            self._kinds.setdefault(labels, known)
        return known

    def _is_known(self, label: str) -> bool:
        if label not in self._names and len(self._names) < _NAMES:
            self._names.add(label)
        return label in self._names

    def fault(self, lines: array[int]) -> tuple[int, Fault] | None:
        """A warning where most inputs carry the same labels in the same order and some do not, and the first of them.

        ``lines`` are those of the rows.
        """
        count = len(self._rows)
        if count < _ENOUGH or len(self._kinds) == 1:
            return None
        of_kind = Counter(self._rows)
        labelled = [(labels, of_kind[kind]) for labels, kind in self._kinds.items()]
        counts = Counter[str]()
        for labels, rows in labelled:
            for label in labels:
                counts[label] += rows
        usual = {label for label, rows in counts.items() if rows >= _MOST * count}
        if not usual:
            return None
        orders = [tuple(label for label in labels if label in usual) for labels in self._kinds]
        agreeing = Counter[tuple[str, ...]]()
        for order, (_, rows) in zip(orders, labelled, strict=True):
            agreeing[order] += rows
        order, rows = agreeing.most_common(1)[0]
        if rows == count or rows < _MOST * count:
            return None
        odd = Lines()
        for line, kind in zip(lines, self._rows, strict=True):
            if orders[kind] != order:
                odd.add(line)
        message = f"most inputs are built of {_parts(order)}; {listed(odd)} {'are' if odd.count > 1 else 'is'} not"
        hint = "build every input in the same way: same labels, same spelling, same order"
        return odd.first[0], Fault("GT212", message, hint)


def _labels(text: str) -> Iterator[str]:
    """The words that a colon and white space or the end follow, and white space or the beginning precedes."""
    for colon in _COLON.finditer(text):
        end = colon.start()
        start = max(0, end - _LONGEST - 1)
        before = text[start:end]
        word = before.split()[-1:] if before and not before[-1].isspace() else ()
        if word and (len(word[0]) < len(before) or not start) and _LABEL.fullmatch(word[0]):
            yield word[0]


def _parts(order: tuple[str, ...]) -> str:
    """The labels by name where they are familiar words, else how many there are: a label is text of a row."""
    if all(label.casefold() in FAMILIAR for label in order):
        return " then ".join(f"'{label}:'" for label in order)
    return f"the same {len(order)} labelled parts in the same order" if len(order) > 1 else "one labelled part"
