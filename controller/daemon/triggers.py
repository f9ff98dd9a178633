"""Triggers, any number of them, to one pass at a time with at most one more waiting."""

from __future__ import annotations

import asyncio
from contextlib import suppress
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


# What can come in storms. A pass that one of these began holds those after it off until they cease.
_EVENTS = frozenset({Cause.FILES, Cause.REMOTE, Cause.WEBHOOK})


class Triggers:
    """A debouncer: fired from anywhere in the loop's thread; waited for by one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fired = asyncio.Event()
        self._causes: set[Cause] = set()
        self._first = self._last = 0.0
        self._began: float | None = None
        self._ended = asyncio.Event()

    def fire(self, cause: Cause) -> None:
        """Ask for a pass. Those before it begins are one."""
        self._last = self._clock.monotonic()
        if not self._fired.is_set():
            self._first = self._last
        self._causes.add(cause)
        self._fired.set()

    def end(self) -> None:
        """No pass is waited for any more."""
        self._ended.set()
        self._fired.set()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    async def wait(self, until: float) -> frozenset[Cause]:
        """The causes of the next pass, when it may begin; at ``until`` (monotonic seconds) it begins by itself.

        None where there is to be no pass any more.
        """
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                await self._fired.wait()
        except TimeoutError:
            self.fire(Cause.TIME)
        while not self._ended.is_set() and (pause := self._pause()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause)
        if not self._causes.isdisjoint(_EVENTS):
            self._began = self._clock.monotonic()
        causes, self._causes = frozenset(self._causes), set()
        self._fired.clear()
        return frozenset() if self.over else causes

    def _pause(self) -> float:
        if self._causes.isdisjoint(_EVENTS):
            return 0.0
        return hold_off(self._began, self._first, self._last, self._clock.monotonic())
