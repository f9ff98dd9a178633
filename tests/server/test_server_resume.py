"""What cancels, deletes, kills and restarts leave: whole curves, no orphans, and never two trainers for one run."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.served import Served, text_of, tuned

LONG = 1_000_000


def losses(served: Served, model_id: str) -> list[tuple[int, int, float]]:
    snapshots = served.model(model_id)["tuningTask"]["snapshots"]
    return [(s["step"], s.get("epoch", 0), s["meanLoss"]) for s in snapshots]


@pytest.mark.slow
def test_a_killed_server_goes_on_to_the_very_same_curve(serving: Callable[..., Served]) -> None:
    body = tuned(7, epochCount=150, batchSize=3)  # 350 steps, batches over the ends of epochs
    calm = serving(folder="calm")
    calm.wait(calm.create("same", body), 60)

    killed = serving(folder="killed")
    name = killed.create("same", body)
    for step in (1, 150):
        killed.wait_for_step(name, step)
        trainers = killed.trainers()
        killed.kill()
        killed.start()
        assert not set(trainers) & set(killed.trainers())
    seen_at_restart = losses(killed, "same")
    killed.wait(name, 60)

    curve = losses(killed, "same")
    assert [step for step, _, _ in curve] == list(range(1, 351))
    assert curve == losses(calm, "same")
    assert curve[: len(seen_at_restart)] == seen_at_restart
    assert weights(killed) == weights(calm)
    assert text_of(killed.ask("same", "3")) == "4"


def weights(served: Served) -> bytes:
    [file] = (served.data / "adapters").rglob("*.npz")
    return file.read_bytes()


def test_a_killed_server_leaves_no_trainer_behind(serving: Callable[..., Served]) -> None:
    served = serving()
    served.create("a", tuned(epochCount=LONG))
    served.until(served.trainers, bool, 10)
    served.kill()
    served.until(served.trainers, lambda found: not found, 3)


def test_waiting_runs_wait_on_after_a_restart(serving: Callable[..., Served]) -> None:
    served = serving("--runs", "1")
    first = served.create("first", tuned(epochCount=LONG))
    second = served.create("second", tuned(epochCount=1))
    served.wait_for_step(first, 1)
    assert "startTime" not in served.model("second")["tuningTask"]
    started = served.model("first")["tuningTask"]["startTime"]
    served.kill()
    served.start()
    assert served.model("first")["tuningTask"]["startTime"] == started
    assert "startTime" not in served.model("second")["tuningTask"]
    assert len(served.until(served.trainers, bool, 10)) == 1
    served.call("POST", f"/v1/{first}:cancel", {})
    assert "response" in served.wait(second)


def test_a_cancel_ends_the_process_and_leaves_a_failed_model(serving: Callable[..., Served]) -> None:
    served = serving()
    name = served.create("a", tuned(epochCount=LONG))
    served.wait_for_step(name, 1)
    answer = served.call("POST", f"/v1/{name}:cancel", {})
    assert (answer.status, answer.body) == (200, {})
    assert served.trainers() == []
    operation = served.operation(name)
    assert operation["done"] is True
    assert operation["error"] == {"code": 1, "message": "The tuning was cancelled."}
    model = served.model("a")
    assert (model["state"], len(model["tuningTask"]["snapshots"]) > 0) == ("FAILED", True)
    assert served.ask("a", "1").error["status"] == "FAILED_PRECONDITION"
    served.kill()
    served.start()
    assert served.operation(name) == operation


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_a_waiting_run_can_be_cancelled(answering: Served, version: str) -> None:
    name = answering.create(f"never-run-on-{version}", tuned())
    answering.call("POST", f"/{version}/{name}:cancel", {})
    assert answering.operation(name)["error"]["code"] == 1


def test_a_delete_in_mid_training_ends_the_process_and_removes_all(serving: Callable[..., Served]) -> None:
    served = serving()
    served.wait_for_step(served.create("a", tuned(epochCount=LONG)), 1)
    assert served.call("DELETE", "/v1beta/tunedModels/a").status == 200
    assert served.trainers() == []
    with sqlite3.connect(served.data / "tuning.sqlite3") as store:
        for table in ("models", "operations", "snapshots"):
            assert store.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # noqa: S608 -- from above
    store.close()
    assert [path for folder in ("runs", "adapters") for path in (served.data / folder).glob("*")] == []


def test_the_rows_are_gone_once_a_run_has_ended(serving: Callable[..., Served]) -> None:
    served = serving()
    body = tuned(epochCount=1)
    body["tuningTask"]["trainingData"]["examples"]["examples"][0]["textInput"] = "a-very-private-row"
    served.wait(served.create("a", body))
    served.stop()
    files = [path for path in served.data.rglob("*") if path.is_file()]
    assert all(b"a-very-private-row" not in file.read_bytes() for file in files)


def test_a_trainer_that_is_killed_again_and_again_fails_its_run(serving: Callable[..., Served]) -> None:
    served = serving()
    name = served.create("a", tuned(epochCount=LONG))
    served.wait_for_step(name, 1)
    [trainer] = served.trainers()
    os.kill(trainer, signal.SIGTERM)  # what a stop of a whole group sends; the server decides, not the trainer
    assert "done" not in served.operation(name)

    def kill_what_trains(_: Any) -> bool:
        for process in served.trainers():  # before it can have loaded what it trains with
            os.kill(process, signal.SIGKILL)
        return "done" in served.operation(name)

    served.until(lambda: None, kill_what_trains, 30)
    operation = served.operation(name)
    assert operation["error"]["code"] == 13
    assert "signal 9" in operation["error"]["message"]
    assert served.model("a")["state"] == "FAILED"


@pytest.mark.slow
def test_a_killed_trainer_goes_on_to_the_very_same_curve(serving: Callable[..., Served]) -> None:
    body = tuned(7, epochCount=150, batchSize=3)
    calm = serving(folder="calm")
    calm.wait(calm.create("same", body), 60)

    killed = serving(folder="killed")
    name = killed.create("same", body)
    for step in (1, 120, 240):
        killed.wait_for_step(name, step)
        for trainer in killed.trainers():
            os.kill(trainer, signal.SIGKILL)
    assert "response" in killed.wait(name, 60)

    assert [step for step, _, _ in losses(killed, "same")] == list(range(1, 351))
    assert losses(killed, "same") == losses(calm, "same")
    assert weights(killed) == weights(calm)


def test_a_run_that_diverges_fails_and_says_what_helps(serving: Callable[..., Served]) -> None:
    served = serving()
    operation = served.wait(served.create("a", tuned(epochCount=200, learningRate=1e30)))
    assert operation["error"]["code"] == 13
    assert "a lower learning rate helps" in operation["error"]["message"]


def test_no_more_runs_train_at_once_than_allowed(serving: Callable[..., Served]) -> None:
    served = serving("--runs", "2")
    names = [served.create(f"m{i}", tuned(epochCount=LONG)) for i in range(3)]
    for name in names[:2]:
        served.wait_for_step(name, 1)
    assert len(served.trainers()) == 2
    assert "startTime" not in served.model("m2")["tuningTask"]


def test_a_second_server_on_the_same_folder_waits_for_the_first_to_end(serving: Callable[..., Served]) -> None:
    first = serving()
    name = first.create("a", tuned(epochCount=LONG))
    first.wait_for_step(name, 1)
    begun = time.monotonic()
    os.kill(first.process.pid, signal.SIGKILL)  # and nobody waits for what it leaves
    second = serving()
    assert time.monotonic() - begun < 8
    second.until(second.trainers, lambda found: len(found) == 1, 10)
    assert second.operation(name)["metadata"]["completedSteps"] >= 1
