"""One private file of the data folder to bytes that were left in it and may be lost at any time, and back."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

import controller

_MOST_BYTES: Final = 256 << 20
_MOST_FILES: Final = 32  # repositories
_HEAD: Final = 128  # bytes, filled up with blanks
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class ReadingsFile:
    """What one repository's files came to, as bytes. Nothing is raised: what cannot be read or written is not kept.

    The head of the file names the code that wrote it and the file itself: a copy, as one that a runner restores, says
    nothing.
    """

    def __init__(self, folder: Path, subject: str) -> None:
        self._path = folder / f"{hashlib.sha256(subject.encode()).hexdigest()[:40]}.bin"

    def load(self) -> bytes | None:
        """What `save` was given last, by this very code; None where there is nothing whole."""
        with suppress(OSError):
            descriptor = os.open(self._path, _READ)
            with os.fdopen(descriptor, "rb", 0) as file:
                facts = os.fstat(descriptor)
                if not _is_private(facts) or facts.st_size > _MOST_BYTES or not _is_private(self._path.parent.stat()):
                    return None
                data = file.read()
            body = memoryview(data)[_HEAD:]
            return bytes(body) if data[:_HEAD] == _head(body, facts.st_ino) else None
        return None

    def save(self, body: bytes) -> None:
        """Keep these bytes in the place of what is there."""
        if len(body) + _HEAD > _MOST_BYTES:
            return
        folder = self._path.parent
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_private(folder.stat()):
                return
            self._make_room()
            descriptor, name = tempfile.mkstemp(prefix=".new-", dir=folder)
            try:
                with os.fdopen(descriptor, "wb", 0) as file:
                    file.write(_head(body, os.fstat(descriptor).st_ino) + body)
                Path(name).replace(self._path)
            except OSError:
                Path(name).unlink()

    def _make_room(self) -> None:
        """What a killed process left goes too, once it is old enough to be nobody's."""
        files = sorted(self._path.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) + 1 - _MOST_FILES)]:
            path.unlink(missing_ok=True)


def _head(body: bytes | memoryview, inode: int) -> bytes:
    return f"gitune {code()} {inode} {len(body)} {zlib.crc32(body)}\n".encode().ljust(_HEAD)


def _is_private(facts: os.stat_result) -> bool:
    """Whether it is ours, and nobody else may write it."""
    return facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@lru_cache(maxsize=1)
def code() -> str:
    """A digest over the code that runs: each file of the package by name, size and time, and what is installed beside.

    A version would not do: it stays while the code of a checkout moves.
    """
    made = hashlib.sha256(f"{controller.__version__} {sys.version}".encode())
    root = Path(controller.__file__).parent
    for line in sorted(_files(str(root))):
        made.update(line.encode("utf-8", "surrogateescape"))
    for folder in sys.path:
        if folder.endswith("-packages"):
            with suppress(OSError):
                made.update(f"{folder} {Path(folder).stat().st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return made.hexdigest()[:32]


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        for item in found:
            if item.is_dir():
                if item.name != "__pycache__":
                    yield from _files(item.path)
            else:
                facts = item.stat()
                yield f"{item.path} {facts.st_size} {facts.st_mtime_ns}\n"
