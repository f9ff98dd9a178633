"""Commands that have next to nothing to do to what their start takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benches import peers
from benches.bench import Bench
from benches.measure import GITUNE, OURS, Comparison, Program, in_turns

PYTHON = "python -I -c pass"


def measured(bench: Bench) -> Iterator[Comparison]:
    """`--help`, and one valid spec validated, beside an interpreter that does nothing."""
    root = bench.case(1).root
    python = Program(PYTHON, (sys.executable, "-I", "-c", "pass"), root)
    times = bench.times * 5  # milliseconds: more of them cost little and tell more
    helps = [Program(OURS, (GITUNE, "--help"), root), python]
    checks = [Program(OURS, (GITUNE, "validate", "specs/000/model-000000.yaml"), root), python]
    octodns, dvc = bench.peer("octodns-sync"), bench.peer("dvc")
    if octodns is not None and dvc is not None:
        helps.append(Program("octodns-sync --help", (octodns, "--help"), root))
        helps.append(Program("dvc --help", (dvc, "--help"), root, {"DVC_NO_ANALYTICS": "1"}))
        config = peers.octodns_zones(bench.scratch / "one-zone", 1)
        validate = str(bench.peer("octodns-validate"))
        checks.append(Program("octodns-validate", (validate, "--config-file", str(config)), root))
    yield Comparison("start", "--help", 1, in_turns(helps, times))
    yield Comparison("start", "validate one spec", 1, in_turns(checks, times))
