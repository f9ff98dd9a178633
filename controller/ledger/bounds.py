"""A record to one that stays small for ever: curves thinned, old runs cut to what `never pay twice` rests on. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

from controller.state.observed import LossPoint
from controller.state.recorded import Record, Run

LOSS_POINTS = 200  # per run: a terminal or a picture shows no more
DETAILED_RUNS = 10
ERROR_CHARACTERS = 1000


def bounded(record: Record) -> Record:
    """The record as it is written: the last ten runs and those in a slot whole, the others without curve and advice.

    No run is ever dropped: its fingerprint, attempt and outcome say what has been paid for.
    """
    held = {slot.model for slot in record.slots}
    whole = len(record.runs) - DETAILED_RUNS
    runs = tuple(
        _small(run) if index >= whole or run.model in held else _bare(run) for index, run in enumerate(record.runs)
    )
    return record if runs == record.runs else replace(record, runs=runs)


def thinned(points: tuple[LossPoint, ...], most: int = LOSS_POINTS) -> tuple[LossPoint, ...]:
    """At most ``most`` points: the first, the last and the lowest, the others evenly spread.

    A point whose loss is not finite is left out: no JSON or YAML of ours can say it.
    """
    finite = tuple(p for p in points if math.isfinite(p.mean_loss))
    if len(finite) <= most:
        return finite
    last = len(finite) - 1
    lowest = min(range(len(finite)), key=lambda index: finite[index].mean_loss)
    kept = {round(index * last / (most - 2)) for index in range(most - 1)} | {lowest}
    return tuple(finite[index] for index in sorted(kept))


def _small(run: Run) -> Run:
    losses, error = thinned(run.losses), run.error[:ERROR_CHARACTERS]
    return run if (losses, error) == (run.losses, run.error) else replace(run, losses=losses, error=error)


def _bare(run: Run) -> Run:
    return replace(run, losses=(), advice=None, error="", total_steps=0, completed_steps=0)
