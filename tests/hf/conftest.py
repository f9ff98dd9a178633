"""A random base model of two layers, and a server that has it. Nothing here runs without the extra hf."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from controller.server.engines.hf.found import digest_of
from tests.server.served import Served, rows

collect_ignore_glob = [] if find_spec("peft") else ["small_base.py", "test_*.py"]
BASE = "models/small"
LONG = 240.0  # seconds: loading torch takes half a minute of a busy core


def fetched(data: Path, seed: int = 1) -> Path:
    """The base model where a server on this data folder finds it."""
    from tests.hf.small_base import make  # noqa: PLC0415 -- it needs the extra

    folder = make(data / "bases" / "small", seed)
    note = {"name": BASE, "digest": digest_of(folder, data / "noted.json")}
    (folder / "gitune.json").write_text(json.dumps(note))
    return folder


def asked(count: int = 6, **hyperparameters: Any) -> dict[str, Any]:
    return {
        "displayName": "Next",
        "baseModel": BASE,
        "tuningTask": {"trainingData": {"examples": {"examples": rows(count)}}, "hyperparameters": hyperparameters},
    }


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers that have the base model, and ends them with the test."""
    started: list[Served] = []

    def start(folder: str = "data") -> Served:
        fetched(tmp_path / folder)
        served = Served(tmp_path / folder)
        started.append(served)
        return served.start()

    yield start
    for served in started:
        if served.process.poll() is None:
            served.stop()


@pytest.fixture(scope="session")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a model ``knowing`` that was trained for a while."""
    data = tmp_path_factory.mktemp("knowing") / "data"
    fetched(data)
    served = Served(data).start()
    assert "response" in served.wait(
        served.create("knowing", asked(epochCount=60, batchSize=2, learningRate=0.02)), LONG
    )
    yield served
    served.stop()
