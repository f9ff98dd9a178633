"""Events in, JSON lines on stderr out. No key, prompt or training row is ever given to it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from controller.server.clock import now
from controller.server.status import Json

__all__ = ["Journal", "open_journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """What a server writes down, one JSON object a line: time, event, and what belongs to the event."""

    stream: TextIO
    clock: Callable[[], str]

    def note(self, event: str, **facts: Json) -> None:
        """Writes one line, in one piece since several threads write.

        A stderr that nobody reads any more, or that does not fit on the disk, must not cost an answer or a run.
        """
        line = json.dumps({"time": self.clock(), "event": event, **facts}) + "\n"
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(line)
            self.stream.flush()


def open_journal() -> Journal:
    """The journal on stderr."""
    return Journal(sys.stderr, now)
