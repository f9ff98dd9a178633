"""A data folder of an earlier release: nothing in it is lost, and what was half trained goes on from where it was.

``earlier/version-1.sql`` is what the server of that release left when it was killed, but for the weights' bytes: random
numbers, three megabytes of them. They are made here as that release made them: bit for bit, where they were compared.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from controller.server.data_folder import DataFolder
from controller.server.engines.tiny.training import TrainingRun, TrainingState
from controller.server.models import RunHyperparameters, TrainingExample
from controller.server.store import Store
from tests.server.served import Served, text_of

LEFT = Path(__file__).parent / "earlier" / "version-1.sql"


def trained(model_id: str, examples: int, asked: RunHyperparameters, steps: int) -> TrainingState:
    seed = int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:8], "big")
    run = TrainingRun(seed, tuple(TrainingExample(str(n), str(n + 1)) for n in range(examples)), asked)
    state = run.start(None)
    for _ in range(steps):
        run.advance(state)
    return state


@cache
def bodies() -> dict[str, bytes]:
    """The weights of version 1 by kind."""
    ready = trained("ready", 6, RunHyperparameters(epoch_count=60, batch_size=4, learning_rate=0.003), 90)
    final = io.BytesIO()
    np.savez(final, weights=ready.weights)
    half = trained("half", 3, RunHyperparameters(epoch_count=40, batch_size=1, learning_rate=0.002), 32)
    checkpoint = io.BytesIO()
    np.savez(checkpoint, step=32, weights=half.weights, mean=half.adam.mean, square=half.adam.square)
    # The start is that of the model that is tuned on top of the finished one.
    return {"final": final.getvalue(), "start": final.getvalue(), "checkpoint": checkpoint.getvalue()}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The data folder."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with sqlite3.connect(data / "tuning.sqlite3") as store:
        store.executescript(LEFT.read_text())
        store.executemany(
            "UPDATE weights SET body = ? WHERE kind = ?", [(body, kind) for kind, body in bodies().items()]
        )
        store.execute("PRAGMA user_version = 1")
    store.close()
    return data


def curve(served: Served, model_id: str) -> list[tuple[int, float]]:
    return [(s["step"], s["meanLoss"]) for s in served.model(model_id)["tuningTask"].get("snapshots", [])]


def test_everything_goes_on_where_the_earlier_release_left_it(left: Path, serving: Callable[..., Served]) -> None:
    with sqlite3.connect(left / "tuning.sqlite3") as store:
        before = store.execute("SELECT step, mean_loss FROM snapshots WHERE operation = 'c1coltp08t2s'").fetchall()
    store.close()
    assert len(before) == 32
    served = serving()
    ready = served.model("ready")
    assert (ready["state"], ready["description"], ready["temperature"]) == ("ACTIVE", "of the first release", 0.5)
    assert [step for step, _ in curve(served, "ready")] == list(range(1, 91))
    assert [text_of(served.ask("ready", str(n), temperature=0)) for n in range(6)] == list("123456")
    cancelled = served.operation("tunedModels/cancelled/operations/6exjh5wm4m5h")
    assert cancelled["error"] == {"code": 1, "message": "The tuning was cancelled."}

    operations = {"half": "c1coltp08t2s", "queued": "2gih021rp62r", "on-top": "s2smqxocay7j"}
    for model_id, operation in operations.items():
        assert "response" in served.wait(f"tunedModels/{model_id}/operations/{operation}", 60)
    assert curve(served, "half")[:32] == before
    assert [step for step, _ in curve(served, "half")] == list(range(1, 121))
    assert curve(served, "on-top")[0][1] < 0.1  # it began from the weights of the other
    assert text_of(served.ask("half", "1")) == "2"


def test_a_half_trained_run_goes_on_from_its_checkpoint(left: Path) -> None:
    Store(left).close()
    [checkpoint] = (DataFolder(left).run("c1coltp08t2s").path / "checkpoints").iterdir()
    assert checkpoint.name == "000001-000000032"
    assert TrainingState.load((checkpoint / "state.npz").read_bytes()).step == 32


@pytest.mark.parametrize("nth", range(5))
def test_a_move_that_was_broken_off_is_made_anew(left: Path, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = iter(range(nth))
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if next(writes, None) is None:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as struck:
        struck.setattr(Path, "rename", rename)
        try:
            Store(left).close()
        except KeyboardInterrupt:
            with sqlite3.connect(left / "tuning.sqlite3") as store:
                assert store.execute("SELECT count(*) FROM weights").fetchone() == (3,)
            store.close()
    Store(left).close()
    data = DataFolder(left)
    assert sorted(run.name for run in (left / "runs").iterdir()) == ["2gih021rp62r", "c1coltp08t2s", "s2smqxocay7j"]
    assert (data.run("s2smqxocay7j").path / "source" / "weights.npz").read_bytes() == bodies()["start"]
    assert (data.adapter("ready") / "weights.npz").read_bytes() == bodies()["final"]


def test_no_row_is_left_in_the_database(left: Path) -> None:
    with sqlite3.connect(left / "tuning.sqlite3") as store:
        store.execute("UPDATE examples SET text_input = 'a-very-private-row'")
    store.close()
    Store(left).close()
    assert all(b"a-very-private-row" not in file.read_bytes() for file in left.glob("tuning.sqlite3*"))
