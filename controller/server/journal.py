"""Events in, JSON lines on stderr out. No key, prompt or training row is ever given to it."""

from __future__ import annotations

import sys

import structlog

__all__ = ["Journal", "open_journal"]

Journal = structlog.types.FilteringBoundLogger


def open_journal() -> Journal:
    """The journal of a server: one JSON object a line with time, level, event and what belongs to the event."""
    journal: Journal = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return journal
