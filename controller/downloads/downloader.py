"""What is wanted from outside of the commit, at a uri or by a Git LFS pointer, to its bytes or the reason why not."""

from __future__ import annotations

import asyncio

from controller.dataset.pointers import LfsPointer
from controller.downloads.fetching import Fetching
from controller.downloads.kept import KeptFile
from controller.downloads.lfs import LfsObjects
from controller.errors import Unreadable
from controller.ports import DataPin, Wanted

_FIRST_WAIT = 30.0  # seconds after a failure in which the same is not asked for again; it doubles
_LONGEST_WAIT = 900.0


class Downloader:
    """The data outside of one repository's commits. What failed is left alone for a while: no pass waits for it."""

    def __init__(self, fetching: Fetching, objects: LfsObjects) -> None:
        self._fetching = fetching
        self._objects = objects
        self._seats = asyncio.Semaphore(fetching.limits.at_once)
        self._failed: dict[Wanted, tuple[float, float, Unreadable]] = {}  # until when, after what wait

    def open(self, wanted: Wanted, most: int) -> KeptFile | None:
        """What is kept here, hashed anew; None where it has to be fetched. Raises `Unreadable`."""
        match wanted:
            case LfsPointer():
                return self._objects.open(wanted, most)
            case DataPin(uri, sha256):
                self._fetching.check(uri)
                return self._fetching.kept.open(self._fetching.origin(uri), sha256, most)

    def has(self, wanted: Wanted) -> bool:
        """Whether it may be read and is kept here, unhashed."""
        match wanted:
            case LfsPointer():
                return self._objects.has(wanted)
            case DataPin(uri, sha256):
                return self._fetching.sources.allows(uri) and self._fetching.kept.has(
                    self._fetching.origin(uri), sha256
                )

    async def fetch(self, wanted: Wanted, most: int) -> None:
        """Bring them here. Raises `Unreadable`, also where the same failed a moment ago."""
        now, known = self._fetching.timing.monotonic(), self._failed.get(wanted)
        if known is not None and now < known[0]:
            raise _again(known[2])
        try:
            async with self._seats:
                await self._fetched(wanted, most)
        except Unreadable as error:
            wait = _FIRST_WAIT if known is None else min(_LONGEST_WAIT, 2 * known[1])
            self._failed[wanted] = (self._fetching.timing.monotonic() + wait, wait, error)
            raise
        self._failed.pop(wanted, None)

    async def _fetched(self, wanted: Wanted, most: int) -> None:
        match wanted:
            case LfsPointer():
                await self._objects.fetch(wanted, most)
            case DataPin(uri, sha256):
                await self._fetching.fetch(uri, sha256, most)


def _again(error: Unreadable) -> Unreadable:
    return Unreadable(error.message, code=error.code, hint=error.hint)
