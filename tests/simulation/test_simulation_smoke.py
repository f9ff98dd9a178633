"""A smoke of each word of the simulation's command line, and its own promises: the same seed, the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.command import LARGE, Tally, failed, main, red, tally
from tests.simulation.faults import CATALOGUE
from tests.simulation.mutants import hunt
from tests.simulation.planted import PLANTED
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.shape import shape_of
from tests.simulation.sieve import sieve
from tests.simulation.sweep import sweep
from tests.simulation.world import run

ROOT = Path(__file__).parents[2]
_TRACE = """
from tests.simulation.shape import shape_of
from tests.simulation.world import run
print([run(shape_of(seed)).digest for seed in range(6)])
"""


@pytest.mark.slow
def test_random_seeds_break_no_promise_and_the_catalogue_is_used() -> None:
    found = tally(range(120), directed=True)
    assert found.lines == []
    assert len(found.faults) > 0.8 * len(CATALOGUE)
    assert set(found.stacks) == {"http", "direct", "vertex"}


def test_a_fault_that_never_fired_fails_a_large_run_and_not_a_small_one() -> None:
    quiet = Tally(n=LARGE, faults=Counter(dict.fromkeys(set(CATALOGUE) - {"again.half"}, 1)))
    assert red(quiet) == ["again.half"]
    assert failed(quiet)
    assert not failed(replace(quiet, n=LARGE - 1))
    assert not failed(replace(quiet, faults=Counter(dict.fromkeys(CATALOGUE, 1))))
    assert failed(Tally(n=1, violations=Counter({"S1": 1})))


def test_there_are_enough_planted_bugs_and_each_is_another_one() -> None:
    assert len(PLANTED) >= 80
    assert len({(one.file, one.old, one.new) for one in PLANTED}) == len(PLANTED)
    assert len({one.name for one in PLANTED}) == len(PLANTED)


@pytest.mark.slow
def test_a_crash_at_any_of_a_sample_of_effects_changes_neither_the_end_nor_what_was_paid() -> None:
    found = sweep(SCENARIOS[::4], stride=7)
    assert found.broken == []
    assert found.crashes > 10


@pytest.mark.slow
def test_what_is_seen_too_late_or_never_changes_neither_the_end_nor_what_was_paid() -> None:
    found = sieve(SCENARIOS[1::4], stride=9)
    assert found.broken == []
    assert set(found.plans) == {"intermediate", "stale", "unobserved"}


@pytest.mark.slow
def test_planted_bugs_are_noticed() -> None:
    found = hunt((PLANTED[0], next(one for one in PLANTED if one.name == "every run succeeds")), seeds=20)
    assert [verdict.wrong for verdict in found.verdicts] == ["", ""]


def test_every_planted_bug_still_applies() -> None:
    for one in PLANTED:
        source = (ROOT / "controller" / one.file).read_text()
        assert source.count(one.old) == 1, one.name
        compile(source.replace(one.old, one.new), one.file, "exec")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    here = [run(shape_of(seed)).digest for seed in range(6)]
    environ = {**os.environ, "PYTHONHASHSEED": "77"}
    there = subprocess.run(
        [sys.executable, "-c", _TRACE], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == str(here)


def test_a_replay_prints_the_schedule_and_ends_with_one_line_of_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "3"]) == 0
    last = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert last["word"] == "replay"
    assert last["violations"] == []
