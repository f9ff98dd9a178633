"""Words of a command line to runs of the simulation, and one JSON line of figures at the end.

``run --seeds A:B``, ``sweep``, ``sieve``, ``mutants``, ``replay SEED``; the exit code is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain

from tests.simulation.directed import DIRECTED
from tests.simulation.events import Missed, Seen
from tests.simulation.faults import CATALOGUE
from tests.simulation.mutants import SEEDS, Verdict, hunt
from tests.simulation.planted import PLANTED
from tests.simulation.pure import remember
from tests.simulation.shape import shape_of
from tests.simulation.shrink import shrink
from tests.simulation.sieve import sieve
from tests.simulation.sweep import sweep
from tests.simulation.world import run

_CHUNK = 50  # seeds that a worker takes at a time
_SWEPT = 50  # runs between two looks for what nobody needs any more
LARGE = 500  # seeds from which on a fault that never fired is a failure of the run


@dataclass
class Tally:
    """Figures over many seeds."""

    n: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    stacks: Counter[str] = field(default_factory=Counter)
    settled: Counter[int] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another one's in."""
        self.n += other.n
        self.violations.update(other.violations)
        self.faults.update(other.faults)
        self.stacks.update(other.stacks)
        self.settled.update(other.settled)
        self.lines += other.lines


def tally(seeds: range, *, first: bool = False, directed: bool = False) -> Tally:
    """Run these seeds, where asked after the directed situations; ``first`` stops at the first violation."""
    planned = [(one.name, one.shape) for one in DIRECTED] if directed else []
    found = Tally()
    for label, shape in chain(planned, ((f"seed {seed}", shape_of(seed)) for seed in seeds)):
        result = run(shape)
        found.n += 1
        if found.n % _SWEPT == 0:
            gc.collect()  # no run collects, so that none is slowed at a moment that depends on those before it
        found.faults.update(result.faults)
        found.stacks[result.shape.stack] += 1
        found.settled[result.passes_to_settle] += 1
        for violation in result.violations[:1]:
            found.violations[violation.invariant] += 1
            found.lines.append(f"{label} ({result.shape.stack}): {violation.invariant}: {violation.what}")
        if first and found.violations:
            break
    return found


def red(found: Tally) -> list[str]:
    """The faults of the catalogue that never fired: what they would have broken was not looked for."""
    return sorted(set(CATALOGUE) - set(found.faults))


def failed(found: Tally) -> bool:
    """Whether something broke, or a run large enough to meet every fault did not."""
    return bool(found.violations) or (found.n >= LARGE and bool(red(found)))


def bound(n: int, violations: int) -> float | None:
    """The share of seeds that may still break something, at 95 %: the rule of three. None where something broke."""
    return None if violations or not n else round(3 / n, 6)


def main(argv: list[str] | None = None) -> int:
    """0 where nothing failed."""
    args = _parsed(argv)
    remember()
    began = time.perf_counter()
    if args.word == "run":
        figures, wrong = _run(args)
    elif args.word == "sweep":
        figures, wrong = _sweep(args.stride)
    elif args.word == "sieve":
        figures, wrong = _sieve(args.stride)
    elif args.word == "mutants":
        figures, wrong = _mutants(args)
    else:
        figures, wrong = _replay(args.seed)
    print(json.dumps({"word": args.word, **figures, "seconds": round(time.perf_counter() - began, 1)}))
    return 1 if wrong else 0


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    words = parser.add_subparsers(dest="word", required=True)
    runs = words.add_parser("run", help="random seeds")
    runs.add_argument("--seeds", default="0:200", help="A:B, B left out")
    runs.add_argument("--jobs", type=int, default=1)
    runs.add_argument("--first", action="store_true", help="stop at the first violation")
    runs.add_argument("--directed", action="store_true", help="the directed situations before the seeds (one job)")
    for name in ("sweep", "sieve"):
        words.add_parser(name).add_argument("--stride", type=int, default=1, help="take every so many positions")
    mutants = words.add_parser("mutants")
    mutants.add_argument("--jobs", type=int, default=1)
    mutants.add_argument("--most", type=int, default=SEEDS, help="seeds per mutant")
    mutants.add_argument("--only", help="those whose name holds these words")
    words.add_parser("replay").add_argument("seed", type=int)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> tuple[Mapping[str, object], bool]:
    low, _, high = args.seeds.partition(":")
    whole = range(int(low), int(high))
    began, found = time.perf_counter(), Tally()
    if args.jobs == 1:
        found = tally(whole, first=args.first, directed=args.directed)
    else:
        chunks = [whole[start : start + _CHUNK] for start in range(0, len(whole), _CHUNK)]
        with ProcessPoolExecutor(args.jobs, initializer=remember) as pool:
            for one in pool.map(tally, chunks):
                found.add(one)
    for line in found.lines:
        print(line)
    figures = {
        "n": found.n,
        "violations": dict(sorted(found.violations.items())),
        "faults": dict(sorted(found.faults.items())),
        "red": red(found),
        "stacks": dict(sorted(found.stacks.items())),
        "passesToSettle": dict(sorted(found.settled.items())),
        "seedsPerSecond": round(found.n / (time.perf_counter() - began), 1),
        "bound95": bound(found.n, found.violations.total()),
    }
    return figures, failed(found)


def _sweep(stride: int) -> tuple[Mapping[str, object], bool]:
    found = sweep(stride=stride)
    for line in found.broken:
        print(line)
    return {
        "n": found.runs,
        "effects": found.effects,
        "crashes": found.crashes,
        "refusals": found.refusals,
        "positions": dict(sorted(found.kinds.items())),
        "violations": len(found.broken),
        "bound95": bound(found.runs, len(found.broken)),
    }, bool(found.broken)


def _sieve(stride: int) -> tuple[Mapping[str, object], bool]:
    found = sieve(stride=stride)
    for line in found.broken:
        print(line)
    n = found.plans.total()
    return {
        "n": n,
        "plans": dict(sorted(found.plans.items())),
        "violations": len(found.broken),
        "bound95": bound(n, len(found.broken)),
    }, bool(found.broken)


def _mutants(args: argparse.Namespace) -> tuple[Mapping[str, object], bool]:
    chosen = tuple(one for one in PLANTED if not args.only or args.only in one.name)
    found = hunt(chosen, jobs=args.jobs, seeds=args.most, tell=_tell)
    wrong = [verdict.name for verdict in found.verdicts if verdict.wrong]
    return {"n": len(found.verdicts), "survivors": wrong, "medianSeeds": found.median}, bool(wrong)


def _tell(verdict: Verdict) -> None:
    print(f"{verdict.name}: {verdict.wrong or f'{verdict.by} after {verdict.seeds} seeds'}", flush=True)


def _replay(seed: int) -> tuple[Mapping[str, object], bool]:
    smallest = shrink(seed)
    result = smallest or run(shape_of(seed))
    for at, event in result.trace:
        if smallest is None or not isinstance(event, Seen | Missed):
            print(f"{at:10.3f} {event!r}")
    for key in result.keys:
        print(f"schedule: {key}")
    for violation in result.violations:
        print(f"{violation.invariant} at {violation.at:.1f} s: {violation.what}")
    return {
        "seed": seed,
        "violations": [violation.invariant for violation in result.violations],
        "schedule": list(result.keys),
        "faults": dict(sorted(result.faults.items())),
        "trace": result.digest,
    }, bool(result.violations)
