"""The ledger as a branch of its own in a git repository, here or behind a network address; never forced."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from controller.errors import LedgerError, RevisionConflict
from controller.failpoints import point
from controller.git.failures import GitFailed, NoRepository, SwapLost, translated
from controller.git.layout import RepositoryLayout, checked_out, find_repository, open_repository, remote_location
from controller.git.mirror import Mirror, mirror_for, mirror_of
from controller.git.parsing import NetworkUrl, TreeEntry, branch_ref, is_commit_id, parse_location
from controller.git.remote import Remote
from controller.git.writing import FILE_MODE, CommitDraft, is_same, swap_ref, write_commit
from controller.ledger.codec import LARGEST_STATUS, README, is_ours, is_status, read_status, status_path
from controller.ledger.directory import LEASE, LONGEST_LEASE, probe
from controller.ledger.rendering import Page, Pages, table
from controller.settings import LedgerSettings
from controller.spans import span
from controller.state.recorded import Record, Recorded
from controller.threads import in_thread

Now = Callable[[], datetime]


class LocalRef:
    """A branch of a repository in the file system, ``ref`` by its full name, with our view of that repository."""

    def __init__(self, repository: RepositoryLayout, ref: str, mirror: Mirror, now: Now) -> None:
        self.mirror = mirror
        self._repository = repository
        self._ref = ref
        self._now = now

    async def tip(self) -> str | None:
        """What the ref says now."""
        return await in_thread(self.mirror.ref, self._ref)

    fetched = tip  # the objects are at hand

    async def repair(self) -> bool:
        """False: what is damaged there is not ours to throw away."""
        return False

    async def swap(self, old: str | None, new: str) -> None:
        """Move the ref in that repository, unless a working tree stands on it."""
        self._check_free()
        await swap_ref(self.mirror, self._ref, old, new, self._now())

    async def check(self) -> None:
        """Try the folders that objects and the ref are written into, and see that nobody stands on the branch."""
        self._check_free()
        objects = self._repository.objects
        shards = sorted(objects.glob("[0-9a-f][0-9a-f]"))
        await in_thread(probe, (objects, *shards, (self._repository.common / self._ref).parent))

    def _check_free(self) -> None:
        """Raises `GitFailed` where a working tree stands on the branch."""
        if (top := checked_out(self._repository).get(self._ref)) is not None:
            raise GitFailed(
                f"the branch {self._ref.removeprefix('refs/heads/')} is checked out in {top}",
                hint="Switch to another branch there: the ledger never changes files somebody works on.",
            )


BranchRef = LocalRef | Remote


async def find_ref(settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str]) -> BranchRef:
    """The branch on the remote that is named (its name, or its address), else on ``origin``, else in the repository.

    ``root`` is the folder of the specs, ``home`` Gitune's data folder. A path or ``file://`` address is a repository we
    can reach ourselves: no git is started there, and no hook of it. Raises `NoRepository`, `NotFound`, `GitFailed`.
    """
    ref, remote = branch_ref(settings.branch), settings.remote
    repository = find_repository(root)
    location = await in_thread(remote_location, repository, remote or "origin") if repository else None
    said = f"the remote `{remote or 'origin'}` of this repository: see `git remote -v`"
    if location is None and remote is not None:
        if not re.search("[/:]", remote):
            raise NoRepository(
                f"the repository has no remote {remote!r}", hint="Correct `ledger.remote` in gitune.yaml."
            )
        location = parse_location(remote)
        said = "`ledger.remote` in gitune.yaml"
    if isinstance(location, NetworkUrl):
        return Remote(location, ref, mirror_for(location.url, home), environ)
    if location is None:
        found = open_repository(root)
    else:
        top = repository.top or repository.git_dir if repository else root
        found = _opened(top / location.path, said)
    return LocalRef(found, ref, await in_thread(mirror_of, found, home), now)


def _opened(folder: Path, said: str) -> RepositoryLayout:
    try:
        return open_repository(folder)
    except NoRepository as error:
        hint = f"That is {said}. The ledger is kept there; `gitune status --offline` shows what is here."
        raise NoRepository(error.message, hint=hint) from error


class _OnBranch:
    """What is kept on a branch. ``find`` gives that branch, on first use."""

    def __init__(self, find: Callable[[], Awaitable[BranchRef]], now: Now) -> None:
        self._find = find
        self._now = now
        self._found: BranchRef | None = None

    async def _ref(self) -> BranchRef:
        if self._found is None:
            self._found = await self._find()
        return self._found


class BranchLedger(_OnBranch):
    """The record on a branch. The tip is the id of its commit."""

    def __init__(self, find: Callable[[], Awaitable[BranchRef]], now: Now) -> None:
        super().__init__(find, now)
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

    async def _load(self, ref: BranchRef) -> Recorded:
        tip = await ref.fetched()
        if tip is None:
            return Recorded()
        if tip != self._loaded.tip:
            try:
                self._loaded = await in_thread(self._record, ref.mirror, tip)
            finally:
                ref.mirror.close()
        return self._loaded

    async def _save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        ref = await self._ref()
        is_known = self._same == (tip, records)
        if await ref.fetched() != tip:
            raise SwapLost("the ledger was changed by another process", hint="Read it again.")
        pages = {} if is_known else self._pages.of(records, ref.mirror.algorithm)
        if is_known or (tip is None and not records):
            return tip
        tree = await in_thread(ref.mirror.tree, tip) if tip else ()
        draft = self._draft(pages, tree, tip, message)
        if tip and is_same(draft, tree, ref.mirror.algorithm):
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

    def _record(self, mirror: Mirror, tip: str) -> Recorded:
        return Recorded(self._records(mirror, mirror.tree(tip)), tip, mirror.written(tip))

    def _records(self, mirror: Mirror, tree: tuple[TreeEntry, ...]) -> dict[str, Record]:
        """Every status file read; those read before, by the id of their bytes, are not read again."""
        seen: dict[str, Record] = {}
        for entry in tree:
            path = _text(entry)
            if not is_status(path):
                continue
            if entry.mode not in {"100644", "100755"} or (entry.size or 0) > LARGEST_STATUS:
                raise LedgerError(f"{path} in the ledger is not a status file", hint="Gitune alone writes that branch.")
            record = self._read.get(entry.oid) or read_status(path, mirror.blob(entry))
            seen[entry.oid] = record
            if path != status_path(record.name):
                raise LedgerError(f"{path} in the ledger is the status of another name")
        self._read = seen
        return {record.name: record for record in seen.values()}


def _text(entry: TreeEntry) -> str:
    return entry.path.decode("utf-8", "backslashreplace")


class BranchCell(_OnBranch):
    """The text is the only file of a commit without a parent, so that its branch has no history to grow."""

    async def read(self) -> tuple[str | None, str]:
        """The commit and the text in it; "" where there is no such branch. Raises `LedgerError`."""
        with translated(LedgerError):
            ref = await self._ref()
            tip = await ref.fetched()
            if tip is None:
                return None, ""
            try:
                for entry in await in_thread(ref.mirror.tree, tip):
                    if entry.path == LEASE.encode() and (entry.size or 0) <= LONGEST_LEASE:
                        return tip, (await in_thread(ref.mirror.blob, entry)).decode("utf-8", "replace")
            finally:
                ref.mirror.close()
        return tip, ""

    async def write(self, tip: str | None, text: str) -> str:
        """The new commit. Raises `RevisionConflict`, `LedgerError`."""
        with translated(LedgerError, RevisionConflict):
            ref = await self._ref()
            draft = CommitDraft({LEASE: text.encode()}, (), None, "Who may have effects just now", self._now())
            new = await write_commit(ref.mirror, draft, frozenset())
            if new != tip:
                await ref.swap(tip, new)
        return new
