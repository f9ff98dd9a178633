"""The losses of a run to one text with a line each (mappings would be four times as long), and back. Pure."""

from __future__ import annotations

import csv
import io
import math

from controller.state.observed import LossPoint

_HEAD = ("step", "epoch", "meanLoss", "time")


def write_losses(points: tuple[LossPoint, ...]) -> str:
    """``step,epoch,meanLoss,time``, then a line a point; the text of a float reads back as the same float."""
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(_HEAD)
    rows.writerows((p.step, p.epoch, repr(float(p.mean_loss)), p.time) for p in points)
    return sink.getvalue()


def read_losses(text: str) -> tuple[LossPoint, ...]:
    """The points again. Raises `ValueError` for a text that `write_losses` did not write."""
    head, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    if tuple(head) != _HEAD:
        raise ValueError("the losses do not start with step,epoch,meanLoss,time")
    return tuple(_point(row) for row in rows)


def _point(row: list[str]) -> LossPoint:
    try:
        step, epoch, loss, time = row
        point = LossPoint(int(step), int(epoch), float(loss), time)
    except ValueError:
        raise ValueError(f"a line of the losses is not {','.join(_HEAD)}") from None
    if not math.isfinite(point.mean_loss):
        raise ValueError("a mean loss is not a finite number")
    return point
