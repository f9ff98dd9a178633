"""The losses of a run to one text with a line each (mappings would be four times as long), and back. Pure."""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import quote, unquote

from controller.state.observed import LossPoint

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
