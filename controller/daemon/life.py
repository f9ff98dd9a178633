"""A loop with all that wakes it, until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from controller.daemon.bell import Bell, Cause
from controller.daemon.loop import Loop
from controller.daemon.place import Means
from controller.source.watch import Watched, watch

log = structlog.stdlib.get_logger("gitune")

_GRACE: Final = 8.0  # seconds for the pass that runs; ten are promised until the exit
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Life:
    """What is followed and how it wakes. ``watched`` None: nothing on this machine tells, only time does.

    ``beside`` are the coroutines that run as long as the loop does: the server, the notices.
    """

    means: Means
    following: str
    watched: Watched | None
    beside: tuple[Callable[[Loop], Coroutine[Any, Any, None]], ...] = ()


async def live(life: Life) -> int:
    """Follow until SIGTERM or SIGINT, or until something beside the loop fails; the exit code."""
    bell = Bell(life.means.clock)
    loop = Loop(life.means, bell, life.following)
    bell.ring(Cause.START)
    passes = asyncio.create_task(loop.run())
    others = [asyncio.create_task(beside(loop)) for beside in life.beside]
    if life.watched is not None:
        others.append(asyncio.create_task(watch(life.watched, lambda: bell.ring(Cause.FILES))))
    ended = asyncio.Event()
    with _signals(ended, bell):
        try:
            stopping = asyncio.create_task(ended.wait())
            await asyncio.wait({passes, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            return await _over(loop, passes, others)
        finally:
            for task in (passes, *others):
                task.cancel()
            await asyncio.gather(passes, *others, return_exceptions=True)


async def _over(loop: Loop, passes: asyncio.Task[None], others: list[asyncio.Task[None]]) -> int:
    """Let the pass that runs come to its end, but not for long: what it has sent is in the ledger as an intent."""
    loop.end()
    log.info("daemon.ending")
    await asyncio.wait({passes}, timeout=_GRACE)
    for task in (passes, *others):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return 0


@contextmanager
def _signals(ended: asyncio.Event, bell: Bell) -> Iterator[None]:
    """The first SIGTERM or SIGINT ends in order, a second at once; SIGHUP opens everything anew."""
    here = asyncio.get_running_loop()

    def end(number: int) -> None:
        if ended.is_set():
            os._exit(128 + number)  # nothing more is written: the ledger is whole at every moment
        ended.set()

    for number in _ENDS:
        here.add_signal_handler(number, end, number)
    here.add_signal_handler(signal.SIGHUP, bell.ring, Cause.RELOAD)
    try:
        yield
    finally:
        for number in (*_ENDS, signal.SIGHUP):
            here.remove_signal_handler(number)
