"""A tree to its files, each with a name for its bytes: one that is known before they are read, or made from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.ports import Entry, EntryKind, Tree


@dataclass(frozen=True, slots=True)
class Held:
    """One file. Equal ``content`` means equal bytes; they are here already where they had to be read to tell."""

    path: str
    content: str
    data: bytes | None = field(default=None, repr=False)


class Files:
    """The files of one tree."""

    def __init__(self, tree: Tree, entries: Iterable[Entry]) -> None:
        self._tree = tree
        self._known = {entry.path: entry for entry in entries if entry.content}

    async def hold(self, path: str, limit: int) -> Held:
        """A file of at most ``limit`` bytes. Raises `Unreadable`, though not yet for what only reading it can tell."""
        known = self._known.get(path)
        if known is not None and known.kind is EntryKind.FILE and known.size <= limit:
            return Held(path, known.content)
        data = await self._tree.read(path, limit)
        return Held(path, hashlib.sha256(data).hexdigest(), data)

    async def read(self, held: Held, limit: int) -> bytes:
        """Its bytes. Raises `Unreadable`."""
        return held.data if held.data is not None else await self._tree.read(held.path, limit)
