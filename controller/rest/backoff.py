"""What a server says about when to ask again, and our own patience, to seconds of waiting."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from controller.rest.timing import Limits, Timing

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
    """Seconds from google.rpc.RetryInfo's ``retryDelay`` (``"17s"``, ``"1.5s"``); None where it is not one."""
    match = _DURATION.fullmatch(duration)
    return _bounded(float(match[1])) if match else None


def backoff(tries: int, asked: float | None, limits: Limits, timing: Timing) -> float:
    """Seconds to wait after that many tries: doubling, with jitter, and never less than the server asked for."""
    top = min(limits.longest_backoff, limits.first_backoff * 2.0 ** (tries - 1))
    ours = timing.uniform(top / 2, top)
    # Jitter on top of what was asked: a crowd told "17 s" should not come back as a crowd.
    return ours if asked is None else max(ours, asked + timing.uniform(0.0, min(1.0, asked / 10)))


def _bounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else min(LONGEST_WAIT, max(0.0, seconds))
