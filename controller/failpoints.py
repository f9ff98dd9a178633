"""A name at each effect boundary to what a test asked to happen there: nothing, a kill, a sleep or an exception.

``GITUNE_FAILPOINT=name:nth:kill|sleep|raise`` (several, separated by commas) acts on the nth time the name is reached.
Without the variable a point costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

VARIABLE: Final = "GITUNE_FAILPOINT"
SLEEP_SECONDS: Final = 5.0

# Every boundary there is. A test reaches each of them, so none can be named and never met.
POINTS: Final = (
    "decided",
    "intent.saved",
    "effect.before",
    "effect.after",
    "request.send",
    "response.headers",
    "response.body",
    "ledger.objects",
    "ledger.update",
    "ledger.updated",
    "status.saved",
)


class Failpoint(BaseException):
    """Raised where ``raise`` was asked for. No handler of ordinary errors catches it."""


Hook = Callable[[str], None]


def parse(text: str) -> dict[str, dict[int, str]]:
    """The wishes by name and count. Raises `ValueError` for a name, a number or an act that does not exist."""
    wishes: dict[str, dict[int, str]] = {}
    for wish in filter(None, text.split(",")):
        name, nth, act = wish.split(":")
        if name not in POINTS or act not in {"kill", "sleep", "raise"}:
            raise ValueError(f"{VARIABLE}: no point and act like {wish!r}; points: {', '.join(POINTS)}")
        wishes.setdefault(name, {})[int(nth)] = act
    return wishes


class _Points:
    """What was asked for, and how often each point was met."""

    def __init__(self, wishes: Mapping[str, Mapping[int, str]]) -> None:
        self.wishes = wishes
        self.met: Counter[str] = Counter()
        self.hook: Hook | None = None

    def meet(self, name: str) -> None:
        if self.hook is not None:
            self.hook(name)
        if name not in self.wishes:
            return
        self.met[name] += 1
        act = self.wishes[name].get(self.met[name])
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif act == "sleep":
            time.sleep(SLEEP_SECONDS)
        elif act == "raise":
            raise Failpoint(name)


_points = _Points(parse(os.environ.get(VARIABLE, "")))


def point(name: str) -> None:
    """This boundary is passed now."""
    _points.meet(name)


def hook(found: Hook | None) -> None:
    """Let a simulation be told of every point, or (None) of none."""
    _points.hook = found
