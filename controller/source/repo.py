"""A local repository to the trees of its commits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from controller.errors import SourceError, Unreadable
from controller.git.failures import GitFailed, NotFound, translated
from controller.git.layout import network_identity, open_repository, settled_head, shallow_commits
from controller.git.mirror import Mirror, mirror_for, mirror_of
from controller.git.parsing import (
    LandedCommit,
    LocalPath,
    NetworkUrl,
    TreeEntry,
    branch_ref,
    is_commit_id,
    parse_location,
)
from controller.git.remote import Remote
from controller.ports import Entry, EntryKind, Landing, Relation, Source
from controller.source.paths import below, is_folder, not_found, of_kind, quoted, too_large

_KINDS: Final = {"100644": EntryKind.FILE, "100755": EntryKind.FILE, "120000": EntryKind.SYMLINK}


class CommitTree:
    """The files of one commit; ``revision`` is its id."""

    def __init__(self, mirror: Mirror, revision: str, listing: Sequence[TreeEntry]) -> None:
        self._mirror = mirror
        self.revision = revision
        pairs = [(_entry(found), found) for found in listing]
        self._known = {entry.path: (entry, found) for entry, found in pairs}
        self._entries = tuple(self._known[path][0] for path in sorted(self._known))

    async def entries(self) -> Sequence[Entry]:
        """Every path of the commit, sorted."""
        return self._entries

    async def read(self, path: str, limit: int) -> bytes:
        """A file's bytes. Raises `Unreadable` (GT401 to GT409, GT420); a file over ``limit`` is not read at all."""
        entry, found = self._look_up(path)
        if entry.kind is not EntryKind.FILE:
            raise of_kind(path, entry.kind)
        if entry.size > limit:
            raise too_large(path, entry.size, limit)
        try:
            return await self._mirror.blob(found)
        except NotFound as error:
            message = f"the content of {quoted(path)} is not in this clone"
            raise Unreadable(message, code="GT408", hint=error.hint) from error
        except GitFailed as error:
            raise Unreadable(f"{quoted(path)}: {error.message}", code="GT409", hint=error.hint) from error

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


