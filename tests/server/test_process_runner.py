"""Processes on one machine: once for a key, within places and GPUs, and gone when they are told to be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.server.runners.port import Ending, Needs, ProcessState
from controller.server.runners.process import ProcessRunner, visible_gpus

SLEEP = ("-c", "import time; time.sleep(600)")
GPU = Needs(gpus=1)


@pytest.fixture
def runner_of(tmp_path: Path) -> Iterator[Callable[..., ProcessRunner]]:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    made: list[ProcessRunner] = []

    def make(limit: int, *gpus: str) -> ProcessRunner:
        made.append(ProcessRunner(lock, limit, gpus))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
    os.close(lock)


def ended(runner: ProcessRunner) -> list[Ending]:
    for _ in range(600):
        if found := list(runner.ended()):
            return found
        time.sleep(0.05)
    raise AssertionError("nothing has ended")


def test_a_key_is_started_once_and_told_once(runner_of: Callable[..., ProcessRunner], tmp_path: Path) -> None:
    runner = runner_of(2)
    facts = runner.start("a-1", tmp_path, SLEEP, Needs())
    assert runner.start("a-1", tmp_path, SLEEP, Needs()) == facts
    assert runner.state("a-1") is ProcessState.RUNNING
    assert runner.orphans({"a-1"}) == []
    assert runner.orphans(()) == ["a-1"]
    runner.stop("a-1")
    assert ended(runner) == [Ending("a-1", "was ended by signal 9", -9)]
    assert (runner.ended(), runner.state("a-1")) == ([], ProcessState.UNKNOWN)


def test_what_a_stopped_process_has_started_ends_with_it(
    runner_of: Callable[..., ProcessRunner], tmp_path: Path
) -> None:
    runner, note = runner_of(1), tmp_path / "child"
    program = (
        "import subprocess, sys, time; child = subprocess.Popen([sys.executable, *sys.argv[2:]]);"
        "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
    )
    runner.start("a", tmp_path, ("-c", program, str(note), *SLEEP), Needs())
    for _ in range(600):
        if note.exists() and note.read_text():
            break
        time.sleep(0.05)
    child = Path(f"/proc/{note.read_text()}")
    runner.stop("a")
    for _ in range(600):
        if not child.exists() or "Z" in (child / "stat").read_text().rpartition(")")[2].split()[0]:
            return
        time.sleep(0.05)
    raise AssertionError("the child lives on")


def test_a_run_that_takes_all_cores_runs_by_itself(runner_of: Callable[..., ProcessRunner], tmp_path: Path) -> None:
    runner = runner_of(2)
    whole = Needs(cores=0)
    runner.start("small", tmp_path, SLEEP, Needs())
    assert runner.has_room(Needs())
    assert not runner.has_room(whole)
    runner.stop("small")
    ended(runner)
    assert runner.has_room(whole)
    runner.start("whole", tmp_path, SLEEP, whole)
    assert not runner.has_room(Needs())


def test_each_run_has_gpus_of_its_own_and_further_ones_wait(
    runner_of: Callable[..., ProcessRunner], tmp_path: Path
) -> None:
    runner = runner_of(8, "3", "5")
    program = "import os, sys, time; open(sys.argv[1], 'w').write(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(600)"
    for key in ("a", "b"):
        assert runner.has_room(GPU)
        runner.start(key, tmp_path, ("-c", program, str(tmp_path / key)), GPU)
    assert not runner.has_room(GPU)
    assert runner.has_room(Needs())
    assert "needs 3 GPUs, and this machine has 2" in runner.never(Needs(gpus=3))
    assert "2 machines" in runner.never(Needs(nodes=2))
    assert runner.never(GPU) == ""
    for _ in range(600):
        shown = [(tmp_path / key).read_text() for key in ("a", "b") if (tmp_path / key).exists()]
        if len(shown) == 2 and all(shown):
            break
        time.sleep(0.05)
    assert sorted(shown) == ["3", "5"]
    runner.stop("a")
    ended(runner)
    assert runner.has_room(GPU)


@pytest.mark.parametrize(("needs", "threads"), [(Needs(), "1"), (Needs(cores=0), "None")])
def test_only_a_run_on_all_cores_decides_on_its_threads(
    runner_of: Callable[..., ProcessRunner],
    tmp_path: Path,
    needs: Needs,
    threads: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as a server has set it for itself
    runner, note = runner_of(2), tmp_path / "note"
    program = "import os, sys; open(sys.argv[1], 'w').write(str(os.environ.get('OMP_NUM_THREADS')))"
    runner.start("a", tmp_path, ("-c", program, str(note)), needs)
    ended(runner)
    assert note.read_text() == threads


def test_gpus_are_those_that_cuda_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-abc")
    assert visible_gpus() == ["1", "GPU-abc"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
