"""A repository's address and a branch to the trees of its commits, through a bare mirror of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.errors import SourceError
from controller.git.failures import GitFailed
from controller.git.location import LocalPath, NetworkUrl, parse_location
from controller.git.mirror import mirror_for
from controller.git.names import branch_ref
from controller.git.remote import Remote
from controller.ports import Landing, Relation, Source
from controller.source.repo import CommitSource, CommitTree, landings_of, relation, tree_of


class RemoteSource:
    """The commits of one branch behind https or ssh, with its whole history: deletions rest on it."""

    def __init__(self, url: NetworkUrl, branch: str, home: Path, environ: Mapping[str, str]) -> None:
        self._ref = branch_ref(branch)
        self._identity = url.identity
        # A keep of its own for each branch: what the ledger fetches, without history, lies elsewhere.
        self._remote = Remote(url, mirror_for(f"{url.url} {self._ref}", home), environ)
        self._tree: CommitTree | None = None  # the last one, as in `CommitSource`
        self._relations: dict[tuple[str, str], Relation] = {}

    async def tip(self) -> str:
        """The commit the branch stands on there, without fetching it. Raises `SourceError`."""
        try:
            tip = await self._remote.tip(self._ref)
        except GitFailed as error:
            raise SourceError(error.message, hint=error.hint) from error
        if tip is None:
            raise SourceError(
                f"{self._remote.url} has no branch {self._ref.removeprefix('refs/heads/')}",
                hint="A branch that is gone removes nothing: name another one with --branch, or push it again.",
            )
        return tip

    async def tree(self, revision: str | None = None) -> CommitTree:
        """The tree at a commit, by default the branch as it is there now. Raises `SourceError`."""
        wanted = revision or await self.tip()
        mirror = self._remote.mirror
        try:
            if not await mirror.has(wanted):
                await self._remote.fetch(self._ref, history=True)
            commit = await mirror.commit(wanted)
            self._tree = await tree_of(mirror, commit, self._tree)
        except GitFailed as error:
            await self._repaired()
            raise SourceError(error.message, hint=error.hint) from error
        return self._tree

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """How a commit stands to each of the others; one that is not in our mirror stands apart."""
        for other in others - {known for first, known in self._relations if first == revision}:
            self._relations[revision, other] = await relation(self._remote.mirror, revision, other)
        self._relations = {key: found for key, found in self._relations.items() if key[0] == revision}
        return {other: self._relations[revision, other] for other in others}

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The first-parent history of a commit, as far as it was fetched: all of it. Raises `SourceError`."""
        try:
            return await landings_of(self._remote.mirror, revision, since, paths, most)
        except GitFailed as error:
            raise SourceError(error.message, hint=error.hint) from error

    async def identity(self) -> str | None:
        """``host/path`` of its address."""
        return self._identity

    async def close(self) -> None:
        """End the process that reads objects."""
        self._remote.mirror.close()

    async def _repaired(self) -> None:
        """A damaged mirror is thrown away, so that the next pass fetches it again; nothing is acted on meanwhile."""
        self._tree = None
        try:
            await self._remote.repair()
        except GitFailed as error:
            raise SourceError(error.message, hint=error.hint) from error


def open_remote(address: str, branch: str, home: Path, environ: Mapping[str, str]) -> Source:
    """The source of a branch; a path or ``file://`` address is read where it lies. Raises `SourceError`."""
    try:
        match parse_location(address):
            case NetworkUrl() as url:
                return RemoteSource(url, branch, home, environ)
            case LocalPath(path):
                return CommitSource(Path(path).absolute(), home, branch_ref(branch), origin=True)
    except GitFailed as error:
        raise SourceError(error.message, hint=error.hint) from error
