"""A call that blocks to one that can be awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The call made in a thread. Cancelled, it is waited for all the same: it may use what we then let go of."""
    import asyncio  # noqa: PLC0415 - a command that awaits nothing does without it: it is a fifth of its start

    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait((working,))
        if not working.cancelled():
            working.exception()  # nobody asks for it any more
        raise
