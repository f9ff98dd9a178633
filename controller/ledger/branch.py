"""The ledger as a branch of its own in a git repository, here or behind a network address; never forced."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.errors import LedgerError, RevisionConflict
from controller.failpoints import point
from controller.git.failures import GitFailed, NoRepository, SwapLost, translated
from controller.git.layout import RepositoryLayout, checked_out, find_repository, open_repository, remote_location
from controller.git.mirror import Mirror, mirror_for, mirror_of
from controller.git.parsing import NetworkUrl, TreeEntry, blob_id, branch_ref, is_commit_id, parse_location
from controller.git.remote import Remote
from controller.git.writing import FILE_MODE, CommitDraft, swap_ref, write_commit
from controller.ledger.codec import LARGEST_STATUS, README, STATUS, is_ours, is_status, read_status, status_path
from controller.ledger.directory import LEASE, LONGEST_LEASE, probe
from controller.ledger.rendering import Table, made_of, paths_of
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
    """The record on a branch. The tip is the id of its commit.

    What the last commit that was read or written holds is kept, since a commit never says anything else: only records
    that differ from it are made files of, and only status files with other bytes are read.
    """

    def __init__(self, find: Callable[[], Awaitable[BranchRef]], now: Now) -> None:
        super().__init__(find, now)
        self._read: dict[str, Record] = {}  # by the id of the status file
        self._loaded = Recorded()
        self._tree: tuple[str, tuple[TreeEntry, ...]] | None = None  # of the commit that was written last
        self._table = Table()

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
                self._loaded, self._tree = Recorded(), None  # the next `load` looks at what is there, and repairs it
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
        if await ref.fetched() != tip:
            raise SwapLost("the ledger was changed by another process", hint="Read it again.")
        known = self._loaded if self._loaded.tip == tip else Recorded()
        if records == known.records and known.tip == tip:
            return tip
        tree = await self._entries(ref.mirror, tip)
        change = await in_thread(_change, records, known.records, tree, ref.mirror.algorithm)
        if not change.is_needed:
            self._remember(change, tip, tree)
            return tip
        page = await in_thread(self._table.page, records)
        draft = CommitDraft({**change.files, README: page}, change.kept, tip, message, self._now())
        point("ledger.objects")
        new, written = await write_commit(ref.mirror, draft, frozenset(entry.oid for entry in tree))
        point("ledger.update")
        await ref.swap(tip, new)
        point("ledger.updated")
        self._remember(change, new, (*change.kept, *written))
        return new

    async def _entries(self, mirror: Mirror, tip: str | None) -> tuple[TreeEntry, ...]:
        if tip is None:
            return ()
        if self._tree is not None and self._tree[0] == tip:
            return self._tree[1]
        return await in_thread(mirror.tree, tip)

    def _remember(self, change: _Change, tip: str | None, tree: tuple[TreeEntry, ...]) -> None:
        """Nobody need read back what was just written; what does not read back is found so by who reads it."""
        records = {name: record for name, record in change.read.items() if record is not None}
        if tip is None or len(records) != len(change.read):
            return
        ids = {entry.path: entry.oid for entry in tree}
        self._read = {ids[status_path(name).encode()]: record for name, record in records.items()}
        self._loaded = Recorded(records, tip)
        self._tree = (tip, tree)

    def _record(self, mirror: Mirror, tip: str) -> Recorded:
        return Recorded(self._records(mirror, mirror.tree(tip, STATUS)), tip, mirror.written(tip))

    def _records(self, mirror: Mirror, tree: tuple[TreeEntry, ...]) -> dict[str, Record]:
        """Every status file read; those read before, by the id of their bytes, are not read again."""
        status = [entry for entry in tree if is_status(_text(entry))]
        for entry in status:
            if entry.mode not in {"100644", "100755"} or (entry.size or 0) > LARGEST_STATUS:
                message = f"{_text(entry)} in the ledger is not a status file"
                raise LedgerError(message, hint="Gitune alone writes that branch.")
        new = [entry for entry in status if entry.oid not in self._read]
        read = {entry.oid: _read(entry, found) for entry, found in zip(new, mirror.blobs(new), strict=True)}
        seen = {entry.oid: read.get(entry.oid) or self._read[entry.oid] for entry in status}
        for entry in status:
            if _text(entry) != status_path(seen[entry.oid].name):
                raise LedgerError(f"{_text(entry)} in the ledger is the status of another name")
        self._read = seen
        return {record.name: record for record in seen.values()}


def _read(entry: TreeEntry, found: bytes | GitFailed) -> Record:
    if isinstance(found, GitFailed):
        raise found
    return read_status(_text(entry), found)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a save does to a tree: ``kept`` entries of it stay, ``files`` are new, and what is ``read`` afterwards.

    ``is_needed`` is False where all stays as it is.
    """

    kept: tuple[TreeEntry, ...]
    files: Mapping[str, bytes]
    read: Mapping[str, Record | None]
    is_needed: bool


def _change(
    records: Mapping[str, Record], known: Mapping[str, Record], tree: tuple[TreeEntry, ...], algorithm: str
) -> _Change:
    """``known`` are the records as the tree's status files say them; what is the same in both keeps its files.

    The README is made anew only where anything else is: an edit of it is no news.
    """
    ours = {path: entry for entry in tree if is_ours(path := _text(entry))}
    kept = [entry for entry in tree if _text(entry) not in ours]
    files: dict[str, bytes] = {}
    read: dict[str, Record | None] = {}
    for name in sorted(records):
        record = records[name]
        stay = [entry for path in paths_of(record) if (entry := ours.get(path)) is not None]
        if known.get(name) == record and len(stay) == len(paths_of(record)):
            kept += stay
            read[name] = known[name]
            continue
        made, read[name] = made_of(record)
        for path, content in made.items():
            entry = ours.get(path)
            if entry is not None and (entry.oid, entry.mode) == (blob_id(content, algorithm), FILE_MODE):
                kept.append(entry)
            else:
                files[path] = content
    is_needed = bool(files) or README not in ours or len(kept) + 1 < len(tree)
    return _Change(tuple(kept), files, read, is_needed)


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
            new, _ = await write_commit(ref.mirror, draft, frozenset())
            if new != tip:
                await ref.swap(tip, new)
        return new
