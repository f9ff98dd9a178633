"""Specs without models to how long their creates take against a server that takes a while for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from benches.bench import Bench, floor
from benches.case import LEDGER, Repository, files_of, settings, written
from benches.measure import GITUNE, OURS, Comparison, Program, Wrong, in_turns

AT_ONCE = 16
DELAY = 0.05


def measured(bench: Bench) -> Iterator[Comparison]:
    """One apply, beside a program that sends nothing but the creates, as many at once."""
    size = 32 if bench.quick else 1000
    folder = bench.scratch / "creates"
    repository, home = Repository.made(folder / "repository"), folder / "home"
    repository.commit({"gitune.yaml": settings(bench.served.url), **files_of(range(size))})
    none = written(folder / "none.jsonl", ())

    def before() -> None:
        if repository.tip(LEDGER):
            repository.git("update-ref", "-d", LEDGER)
        shutil.rmtree(home, ignore_errors=True)
        bench.served.set(none, DELAY)

    most = [0]

    def check(_said: str) -> None:
        counts = bench.served.counts()
        most[0] = counts["most"]
        if counts["models"] != size:
            raise Wrong(f"{counts['models']} models of {size}")

    ours = Program(
        OURS, (GITUNE, "apply"), repository.root, {"GITUNE_HOME": str(home)}, size, before=before, check=check
    )
    words = ("creates", bench.served.url, str(size), str(AT_ONCE))
    least = floor("requests alone", repository.root, *words, items=size, before=before)
    found = in_turns((ours, least), min(bench.times, 3))
    ideal = -(-size // AT_ONCE) * DELAY
    counts = {
        "at once": most[0],
        "ideal, wall s": ideal,
        "wall, ours to the ideal": found[0].wall / ideal,
        "wall, requests alone to the ideal": found[1].wall / ideal,
        "load of the machine before": os.getloadavg()[0],
    }
    yield Comparison("creates", f"apply, {AT_ONCE} at once, {DELAY * 1000:.0f} ms each", size, found, counts)
