"""What a reading needs from outside of its tree to bytes that are kept here; between two what is missing is fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.dataset.pointers import LfsPointer
from controller.errors import Unreadable
from controller.ports import Chunks, DataPin, Downloads, Wanted

if TYPE_CHECKING:
    import asyncio

_UNSEEN = "It is fetched where a plan may ask for it: run `gitune plan` there once."


class Outside:
    """The data of one tree that is not in it. Reading notes what is missing; `fetch` brings it for the next reading."""

    def __init__(self, downloads: Downloads | None) -> None:
        self._downloads = downloads
        self._missing: dict[Wanted, int] = {}
        self._refused: dict[Wanted, Unreadable] = {}

    def open(self, wanted: Wanted, most: int) -> Chunks:
        """What it is. Raises `Unreadable`: why it could not be fetched, or that it was not."""
        if (refused := self._refused.get(wanted)) is not None:
            raise Unreadable(refused.message, code=refused.code, hint=refused.hint, unseen=refused.unseen)
        found = self._downloads.open(wanted, most) if self._downloads is not None else None
        if found is None:
            self._missing[wanted] = most
            raise unseen(wanted)
        return found

    def has(self, wanted: Wanted) -> bool:
        """Whether it may be read and is here, as far as that is known without reading it."""
        return self._downloads is not None and self._downloads.has(wanted)

    async def fetch(self) -> bool:
        """Fetch what was missing, side by side; True where there is anything new to read, if only why it failed."""
        missing, self._missing = self._missing, {}
        if self._downloads is None or not missing:
            return False
        import asyncio  # noqa: PLC0415 - reading files needs none of it

        await asyncio.gather(*(self._one(self._downloads, wanted, most) for wanted, most in missing.items()))
        return True

    async def _one(self, downloads: Downloads, wanted: Wanted, most: int) -> None:
        try:
            await downloads.fetch(wanted, most)
        except Unreadable as error:
            self._refused[wanted] = error


@dataclass(frozen=True, slots=True)
class KeptOnly:
    """What is kept of the data outside of the commit; nothing is fetched."""

    downloads: Downloads

    def open(self, wanted: Wanted, most: int) -> Chunks | None:
        """As they have it."""
        return self.downloads.open(wanted, most)

    def has(self, wanted: Wanted) -> bool:
        """As they have it."""
        return self.downloads.has(wanted)

    async def fetch(self, wanted: Wanted, most: int) -> None:  # noqa: ARG002 - the port's
        """Never. Raises `Unreadable`."""
        raise unseen(wanted)


@asynccontextmanager
async def in_background(downloads: Downloads | None, patience: float) -> AsyncIterator[Downloads | None]:
    """The same for a daemon: what is on its way longer than ``patience`` seconds goes on beside the passes."""
    if downloads is None:
        yield None
        return
    found = _InBackground(downloads, patience)
    try:
        yield found
    finally:
        await found.close()


class _InBackground:
    """No pass waits longer than ``patience`` seconds for a fetch. It goes on, and a later one finds it."""

    def __init__(self, downloads: Downloads, patience: float) -> None:
        self._downloads = downloads
        self._patience = patience
        self._going: dict[Wanted, asyncio.Task[None]] = {}

    def open(self, wanted: Wanted, most: int) -> Chunks | None:
        """As they have it."""
        return self._downloads.open(wanted, most)

    def has(self, wanted: Wanted) -> bool:
        """As they know it."""
        return self._downloads.has(wanted)

    async def fetch(self, wanted: Wanted, most: int) -> None:
        """Bring it here. Raises `Unreadable`, also while it is on the way."""
        import asyncio  # noqa: PLC0415 - reading files needs none of it

        if (task := self._going.get(wanted)) is None:
            task = self._going[wanted] = asyncio.create_task(self._downloads.fetch(wanted, most))
        await asyncio.wait((task,), timeout=self._patience)
        if not task.done():
            raise Unreadable(f"{named(wanted)} is still on its way", code="GT425", hint="It is used once it is here.")
        del self._going[wanted]
        task.result()

    async def close(self) -> None:
        """Give up what is on its way."""
        import asyncio  # noqa: PLC0415 - as above

        for task in self._going.values():
            task.cancel()
        await asyncio.gather(*self._going.values(), return_exceptions=True)
        self._going.clear()


def kept_only(downloads: Downloads | None) -> Downloads | None:
    """The same without fetching."""
    return None if downloads is None else KeptOnly(downloads)


def unseen(wanted: Wanted) -> Unreadable:
    """That nobody looked: it is not known whether anything is wrong with the data."""
    message = f"{named(wanted)} is not on this machine, and was not fetched"
    return Unreadable(message, code="GT426", hint=_UNSEEN, unseen=True)


def named(wanted: Wanted) -> str:
    """What people call it."""
    match wanted:
        case DataPin(uri):
            return uri.text
        case LfsPointer():
            return "the object of this Git LFS pointer"
