"""A changed gitune.yaml to what the next plan of many models takes."""

from __future__ import annotations

from collections.abc import Iterator

from benches.bench import Bench
from benches.case import Case, settings
from benches.measure import OURS, Comparison, in_turns


def measured(bench: Bench) -> Iterator[Comparison]:
    """Another limit on deletes, beside the same plan where nothing was changed."""
    for size in bench.sizes[1:]:
        case = bench.case(size)
        changed = case.program("plan", before=lambda case=case: _changed(case))  # type: ignore[misc]
        same = case.program("plan", before=case.restore, name=f"{OURS}, nothing changed", kept=True)
        yield Comparison("settings", "plan after a settings change", size, in_turns((changed, same), bench.times))
        case.restore()


def _changed(case: Case) -> None:
    case.restore()
    case.repository.commit({"gitune.yaml": settings(case.served.url, deletes=2)})
