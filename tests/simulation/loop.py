"""A seed to an event loop whose time is virtual and whose order of ready work is drawn: the same seed, the same run."""

from __future__ import annotations

import asyncio
import heapq
from random import Random
from typing import Any

STEP_CAP = 200_000


class Stuck(Exception):
    """The loop has nothing to do and never will, or it has done more than any honest run needs (L3)."""


class SimLoop(asyncio.BaseEventLoop):
    """No sockets, threads or wall clock: when nothing is ready the clock jumps to the next timer.

    The queues are those of `asyncio.BaseEventLoop` (the same in Python 3.11 to 3.13); only their order is ours.
    """

    _ready: Any  # a deque of handles; typeshed does not speak of it
    _scheduled: Any

    def __init__(self, chance: Random, cap: int = STEP_CAP) -> None:
        super().__init__()
        self._chance = chance
        self._passed = 0.0
        self._cap = cap
        self.steps = 0

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._passed

    def _run_once(self) -> None:
        self._wake()
        batch = list(self._ready)
        self._ready.clear()
        if len(batch) > 1:
            _shuffle(batch, self._chance)
        self.steps += len(batch)
        if self.steps > self._cap:
            raise Stuck(f"more than {self._cap} steps")
        for handle in batch:
            if not handle.cancelled():
                handle._run()

    def _wake(self) -> None:
        """Everything whose time has come becomes ready; where nothing is, time moves on."""
        scheduled = self._scheduled
        while scheduled and scheduled[0].cancelled():
            self._drop(heapq.heappop(scheduled))
        if not self._ready:
            if not scheduled:
                raise Stuck("nothing is ready and no timer runs")
            self._passed = max(self._passed, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._passed:
            handle = heapq.heappop(scheduled)
            if handle.cancelled():
                self._drop(handle)
                continue
            handle._scheduled = False
            self._ready.append(handle)

    def _drop(self, handle: Any) -> None:
        handle._scheduled = False
        self._timer_cancelled_count = max(0, getattr(self, "_timer_cancelled_count", 0) - 1)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """A generator of a crashed controller is not run on: nothing of the dead may act, not even to tidy up."""

    def run_in_executor(  # type: ignore[override] # the types of what is called stay with who calls it
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """What would go to a thread is done on the spot; who awaits it goes on when it is their turn."""
        del executor
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it is told
            done.set_exception(error)
        return done

    def _process_events(self, event_list: Any) -> None:
        """There is no selector."""

    def _write_to_self(self) -> None:
        """There is nobody to wake."""


def _shuffle(items: list[Any], chance: Random) -> None:
    # By hand, from `random()` alone: the one draw that is promised to be the same on every Python.
    for last in range(len(items) - 1, 0, -1):
        other = int(chance.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
