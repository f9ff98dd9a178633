"""Planted bugs: one line of the controller's source each, put into a copy of it, and the promise that must notice."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.planted import PLANTED, Planted

ROOT = Path(__file__).parents[2]
SEEDS = 200  # at most so many per mutant


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one mutant fared. ``seeds`` is how many runs it took, the directed ones first; ``by`` the promise that
    noticed; ``wrong`` why it counts as a failure, "" where it does not.
    """

    name: str
    seeds: int = 0
    by: str = ""
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """All verdicts, and the seeds that the middle one took."""

    verdicts: tuple[Verdict, ...]

    @property
    def median(self) -> float:
        """Seeds to notice, in the middle."""
        taken = [v.seeds for v in self.verdicts if not v.wrong]
        return statistics.median(taken) if taken else 0.0


def hunt(
    planted: tuple[Planted, ...] = PLANTED,
    *,
    jobs: int = 1,
    seeds: int = SEEDS,
    tell: Callable[[Verdict], None] = lambda _: None,
) -> Figures:
    """Every mutant in a copy of its own, until a promise notices it or the seeds are through. ``tell`` hears each."""

    def one_of_them(one: Planted) -> Verdict:
        verdict = _hunt_one(one, seeds)
        tell(verdict)
        return verdict

    with ThreadPoolExecutor(jobs) as pool:
        return Figures(tuple(pool.map(one_of_them, planted)))


def _hunt_one(one: Planted, seeds: int) -> Verdict:
    source = (ROOT / "controller" / one.file).read_text()
    if source.count(one.old) != 1:
        return Verdict(one.name, wrong=f"its line is in controller/{one.file} {source.count(one.old)} times, not once")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "controller", copy / "controller", ignore=ignored)
        shutil.copytree(ROOT / "tests" / "simulation", copy / "tests" / "simulation", ignore=ignored)
        (copy / "controller" / one.file).write_text(source.replace(one.old, one.new))
        return _noticed(one, copy, seeds)


def _noticed(one: Planted, copy: Path, seeds: int) -> Verdict:
    command = [sys.executable, "-m", "tests.simulation", "run", "--seeds", f"0:{seeds}", "--first", "--directed"]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environ = {**kept, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=copy, env=environ, capture_output=True, text=True, check=False, timeout=1800)
    if not ran.stdout.strip():
        return Verdict(one.name, wrong=f"it does not run: {ran.stderr.strip()[-200:]}")
    figures = json.loads(ran.stdout.strip().splitlines()[-1])
    found = sorted(figures["violations"])
    if not found:
        return Verdict(one.name, wrong=f"survived {seeds} seeds")
    if not set(found) & set(one.by):
        return Verdict(one.name, figures["n"], found[0], f"noticed by {found[0]}, not by {' or '.join(one.by)}")
    return Verdict(one.name, figures["n"], found[0])
