"""The wall clock and fresh ids of the server; everything else is handed these."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Final

__all__ = ["fresh_letters", "now"]

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def now() -> str:
    """The time in UTC as RFC 3339 with microseconds and Z."""
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def fresh_letters(count: int) -> str:
    """As many unpredictable characters of a-z and 0-9."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))
