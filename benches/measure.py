"""Programs to what they spend, measured in turns: processor time of all their processes, wall time, peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GITUNE = str(Path(sys.executable).with_name("gitune"))
OURS = "gitune"
_LAUNCH = Path(__file__).with_name("launch.py")


# Nobody's own settings decide what git or a terminal does.
PLAIN = {"NO_COLOR": "1", "COLUMNS": "200", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def nothing() -> None:
    """What most programs need done before them."""


def anything(_said: str) -> None:
    """What may be said."""


@dataclass(frozen=True)
class Program:
    """What is measured: its words, its folder, and what is added to the environment.

    ``before`` makes its case as it is to be found, and is not measured; ``check`` is given what it wrote to stdout and
    raises `Wrong` where it did not do what it is measured for. ``items`` is how many things it worked on. One that
    is to find what it kept itself (``kept``) runs once before it is measured.
    """

    name: str
    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    items: int = 1
    codes: frozenset[int] = frozenset({0})
    before: Callable[[], None] = nothing
    check: Callable[[str], None] = anything
    kept: bool = False


class Wrong(SystemExit):
    """A program did something else than it is measured for: a figure would mean nothing."""


@dataclass(frozen=True)
class Sample:
    """One run. ``cpu`` and ``wall`` in seconds, ``memory`` in MB: the largest process."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Measured:
    """All the runs of one program; none where it would not do what was asked of it."""

    name: str
    items: int
    samples: tuple[Sample, ...]

    @property
    def cpu(self) -> float:
        """The median."""
        return statistics.median(sample.cpu for sample in self.samples) if self.samples else 0.0

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(sample.wall for sample in self.samples) if self.samples else 0.0

    @property
    def memory(self) -> float:
        """The most."""
        return max((sample.memory for sample in self.samples), default=0.0)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most processor time."""
        spent = [sample.cpu for sample in self.samples]
        return min(spent, default=0.0), max(spent, default=0.0)


@dataclass(frozen=True)
class Comparison:
    """One case, measured in one run: ours first, then the peers and the floor. ``counts``: figures of other kinds."""

    bench: str
    case: str
    size: int
    measured: tuple[Measured, ...]
    counts: Mapping[str, float] = field(default_factory=dict)

    def ratio(self, other: Measured) -> float:
        """Our processor time over that of another, for as many items."""
        ours = self.measured[0]
        return (ours.cpu / ours.items) / (other.cpu / other.items) if other.cpu else 0.0


def in_turns(programs: Sequence[Program], times: int) -> tuple[Measured, ...]:
    """All of them in turns, so that what else the machine does meets them alike."""
    samples: dict[str, list[Sample]] = {program.name: [] for program in programs}
    for program in programs:
        if program.kept:
            run(program)
    for _ in range(times):
        for program in programs:
            samples[program.name].append(run(program))
    return tuple(Measured(program.name, program.items, tuple(samples[program.name])) for program in programs)


def run(program: Program) -> Sample:
    """One run of it, measured."""
    program.before()
    return _run(program)


def _run(program: Program) -> Sample:
    with tempfile.TemporaryDirectory(prefix="gitune-bench-") as scratch:
        told, out, err = (Path(scratch) / name for name in ("told.json", "out", "err"))
        command = [sys.executable, "-I", "-S", str(_LAUNCH), str(told), *program.words]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            subprocess.run(command, cwd=program.folder, env=environ(program), stdout=stdout, stderr=stderr, check=True)
        found = json.loads(told.read_text())
        if found["code"] not in program.codes:
            said = (err.read_text() or out.read_text())[-2000:]
            raise Wrong(f"{program.name} ended with {found['code']}: {' '.join(program.words)}\n{said}")
        program.check(out.read_text())
    return Sample(found["user"] + found["system"], found["wall"], found["kilobytes"] / 1000)


def environ(program: Program) -> dict[str, str]:
    """Ours without what would change a program's work, and its own."""
    unwanted = ("PYTHON", "GITUNE_", "GIT_", "COV_", "DVC_", "VIRTUAL_ENV", "GEMINI_", "GOOGLE_", "GITHUB_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, **PLAIN, **program.environ}
