"""The machine's clock and its chance, behind the ports: the only place that asks for the time or for randomness."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime

_FRACTION = 1 << 53  # as many steps as a double between 0 and 1 can hold


class SystemClock:
    """Wall clock and monotonic clock of this machine."""

    def now(self) -> datetime:
        """The time now, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the door itself

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemChance:
    """The operating system's randomness."""

    def nonce(self) -> str:
        """16 hex digits."""
        return secrets.token_hex(8)

    def uniform(self, low: float, high: float) -> float:
        """A float between the two."""
        return low + (high - low) * secrets.randbelow(_FRACTION) / _FRACTION
