"""The ledger as files in a directory, each replaced in one step, with a lock around every comparison."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from controller.errors import LedgerError, RevisionConflict
from controller.ledger.codec import LARGEST_STATUS, README, is_status, read_status
from controller.ledger.rendering import render
from controller.spans import span
from controller.state.recorded import Record, Recorded

_LOCK: Final = ".lock"
_NEW: Final = ".new-"
_LOCK_SECONDS = 30.0
_FOLDERS: Final = ("status", "curves")
LEASE: Final = "lease"
LONGEST_LEASE: Final = 1024  # bytes
_HINT: Final = "Give the user who runs Gitune write permission there: without a record nothing is sent to a provider."


def probe(folders: Iterable[Path]) -> None:
    """Raises `LedgerError` where one cannot be written; of one that is not there yet the nearest above is tried."""
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            raise LedgerError(f"the ledger cannot be written: {place}: {error.strerror}", hint=_HINT) from error


class DirectoryLedger:
    """The record in a directory. The tip is a digest over the status files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, bytes], Record] = {}  # what was read last, by path and bytes

    async def tip(self) -> str | None:
        """The digest of the status files as they are now. Raises `LedgerError`."""
        return await asyncio.to_thread(self._tip)

    async def load(self) -> Recorded:
        """The record as it is now. Raises `LedgerError`."""
        return await asyncio.to_thread(self._load)

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Write what differs on top of ``tip``; there is no history here to keep ``message`` in.

        Raises `RevisionConflict` where the files are no longer those of the tip, `LedgerError`.
        """
        del message
        with span("ledger.save", records=len(records)) as told:
            new = await asyncio.to_thread(self._save, records, tip)
            told.tell(written=new != tip)
        return new

    async def check(self) -> None:
        """Raises `LedgerError` where `save` could not write. Nothing is left behind."""
        await asyncio.to_thread(probe, (self.path, *(self.path / folder for folder in _FOLDERS)))

    def _tip(self) -> str | None:
        if not self.path.is_dir():
            return None
        with self._locked(fcntl.LOCK_SH):
            return _digest(self._status())

    def _load(self) -> Recorded:
        if not self.path.is_dir():
            return Recorded()
        with self._locked(fcntl.LOCK_SH):
            status = self._status()
            written = self._written(status)
        known = self._known
        self._known = {file: known.get(file) or read_status(*file) for file in status.items()}
        return Recorded({record.name: record for record in self._known.values()}, _digest(status), written)

    def _written(self, status: Iterable[str]) -> str:
        """When the youngest of the files was written (RFC 3339 UTC, whole seconds); "" for none."""
        times = [(self.path / path).stat().st_mtime for path in status]
        return datetime.fromtimestamp(int(max(times)), UTC).isoformat().replace("+00:00", "Z") if times else ""

    def _save(self, records: Mapping[str, Record], tip: str | None) -> str | None:
        files = render(records)
        if not records and tip is None and not self.path.is_dir():
            return None
        with _as_ledger_error(self.path):
            for folder in _FOLDERS:
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_EX):
            if _digest(self._status()) != tip:
                raise RevisionConflict(
                    f"the ledger in {self.path} was changed by another process", hint="Read it again."
                )
            if not records and tip is None and not (self.path / README).exists():
                return None  # a table of nothing begins no ledger; one that was emptied has its table already
            self._sweep()
            for path, content in files.items():
                self._replace(path, content)
            self._remove_others(files)
            return _digest(self._status())

    def _status(self) -> dict[str, bytes]:
        """Path to bytes of every status file, sorted; a link is an error, since nobody but us writes here."""
        folder = self.path / "status"
        found = {}
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            path = f"status/{file.name}"
            if is_status(path) and not file.name.startswith("."):
                found[path] = _read(file)
        return found

    def _replace(self, path: str, content: bytes) -> None:
        """The bytes under that path, or what was there before, whenever the power goes."""
        target = self.path / path
        with contextlib.suppress(OSError):
            if _read(target) == content:
                return
        new = target.parent / f"{_NEW}{target.name}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
        _sync_folder(target.parent)

    def _sweep(self) -> None:
        """Take away what a killed writer left; nobody else writes while the lock is held."""
        for folder in (self.path, *(self.path / name for name in _FOLDERS)):
            for left in folder.glob(f"{_NEW}*"):
                left.unlink()

    def _remove_others(self, files: Mapping[str, bytes]) -> None:
        for folder in _FOLDERS:
            for file in sorted((self.path / folder).iterdir()):
                if f"{folder}/{file.name}" not in files and file.suffix in {".yaml", ".csv", ".svg"}:
                    file.unlink()
                    _sync_folder(self.path / folder)

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """The lock is the kernel's: it goes with its holder, however that one ends. An `OSError` is a `LedgerError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with _as_ledger_error(self.path), os.fdopen(os.open(self.path / _LOCK, flags, 0o644)) as lock:
            until = time.monotonic() + _LOCK_SECONDS
            while not _taken(lock, how):
                if time.monotonic() > until:
                    raise LedgerError(f"the ledger in {self.path} is held by another process", hint="Try again.")
                time.sleep(0.01)
            yield


def _taken(lock: TextIO, how: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, how | fcntl.LOCK_NB)
        return True
    return False


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(LARGEST_STATUS + 1)
    if len(content) > LARGEST_STATUS:
        raise LedgerError(f"{path} is larger than a file of the ledger can be")
    return content


def _digest(status: Mapping[str, bytes]) -> str | None:
    if not status:
        return None
    parts = [f"{path} {hashlib.sha256(content).hexdigest()}\n" for path, content in sorted(status.items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_ledger_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"the ledger in {path} cannot be read or written: {error.strerror or error}",
            hint="Look at the disk and at its permissions. Nothing was sent to a provider.",
        ) from error


class FileCell:
    """The text in a file of the ledger's directory, changed under a lock of the kernel's."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f".{LEASE}"

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
                text = file.read(LONGEST_LEASE).decode("utf-8", "replace")
                if change is None:
                    return _digest_of(text), text
                expected, new = change
                if _digest_of(text) != expected:
                    raise RevisionConflict(f"{self._path} was changed by another process", hint="Read it again.")
                file.seek(0)
                file.truncate()
                file.write(new.encode())
                return _digest_of(new), new
        except OSError as error:
            raise LedgerError(f"{self._path} cannot be read or written: {error.strerror}") from error


def _digest_of(text: str) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None
