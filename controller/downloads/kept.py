"""Bytes and their digest to a file of this machine, whole or not there, and back."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from controller.errors import Unreadable

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CHUNK: Final = 1 << 20
MOST_KEPT: Final = 16 << 30  # bytes of all files together; what was used longest ago goes first
_TRIES: Final = 5


class Part:
    """A file on its way. ``write`` hashes what it is given; nobody sees the file before `Kept.publish`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        self._descriptor = descriptor
        self._sha = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add these bytes. Raises `Unreadable` where the disk takes no more."""
        if len(self.head) < _HEAD:
            self.head += data[: _HEAD - len(self.head)]
        self._sha.update(data)
        self.size += len(data)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far, 64 hex digits."""
        return self._sha.hexdigest()

    def start_over(self) -> None:
        """Forget what was written: it is asked for anew."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._sha, self.size, self.head = hashlib.sha256(), 0, b""

    def sync(self) -> None:
        """Bring it to the disk. Raises `Unreadable`."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from None


_HEAD: Final = 64


class Kept:
    """Files by their SHA-256 below a folder that is this user's alone.

    ``sha256/aa/<digest>`` are the files, ``from/<digest of both>`` says that an origin gave that digest, ``incoming/``
    has what is on its way; a part whose writer is gone is removed by the next one.
    """

    def __init__(self, folder: Path, most: int = MOST_KEPT) -> None:
        self._folder = folder
        self._most = most

    def path(self, digest: str) -> Path:
        """Where the file of a digest lies, or would lie."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError("a digest is 64 hex digits")
        return self._folder / "sha256" / digest[:2] / digest

    def has(self, origin: str, digest: str) -> bool:
        """Whether the file is here and came from that origin."""
        return self._note(origin, digest).is_file() and self.path(digest).is_file()

    def open(self, origin: str, digest: str, limit: int) -> KeptFile | None:
        """The file, hashed anew; None where it is not here for that origin. A damaged one is removed.

        Raises `Unreadable` (GT403, GT409) for more than ``limit``, and for what cannot be read.
        """
        if not self.has(origin, digest):
            return None
        path = self.path(digest)
        with suppress(OSError):
            os.utime(path)
        try:
            found = verified(path, digest, limit)
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise Unreadable(message, code="GT409", hint="Check its permissions.") from None
        if found is None:
            path.unlink(missing_ok=True)
        return found

    @contextmanager
    def incoming(self) -> Iterator[Part]:
        """A new part, gone at the end of the block unless it was published. Raises `Unreadable`."""
        folder = self._made("incoming")
        self._sweep(folder)
        path, descriptor = _created(folder)
        try:
            yield Part(path, descriptor)
        finally:
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def publish(self, part: Part, origin: str) -> str:
        """Let a whole part be the file of its digest, and note whose it is. Raises `Unreadable`."""
        digest = part.digest
        part.sync()
        try:
            target = self.path(digest)
            self._made("sha256", digest[:2])
            part.path.rename(target)
            self._made("from")
            self._note(origin, digest).touch(mode=0o600)
        except OSError as error:
            raise _unwritable(self._folder, error) from None
        self._tidy(target)
        return digest

    def _note(self, origin: str, digest: str) -> Path:
        both = hashlib.sha256(f"{origin}\0{digest}".encode()).hexdigest()
        return self._folder / "from" / both

    def _made(self, *names: str) -> Path:
        folder = self._folder
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("", *names):
                folder = folder / name
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        return folder

    def _sweep(self, folder: Path) -> None:
        """Remove what nobody writes any more: a writer holds a lock for as long as it lives."""
        for path in folder.iterdir():
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)
                finally:
                    os.close(descriptor)

    def _tidy(self, newest: Path) -> None:
        """Remove what was used longest ago, while all together are too large."""
        found = []
        for path in (self._folder / "sha256").glob("??/*"):
            with suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime_ns, facts.st_size, path))
        left = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if left <= self._most:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                left -= size


def _created(folder: Path) -> tuple[Path, int]:
    """A new file, and its descriptor with a lock on it. Raises `Unreadable`."""
    for _ in range(_TRIES):
        path = folder / os.urandom(12).hex()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(folder, error) from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else one that tidied up came between
            return path, descriptor
        os.close(descriptor)
    raise _unwritable(folder, OSError(errno.EBUSY, os.strerror(errno.EBUSY)))


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file whose digest was seen to be right, as it was then."""

    path: Path
    size: int
    stamp: tuple[int, ...]

    def __call__(self) -> Iterator[bytes]:
        """Its bytes, piece by piece. Raises `Unreadable` (GT407) where it is another one now, or gone."""
        try:
            with _opened(self.path) as file:
                if _stamp(file) != self.stamp:
                    raise self._changed()
                while piece := file.read(_CHUNK):
                    yield piece
        except OSError:
            raise self._changed() from None

    def _changed(self) -> Unreadable:
        message = f"the kept copy {self.path.name} is not what it was any more"
        return Unreadable(message, code="GT407", hint="Try again: it is fetched anew.")


def verified(path: Path, digest: str, limit: int) -> KeptFile | None:
    """A file of that digest; None for other bytes. Nothing is followed, and nothing but a regular file is read.

    Raises `OSError`, and `Unreadable` (GT403) for more than ``limit`` bytes.
    """
    with _opened(path) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if facts.st_size > limit:
            message = f"{path.name} has {facts.st_size:,} bytes, more than the {limit:,} allowed"
            raise Unreadable(message, code="GT403", hint="Make it smaller.")
        made, stamp = hashlib.sha256(), _stamp(file)
        while piece := file.read(_CHUNK):
            made.update(piece)
    return KeptFile(path, facts.st_size, stamp) if made.hexdigest() == digest else None


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    """What tells one file from another. Its times tell nothing: each use of it is written into them."""
    facts = os.fstat(file.fileno())
    return facts.st_dev, facts.st_ino, facts.st_size


def _unwritable(folder: Path, error: OSError) -> Unreadable:
    return Unreadable(
        f"what is downloaded cannot be kept in {folder}: {error.strerror}",
        code="GT428",
        hint="Make room there, or let GITUNE_HOME name another folder of this user.",
    )
