"""A network address, or a path, and a branch to the trees of its commits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.errors import SourceError
from controller.git.failures import GitFailed, translated
from controller.git.mirror import Mirror, mirror_for
from controller.git.parsing import LocalPath, NetworkUrl, branch_ref, is_commit_id, parse_location
from controller.git.remote import Remote
from controller.ports import Source
from controller.source.repo import CommitSource, CommitTree, MirrorSource
from controller.threads import in_thread


class RemoteSource(MirrorSource):
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
                if not await in_thread(self._remote.mirror.has, wanted):
                    await self._remote.fetch(history=True)
                return await in_thread(self._tree_of, wanted)
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

    def _open(self) -> Mirror:
        return self._remote.mirror


def open_remote(address: str, branch: str, home: Path, environ: Mapping[str, str]) -> Source:
    """The source of a branch; a path or ``file://`` address is read where it lies. Raises `SourceError`."""
    with translated(SourceError):
        match parse_location(address):
            case NetworkUrl() as url:
                return RemoteSource(url, branch, home, environ)
            case LocalPath(path):
                return CommitSource(Path(path).absolute(), home, branch_ref(branch), origin=True)
