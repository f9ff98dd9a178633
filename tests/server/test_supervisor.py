"""What the server does with the events of a run, killed at each of its effects; and what it never loads to do it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.server import store as store_module
from controller.server.data_folder import DataFolder
from controller.server.engines.bases import Bases
from controller.server.engines.tiny.base import TINY
from controller.server.engines.tiny.engine import TinyEngine
from controller.server.log import Log, now
from controller.server.models import Model, ModelState, RunHyperparameters, SamplingDefaults, TrainingExample
from controller.server.run_folder import RunWriter, write_synced
from controller.server.runners.port import Ending, Needs, ProcessState
from controller.server.status import StatusCode
from controller.server.store import Store
from controller.server.supervisor import Supervisor
from tests.server.served import Served, tuned

ROWS = tuple(TrainingExample(f"private {n}", str(n)) for n in range(6))


@dataclass
class Elsewhere:
    """A runner whose processes are played by the test."""

    started: dict[str, Path] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def never(self, needs: Needs) -> str:  # noqa: ARG002 -- the port's
        return ""

    def has_room(self, needs: Needs) -> bool:  # noqa: ARG002 -- the port's
        return not self.started

    def start(self, key: str, folder: Path, command: Sequence[str], needs: Needs) -> dict[str, Any]:  # noqa: ARG002
        self.started[key] = folder
        return {}

    def state(self, key: str) -> ProcessState:
        return ProcessState.RUNNING if key in self.started else ProcessState.UNKNOWN

    def ended(self) -> Sequence[Ending]:
        told, self.endings = self.endings, []
        return told

    def stop(self, key: str) -> None:
        self.stopped.append(key)

    def orphans(self, wanted: Collection[str]) -> Sequence[str]:  # noqa: ARG002 -- the port's
        return []

    def close(self) -> None:
        pass


def model(model_id: str) -> Model:
    return Model(
        id=model_id,
        display_name="",
        description="",
        base_model=TINY.name,
        digest=TINY.digest,
        source=None,
        sampling=SamplingDefaults(),
        readers=(),
        hyperparameters=RunHyperparameters(epoch_count=1, batch_size=2, learning_rate=0.1),
        examples=len(ROWS),
        create_time=now(),
        update_time=now(),
        operation=f"op-{model_id}",
    )


@dataclass
class Place:
    data: DataFolder
    store: Store
    runner: Elsewhere
    supervisor: Supervisor

    def one_pass(self) -> None:
        self.supervisor._pass()

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.data.path)) for path in self.data.path.rglob("*") if path.is_file())


def opened(folder: Path) -> Place:
    data, store, runner = DataFolder(folder), Store(folder), Elsewhere()
    return Place(data, store, runner, Supervisor(store, data, Bases([TinyEngine()]), runner, Log(io.StringIO())))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return opened(tmp_path)


def add(place: Place, model_id: str = "m") -> Model:
    made = model(model_id)
    assert place.supervisor.add(made, TINY, ROWS, None)
    return made


def save(aside: Path) -> None:
    write_synced(aside / "weights.npz", b"weights")


def trained(place: Place, made: Model, start: int) -> None:
    """All that a trainer writes from its beginning to its end."""
    writer = RunWriter(place.data.run(made.operation).path, start)
    step, _ = writer.begin()
    for number in range(step + 1, 4):
        writer.step(number, number // 3, 1.0 / number)
        writer.checkpoint(number, save)
    writer.finish(save)


def killed_at(nth: int, act: Callable[[], None]) -> bool:
    """Whether ``act``, in a process of its own, was killed before its nth change of the folder or of the store."""
    child = os.fork()
    if child == 0:
        left = iter(range(nth))

        def striking(call: Callable[..., Any]) -> Callable[..., Any]:
            def strike(*given: Any, **named: Any) -> Any:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*given, **named)

            return strike

        for name in ("open", "rename", "unlink", "rmdir", "mkdir"):
            setattr(os, name, striking(getattr(os, name)))
        for name in ("take_over", "begin", "fail"):  # before the transaction; the next effect comes after it
            setattr(store_module.Store, name, striking(getattr(store_module.Store, name)))
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_server_killed_at_any_effect_of_the_end_of_a_run_ends_it_whole(tmp_path: Path) -> None:
    kills = 0
    for nth in range(200):
        folder = tmp_path / str(nth)
        folder.mkdir()
        place = opened(folder)
        made = add(place)
        place.one_pass()
        trained(place, made, 1)
        place.store.close()

        def last_pass(folder: Path = folder) -> None:
            again = opened(folder)
            again.one_pass()

        killed = killed_at(nth, last_pass)
        kills += killed
        place = opened(folder)
        place.one_pass()
        assert place.runner.started == {}  # it had finished
        after = place.store.model("m")
        assert after is not None
        assert after.state is ModelState.ACTIVE
        assert [s.step for s in place.store.snapshots(made.operation)] == [1, 2, 3]
        assert [name for name in place.files if not name.startswith("tuning")] == ["adapters/m/weights.npz"]
        place.store.close()
        if not killed:
            break
    assert kills > 8


def test_a_start_is_numbered_before_it_is_made_and_no_number_comes_twice(tmp_path: Path) -> None:
    numbers: list[str] = []
    for _ in range(3):
        place = opened(tmp_path)
        if not numbers:
            add(place)
        place.one_pass()
        [key] = place.runner.started
        numbers.append(key)
        assert (place.data.run("op-m").path / "start").read_text() == str(len(numbers))
        place.store.close()
    assert numbers == ["op-m-1", "op-m-2", "op-m-3"]


def test_a_run_that_was_cancelled_in_the_last_moment_leaves_no_weights(place: Place) -> None:
    made = add(place)
    place.one_pass()
    trained(place, made, 1)
    assert place.store.fail(made.operation, StatusCode.CANCELLED, "cancelled", now())
    place.one_pass()
    after = place.store.model("m")
    assert after is not None
    assert after.state is ModelState.FAILED
    assert [name for name in place.files if name.startswith("adapters")] == []
    place.supervisor.stop(made.operation)
    assert place.runner.stopped == ["op-m-1"]
    assert [name for name in place.files if not name.startswith("tuning")] == []


def test_a_process_that_was_killed_is_started_again_until_that_is_in_vain(place: Place) -> None:
    made = add(place)
    place.one_pass()
    starts = 1
    while (now_is := place.store.model("m")) and now_is.state is ModelState.CREATING:
        writer = RunWriter(place.data.run(made.operation).path, starts)
        step, _ = writer.begin()
        if starts < 4:  # these get on
            writer.step(step + 1, 0, 1.0)
            writer.checkpoint(step + 1, save)
        place.runner.started.clear()
        place.runner.endings.append(Ending(f"op-m-{starts}", "was ended by signal 9", -9))
        place.one_pass()
        starts += 1
    assert starts - 1 == 6
    assert now_is is not None
    assert now_is.error_message == "Training failed: its process was ended by signal 9."
    assert [s.step for s in place.store.snapshots(made.operation)] == [1, 2, 3]


def test_a_run_whose_base_model_has_changed_waits_and_says_so(place: Place) -> None:
    made = replace(model("m"), digest="another")
    assert place.supervisor.add(made, TINY, ROWS, None)
    place.one_pass()
    assert place.runner.started == {}
    assert "models/tiny is not here as it was when tunedModels/m was created" in place.supervisor.standstill()
    add(place, "n")
    place.one_pass()
    assert list(place.runner.started) == ["op-n-1"]  # one that cannot be trained keeps no other waiting


def test_what_a_kill_left_in_the_folder_is_swept_away(place: Place) -> None:
    made = add(place)
    for name in ("runs/gone", "runs/gone.aside", "adapters/gone"):
        (place.data.path / name).mkdir(parents=True)
        (place.data.path / name / "rows.jsonl").write_text("private")
    place.one_pass()
    assert {name.split("/")[1] for name in place.files if "/" in name} == {made.operation}


HEAVY = ("torch", "transformers", "peft", "numpy", "autograd")


def test_the_server_loads_nothing_that_only_training_and_answers_need() -> None:
    program = f"import sys, json, controller.server.serve; print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == []


def test_an_idle_server_that_nobody_has_asked_is_small(serving: Callable[..., Served]) -> None:
    served = serving()
    served.wait(served.create("m", tuned(epochCount=1)))
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    [peak] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    assert peak < 100 * 1024, f"{peak} KiB"
