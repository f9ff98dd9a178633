"""Inputs built of labelled parts (``question: … context: …``) to the lines that are built in another way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from controller.dataset.codes import CODES
from controller.dataset.findings import listed
from controller.dataset.names import FAMILIAR
from controller.dataset.rows import ReadDataset
from controller.errors import Problem

_LABEL = re.compile(r"(?:\A|(?<=\s))([^\W\d_][\w-]{0,29}):(?=\s|\Z)")
_MOST = 0.6  # a label belongs to the set's structure where this share of the inputs carries it
_ENOUGH = 5  # below so many rows nothing is usual yet


def structure(read: ReadDataset) -> Iterator[Problem]:
    """A warning where most inputs carry the same labels in the same order and some do not."""
    if len(read.rows) < _ENOUGH:
        return
    labels = [tuple(dict.fromkeys(_LABEL.findall(text))) if ":" in text else () for _, text in read.inputs()]
    counts = Counter(label for found in labels for label in found)
    usual = {label for label, count in counts.items() if count >= _MOST * len(read.rows)}
    if not usual:
        return
    orders = [tuple(label for label in found if label in usual) for found in labels]
    order, agreeing = Counter(orders).most_common(1)[0]
    odd = [row.line for row, found in zip(read.rows, orders, strict=True) if found != order]
    if odd and agreeing >= _MOST * len(read.rows):
        where = f"lines {listed(odd)} are" if len(odd) > 1 else f"line {odd[0]} is"
        message = f"most inputs are built of {_parts(order)}; {where} not"
        hint = "build every input in the same way: same labels, same spelling, same order"
        yield Problem(read.file, odd[0], 1, "GT212", message, CODES["GT212"].severity, hint)


def _parts(order: tuple[str, ...]) -> str:
    """The labels by name where they are familiar words, else how many there are: a label is text of a row."""
    if all(label.casefold() in FAMILIAR for label in order):
        return " then ".join(f"'{label}:'" for label in order)
    return f"the same {len(order)} labelled parts in the same order" if len(order) > 1 else "one labelled part"
