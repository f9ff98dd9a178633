"""Many models with nothing to do to what a pass takes and asks: of an apply, and of a daemon after commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from benches.bench import Bench
from benches.case import Case, settings, spec, spec_path
from benches.floor import PAGE
from benches.measure import Comparison, Measured, Sample, in_turns
from tests.daemon.process import Running, running

LONG = 1800.0  # seconds; a first pass of many models on a busy machine


def measured(bench: Bench) -> Iterator[Comparison]:
    """Requests of an apply beside the pages of the listing; then the daemon's passes, by what was committed."""
    for size in bench.sizes[1:]:
        case = bench.case(size)
        found = in_turns((case.program("apply"),), 1)
        yield Comparison("idle", "apply with nothing to do", size, found, _asked(case))
        case.restore()
        yield from _daemon(bench, case)
        case.restore()


def _asked(case: Case) -> dict[str, float]:
    asked = case.served.counts()["asked"]
    return {"pages": -(-case.size // PAGE), "requests": sum(asked.values())} | {
        f"of them {k}": n for k, n in asked.items()
    }


def _daemon(bench: Bench, case: Case) -> Iterator[Comparison]:
    words = ("--root", str(case.root))
    with running(*words, home=case.home.with_name("daemon-home")) as daemon:
        _settled(daemon, 0)
        commits: tuple[tuple[str, Callable[[int], dict[str, str]]], ...] = (
            ("no spec", lambda turn: {"NOTES.md": f"{turn}\n"}),
            ("one spec", lambda turn: {spec_path(0): f"{spec(0)}  runHistoryLimit: {turn + 3}\n"}),
            ("gitune.yaml", lambda turn: {"gitune.yaml": settings(case.served.url, deletes=turn + 2)}),
        )
        for what, files in commits:
            samples = []
            for turn in range(min(bench.times, 3)):
                case.served.set()
                samples.append(_pass(daemon, partial(case.repository.commit, files(turn))))
            found = Measured("gitune run", case.size, tuple(samples))
            yield Comparison("idle", f"daemon, a commit that changes {what}", case.size, (found,), _asked(case))


def _settled(daemon: Running, passes: int) -> None:
    """Once it has made a pass that leaves nothing to do before the interval is over."""
    daemon.wait(lambda: len(daemon.said("pass.ended")) > passes and daemon.said("pass.ended")[-1]["next"] > 30, LONG)


def _pass(daemon: Running, commit: Callable[[], object]) -> Sample:
    """What it takes from a commit until it is at rest again."""
    cpu, passes, began = daemon.cpu_of_all, len(daemon.said("pass.ended")), time.monotonic()
    commit()
    _settled(daemon, passes)
    return Sample(daemon.cpu_of_all - cpu, time.monotonic() - began, daemon.kilobytes / 1000)
