"""Losses to lines of characters: a curve of braille dots with its axes, and a sparkline of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from controller.report.scale import Scale, loss_scale, ticks
from controller.report.wording import figure
from controller.state.observed import LossPoint

_BLOCKS = "▁▂▃▄▅▆▇█"
# The dots of one braille character, [row][column], as Unicode numbers them from U+2800.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800
_LEAST_WIDTH, _LEAST_HEIGHT = 8, 2


def sparkline(losses: Sequence[LossPoint], width: int = 16) -> str:
    """At most ``width`` blocks, each the mean of its stretch of the run; "" where there is nothing finite to show."""
    values = [p.mean_loss for p in losses if math.isfinite(p.mean_loss)]
    if not values:
        return ""
    count = min(width, len(values))
    bounds = [round(i * len(values) / count) for i in range(count + 1)]
    means = [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
    scale = loss_scale(means)
    return "".join(_BLOCKS[round(scale.share(m) * (len(_BLOCKS) - 1))] for m in means)


def curve_text(losses: Sequence[LossPoint], width: int = 72, height: int = 12) -> tuple[str, ...]:
    """The loss curve in lines of at most ``width`` characters, axes included; ``height`` is of the curve alone.

    The axis is logarithmic, and says so, where the losses span more than two decades. No line where nothing is finite.
    """
    points = [p for p in losses if math.isfinite(p.mean_loss)]
    if not points:
        return ()
    scale = loss_scale([p.mean_loss for p in points])
    height = max(height, _LEAST_HEIGHT)
    labels = _labels(scale, height)
    gutter = max(len(label) for label in labels.values())
    inner = max(width - gutter - 2, _LEAST_WIDTH)
    rows = _canvas(points, scale, inner, height)
    drawn = [f"{labels.get(n, ''):>{gutter}} {'┤' if n in labels else '│'}{row}" for n, row in enumerate(rows)]
    note = "log scale" if scale.logarithmic else ""
    return (*drawn, f"{'':>{gutter}} └{'─' * inner}", f"{'':>{gutter}}  {_steps(points, inner, note)}")


def _labels(scale: Scale, height: int) -> dict[int, str]:
    """Which row of characters carries which number; the highest row is 0."""
    ends = {0: figure(scale.high, 3), height - 1: figure(scale.low, 3)}
    rows = {_row(scale, value, height): figure(value, 3) for value in ticks(scale, max(2, height // 3))}
    between = {row: label for row, label in rows.items() if 1 < row < height - 2}  # else two numbers would touch
    return ends | between


def _row(scale: Scale, value: float, height: int) -> int:
    return round((1 - scale.share(value)) * (height * 4 - 1)) // 4


def _canvas(points: Sequence[LossPoint], scale: Scale, width: int, height: int) -> list[str]:
    cells = [[0] * width for _ in range(height)]
    columns = _columns(points, width * 2)
    previous: int | None = None
    for x, value in columns:
        y = round((1 - scale.share(value)) * (height * 4 - 1))
        start = y if previous is None else previous
        for dot in range(min(start, y), max(start, y) + 1):
            cells[dot // 4][x // 2] |= _DOTS[dot % 4][x % 2]
        previous = y
    return ["".join(chr(_BLANK + cell) for cell in row).rstrip(chr(_BLANK)) for row in cells]


def _columns(points: Sequence[LossPoint], count: int) -> list[tuple[int, float]]:
    """The mean loss of each column of dots, by step; between snapshots further apart than a column a straight line."""
    first, last = points[0].step, max(p.step for p in points)
    across = Scale(float(first), float(last))
    sums: dict[int, list[float]] = {}
    for point in points:
        sums.setdefault(round(across.share(point.step) * (count - 1)), []).append(point.mean_loss)
    known = sorted((x, math.fsum(values) / len(values)) for x, values in sums.items())
    filled = [known[0]]
    for x, value in known[1:]:
        x0, value0 = filled[-1]
        filled.extend((c, value0 + (value - value0) * (c - x0) / (x - x0)) for c in range(x0 + 1, x + 1))
    return filled


def _steps(points: Sequence[LossPoint], width: int, note: str) -> str:
    left, right = f"step {points[0].step:,}", f"{points[-1].step:,} (epoch {points[-1].epoch})"
    room = width - len(left) - len(right)
    middle = note if len(note) + 2 <= room else ""
    return f"{left}{middle:^{max(room, 1)}}{right}"
