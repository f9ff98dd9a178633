"""Where specs and datasets are committed, and one state of them: what the engine asks for, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from controller.errors import Unreadable


class EntryKind(StrEnum):
    """What a path of a tree is. Only files are ever read."""

    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a tree, ``/``-separated and relative to the root; ``size`` in bytes.

    ``content`` names the bytes of a file, wherever they lie, "" where the tree knows no name without reading them.
    """

    path: str
    kind: EntryKind
    size: int
    content: str = field(default="", compare=False, repr=False)


class Tree(Protocol):
    """One fixed state of the files: a commit, or the working tree (``revision`` None). All of it is on this machine."""

    @property
    def revision(self) -> str | None:
        """The commit id (40 or 64 hex digits)."""
        ...

    def entries(self) -> Sequence[Entry]:
        """Every path below the root, sorted. Raises `SourceError` where the tree cannot be listed whole."""
        ...

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes, at most ``limit``. Raises `Unreadable` (GT4xx) for anything but a regular file within it."""
        ...

    def read_many(self, paths: Sequence[str], limit: int) -> Iterator[bytes | Unreadable]:
        """As `read`, of each path in this order: its bytes, or why not."""
        ...

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """As `read`, piece by piece, in memory that does not grow with the file.

        Raises `Unreadable` at the first piece or at a later one: no piece counts before the last has come.
        """
        ...

    def later(self, path: str, limit: int) -> Callable[[], Iterator[bytes]]:
        """How to have the `chunks` of a file at any later time, as often as is wanted, without holding this tree."""
        ...


class OneByOne(ABC):
    """A tree that has no better way to read many files, or a large one, than to read each of them whole."""

    @abstractmethod
    def read(self, path: str, limit: int) -> bytes:
        """As `Tree.read`."""

    def read_many(self, paths: Sequence[str], limit: int) -> Iterator[bytes | Unreadable]:
        """As `Tree.read_many`."""
        for path in paths:
            try:
                yield self.read(path, limit)
            except Unreadable as error:
                yield error

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """As `Tree.chunks`."""
        yield self.read(path, limit)

    def later(self, path: str, limit: int) -> Callable[[], Iterator[bytes]]:
        """As `Tree.later`, for a tree that does not hold much."""
        return partial(self.chunks, path, limit)


class Relation(StrEnum):
    """How one revision stands to another in history."""

    SAME = "same"
    AHEAD = "ahead"  # the other is among its ancestors
    BEHIND = "behind"  # it is among the other's ancestors
    APART = "apart"  # neither: history was rewritten, or the other is not where every commit would be
    UNKNOWN = "unknown"  # a whole clone does not have the other: not fetched yet, or lost to a forced push


@dataclass(frozen=True, slots=True)
class Landing:
    """One commit of a branch's first-parent history: what was pushed or merged there at once.

    ``parent`` is its first parent, "" for a root commit. ``author``, ``at`` (RFC 3339) and ``message`` are what a
    rebase leaves as it was; ``landed`` is when it was committed (RFC 3339).
    """

    commit: str
    parent: str
    author: str = ""
    at: str = ""
    message: str = field(default="", repr=False)
    landed: str = ""


class Cache(Protocol):
    """What was left by another process, of whatever a later one can make again. Nothing is raised."""

    def load(self) -> bytes | None:
        """What was saved last; None where there is nothing, or nothing that can be trusted."""
        ...

    def save(self, body: bytes) -> None:
        """Put these bytes in its place."""
        ...


class Source(Protocol):
    """Where specs and datasets are committed."""

    async def tree(self, revision: str | None = None) -> Tree:
        """The tree at a revision (default: what is followed). Raises `SourceError`."""
        ...

    async def tip(self) -> str:
        """A text that is another one whenever `tree` would give something else; cheap. Raises `SourceError`."""
        ...

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """How a revision stands to each of the others. Raises `SourceError`."""
        ...

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The commits of the first-parent history of a revision, the newest first, without those that ``since`` has.

        Only those that changed one of the paths over their first parent; without paths all of them. ``since`` is ""
        for the whole history. Raises `SourceError`, also where the history is not here (a shallow clone).
        """
        ...

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:
        """Who wrote these commits, when, and the first line of their messages; those that are not here are left out.

        Raises `SourceError`.
        """
        ...

    async def identity(self) -> str | None:
        """What names this repository in owner marks: host/path of a network remote, else the root commit's id."""
        ...

    async def close(self) -> None:
        """Let go of processes."""
        ...
