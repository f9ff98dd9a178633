"""Settings and a folder to the ledger and the cell of a lease that are to be used."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from controller.errors import LedgerError, RevisionConflict
from controller.git.failures import translated
from controller.git.layout import find_repository
from controller.git.writing import CommitDraft, write_commit
from controller.ledger.branch import BranchLedger
from controller.ledger.directory import DirectoryLedger
from controller.ledger.refs import BranchRef, Now, find_ref
from controller.ports import Ledger
from controller.settings import LedgerSettings

_FILE: Final = "lease"
_LONGEST: Final = 1024


class BranchCell:
    """The text is the only file of a commit without a parent, so that its branch has no history to grow."""

    def __init__(self, find: Callable[[], Awaitable[BranchRef]], now: Now) -> None:
        self._find = find
        self._now = now
        self._ref: BranchRef | None = None

    async def read(self) -> tuple[str | None, str]:
        """The commit and the text in it; "" where there is no such branch. Raises `LedgerError`."""
        with translated(LedgerError):
            ref = await self._found()
            tip = await ref.fetched()
            if tip is None:
                return None, ""
            try:
                for entry in await ref.mirror.tree(tip):
                    if entry.path == _FILE.encode() and (entry.size or 0) <= _LONGEST:
                        return tip, (await ref.mirror.blob(entry)).decode("utf-8", "replace")
            finally:
                ref.mirror.close()
        return tip, ""

    async def write(self, tip: str | None, text: str) -> str:
        """The new commit. Raises `RevisionConflict`, `LedgerError`."""
        with translated(LedgerError, RevisionConflict):
            ref = await self._found()
            draft = CommitDraft({_FILE: text.encode()}, (), None, "Who may have effects just now", self._now())
            new = await write_commit(ref.mirror, draft, frozenset())
            if new != tip:
                await ref.swap(tip, new)
        return new

    async def _found(self) -> BranchRef:
        if self._ref is None:
            self._ref = await self._find()
        return self._ref


class FileCell:
    """The text in a file of the ledger's directory, changed under a lock of the kernel's."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f".{_FILE}"

    async def read(self) -> tuple[str | None, str]:
        """A digest of the text, and the text. Raises `LedgerError`."""
        return await asyncio.to_thread(self._swap, None)

    async def write(self, tip: str | None, text: str) -> str:
        """The new digest. Raises `RevisionConflict`, `LedgerError`."""
        new, _ = await asyncio.to_thread(self._swap, (tip, text))
        return new or ""

    def _swap(self, change: tuple[str | None, str] | None) -> tuple[str | None, str]:
        """What is there; with a change (the digest expected, the new text) what is there then."""
        try:
            if change is None and not self._path.exists():
                return None, ""
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                text = file.read(_LONGEST).decode("utf-8", "replace")
                if change is None:
                    return _digest(text), text
                expected, new = change
                if _digest(text) != expected:
                    raise RevisionConflict(f"{self._path} was changed by another process", hint="Read it again.")
                file.seek(0)
                file.truncate()
                file.write(new.encode())
                return _digest(new), new
        except OSError as error:
            raise LedgerError(f"{self._path} cannot be read or written: {error.strerror}") from error


def _digest(text: str) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None


OUTSIDE_GIT = ".gitune"


def open_ledger(
    settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str] = os.environ
) -> Ledger:
    """The ledger of the specs in ``root``; nothing is read or written before its first use. Raises `LedgerError`.

    A directory where the settings name one; else the branch, on the remote they name, or on ``origin`` where the
    repository has one, or in the repository itself; outside git the directory ``.gitune``.
    """
    if settings.directory is not None:
        return DirectoryLedger(root / settings.directory)
    with translated(LedgerError):
        repository = find_repository(root)
    if repository is None and settings.remote is None:
        return DirectoryLedger(root / OUTSIDE_GIT)
    return BranchLedger(partial(find_ref, settings, root, home, now, environ), now)


async def check_writable(ledger: Ledger) -> None:
    """Raises `LedgerError` where the ledger could not be written, as far as that shows before. Nothing is written."""
    if isinstance(ledger, DirectoryLedger | BranchLedger):
        await ledger.check()


def described(ledger: Ledger, settings: LedgerSettings) -> str:
    """What the ledger is, as people know it: a branch or a directory, with its name."""
    if isinstance(ledger, DirectoryLedger):
        return f"directory {settings.directory or OUTSIDE_GIT}"
    return f"branch {settings.branch}"


def open_cell(
    settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str] = os.environ
) -> BranchCell | FileCell:
    """The cell for a lease, beside the ledger that `open_ledger` gives. Raises `LedgerError`."""
    match open_ledger(settings, root, home, now, environ):
        case DirectoryLedger() as ledger:
            return FileCell(ledger.path)
        case _:
            beside = replace(settings, branch=f"{settings.branch}-lease")
            return BranchCell(partial(find_ref, beside, root, home, now, environ), now)
