"""The files of one tree to their bytes, and to names of these bytes that are known without reading them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Final

from controller.dataset.pointers import LARGEST_POINTER, parse_pointer
from controller.engine.downloads import Outside
from controller.errors import Unreadable
from controller.ports import DataPin, Entry, EntryKind, Tree, Wanted
from controller.source.paths import quoted

_SMALL: Final = 1 << 20  # bytes of a file that is worth reading ahead
_AHEAD: Final = 16 << 20  # bytes of all that is read ahead
_LARGE: Final = 4 << 20  # bytes of a file that is rather read twice than kept


@dataclass(frozen=True, slots=True)
class KnownContent:
    """One file. Equal ``content`` means equal bytes; they are here already where they had to be read to tell."""

    path: str
    content: str
    data: bytes | None = field(default=None, repr=False)
    outside: Wanted | None = None


class Files:
    """The files of one tree, and what its specs and its Git LFS pointers name outside of it."""

    def __init__(self, tree: Tree, entries: Iterable[Entry], outside: Outside) -> None:
        self._tree = tree
        self._outside = outside
        self._known = {entry.path: entry for entry in entries if entry.content}
        self._ahead: dict[str, bytes] = {}

    def content(self, path: str, limit: int) -> str:
        """The name of a file's bytes, "" where only reading them tells it, or where they may not be read."""
        known = self._known.get(path)
        return known.content if known is not None and known.kind is EntryKind.FILE and known.size <= limit else ""

    def hold(self, path: str, limit: int) -> KnownContent:
        """A file of at most ``limit`` bytes. Raises `Unreadable`, though not yet for what only reading it can tell."""
        if content := self.content(path, limit):
            return KnownContent(path, content)
        made, pieces, size = hashlib.sha256(), [], 0
        for piece in self._tree.chunks(path, limit):
            made.update(piece)
            pieces.append(piece)
            size += len(piece)
            if size > _LARGE:
                pieces.clear()  # they are read again
        return KnownContent(path, made.hexdigest(), b"".join(pieces) if size <= _LARGE else None)

    def hold_many(self, paths: Sequence[str], limit: int) -> Iterator[KnownContent | Unreadable]:
        """The files with their bytes, each as `hold` gives it, or why not."""
        for path, found in zip(paths, self._tree.read_many(paths, limit), strict=True):
            content = self.content(path, limit)
            if isinstance(found, Unreadable):
                yield found
            else:
                yield KnownContent(path, content, found) if content else _held(path, found)

    def read(self, held: KnownContent, limit: int) -> bytes:
        """Its bytes. Raises `Unreadable`."""
        return b"".join(self.source(held, limit)())

    def source(self, held: KnownContent, limit: int) -> Callable[[], Iterator[bytes]]:
        """How to have its bytes, piece by piece, as often as is wanted, also when the tree is gone.

        Raises `Unreadable`, at the end where they are no longer those that were held.
        """
        data = held.data if held.data is not None else self._ahead.pop(held.path, None)
        names_itself = held.path in self._known
        return _Source(held.path, self._tree.later(held.path, limit), "" if names_itself else held.content, data)

    def chunks(self, held: KnownContent, limit: int) -> Iterator[bytes]:
        """As `source`, once."""
        return self.source(held, limit)()

    def data(self, held: KnownContent, limit: int) -> DatasetBytes:
        """What a dataset holds, wherever it lies, as often as is wanted, also when the tree is gone."""
        return DatasetBytes(
            self.source(held, limit) if held.outside is None else None, self._outside, limit, held.outside
        )

    def known_data(self, held: KnownContent, limit: int) -> DatasetBytes:
        """As `data`, of what may never be asked for: nothing of it is looked at before."""
        return DatasetBytes(partial(self.chunks, held, limit), self._outside, limit, held.outside)

    def has(self, wanted: Wanted) -> bool:
        """Whether what lies outside may be read and is here."""
        return self._outside.has(wanted)

    def read_ahead(self, held: Iterable[KnownContent]) -> None:
        """Have the small ones among these files at hand when they are read, once; nothing else stays at hand."""
        wanted: dict[str, int] = {}
        for one in held:
            if one.data is None and one.path in self._known and self._known[one.path].size <= _SMALL:
                wanted[one.path] = self._known[one.path].size
        first = [path for path, so_far in zip(wanted, accumulate(wanted.values()), strict=True) if so_far <= _AHEAD]
        found = zip(first, self._tree.read_many(first, _SMALL), strict=True)
        self._ahead = {path: data for path, data in found if isinstance(data, bytes)}


@dataclass(slots=True, eq=False)
class _Source:
    """The bytes of one file. ``content`` names what they have to be, "" where the tree sees to that."""

    path: str
    later: Callable[[], Iterator[bytes]]
    content: str
    first: bytes | None = field(repr=False)

    def __call__(self) -> Iterator[bytes]:
        first, self.first = self.first, None
        if first is not None:
            yield first
        elif not self.content:
            yield from self.later()
        else:
            made = hashlib.sha256()
            for piece in self.later():
                made.update(piece)
                yield piece
            if made.hexdigest() != self.content:
                message = f"{quoted(self.path)} changed while it was read"
                raise Unreadable(message, code="GT407", hint="Try again.")


@dataclass(slots=True, eq=False)
class DatasetBytes:
    """The bytes of a dataset: those of its file, or of what it names outside of its tree, once it is read to know."""

    file: Callable[[], Iterator[bytes]] | None
    outside: Outside
    limit: int
    wanted: Wanted | None

    def __call__(self) -> Iterator[bytes]:
        """All of them, piece by piece. Raises `Unreadable`."""
        if self.wanted is None and self.file is not None:
            head, pieces = b"", self.file()
            for piece in pieces:
                head += piece
                if len(head) > LARGEST_POINTER:
                    break
            self.wanted = parse_pointer(head)
            if self.wanted is None:
                yield head
                yield from pieces
        if self.wanted is not None:
            yield from self.outside.open(self.wanted, self.limit)()


def pinned(pin: DataPin) -> KnownContent:
    """The file at a uri, which is known by its digest."""
    return KnownContent(pin.uri.text, f"sha256:{pin.sha256}", outside=pin)


def _held(path: str, data: bytes) -> KnownContent:
    return KnownContent(path, hashlib.sha256(data).hexdigest(), data)
