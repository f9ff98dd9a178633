"""The doors through which time and chance reach a client, and how long a client may take and take in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Timing:
    """Time and chance as callables: wall clock (UTC), seconds that never go back, waiting, a float between two."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    uniform: Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client. Times in seconds, sizes in bytes.

    ``deadline`` holds for a whole request: connecting, sending, the whole body, and every retry of it.
    ``raw_bytes`` and ``decoded_bytes`` cap an answer as it arrives and as it unpacks.
    ``tries`` counts the first one. ``requests_per_minute`` None means no limit of ours.
    """

    deadline: float = 60.0
    connect: float = 10.0
    raw_bytes: int = 32 * 1024 * 1024
    decoded_bytes: int = 32 * 1024 * 1024
    tries: int = 4
    first_backoff: float = 0.5
    longest_backoff: float = 8.0
    requests_per_minute: int | None = None
    at_once: int = 8
