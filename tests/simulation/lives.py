"""Who is alive: incarnations of controllers, their poisoned ports, and the planned moment of a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.events import DeadWrite, Died, Event
from tests.simulation.faults import Faults


class Crash(BaseException):
    """The process is gone. Nothing of the product catches it."""


PHASES = ("before", "acted", "after")


@dataclass
class Effects:
    """Every effect of a run (a write to the service or to the ledger) in order, and which one goes wrong.

    ``crash_at`` is (number, phase): the process dies there. ``fail_at`` is the number of an effect that is refused.
    """

    crash_at: frozenset[tuple[int, str]] = frozenset()
    fail_at: int = 0
    verbs: list[str] = field(default_factory=list)
    armed: bool = True
    fired: bool = False

    def begin(self, verb: str) -> int:
        """The number of the effect that is about to happen, from 1; 0 where nothing is counted."""
        if not self.armed:
            return 0
        self.verbs.append(verb)
        return len(self.verbs)

    def crashes(self, number: int, phase: str) -> bool:
        """Whether the process dies at this point."""
        if number and (number, phase) in self.crash_at:
            self.fired = True
            return True
        return False

    def fails(self, number: int) -> bool:
        """Whether this effect is refused."""
        if number and number == self.fail_at:
            self.fired = True
            return True
        return False


@dataclass
class Incarnation:
    """One process of one controller."""

    label: str
    faults: Faults
    effects: Effects
    log: Callable[[Event], None]
    alive: bool = True
    task: asyncio.Task[Any] | None = None
    passes: int = 0
    looks: int = 0  # at the tree, in this pass

    def touch(self, what: str, *, writes: bool = False) -> None:
        """Every port calls this first: the dead do nothing any more."""
        if not self.alive:
            if writes:
                self.log(DeadWrite(self.label, what))
            raise Crash(self.label)

    def die(self, how: str) -> None:
        """Poison every port of this incarnation."""
        if self.alive:
            self.alive = False
            self.log(Died(self.label, how))

    def crash(self, how: str) -> Crash:
        """The same, with the exception that unwinds what runs now."""
        self.die(how)
        return Crash(self.label)

    def kill(self, how: str) -> None:
        """The same from outside: what waits is unwound, too."""
        self.die(how)
        if self.task is not None:
            self.task.cancel()

    def effect(self, number: int, phase: str) -> bool:
        """Whether it dies at this phase of an effect, by plan or by chance."""
        if self.effects.crashes(number, phase):
            return True
        return number > 0 and self.faults.fires("crash", f"crash.{phase}")


CURRENT: ContextVar[Incarnation | None] = ContextVar("CURRENT", default=None)


def at_point(name: str) -> None:
    """The hook of the product's failpoints."""
    life = CURRENT.get()
    if life is None:
        return
    life.touch(name)
    if life.faults.fires("point", "crash.point"):
        raise life.crash(f"at {name}")
