"""Servers as processes: one that only answers (its single trainer is kept busy), and one for each test that trains."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.served import Served, tuned


@pytest.fixture(scope="session")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose one place for training is taken for good, so that all models made on it stay CREATING."""
    served = Served(tmp_path_factory.mktemp("answering") / "data", ("--runs", "1")).start()
    served.create("busy", tuned(epochCount=1_000_000))
    trainer = _trainer(served)
    # It holds its place just as well asleep, and the other tests have the core.
    os.kill(trainer, signal.SIGSTOP)
    yield served
    os.kill(trainer, signal.SIGCONT)
    served.stop()


def _trainer(served: Served) -> int:
    """The process that trains for a server."""
    for _ in range(600):
        if found := served.trainers():
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no run was begun")


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a model ``counting`` that has learned 0 to 5."""
    served = Served(tmp_path_factory.mktemp("counting") / "data").start()
    assert "response" in served.wait(served.create("counting", tuned(epochCount=60)))
    yield served
    served.stop()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers, on ``data`` unless another folder is named, and ends them with the test."""
    started: list[Served] = []

    def start(*flags: str, folder: str = "data") -> Served:
        served = Served(tmp_path / folder, flags)
        started.append(served)
        return served.start()

    yield start
    for served in started:
        if served.process.poll() is None:
            served.stop()
        elif served.process.stdout is not None:
            served.process.stdout.close()
