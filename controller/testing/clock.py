"""A start time or a seed to a Clock and a Chance that a test can foretell."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time that moves only when somebody sleeps or `advance` is called. ``slept`` lists the waits, in seconds."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = 0.0
        self._ahead = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The start plus what has passed, and by how much the clock is ahead."""
        return self._start + timedelta(seconds=self._passed + self._ahead)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once; other tasks get their turn."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody sleeping; it never goes back. Raises `ValueError`."""
        if seconds < 0.0:
            raise ValueError("time does not go back: set the clock with `set`")
        self._passed += seconds

    def set(self, ahead: float) -> None:
        """Set the wall clock so many seconds ahead of the time that has passed; `monotonic` knows nothing of it."""
        self._ahead = ahead


class SeededChance:
    """The same seed gives the same nonces and the same jitter, on every platform and Python."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def nonce(self) -> str:
        """16 hex digits, a new one each time."""
        return self._draw("nonce")[:16]

    def uniform(self, low: float, high: float) -> float:
        """A float from low to high."""
        share = int(self._draw("uniform")[:12], 16) / 16**12
        return low + (high - low) * share

    def _draw(self, what: str) -> str:
        self._drawn += 1
        return hashlib.sha256(f"{self._seed}/{what}/{self._drawn}".encode()).hexdigest()
