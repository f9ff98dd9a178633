"""The ledger as a branch of its own in a git repository, written by compare-and-swap and never forced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from controller.errors import LedgerError, RevisionConflict
from controller.failpoints import point
from controller.git.failures import GitFailed, SwapLost, translated
from controller.git.mirror import Mirror
from controller.git.parsing import TreeEntry, is_commit_id
from controller.git.writing import FILE_MODE, CommitDraft, is_same, write_commit
from controller.ledger.codec import LARGEST_STATUS, README, is_ours, is_status, read_status, status_path
from controller.ledger.refs import BranchRef, LocalRef, Now
from controller.ledger.rendering import Page, Pages, table
from controller.spans import span
from controller.state.recorded import Record, Recorded


class BranchLedger:
    """The record on a branch. The tip is the id of its commit. ``find`` gives that branch, on first use."""

    def __init__(self, find: Callable[[], Awaitable[BranchRef]], now: Now) -> None:
        self._find = find
        self._now = now
        self._found: BranchRef | None = None
        self._read: dict[str, Record] = {}
        self._loaded = Recorded()  # what the last commit that was read or written holds; a commit never says else
        self._pages = Pages()
        self._same: tuple[str | None, Mapping[str, Record]] | None = None  # a commit, and records that are what it says

    async def tip(self) -> str | None:
        """The commit the branch stands on. Raises `LedgerError`."""
        with translated(LedgerError):
            return await (await self._ref()).tip()

    async def load(self) -> Recorded:
        """The record as it is now. Raises `LedgerError`."""
        with translated(LedgerError):
            ref = await self._ref()
            try:
                return await self._load(ref)
            except GitFailed:
                if not await ref.repair():
                    raise
                return await self._load(ref)

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Commit the record on top of ``tip`` and return the new one; nothing is committed where no file differs.

        Raises `RevisionConflict` where the branch is not at ``tip``: moved, forced, gone or new. Raises `LedgerError`.
        """
        if tip is not None and not is_commit_id(tip):
            raise RevisionConflict("the ledger was last read from somewhere else", hint="Read it again.")
        with translated(LedgerError, RevisionConflict), span("ledger.save", records=len(records)) as told:
            try:
                new = await self._save(records, tip, message)
            except GitFailed:
                self._loaded, self._same = Recorded(), None  # the next `load` looks at what is there, and repairs it
                raise
            told.tell(written=new != tip)
        return new

    async def check(self) -> None:
        """Raises `LedgerError` where `save` could not write, as far as that shows before. Nothing is left behind."""
        with translated(LedgerError):
            ref = await self._ref()
            if isinstance(ref, LocalRef):  # of a network address only a push would tell
                await ref.check()

    async def _ref(self) -> BranchRef:
        if self._found is None:
            self._found = await self._find()
        return self._found

    async def _load(self, ref: BranchRef) -> Recorded:
        tip = await ref.fetched()
        if tip is None:
            return Recorded()
        if tip != self._loaded.tip:
            try:
                self._loaded = Recorded(await self._records(ref.mirror, await ref.mirror.tree(tip)), tip)
            finally:
                ref.mirror.close()
        return self._loaded

    async def _save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        ref = await self._ref()
        is_known = self._same == (tip, records)
        pages = {} if is_known else self._pages.of(records)
        if await ref.fetched() != tip:
            raise SwapLost("the ledger was changed by another process", hint="Read it again.")
        if is_known or (tip is None and not records):
            return tip
        tree = await ref.mirror.tree(tip) if tip else ()
        draft = self._draft(pages, tree, tip, message)
        if tip and is_same(draft, tree):
            self._same = (tip, dict(records))
            return tip
        point("ledger.objects")
        new = await write_commit(ref.mirror, draft, frozenset(entry.oid for entry in tree))
        point("ledger.update")
        await ref.swap(tip, new)
        point("ledger.updated")
        self._same = (new, dict(records))
        self._remember(new, pages)
        return new

    def _draft(
        self, pages: Mapping[str, Page], tree: tuple[TreeEntry, ...], tip: str | None, message: str
    ) -> CommitDraft:
        """The files that differ from the tree's, with their bytes, and the entries that stay as they are."""
        kept = [entry for entry in tree if not is_ours(_text(entry))]
        there = {_text(entry): entry for entry in tree}
        files: dict[str, bytes] = {}
        for name, page in pages.items():
            for path, oid in page.ids.items():
                entry = there.get(path)
                if entry is not None and (entry.oid, entry.mode) == (oid, FILE_MODE):
                    kept.append(entry)
                else:
                    files[path] = self._pages.content(name, path)
        return CommitDraft({**files, README: table(pages)}, tuple(kept), tip, message, self._now())

    def _remember(self, tip: str, pages: Mapping[str, Page]) -> None:
        """Nobody need read back what was just written; what does not read back is found so by who reads it."""
        self._pages.written()
        read = {name: page.read for name, page in pages.items() if page.read is not None}
        if len(read) == len(pages):
            self._read = {pages[name].ids[status_path(name)]: record for name, record in read.items()}
            self._loaded = Recorded(read, tip)

    async def _records(self, mirror: Mirror, tree: tuple[TreeEntry, ...]) -> dict[str, Record]:
        """Every status file read; those read before, by the id of their bytes, are not read again."""
        seen: dict[str, Record] = {}
        for entry in tree:
            path = _text(entry)
            if not is_status(path):
                continue
            if entry.mode not in {"100644", "100755"} or (entry.size or 0) > LARGEST_STATUS:
                raise LedgerError(f"{path} in the ledger is not a status file", hint="Gitune alone writes that branch.")
            record = self._read.get(entry.oid) or read_status(path, await mirror.blob(entry))
            seen[entry.oid] = record
            if path != status_path(record.name):
                raise LedgerError(f"{path} in the ledger is the status of another name")
        self._read = seen
        return {record.name: record for record in seen.values()}


def _text(entry: TreeEntry) -> str:
    return entry.path.decode("utf-8", "backslashreplace")
