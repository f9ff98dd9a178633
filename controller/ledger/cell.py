"""A text beside the ledger, changed by compare-and-swap: on a branch of its own, or in a file of its directory."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

from controller.errors import LedgerError, RevisionConflict
from controller.git.failures import GitFailed, SwapLost
from controller.git.writing import Draft, write_commit
from controller.ledger.branch import Now, Place
from controller.ledger.places import Wanted, find_place

_FILE: Final = "lease"
_LONGEST: Final = 1024


class BranchCell:
    """The text is the only file of a commit without a parent, so that its branch has no history to grow."""

    def __init__(self, asked: Wanted, now: Now) -> None:
        self._asked = asked
        self._now = now
        self._place: Place | None = None

    async def read(self) -> tuple[str | None, str]:
        """The commit and the text in it; "" where there is no such branch. Raises `LedgerError`."""
        try:
            place = await self._found()
            tip = await place.fetched()
            if tip is None:
                return None, ""
            mirror = await place.open()
            try:
                for entry in await mirror.tree(tip):
                    if entry.path == _FILE.encode() and (entry.size or 0) <= _LONGEST:
                        return tip, (await mirror.blob(entry)).decode("utf-8", "replace")
            finally:
                mirror.close()
        except GitFailed as error:
            raise LedgerError(error.message, hint=error.hint) from error
        return tip, ""

    async def write(self, tip: str | None, text: str) -> str:
        """The new commit. Raises `RevisionConflict`, `LedgerError`."""
        try:
            place = await self._found()
            mirror = await place.open()
            draft = Draft({_FILE: text.encode()}, (), None, "Who may have effects just now", self._now())
            new = await write_commit(mirror, draft, frozenset())
            if new != tip:
                await place.swap(tip, new)
        except SwapLost as error:
            raise RevisionConflict(error.message, hint=error.hint) from error
        except GitFailed as error:
            raise LedgerError(error.message, hint=error.hint) from error
        return new

    async def _found(self) -> Place:
        if self._place is None:
            self._place = await find_place(self._asked)
        return self._place


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
                    raise RevisionConflict(f"{self._path} was written by somebody else", hint="Read it again.")
                file.seek(0)
                file.truncate()
                file.write(new.encode())
                return _digest(new), new
        except OSError as error:
            raise LedgerError(f"{self._path} cannot be read or written: {error.strerror}") from error


def _digest(text: str) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None
