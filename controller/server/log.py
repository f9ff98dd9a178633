"""The wall clock and fresh ids of the server, and its log: events in, JSON lines on stderr out."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TextIO

from controller.server.status import Json

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def now() -> str:
    """The time in UTC as RFC 3339 with microseconds and Z."""
    return datetime.fromtimestamp(time.time_ns() / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def fresh_letters(count: int) -> str:
    """As many unpredictable characters of a-z and 0-9."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


@dataclass(frozen=True, slots=True)
class Log:
    """What a server writes down, one JSON object a line: time, event, and what belongs to the event."""

    stream: TextIO

    def note(self, event: str, **facts: Json) -> None:
        """Writes one line, in one piece since several threads write.

        A stderr that nobody reads any more, or that does not fit on the disk, must not cost an answer or a run.
        """
        line = json.dumps({"time": now(), "event": event, **facts}) + "\n"
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(line)
            self.stream.flush()
