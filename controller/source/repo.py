"""A local repository to the trees of its commits."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from controller.errors import SourceError, Unreadable
from controller.git.failures import GitFailed, NotFound, translated
from controller.git.layout import network_identity, open_repository, settled_head, shallow_commits
from controller.git.mirror import Mirror, mirror_of
from controller.git.parsing import LandedCommit, TreeEntry, is_commit_id
from controller.ports import Entry, EntryKind, Landing, Relation
from controller.source.paths import below, is_folder, not_found, of_kind, quoted, too_large
from controller.threads import in_thread

_MANY: Final = 16  # commits: so many are worth a walk through all history
_KINDS: Final = {"100644": EntryKind.FILE, "100755": EntryKind.FILE, "120000": EntryKind.SYMLINK}


class CommitTree:
    """The files of one commit; ``revision`` is its id."""

    def __init__(self, mirror: Mirror, revision: str, listing: Sequence[TreeEntry]) -> None:
        self._mirror = mirror
        self.revision = revision
        pairs = sorted(((_entry(found), found) for found in listing), key=_path)
        self._known = {entry.path: (entry, found) for entry, found in pairs}
        self._entries = tuple(entry for entry, _ in pairs)

    def entries(self) -> Sequence[Entry]:
        """Every path of the commit, sorted."""
        return self._entries

    def holds(self, path: str) -> bool:
        """Whether the bytes of a file are in this clone."""
        return self._known[path][1].size is not None

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes. Raises `Unreadable` (GT401 to GT409, GT420); a file over ``limit`` is not read at all."""
        (found,) = self.read_many((path,), limit)
        if isinstance(found, Unreadable):
            raise found
        return found

    def read_many(self, paths: Sequence[str], limit: int) -> Iterator[bytes | Unreadable]:
        """As `read`, many with each question to git."""
        asked = [self._asked(path, limit) for path in paths]
        answers = self._mirror.blobs([one for one in asked if isinstance(one, TreeEntry)])
        for path, one in zip(paths, asked, strict=True):
            found = next(answers) if isinstance(one, TreeEntry) else one
            yield _unreadable(path, found) if isinstance(found, GitFailed) else found

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """As `read`, piece by piece."""
        return self.later(path, limit)()

    def later(self, path: str, limit: int) -> Callable[[], Iterator[bytes]]:
        """How to have the pieces at any later time: a blob outlives what lists it."""
        return partial(_pieces, self._mirror, path, self._asked(path, limit))

    def _asked(self, path: str, limit: int) -> TreeEntry | Unreadable:
        """What to read, or why it is not read."""
        try:
            entry, found = self._look_up(path)
        except Unreadable as error:
            return error
        if entry.kind is not EntryKind.FILE:
            return of_kind(path, entry.kind)
        return too_large(path, entry.size, limit) if entry.size > limit else found

    def _look_up(self, path: str) -> tuple[Entry, TreeEntry]:
        if found := self._known.get(path):
            return found
        parts = path.split("/")
        for length in range(1, len(parts)):
            part = "/".join(parts[:length])
            if part in self._known:
                raise below(path, self._known[part][0].kind, part)
        if any(known.startswith(f"{path}/") for known in self._known):
            raise is_folder(path)
        raise not_found(path, self._known)


def _pieces(mirror: Mirror, path: str, asked: TreeEntry | Unreadable) -> Iterator[bytes]:
    if isinstance(asked, Unreadable):
        raise asked
    try:
        yield from mirror.pieces(asked)
    except GitFailed as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: GitFailed) -> Unreadable:
    if isinstance(error, NotFound):
        return Unreadable(f"the content of {quoted(path)} is not in this clone", code="GT408", hint=error.hint)
    return Unreadable(f"{quoted(path)}: {error.message}", code="GT409", hint=error.hint)


def _path(pair: tuple[Entry, TreeEntry]) -> str:
    return pair[0].path


def _entry(found: TreeEntry) -> Entry:
    try:
        path = found.path.decode("utf-8")
    except UnicodeDecodeError:
        # Such a name cannot be written in a spec; it is listed, so that nothing is missing, and never read.
        return Entry(found.path.decode("utf-8", "backslashreplace"), EntryKind.OTHER, found.size or 0)
    if found.mode == "160000":
        return Entry(path, EntryKind.SUBMODULE, 0)
    kind = _KINDS.get(found.mode, EntryKind.OTHER)
    return Entry(path, kind, found.size or 0, found.oid if kind is EntryKind.FILE else "")


