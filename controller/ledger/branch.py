"""The ledger as a branch of its own in a git repository, written by compare-and-swap and never forced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from controller.errors import LedgerError, RevisionConflict
from controller.failpoints import point
from controller.git.entries import TreeEntry
from controller.git.failures import GitFailed, SwapLost
from controller.git.mirror import Mirror
from controller.git.names import is_commit_id
from controller.git.writing import FILE_MODE, Draft, is_same, write_commit
from controller.ledger.files import LARGEST_STATUS, README, is_ours, is_status, read_status, status_path
from controller.ledger.pages import Page, Pages, table
from controller.state.recorded import Record, Recorded

Now = Callable[[], datetime]


class Place(Protocol):
    """Where the branch is: in a local repository, or behind an address."""

    async def open(self) -> Mirror:
        """The repository of ours that its objects are read and written through."""
        ...

    async def tip(self) -> str | None:
        """The commit the branch stands on; None where there is no such branch."""
        ...

    async def fetched(self) -> str | None:
        """As `tip`, with the commit and its files at hand."""
        ...

    async def repair(self) -> bool:
        """Throw away a damaged copy of what can be fetched again; whether there was one."""
        ...

    async def swap(self, old: str | None, new: str) -> None:
        """Move the branch. Raises `SwapLost` where it is not at ``old``, `GitFailed`."""
        ...

    async def check(self) -> None:
        """Raises `GitFailed` where the branch could not be moved, as far as that shows without moving it."""
        ...


class BranchLedger:
    """The record on a branch. The tip is the id of its commit. ``find`` gives its place, on first use."""

    def __init__(self, find: Callable[[], Awaitable[Place]], now: Now) -> None:
        self._find = find
        self._now = now
        self._found: Place | None = None
        self._read: dict[str, Record] = {}
        self._loaded = Recorded()  # what the last commit that was read or written holds; a commit never says else
        self._pages = Pages()
        self._same: tuple[str | None, Mapping[str, Record]] | None = None  # a commit, and records that are what it says

    async def tip(self) -> str | None:
        """The commit the branch stands on. Raises `LedgerError`."""
        try:
            return await (await self._place()).tip()
        except GitFailed as error:
            raise LedgerError(error.message, hint=error.hint) from error

    async def load(self) -> Recorded:
        """The record as it is now. Raises `LedgerError`."""
        try:
            place = await self._place()
            try:
                return await self._load(place)
            except GitFailed:
                if not await place.repair():
                    raise
                return await self._load(place)
        except GitFailed as error:
            raise LedgerError(error.message, hint=error.hint) from error

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Commit the record on top of ``tip`` and return the new one; nothing is committed where no file differs.

        Raises `RevisionConflict` where the branch is not at ``tip``: moved, forced, gone or new. Raises `LedgerError`.
        """
        if tip is not None and not is_commit_id(tip):
            raise RevisionConflict("the ledger was last read from somewhere else", hint="Read it again.")
        try:
            return await self._save(records, tip, message)
        except SwapLost as error:
            raise RevisionConflict(error.message, hint=error.hint) from error
        except GitFailed as error:
            self._loaded, self._same = Recorded(), None  # the next `load` looks at what is there, and mends it
            raise LedgerError(error.message, hint=error.hint) from error

    async def check(self) -> None:
        """Raises `LedgerError` where `save` could not write, as far as that shows before. Nothing is left behind."""
        try:
            await (await self._place()).check()
        except GitFailed as error:
            raise LedgerError(error.message, hint=error.hint) from error

    async def _place(self) -> Place:
        if self._found is None:
            self._found = await self._find()
        return self._found

    async def _load(self, place: Place) -> Recorded:
        tip = await place.fetched()
        if tip is None:
            return Recorded()
        if tip != self._loaded.tip:
            mirror = await place.open()
            try:
                self._loaded = Recorded(await self._records(mirror, await mirror.tree(tip)), tip)
            finally:
                mirror.close()
        return self._loaded

    async def _save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        place = await self._place()
        mirror = await place.open()
        is_known = self._same == (tip, records)
        pages = {} if is_known else self._pages.of(records)
        if await place.fetched() != tip:
            raise SwapLost("the ledger was written by somebody else", hint="Read it again.")
        if is_known or (tip is None and not records):
            return tip
        tree = await mirror.tree(tip) if tip else ()
        draft = self._draft(pages, tree, tip, message)
        if tip and is_same(draft, tree):
            self._same = (tip, dict(records))
            return tip
        point("ledger.objects")
        new = await write_commit(mirror, draft, frozenset(entry.oid for entry in tree))
        point("ledger.update")
        await place.swap(tip, new)
        point("ledger.updated")
        self._same = (new, dict(records))
        self._remember(new, pages)
        return new

    def _draft(self, pages: Mapping[str, Page], tree: tuple[TreeEntry, ...], tip: str | None, message: str) -> Draft:
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
        return Draft({**files, README: table(pages)}, tuple(kept), tip, message, self._now())

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
            known = self._read.get(entry.oid)
            seen[entry.oid] = known or read_status(path, await mirror.blob(entry))
            if status_name(path) != seen[entry.oid].name:
                raise LedgerError(f"{path} in the ledger is the status of another name")
        self._read = seen
        return {record.name: record for record in seen.values()}


def status_name(path: str) -> str:
    """The spec name a status file's path says."""
    return path.removeprefix("status/").removesuffix(".yaml")


def _text(entry: TreeEntry) -> str:
    return entry.path.decode("utf-8", "backslashreplace")
