"""A program that is measured: all its processes count, its memory is its own, and what it does is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benches.measure import Program, Wrong, in_turns, run

BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def program(folder: Path, *words: str, code: int = 0) -> Program:
    return Program("one", words, folder, codes=frozenset({code}))


def test_what_a_program_starts_is_counted(tmp_path: Path) -> None:
    nested = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}], check=True)"

    assert run(program(tmp_path, sys.executable, "-c", nested)).cpu >= 0.3


def test_what_outlives_a_program_is_stopped_and_counted(tmp_path: Path) -> None:
    later = f"{BUSY}\nopen('busy', 'w').close()\ntime.sleep(1000)"
    command = f'{sys.executable} -c "{later}" & while [ ! -e busy ]; do sleep 0.01; done'

    assert run(program(tmp_path, "sh", "-c", command)).cpu >= 0.3


def test_memory_is_that_of_the_program_however_large_we_are(tmp_path: Path) -> None:
    ballast = bytearray(b"x") * 300_000_000

    assert run(program(tmp_path, sys.executable, "-I", "-c", "pass")).memory < len(ballast) / 2e6


def test_another_exit_code_or_another_answer_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="ended with 3"):
        run(program(tmp_path, "sh", "-c", "exit 3"))
    assert run(program(tmp_path, "sh", "-c", "exit 3", code=3)).cpu > 0

    def check(said: str) -> None:
        raise Wrong(f"it said {said!r}")

    with pytest.raises(Wrong, match="it said 'no"):
        run(Program("one", ("echo", "no"), tmp_path, check=check))


def test_programs_run_in_turns_and_one_that_keeps_something_once_more(tmp_path: Path) -> None:
    def noting(name: str, *, kept: bool = False) -> Program:
        return Program(name, ("sh", "-c", f"echo {name} >> order"), tmp_path, kept=kept)

    found = in_turns((noting("a"), noting("b", kept=True)), 2)

    assert (tmp_path / "order").read_text().split() == ["b", "a", "b", "a", "b"]
    assert [len(one.samples) for one in found] == [2, 2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_benchmark_of_starts_runs() -> None:
    command = [sys.executable, "-m", "benches", "start", "--quick", "--no-peers", "--times", "1", "-o", "json"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert [one["case"] for one in json.loads(done.stdout)["comparisons"]] == ["--help", "validate one spec"]
