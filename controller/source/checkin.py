"""The working tree of a repository to its files as git would commit them, which is what an apply will see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from controller.errors import ControllerError, Unreadable
from controller.git.checkin import Checkin
from controller.git.failures import GitFailed
from controller.git.layout import find_repository
from controller.git.parsing import algorithm_of, blob_id
from controller.ports import Entry, EntryKind
from controller.source.repo import CommitSource, CommitTree
from controller.source.tree import WorktreeSource, WorktreeTree, top_of

_WHOLE: Final = 16 << 20  # bytes of a file that are read at once


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

    def entries(self) -> Sequence[Entry]:
        """As every working tree, with what a sparse checkout left out; what is as in HEAD goes by its name there."""
        found = super().entries()
        here = {entry.path for entry in found}
        absent = [e for e in self._files().values() if e.path not in here and not _below(e.path, here)]
        left_out = [entry for entry in absent if self._is_unchanged(entry.path)]
        known = [self._committed_as(entry) for entry in found]
        return sorted((*known, *left_out), key=lambda entry: entry.path) if left_out else known

    def _committed_as(self, entry: Entry) -> Entry:
        committed = self._files().get(entry.path)
        if committed is None or entry.kind is not EntryKind.FILE or not self._stands_for(committed):
            return entry
        return committed

    def _stands_for(self, committed: Entry) -> bool:
        """Whether the commit has the bytes of a file, and they are here to be read."""
        return self._is_unchanged(committed.path) and self._head.holds(committed.path)

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes as a commit would hold them. Raises `Unreadable`, as every working tree does."""
        committed = self._files().get(path)
        if committed and self._stands_for(committed):
            return self._head.read(path, limit)
        content = super().read(path, limit)
        if committed and blob_id(content, algorithm_of(committed.content)) == committed.content:
            return content
        try:
            return self._checkin.converted(path, content)
        except GitFailed:
            return content  # whoever reads it says what is wrong with it

    def read_many(self, paths: Sequence[str], limit: int) -> Iterator[bytes | Unreadable]:
        """As `read`; what is as in the commit with one question for many."""
        files = self._files()
        known = {path for path in paths if path in files and self._stands_for(files[path])}
        committed = self._head.read_many([path for path in paths if path in known], limit)
        others = super().read_many([path for path in paths if path not in known], limit)
        for path in paths:
            yield next(committed if path in known else others)

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """As `read`, piece by piece; only what git has to convert is in memory whole."""
        committed = self._files().get(path)
        if committed and self._stands_for(committed):
            yield from self._head.chunks(path, limit)
        elif self._size(path) > _WHOLE and not self._converts(path):
            yield from super().chunks(path, limit)
        else:
            yield self.read(path, limit)

    def _size(self, path: str) -> int:
        try:
            return (self._root / path).lstat().st_size
        except OSError:
            return 0  # whoever reads it says what is wrong with it

    def _converts(self, path: str) -> bool:
        try:
            return self._checkin.converts(path)
        except GitFailed:
            return False

    def _files(self) -> Mapping[str, Entry]:
        if self._committed is None:
            entries = self._head.entries()
            self._committed = {e.path: e for e in entries if e.kind is EntryKind.FILE and e.content}
        return self._committed

    def _is_unchanged(self, path: str) -> bool:
        """Whether git says so. Where it cannot, nothing is taken for unchanged."""
        if self._changed is None:
            try:
                self._changed = self._checkin.changed(self._head.revision)
            except GitFailed:
                self._changed = frozenset(self._files())
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

    def read_tree(self, revision: str | None = None) -> WorktreeTree:
        """The files as they are now; without a repository or before its first commit as they lie on disk."""
        plain = super().read_tree(revision)
        top = top_of(self._given)
        try:
            repository = find_repository(top)
            if repository is None:
                return plain
            head = self._commits.read_tree()
        except ControllerError:
            return plain  # what is wrong with the repository is said by those who read it
        return CheckedInTree(top, head, Checkin(repository, top, self._environ))

    def release(self) -> None:
        """End the process that reads objects."""
        self._commits.release()
