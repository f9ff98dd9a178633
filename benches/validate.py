"""A repository of many specs to what it takes to validate all of them, and one file that is named."""

from __future__ import annotations

from collections.abc import Iterator

from benches import peers
from benches.bench import FLOOR, Bench, floor
from benches.case import spec_path
from benches.measure import Comparison, Program, in_turns


def measured(bench: Bench) -> Iterator[Comparison]:
    """All, beside octoDNS's zones; then one of them, beside the same where there is no other."""
    alone = bench.case(1)
    for size in bench.sizes:
        case = bench.case(size)
        words = (FLOOR, case.root, "files", str(case.root))
        programs = [case.program("validate"), floor(*words, items=size, before=case.restore)]
        octodns = bench.peer("octodns-validate")
        if octodns is not None:
            config = bench.scratch / f"validate-{size}" / "config.yaml"
            if not config.exists():
                peers.octodns_zones(config.parent, size)
            programs.append(Program("octodns-validate", (octodns, "--config-file", str(config)), case.root, items=size))
        yield Comparison("validate", "validate, all", size, in_turns(programs, bench.times))
        named = case.program("validate", spec_path(0), items=1)
        only = alone.program("validate", spec_path(0), name="gitune, the only file")
        yield Comparison("validate", "validate, one named file", size, in_turns((named, only), bench.times))
