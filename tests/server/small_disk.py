"""A file system of its own for a server, real and as small as a test asks: filled, and given room again."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.server.served import Served

_MOUNT = 'mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && shift 2 && exec "$@"'


@cache
def _apart() -> tuple[str, ...] | None:
    """The words that start a program where it may mount, as root or in a user namespace; None where neither works."""
    for flags in (("--mount",), ("--mount", "--map-root-user")):
        try:
            command = ["unshare", *flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
            tried = subprocess.run(command, check=False, capture_output=True)
        except FileNotFoundError:
            return None
        if tried.returncode == 0:
            return ("unshare", *flags)
    return None


@dataclass
class SmallDisk:
    """The disk of a server that runs, seen through its process: only that process has it mounted."""

    served: Served

    @property
    def folder(self) -> Path:
        return Path(f"/proc/{self.served.process.pid}/root{self.served.data}")

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Takes all the room, but for so many bytes."""
        with (self.folder / "filling").open("ab", buffering=0) as file:
            while (room := self.free - leave) > 0:
                file.write(bytes(min(room, 2**20)))

    def make_room(self) -> None:
        (self.folder / "filling").unlink()


def small_disk(folder: Path, size: int, *flags: str) -> SmallDisk:
    """A server that has not been started yet, whose data folder will be a file system of ``size`` bytes."""
    apart = _apart()
    if apart is None:
        pytest.skip("neither root nor a user namespace may mount a file system here")
    data = folder / "data"
    data.mkdir()
    return SmallDisk(Served(data, flags, (*apart, "sh", "-c", _MOUNT, "sh", str(size), str(data))))
