"""A YAML file's bytes to its documents: read fast where nothing in it is doubtful, and with care where it is."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from controller.documents import subset
from controller.documents.values import LIMITS, Document, FileLimits, Parsed, Path, Places, Spot


class Reread(NamedTuple):
    """The positions in a document of a file that was read fast: the file is read again once they are asked for.

    Such a document has no problem, and something stands behind each of its keys.
    """

    data: bytes
    number: int
    line: int
    limits: FileLimits

    def everything(self) -> Places:
        """The places of all of it."""
        return _places(self.data, self.limits)[self.number]

    def value(self, path: Path) -> Spot | None:
        """Where that value stands; None where there is none at this path."""
        return subset.find(_text(self.data), self.line, path) or self.everything().value(path)


def parse(data: bytes, file: str, limits: FileLimits = LIMITS) -> Parsed:
    """The documents of one file, read as YAML 1.2. Whatever the bytes, nothing is raised.

    A broken document keeps what came before the break (``whole`` False) and does not hide the ones after it. A file
    that is not text at all has no documents and a problem.
    """
    try:
        found = subset.read(_text(data), limits)
    except UnicodeDecodeError:
        found = None
    if found is None:
        return parse_carefully(data, file, limits)
    documents = (
        Document(value, file, Spot(line, 1), Reread(data, number, line, limits))
        for number, (value, line) in enumerate(found)
    )
    return Parsed(tuple(documents), ())


def parse_carefully(data: bytes, file: str, limits: FileLimits = LIMITS) -> Parsed:
    """What `parse` gives, by the reader that knows all of YAML and what may be wrong with it."""
    from controller.documents import parsing  # noqa: PLC0415 - good files need no YAML library, and loading it takes long

    return parsing.parse(data, file, limits)


def _text(data: bytes) -> str:
    text = data.decode()
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@lru_cache(maxsize=16)
def _places(data: bytes, limits: FileLimits) -> tuple[Places, ...]:
    """Of every document of a file; what is wrong with one spec is often asked about in several places."""
    return tuple(document.positions.everything() for document in parse_carefully(data, "", limits).documents)
