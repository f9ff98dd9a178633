"""Doors to the real clock and real sockets, and a Gemini client for any address."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.ports import Provider
from controller.providers import Doors, open_provider
from controller.rest import Timing
from controller.settings import ProviderSettings
from controller.testing import FakeClock, SeededChance


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.clock_gettime(time.CLOCK_REALTIME), UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def end(pid: int, how: signal.Signals) -> None:
    """End a process and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    for _ in range(500):
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} does not end")


@pytest.fixture
def timing() -> Timing:
    """Waits pass at once."""
    clock = FakeClock()
    return Timing(clock.now, clock.monotonic, clock.sleep, SeededChance().uniform)


@pytest.fixture
def kill() -> Callable[[int, signal.Signals], None]:
    return end


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data folder; the embedded server that was started in it is ended with the test."""
    folder = tmp_path / "home"
    yield folder
    note = folder / "local" / "server.json"
    if note.exists():
        end(int(json.loads(note.read_text())["pid"]), signal.SIGTERM)


@pytest.fixture
def environ() -> dict[str, str]:
    """This process's environment, with a key that is nobody else's business."""
    return {**os.environ, "GEMINI_API_KEY": "canary-never-for-a-child"}


@pytest.fixture
def doors() -> Doors:
    """Real time."""
    return Doors(RealClock(), SeededChance())


@pytest.fixture
def quick_doors() -> Doors:
    """Waits pass at once."""
    return Doors(FakeClock(), SeededChance())


@pytest.fixture
async def gemini(quick_doors: Doors, tmp_path: Path) -> AsyncIterator[Callable[[str], object]]:
    """Opens the gemini provider for an endpoint."""
    made: list[Provider] = []

    async def opened(url: str) -> Provider:
        environ = {"GEMINI_API_KEY": "made-up-key", "GOOGLE_GEMINI_BASE_URL": url}
        made.append(await open_provider(ProviderSettings("cloud", "gemini"), environ, tmp_path, quick_doors))
        return made[-1]

    yield opened
    for provider in made:
        await provider.close()
