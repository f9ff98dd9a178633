"""A record to one that stays small for ever, and the losses of a run to one text with a line each, and back. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final
from urllib.parse import quote, unquote

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


_HEAD: Final = "step,epoch,meanLoss,time"


def write_losses(points: tuple[LossPoint, ...]) -> str:
    """A head, then a line a point. A float's text reads back as the same float; a time that is none is escaped."""
    lines = (f"{p.step},{p.epoch},{float(p.mean_loss)!r},{quote(p.time, safe=':+')}" for p in points)
    return "\n".join((_HEAD, *lines, ""))


def read_losses(text: str) -> tuple[LossPoint, ...]:
    """The points again. Raises `ValueError` for a text that `write_losses` did not write."""
    head, *lines = text.removesuffix("\n").split("\n")
    if head != _HEAD:
        raise ValueError(f"the losses do not start with {_HEAD}")
    return tuple(_point(line) for line in lines)


def _point(line: str) -> LossPoint:
    try:
        step, epoch, loss, time = line.split(",")
        point = LossPoint(int(step), int(epoch), float(loss), unquote(time, errors="strict"))
    except ValueError:
        raise ValueError(f"a line of the losses is not {_HEAD}") from None
    if not math.isfinite(point.mean_loss):
        raise ValueError("a mean loss is not a finite number")
    return point
