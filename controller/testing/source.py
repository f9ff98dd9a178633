"""Files in a dict to a Source with revisions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from controller.errors import ControllerError, SourceError, Unreadable
from controller.ports import Entry, EntryKind, Landing, OneByOne, Relation
from controller.source.paths import below, is_folder, not_found, of_kind, too_large

Files = Mapping[str, str | bytes]


@dataclass(frozen=True, slots=True)
class MemoryTree(OneByOne):
    """One fixed state of the files. ``kinds`` names the paths that are not regular files."""

    revision: str | None
    files: Mapping[str, bytes]
    kinds: Mapping[str, EntryKind]

    def entries(self) -> Sequence[Entry]:
        """Every path, sorted."""
        return tuple(
            Entry(path, self.kinds.get(path, EntryKind.FILE), len(self.files[path])) for path in sorted(self.files)
        )

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes. Raises `Unreadable` as the tree of a commit does, in the same words and codes."""
        if path not in self.files:
            raise self._missing(path)
        if (kind := self.kinds.get(path, EntryKind.FILE)) is not EntryKind.FILE:
            raise of_kind(path, kind)
        if len(self.files[path]) > limit:
            raise too_large(path, len(self.files[path]), limit)
        return self.files[path]

    def _missing(self, path: str) -> Unreadable:
        parts = path.split("/")
        above = ["/".join(parts[:length]) for length in range(1, len(parts))]
        if part := next((part for part in above if part in self.files), ""):
            return below(path, self.kinds.get(part, EntryKind.FILE), part)
        return is_folder(path) if any(k.startswith(f"{path}/") for k in self.files) else not_found(path, self.files)


class MemorySource:
    """A repository in memory: `commit` moves the head, every earlier revision can still be read."""

    def __init__(self, files: Files | None = None, *, identity: str | None = "example.com/models") -> None:
        self._identity = identity
        self._trees: dict[str, MemoryTree] = {}
        self._parents: dict[str, str | None] = {}
        self._failure: ControllerError | None = None
        self.head: str | None = None
        if files is not None:
            self.commit(files)

    def commit(self, files: Files, *, kinds: Mapping[str, EntryKind] | None = None) -> str:
        """Make these files, and no others, the head; returns the new revision (40 hex digits)."""
        held = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        # The number keeps two commits apart that say the same on the same parent: git has their times for that.
        number, listed = len(self._trees), (sorted(held.items()), sorted((kinds or {}).items()))
        digest = hashlib.sha1(repr((self.head, number, listed)).encode(), usedforsecurity=False)
        parent, self.head = self.head, digest.hexdigest()
        self._parents.setdefault(self.head, parent)
        self._trees[self.head] = MemoryTree(self.head, MappingProxyType(held), MappingProxyType(dict(kinds or {})))
        return self.head

    def edit(self, changes: Mapping[str, str | bytes | None]) -> str:
        """Commit the head with these paths changed; None removes one. Returns the new revision."""
        files: dict[str, str | bytes] = dict(self._trees[self.head].files) if self.head else {}
        for path, text in changes.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = text
        return self.commit(files)

    def reset(self, revision: str) -> None:
        """Put the head back (or elsewhere), as a forced push or a mirror that lags does."""
        self.head = revision

    def fail(self, error: ControllerError) -> None:
        """Let the next `tree` raise this."""
        self._failure = error

    async def tree(self, revision: str | None = None) -> MemoryTree:
        """The tree at a revision, default the head. Raises `SourceError` where there is none."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        wanted = revision or self.head
        if wanted is None or wanted not in self._trees:
            raise SourceError(f"no such revision: {wanted}")
        return self._trees[wanted]

    async def tip(self) -> str:
        """The head."""
        return self.head or ""

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """By the parents of each commit, as a whole clone: what was never committed here is unknown."""
        return {other: self._relation(revision, other) for other in others}

    def _relation(self, revision: str, other: str) -> Relation:
        if revision == other:
            return Relation.SAME
        if other in self._ancestors(revision):
            return Relation.AHEAD
        if revision in self._ancestors(other):
            return Relation.BEHIND
        return Relation.APART if other in self._trees else Relation.UNKNOWN

    def _ancestors(self, revision: str) -> set[str]:
        found: set[str] = set()
        parent = self._parents.get(revision)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = self._parents.get(parent)
        return found

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The parents of a commit, one after the other."""
        known = {since, *self._ancestors(since)} if since else set()
        found: list[Landing] = []
        at: str | None = revision
        while at is not None and at not in known and len(found) < most:
            parent = self._parents.get(at)
            if not paths or self._differ(at, parent, paths):
                found.append(Landing(at, parent or ""))
            at = parent
        return tuple(found)

    def _differ(self, revision: str, parent: str | None, paths: frozenset[str]) -> bool:
        before = self._trees[parent].files if parent else {}
        return any(self._trees[revision].files.get(path) != before.get(path) for path in paths)

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:
        """The parents of those that were made here: nobody wrote them."""
        return {commit: Landing(commit, self._parents[commit] or "") for commit in commits & set(self._parents)}

    async def identity(self) -> str | None:
        """What it was made with."""
        return self._identity

    async def close(self) -> None:
        """Nothing is held open."""
