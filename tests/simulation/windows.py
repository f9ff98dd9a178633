"""Times between which something is not as it should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """From one time to another something is not as it should be; ``what`` is a commit's number or a moment."""

    low: float
    high: float
    what: float = 0.0


def within(windows: tuple[Window, ...], now: float) -> Window | None:
    """The window that is open now."""
    return next((window for window in windows if window.low <= now < window.high), None)