class MirrorSource(ABC):
    """What every source of commits reads from its mirror.

    ``origin`` says that others fetch from it: what it lacks is gone, while a clone may only not have fetched it.
    """

    def __init__(self, *, origin: bool) -> None:
        self._origin = origin
        self._tree: CommitTree | None = None  # the last one: it is asked for before every effect of a pass
        self._relations: dict[tuple[str, str], Relation] = {}
        self._turn = threading.Lock()  # what is known is written by the thread that asks git

    @abstractmethod
    def _open(self) -> Mirror:
        """The mirror."""

    def _tree_of(self, revision: str) -> CommitTree:
        """The tree of a revision; the last one, where it is that: a commit never holds anything else."""
        with self._turn:
            mirror = self._open()
            commit = mirror.commit(revision)
            if self._tree is None or self._tree.revision != commit:
                self._tree = CommitTree(mirror, commit, mirror.tree(commit))
            return self._tree

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """How a commit stands to each of the others. Raises `SourceError`.

        One that is not here is unknown to a whole clone; to a shallow one, and to an origin, it stands apart.
        """
        with translated(SourceError):
            return await in_thread(self._related, revision, others)

    def _related(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        with self._turn:
            mirror = self._open()
            self._go_on(mirror, revision, others)
            for other in others - self._related_to(revision):
                found = _relation(mirror, revision, other)
                if found is Relation.APART and self._is_whole_clone(mirror) and is_commit_id(other):
                    if not mirror.knows(other):
                        continue  # unknown, and not kept: a fetch may bring it while HEAD stays
                    found = _relation(mirror, revision, other)  # it may have come just now
                self._relations[revision, other] = found
            self._relations = {key: found for key, found in self._relations.items() if key[0] == revision}
            return {other: self._relations.get((revision, other), Relation.UNKNOWN) for other in others}

    def _related_to(self, revision: str) -> set[str]:
        return {known for first, known in self._relations if first == revision}

    def _go_on(self, mirror: Mirror, revision: str, others: frozenset[str]) -> None:
        """What is behind a commit is behind every later one; of many others that is told with one walk.

        Records of ten thousand specs rest on as many commits, and each new one would be compared with all of them.
        """
        for last in {first for first, _ in self._relations} - {revision}:
            if _relation(mirror, revision, last) is Relation.AHEAD:
                behind = {Relation.SAME, Relation.AHEAD}
                still = [
                    other for (first, other), found in self._relations.items() if first == last and found in behind
                ]
                self._relations |= {(revision, other): Relation.AHEAD for other in still}
        left = others - self._related_to(revision) - {revision}
        if len(left) > _MANY:
            self._relations |= {(revision, other): Relation.AHEAD for other in mirror.ancestors(revision, left)}

    def _is_whole_clone(self, mirror: Mirror) -> bool:
        """Whether what is missing here may be elsewhere. A shallow clone lacks most commits for good."""
        return not self._origin and mirror.repository is not None and not shallow_commits(mirror.repository)

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The first-parent history of a commit; all of it where ``since`` is not here.

        Raises `SourceError`, also for a shallow clone, which lacks most.
        """
        with translated(SourceError):
            return await in_thread(self._landed, revision, since, paths, most)

    def _landed(self, revision: str, since: str, paths: frozenset[str], most: int) -> tuple[Landing, ...]:
        with self._turn:
            mirror = self._open()
            if mirror.repository is not None and shallow_commits(mirror.repository):
                raise SourceError("a shallow clone does not say what changed a spec", hint="Use `fetch-depth: 0`.")
            known = since if is_commit_id(since) and mirror.knows(since) else ""
            return tuple(map(_landing, mirror.landings(mirror.commit(revision), known, paths, most)))

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:
        """What is known of these commits; those that are not here are left out. Raises `SourceError`."""
        with translated(SourceError):
            return await in_thread(self._described, commits)

    def _described(self, commits: frozenset[str]) -> Mapping[str, Landing]:
        with self._turn:
            return {one.commit: _landing(one) for one in self._open().described(commits)}


def _landing(one: LandedCommit) -> Landing:
    return Landing(one.commit, one.parent, one.author, one.at, one.message, one.landed)


def _relation(mirror: Mirror, revision: str, other: str) -> Relation:
    if revision == other:
        return Relation.SAME
    if mirror.is_ancestor(other, revision):
        return Relation.AHEAD
    return Relation.BEHIND if mirror.is_ancestor(revision, other) else Relation.APART


class CommitSource(MirrorSource):
    """The commits of the repository that ``root`` is in; ``revision`` is what is followed (default: HEAD).

    The repository is never handed to git: see `controller.git.mirror`. ``home`` is Gitune's data folder.
    """

    def __init__(self, root: Path, home: Path, revision: str | None = None, *, origin: bool = False) -> None:
        super().__init__(origin=origin)
        self._root = root
        self._home = home
        self._followed = revision or "HEAD"
        self._mirror: Mirror | None = None

    def read_tree(self, revision: str | None = None) -> CommitTree:
        """The tree at a branch, tag or commit. Raises `SourceError`."""
        with translated(SourceError):
            return self._tree_of(revision or self._asked())

    async def tree(self, revision: str | None = None) -> CommitTree:
        """As `read_tree`."""
        return await in_thread(self.read_tree, revision)

    async def tip(self) -> str:
        """The commit that is followed, as it is now. Raises `SourceError`."""
        return await in_thread(self._tip)

    def _tip(self) -> str:
        with translated(SourceError), self._turn:
            return self._open().commit(self._asked())

    def _asked(self) -> str:
        return settled_head(open_repository(self._root)) if self._followed == "HEAD" else self._followed

    async def identity(self) -> str | None:
        """``host/path`` of the network remote ``origin``, else the id of the root commit of HEAD's first parents.

        None where there is neither: no commit yet, or a shallow clone. Raises `SourceError`.
        """
        return await in_thread(self._identity)

    def _identity(self) -> str | None:
        with translated(SourceError), self._turn:
            return network_identity(open_repository(self._root)) or self._open().root_commit()

    async def close(self) -> None:
        """End the process that reads objects."""
        self.release()

    def release(self) -> None:
        """As `close`."""
        if self._mirror is not None:
            self._mirror.close()

    def _open(self) -> Mirror:
        if self._mirror is None:
            self._mirror = mirror_of(open_repository(self._root), self._home)
        return self._mirror
