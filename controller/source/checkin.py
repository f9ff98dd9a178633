"""The working tree of a repository to its files as git would commit them, which is what an apply will see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.errors import ControllerError, Unreadable
from controller.git.checkin import Checkin
from controller.git.failures import GitFailed
from controller.git.layout import find_repository
from controller.git.parsing import algorithm_of, blob_id
from controller.ports import Entry, EntryKind
from controller.source.repo import CommitSource, CommitTree
from controller.source.tree import WorktreeSource, WorktreeTree, top_of


class CheckedInTree(WorktreeTree):
    """The files below a folder. Where a commit holds other bytes of a file that git calls unchanged, those are read.

    So line ends, encodings, keywords and filters make no file different that `git status` does not show.
    """

    def __init__(self, root: Path, head: CommitTree, checkin: Checkin) -> None:
        super().__init__(root)
        self._head = head
        self._checkin = checkin
        self._changed: frozenset[str] | None = None
        self._committed: Mapping[str, Entry] | None = None

    async def entries(self) -> Sequence[Entry]:
        """As every working tree, and the files that a sparse checkout left out."""
        found = await super().entries()
        here = {entry.path for entry in found}
        absent = [e for e in (await self._files()).values() if e.path not in here and not _below(e.path, here)]
        left_out = [entry for entry in absent if await self._is_unchanged(entry.path)]
        return sorted((*found, *left_out), key=lambda entry: entry.path) if left_out else found

    async def read(self, path: str, limit: int) -> bytes:
        """A file's bytes as a commit would hold them. Raises `Unreadable`, as every working tree does."""
        committed = (await self._files()).get(path)
        try:
            content = await super().read(path, limit)
        except Unreadable as error:
            if error.code == "GT401" and committed and await self._is_unchanged(path):
                return await self._head.read(path, limit)
            raise
        if committed and blob_id(content, algorithm_of(committed.content)) == committed.content:
            return content
        if committed and await self._is_unchanged(path):
            return await self._head.read(path, limit)
        try:
            return await self._checkin.converted(path, content)
        except GitFailed:
            return content  # whoever reads it says what is wrong with it

    async def _files(self) -> Mapping[str, Entry]:
        if self._committed is None:
            entries = await self._head.entries()
            self._committed = {e.path: e for e in entries if e.kind is EntryKind.FILE and e.content}
        return self._committed

    async def _is_unchanged(self, path: str) -> bool:
        """Whether git says so. Where it cannot, nothing is taken for unchanged."""
        if self._changed is None:
            try:
                self._changed = await self._checkin.changed(self._head.revision)
            except GitFailed:
                self._changed = frozenset(await self._files())
        return path not in self._changed


def _below(path: str, here: set[str]) -> bool:
    """Whether something that is no folder stands where one would have to be."""
    parts = path.split("/")
    return any("/".join(parts[:length]) in here for length in range(1, len(parts)))


class CheckoutSource(WorktreeSource):
    """As `WorktreeSource`, read as git would commit it. ``home`` is Gitune's data folder."""

    def __init__(self, root: Path, home: Path, environ: Mapping[str, str], ignored: tuple[str, ...] = ()) -> None:
        super().__init__(root, ignored)
        self._commits = CommitSource(root, home)
        self._environ = environ

    async def tree(self, revision: str | None = None) -> WorktreeTree:
        """The files as they are now; without a repository or before its first commit as they lie on disk."""
        plain = await super().tree(revision)
        top = top_of(self._given)
        try:
            repository = find_repository(top)
            if repository is None:
                return plain
            head = await self._commits.tree()
        except ControllerError:
            return plain  # what is wrong with the repository is said by those who read it
        return CheckedInTree(top, head, Checkin(repository, top, self._environ))

    async def close(self) -> None:
        """End the process that reads objects."""
        await self._commits.close()
