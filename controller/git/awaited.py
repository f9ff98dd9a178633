"""A git command that may take long, as over a network, to its exit code and output while other work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from controller.git import process
from controller.git.process import Ask, GitOutput

_CHUNK = 1 << 16


async def run(ask: Ask) -> GitOutput:
    """As `controller.git.process.run`. Cancelled, it is killed with all it started."""
    started = await _start(ask)
    reading = asyncio.create_task(_read(started.stdout))
    others = (asyncio.create_task(_drain(started.stderr)), asyncio.create_task(_feed(started.stdin, ask.stdin)))
    ended = False
    try:
        async with asyncio.timeout(ask.seconds):
            out = await reading
            err = await others[0]
            code = await started.wait()
            ended = True
    except TimeoutError as error:
        raise process.too_slow(ask) from error
    finally:
        if not ended:
            await _end(started, (reading, *others))
    return process.answered(ask, code, out, err)


async def _start(ask: Ask) -> asyncio.subprocess.Process:
    with process.could_start(ask):
        started = await asyncio.create_subprocess_exec(
            "git",
            *ask.words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=ask.whole_environment,
            cwd="/",
            start_new_session=True,
            pass_fds=ask.keep_open,
        )
    process.cap(started.pid)
    return started


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept += chunk
        if len(kept) > process.LARGEST_OUTPUT:
            raise process.too_loud()
    return bytes(kept)


async def _drain(stream: asyncio.StreamReader | None) -> bytes:
    kept = b""
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept = (kept + chunk)[-process.LARGEST_STDERR :]
    return kept


async def _feed(stream: asyncio.StreamWriter | None, given: bytes) -> bytes:
    if stream is None:
        return b""
    with suppress(BrokenPipeError, ConnectionResetError):  # git may end without having read everything
        stream.write(given)
        await stream.drain()
    stream.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stream.wait_closed()
    return b""


async def _end(started: asyncio.subprocess.Process, tasks: tuple[asyncio.Task[bytes], ...]) -> None:
    """Kill the whole group, since git starts ssh and helpers of its own, which can outlive it.

    What is left in the pipes is read away: a process does not count as over while its pipes are not empty.
    """
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    await asyncio.gather(*tasks, return_exceptions=True)
    for stream in (started.stdout, started.stderr):
        while stream is not None and await stream.read(_CHUNK):
            pass
    await started.wait()
