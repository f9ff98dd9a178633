"""When a client may ask, and ask again: the doors of time and chance, limits, pace and backoff."""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Timing:
    """Time and chance as callables: wall clock (UTC), seconds that never go back, waiting, a float between two."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    uniform: Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bounds of one client. Times in seconds, sizes in bytes.

    ``deadline`` holds for a whole request: connecting, sending, the whole body, and every retry of it; ``long`` for one
    that carries a dataset or waits for a model. ``reading`` is
    for all the reads that are asked together: of one snapshot, or the pages of one listing.
    ``raw_bytes`` and ``decoded_bytes`` cap an answer as it arrives and as it unpacks.
    ``tries`` counts the first one. ``requests_per_minute`` None means no limit of ours.
    """

    deadline: float = 60.0
    long: float = 300.0
    reading: float = 90.0
    connect: float = 10.0
    raw_bytes: int = 32 * 1024 * 1024
    decoded_bytes: int = 32 * 1024 * 1024
    tries: int = 4
    first_backoff: float = 0.5
    longest_backoff: float = 8.0
    requests_per_minute: int | None = None
    at_once: int = 16


MINUTE = 60.0


class Pace:
    """Lets through at most ``requests_per_minute`` in any 60 seconds, and ``at_once`` at a time."""

    def __init__(self, limits: ClientLimits, timing: Timing) -> None:
        self._timing = timing
        self.waited = 0.0  # seconds, so far, in which nothing was asked because of the limit a minute
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
                    self.waited += free
            self._starts.append(self._timing.monotonic())


# Nobody means a wait beyond a day; a larger number is a mistake or a joke.
LONGEST_WAIT = 86_400.0
_SECONDS = re.compile(r"\s*([+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?)\s*")
_DURATION = re.compile(r"([+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?)s")


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: a number, or an HTTP date (RFC 9110 §10.2.3); None where it says nothing.

    A negative number or a past date is 0, more than a day is a day.
    """
    if header is None:
        return None
    if match := _SECONDS.fullmatch(header[:64]):
        return _bounded(float(match[1]))
    try:
        then = parsedate_to_datetime(header[:64])
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return _bounded((then - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_delay(duration: str) -> float | None:
    """Seconds from a duration as a body writes it (``"17s"``, ``"1.5s"``); None where it is not one."""
    match = _DURATION.fullmatch(duration)
    return _bounded(float(match[1])) if match else None


def backoff(tries: int, asked: float | None, limits: ClientLimits, timing: Timing) -> float:
    """Seconds to wait after that many tries: doubling, with jitter, and never less than the server asked for."""
    top = min(limits.longest_backoff, limits.first_backoff * 2.0 ** (tries - 1))
    ours = timing.uniform(top / 2, top)
    # Jitter on top of what was asked: a crowd told "17 s" should not come back as a crowd.
    return ours if asked is None else max(ours, asked + timing.uniform(0.0, min(1.0, asked / 10)))


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(LONGEST_WAIT, max(0.0, seconds))
