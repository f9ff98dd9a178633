"""The exit codes that scripts rely on (docs/commands.md)."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """2 is spoken only by ``--detailed-exitcode``: a wrong use of the command line is 1, like any failure."""

    WELL = 0
    FAILED = 1
    CHANGES = 2
    HOLDS = 3
    INTERRUPTED = 130
