"""A number of requests per minute and at once to the waiting that keeps to both."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.rest.timing import Limits, Timing

MINUTE = 60.0


class Pace:
    """Lets through at most ``requests_per_minute`` in any 60 seconds, and ``at_once`` at a time."""

    def __init__(self, limits: Limits, timing: Timing) -> None:
        self._timing = timing
        self._seats = asyncio.Semaphore(limits.at_once)
        self._turn = asyncio.Lock()
        # One start time per request of the last minute: no more than the limit are ever kept.
        self._starts: deque[float] | None = (
            None if limits.requests_per_minute is None else deque(maxlen=max(1, limits.requests_per_minute))
        )

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[None]:
        """Wait until a request may start; it counts as running until the block is left."""
        async with self._seats:
            await self._wait()
            yield

    async def _wait(self) -> None:
        if self._starts is None:
            return
        async with self._turn:
            if len(self._starts) == self._starts.maxlen:
                free = self._starts[0] + MINUTE - self._timing.monotonic()
                if free > 0:
                    await self._timing.sleep(free)
            self._starts.append(self._timing.monotonic())
