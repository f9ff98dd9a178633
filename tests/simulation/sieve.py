"""Scenarios to plans of what a controller sees too late, twice or never, each held against the reference run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

from tests.simulation.compare import differences
from tests.simulation.events import Changed, Committed, Created, Saved
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.shape import Shape
from tests.simulation.windows import Window
from tests.simulation.world import Result, run

STALE = 400.0  # seconds that an old view lasts: several passes


@dataclass
class Figures:
    """How many plans of each kind, and what they found."""

    plans: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def sieve(scenarios: tuple[Scenario, ...] = SCENARIOS, *, stride: int = 1) -> Figures:
    """Every plan of every scenario; ``stride`` takes every so many of each kind."""
    figures = Figures()
    for scenario in scenarios:
        reference = run(scenario.shape)
        met: Counter[str] = Counter()
        for kind, label, shape in _plans(scenario, reference):
            met[kind] += 1
            if (met[kind] - 1) % stride:
                continue
            figures.plans[kind] += 1
            found = differences(reference, run(shape), fewer=kind == "unobserved" or scenario.stack == "vertex")
            figures.broken += [f"{scenario.name}, {kind} {label}: {difference}" for difference in found]
    return figures


def _plans(scenario: Scenario, reference: Result) -> Iterator[tuple[str, str, Shape]]:
    shape = scenario.shape
    commits = [at for at, event in reference.trace if isinstance(event, Committed)]
    acted = [at for at, event in reference.trace if isinstance(event, Created | Changed) and at < shape.safety]
    saved = [at for at, e in reference.trace if isinstance(e, Saved) and not e.same and at < shape.safety]
    for number in range(len(reference.effects)):
        crash = frozenset({(number + 1, "acted")})
        yield "intermediate", f"crash at effect {number + 1}", replace(shape, crash_at=crash)
    for number, at in enumerate(commits[1:], start=1):
        for wait in (150.0, 700.0):
            window = Window(at + wait, at + wait + STALE, number - 1)
            yield "stale", f"commit {number - 1} again at {window.low:g} s", replace(shape, shown=(window,))
            other = replace(shape, shown=(window,), controllers=shape.controllers + 1)
            yield "stale", f"commit {number - 1} again to another at {window.low:g} s", other
    for at in sorted({*acted, *saved}):
        frozen = ((at + 0.001, at + STALE, at - 0.5),)
        service = replace(shape.service, frozen=frozen)
        yield "stale", f"the service as at {at - 0.5:.1f} s", replace(shape, service=service)
    for at, then in pairwise(commits):
        yield "unobserved", f"{at:g} to {then:g} s", replace(shape, blind=(Window(at, then + 1.0),))
