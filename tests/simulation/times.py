"""Virtual seconds to the wall clock of a run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import lru_cache

START = datetime(2026, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """The wall clock after that many seconds."""
    return START + timedelta(seconds=seconds)


@lru_cache(maxsize=4096)
def rfc3339(seconds: float) -> str:
    """The same as text, in whole seconds."""
    return moment(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def ahead(jumps: tuple[tuple[float, float, float], ...], now: float, otherwise: float = 0.0) -> float:
    """By how many seconds a clock is ahead that jumps so."""
    return next((by for low, high, by in jumps if low <= now < high), otherwise)


class SimClock:
    """The `controller.ports.Clock` of one controller: the loop's time, and a wall clock that may be wrong.

    ``skew`` is by how many seconds it is ahead; ``jumps`` are (from, to, seconds by which it is meanwhile).
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, skew: float = 0.0, jumps: tuple[tuple[float, float, float], ...] = ()
    ) -> None:
        self._loop = loop
        self._skew = skew
        self._jumps = jumps

    def now(self) -> datetime:
        """The time this machine believes in."""
        return moment(self._loop.time() + ahead(self._jumps, self._loop.time(), self._skew))

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
