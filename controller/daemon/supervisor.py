"""Loops with all that wakes them, until a signal ends them all."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from controller.daemon.loop import Loop
from controller.daemon.schedule import Cause
from controller.source.watch import watch

log = structlog.stdlib.get_logger("gitune")

_GRACE: Final = 8.0  # seconds for the passes that run; ten are promised until the exit
_APART: Final = 0.05  # seconds between the first passes of several repositories
_ENDS: Final = (signal.SIGTERM, signal.SIGINT)


Beside = Callable[[Sequence[Loop]], Coroutine[Any, Any, None]]


async def supervise(loops: Sequence[Loop], beside: Sequence[Beside] = ()) -> int:
    """Follow until SIGTERM or SIGINT, or until something beside the loops fails; the exit code.

    What is ``beside`` them runs as long as they do: the server, the notices.
    """
    passes = [asyncio.create_task(_kept(loop, number * _APART)) for number, loop in enumerate(loops)]
    others = [asyncio.create_task(task(loops)) for task in beside]
    others += [
        asyncio.create_task(watch(loop.watched, partial(loop.triggers.fire, Cause.FILES)))
        for loop in loops
        if loop.watched is not None
    ]
    ended = asyncio.Event()
    with _signals(ended, loops):
        try:
            stopping = asyncio.create_task(ended.wait())
            await asyncio.wait({*passes, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            return await _over(loops, passes, others)
        finally:
            for task in (*passes, *others):
                task.cancel()
            await asyncio.gather(*passes, *others, return_exceptions=True)


async def _kept(loop: Loop, wait: float) -> None:
    """Passes to the end, from ``wait`` seconds on: each begins with a git process or two, and not all at once.

    Of several loops one that meets what nobody foresaw takes none of the others along.
    """
    if not loop.view.name:
        loop.triggers.fire(Cause.START)
        await loop.run()
        return
    asyncio.get_running_loop().call_later(wait, loop.triggers.fire, Cause.START)
    structlog.contextvars.bind_contextvars(repository=loop.view.name)
    wait += 1.0  # the trigger comes earlier
    while not loop.triggers.over:
        try:
            await loop.run(wait)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this repository's alone
            log.error("repository.failed", kind=type(error).__name__, at=_place(error))  # noqa: TRY400 - see there
            wait = loop.stumbled(error)


def _place(error: Exception) -> str:
    """Where it was raised. Its text and its traceback's values may quote what nobody is to read."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else ""


async def _over(loops: Sequence[Loop], passes: list[asyncio.Task[None]], others: list[asyncio.Task[None]]) -> int:
    """Let the passes that run come to their end, but not for long: what they sent is in the ledger as an intent."""
    for loop in loops:
        loop.end()
    log.info("daemon.ending")
    await asyncio.wait(passes, timeout=_GRACE)
    for task in (*passes, *others):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return 0


@contextmanager
def _signals(ended: asyncio.Event, loops: Sequence[Loop]) -> Iterator[None]:
    """The first SIGTERM or SIGINT ends in order, a second at once; SIGHUP opens everything anew."""
    here = asyncio.get_running_loop()

    def end(number: int) -> None:
        if ended.is_set():
            os._exit(128 + number)  # nothing more is written: the ledger is whole at every moment
        ended.set()

    def reload() -> None:
        for loop in loops:
            loop.triggers.fire(Cause.RELOAD)

    for number in _ENDS:
        here.add_signal_handler(number, end, number)
    here.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (*_ENDS, signal.SIGHUP):
            here.remove_signal_handler(number)