class _MirrorSource(ABC):
    """What every source of commits reads from its mirror.

    ``origin`` says that others fetch from it: what it lacks is gone, while a clone may only not have fetched it.
    """

    def __init__(self, *, origin: bool) -> None:
        self._origin = origin
        self._tree: CommitTree | None = None  # the last one: it is asked for before every effect of a pass
        self._relations: dict[tuple[str, str], Relation] = {}

    @abstractmethod
    async def _open(self) -> Mirror:
        """The mirror."""

    async def _tree_of(self, mirror: Mirror, revision: str) -> CommitTree:
        """The tree of a revision; the last one, where it is that: a commit never holds anything else."""
        commit = await mirror.commit(revision)
        if self._tree is None or self._tree.revision != commit:
            self._tree = CommitTree(mirror, commit, await mirror.tree(commit))
        return self._tree

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """How a commit stands to each of the others. Raises `SourceError`.

        One that is not here is unknown to a whole clone; to a shallow one, and to an origin, it stands apart.
        """
        with translated(SourceError):
            mirror = await self._open()
            for other in others - {known for first, known in self._relations if first == revision}:
                found = await _relation(mirror, revision, other)
                if found is Relation.APART and self._is_whole_clone(mirror) and is_commit_id(other):
                    if not await mirror.knows(other):
                        continue  # unknown, and not kept: a fetch may bring it while HEAD stays
                    found = await _relation(mirror, revision, other)  # it may have come just now
                self._relations[revision, other] = found
        self._relations = {key: found for key, found in self._relations.items() if key[0] == revision}
        return {other: self._relations.get((revision, other), Relation.UNKNOWN) for other in others}

    def _is_whole_clone(self, mirror: Mirror) -> bool:
        """Whether what is missing here may be elsewhere. A shallow clone lacks most commits for good."""
        return not self._origin and mirror.repository is not None and not shallow_commits(mirror.repository)

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The first-parent history of a commit; all of it where ``since`` is not here.

        Raises `SourceError`, also for a shallow clone, which lacks most.
        """
        with translated(SourceError):
            mirror = await self._open()
            if mirror.repository is not None and shallow_commits(mirror.repository):
                raise SourceError("a shallow clone does not say what changed a spec", hint="Use `fetch-depth: 0`.")
            known = since if is_commit_id(since) and await mirror.knows(since) else ""
            found = await mirror.landings(await mirror.commit(revision), known, paths, most)
        return tuple(map(_landing, found))

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:
        """What is known of these commits; those that are not here are left out. Raises `SourceError`."""
        with translated(SourceError):
            found = await (await self._open()).described(commits)
        return {one.commit: _landing(one) for one in found}


def _landing(one: LandedCommit) -> Landing:
    return Landing(one.commit, one.parent, one.author, one.at, one.message, one.landed)


async def _relation(mirror: Mirror, revision: str, other: str) -> Relation:
    if revision == other:
        return Relation.SAME
    if await mirror.is_ancestor(other, revision):
        return Relation.AHEAD
    return Relation.BEHIND if await mirror.is_ancestor(revision, other) else Relation.APART


class CommitSource(_MirrorSource):
    """The commits of the repository that ``root`` is in; ``revision`` is what is followed (default: HEAD).

    The repository is never handed to git: see `controller.git.mirror`. ``home`` is Gitune's data folder.
    """

    def __init__(self, root: Path, home: Path, revision: str | None = None, *, origin: bool = False) -> None:
        super().__init__(origin=origin)
        self._root = root
        self._home = home
        self._followed = revision or "HEAD"
        self._mirror: Mirror | None = None

    async def tree(self, revision: str | None = None) -> CommitTree:
        """The tree at a branch, tag or commit. Raises `SourceError`."""
        with translated(SourceError):
            return await self._tree_of(await self._open(), revision or self._asked())

    async def tip(self) -> str:
        """The commit that is followed, as it is now. Raises `SourceError`."""
        with translated(SourceError):
            return await (await self._open()).commit(self._asked())

    def _asked(self) -> str:
        return settled_head(open_repository(self._root)) if self._followed == "HEAD" else self._followed

    async def identity(self) -> str | None:
        """``host/path`` of the network remote ``origin``, else the id of the root commit of HEAD's first parents.

        None where there is neither: no commit yet, or a shallow clone. Raises `SourceError`.
        """
        with translated(SourceError):
            return await network_identity(open_repository(self._root)) or await (await self._open()).root_commit()

    async def close(self) -> None:
        """End the process that reads objects."""
        if self._mirror is not None:
            self._mirror.close()

    async def _open(self) -> Mirror:
        if self._mirror is None:
            self._mirror = await mirror_of(open_repository(self._root), self._home)
        return self._mirror


class RemoteSource(_MirrorSource):
    """The commits of one branch behind https or ssh, with its whole history: deletions rest on it."""

    def __init__(self, url: NetworkUrl, branch: str, home: Path, environ: Mapping[str, str]) -> None:
        super().__init__(origin=True)
        ref = branch_ref(branch)
        # A keep of its own for each branch: what the ledger fetches, without history, lies elsewhere.
        self._remote = Remote(url, ref, mirror_for(f"{url.url} {ref}", home), environ)

    async def tip(self) -> str:
        """The commit the branch stands on there, without fetching it. Raises `SourceError`."""
        with translated(SourceError):
            tip = await self._remote.tip()
        if tip is None:
            raise SourceError(
                f"{self._remote.url.url} has no branch {self._remote.ref.removeprefix('refs/heads/')}",
                hint="A branch that is gone removes nothing: name another one with --branch, or push it again.",
            )
        return tip

    async def tree(self, revision: str | None = None) -> CommitTree:
        """The tree at a commit, by default the branch as it is there now. Raises `SourceError`.

        A damaged mirror is thrown away, so that the next pass fetches it again; nothing is acted on meanwhile.
        """
        wanted = revision or await self.tip()
        with translated(SourceError):
            try:
                if is_commit_id(wanted):
                    await self._remote.agree(wanted)
                if not await self._remote.mirror.has(wanted):
                    await self._remote.fetch(history=True)
                return await self._tree_of(self._remote.mirror, wanted)
            except GitFailed:
                self._tree = None
                await self._remote.repair()
                raise

    async def identity(self) -> str | None:
        """``host/path`` of its address."""
        return self._remote.url.identity

    async def close(self) -> None:
        """End the process that reads objects."""
        self._remote.mirror.close()

    async def _open(self) -> Mirror:
        return self._remote.mirror


def open_remote(address: str, branch: str, home: Path, environ: Mapping[str, str]) -> Source:
    """The source of a branch; a path or ``file://`` address is read where it lies. Raises `SourceError`."""
    with translated(SourceError):
        match parse_location(address):
            case NetworkUrl() as url:
                return RemoteSource(url, branch, home, environ)
            case LocalPath(path):
                return CommitSource(Path(path).absolute(), home, branch_ref(branch), origin=True)
