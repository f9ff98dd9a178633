"""Rings, any number of them, to one pass at a time with at most one more waiting."""

from __future__ import annotations

import asyncio
from enum import StrEnum

from controller.daemon.schedule import hold_off
from controller.ports import Clock


class Cause(StrEnum):
    """Why a pass begins. It decides nothing: every pass looks at everything."""

    START = "start"
    FILES = "files"
    REMOTE = "remote"
    WEBHOOK = "webhook"
    TIME = "time"
    RELOAD = "reload"


class Bell:
    """Rung from anywhere in the loop's thread; waited for by one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()
        self._causes: set[Cause] = set()
        self._first = self._last = 0.0
        self._began: float | None = None
        self.over = False

    def ring(self, cause: Cause) -> None:
        """Ask for a pass. Rings before it begins are one."""
        self._last = self._clock.monotonic()
        if not self._rung.is_set():
            self._first = self._last
        self._causes.add(cause)
        self._rung.set()

    def end(self) -> None:
        """No pass is waited for any more."""
        self.over = True
        self._rung.set()

    async def wait(self, until: float) -> frozenset[Cause]:
        """The causes of the next pass, when it may begin; at ``until`` (monotonic seconds) it begins by itself."""
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                await self._rung.wait()
        except TimeoutError:
            self.ring(Cause.TIME)
        while not self.over and (pause := self._pause()) > 0:
            await asyncio.sleep(min(pause, 0.1))
        self._began = self._clock.monotonic()
        causes, self._causes = frozenset(self._causes), set()
        if not self.over:
            self._rung.clear()
        return causes

    def _pause(self) -> float:
        if self._causes.isdisjoint({Cause.FILES, Cause.REMOTE, Cause.WEBHOOK}):
            return 0.0
        return hold_off(self._began, self._first, self._last, self._clock.monotonic())
