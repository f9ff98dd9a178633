"""Words of a command line to runs of the simulation, and one JSON line of figures at the end."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter

from tests.simulation.faults import CATALOGUE
from tests.simulation.pure import remember
from tests.simulation.shape import shape_of
from tests.simulation.world import run


def main(argv: list[str] | None = None) -> int:
    """0 where nothing was violated and every fault fired."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    words = parser.add_subparsers(dest="word", required=True)
    runs = words.add_parser("run")
    runs.add_argument("--seeds", default="0:200")
    args = parser.parse_args(argv)
    remember()
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    low, high = (int(part) for part in args.seeds.split(":"))
    faults: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    began = time.perf_counter()
    for seed in range(low, high):
        result = run(shape_of(seed))
        faults.update(result.faults)
        for violation in result.violations[:1]:
            broken[violation.invariant] += 1
            print(
                f"seed {seed} ({result.shape.stack}): {violation.invariant} at {violation.at:.0f} s: {violation.what}"
            )
    seconds = time.perf_counter() - began
    n = high - low
    bound = 3 / n if n else 1.0
    never = sorted(set(CATALOGUE) - set(faults))
    print(
        json.dumps(
            {
                "n": n,
                "violations": dict(broken),
                "faults": dict(sorted(faults.items())),
                "never": never,
                "seedsPerSecond": round(n / seconds, 1),
                "bound95": bound,
            }
        )
    )
    return 1 if broken else 0
