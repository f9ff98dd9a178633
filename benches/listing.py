"""A listing of many remote models to what a plan of one spec takes that has to read it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benches.bench import FLOOR, Bench, floor
from benches.case import named, written
from benches.floor import PAGE
from benches.measure import Comparison, in_turns


def measured(bench: Bench) -> Iterator[Comparison]:
    """One spec among so many models of an account, beside the same where its own is the only one."""
    case = bench.case(1)
    one = json.dumps(case.models_there()[0])
    for size in bench.sizes[1:]:
        many = written(bench.scratch / "listing.jsonl", (named(one, 0, number) for number in range(size)))

        def crowded() -> None:
            case.restore()
            case.served.set(many)  # noqa: B023 - run before the next turn of the loop

        alone = case.program("plan", before=case.restore, name="gitune, one model listed", items=size)
        programs = (
            case.program("plan", before=crowded, items=size, kept=True),
            alone,
            floor(FLOOR, case.root, "listing", case.served.url, items=size, before=crowded),
        )
        found = in_turns(programs, bench.times)
        crowded()
        counts = {"MB listed": many.stat().st_size / 1e6, "pages": -(-size // PAGE)}
        yield Comparison("listing", "plan of one spec", size, found, counts)
