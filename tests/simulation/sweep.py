"""Every scenario with a crash at every effect, before, while and after it is carried out; then every effect refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.simulation.compare import differences
from tests.simulation.lives import PHASES
from tests.simulation.scenarios import SCENARIOS, Scenario
from tests.simulation.world import Result, run


@dataclass
class Figures:
    """What a sweep came to."""

    runs: int = 0
    effects: int = 0
    crashes: int = 0
    refusals: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def sweep(scenarios: tuple[Scenario, ...] = SCENARIOS, *, stride: int = 1) -> Figures:
    """All of it; ``stride`` takes every so many positions only."""
    figures = Figures()
    for scenario in scenarios:
        reference = run(scenario.shape)
        figures.runs += 1
        figures.effects += len(reference.effects)
        if reference.violations:
            figures.broken.append(f"{scenario.name}: {reference.violations[0]}")
            continue
        for label, result in _single(scenario, reference, figures, stride):
            figures.runs += 1
            found = differences(reference, result, fewer=scenario.stack == "vertex")
            figures.broken += [f"{scenario.name}, {label}: {difference}" for difference in found]
    return figures


def _single(scenario: Scenario, reference: Result, figures: Figures, stride: int) -> Iterator[tuple[str, Result]]:
    positions = [(n, phase) for n in range(1, len(reference.effects) + 1) for phase in PHASES]
    for number, phase in positions[::stride]:
        figures.crashes += 1
        figures.kinds[f"{reference.effects[number - 1]}.{phase}"] += 1
        shape = replace(scenario.shape, crash_at=frozenset({(number, phase)}))
        yield f"crash {phase} effect {number} ({reference.effects[number - 1]})", run(shape)
    for number in range(1, len(reference.effects) + 2):
        if (number - 1) % stride:
            continue
        result = run(replace(scenario.shape, fail_at=number))
        if number > len(result.effects):
            return  # nothing was refused: the sweep of this scenario is through
        figures.refusals += 1
        yield f"effect {number} refused", result
