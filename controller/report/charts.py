"""A run to pictures of its loss curve: SVG and CSV for the ledger, braille and blocks for the terminal."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.report.formatting import figure, xml
from controller.state.observed import LossPoint
from controller.state.recorded import Run

DECADES = 2.0  # a curve that spans more than this is drawn on a logarithmic axis
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from ``low`` to ``high``; both are above 0 where it is logarithmic."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at ``low`` to 1 at ``high``, held within both."""
        if self.high <= self.low:
            return 0.5
        if self.logarithmic:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))


def loss_scale(values: Sequence[float]) -> Scale:
    """The axis for losses: from 0, or logarithmic where they span more than two decades. Takes finite values only."""
    high = max(values, default=1.0)
    positive = [v for v in values if v > 0]
    if positive and len(positive) == len(values) and math.log10(high / min(positive)) > DECADES:
        return Scale(min(positive), high, logarithmic=True)
    low, high = min(0.0, min(values, default=0.0)), max(0.0, high)
    return Scale(low, high if high > low else 1.0)


def ticks(scale: Scale, about: int = 4) -> tuple[float, ...]:
    """Round numbers within the scale: about that many, or one a decade where it is logarithmic."""
    if scale.logarithmic:
        first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / max(1, about)))
        return tuple(10.0**power for power in range(first, last + 1, stride))
    rough = (scale.high - scale.low) / max(1, about)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(s * size for s in _STEPS if s * size >= rough * (1 - 1e-9))
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    return tuple(n * step for n in range(first, last + 1))


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


def curve_text(losses: Sequence[LossPoint], width: int = 72, height: int = 12, *, epochs: int = 0) -> tuple[str, ...]:
    """The loss curve in lines of at most ``width`` characters, axes included; ``height`` is of the curve alone.

    ``epochs`` is how many the run was told to do, 0 where that is not known.
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
    return (*drawn, f"{'':>{gutter}} └{'─' * inner}", f"{'':>{gutter}}  {_steps(points, inner, note, epochs)}")


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


def _steps(points: Sequence[LossPoint], width: int, note: str, epochs: int) -> str:
    left, right = f"step {points[0].step:,}", f"{points[-1].step:,} (epoch {points[-1].in_epoch(epochs)})"
    room = width - len(left) - len(right)
    middle = note if len(note) + 2 <= room else ""
    return f"{left}{middle:^{max(room, 1)}}{right}"


_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 48
_WHOLE = 0.75  # of the points of the epoch before: those that are kept are spread a little unevenly
_MOST_POINTS = 600  # more than the pixels between the axes: nobody would see the rest
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,24}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})")

_STYLE = """\
  <style>
    .paper { fill: #ffffff } .text { fill: #1f2328; font: 12px system-ui, sans-serif } .dim { fill: #59636e }
    .title { font-size: 14px; font-weight: 600 } .grid { stroke: #d1d9e0; stroke-width: 1 }
    .steps { fill: none; stroke: #0969da; stroke-width: 1; opacity: 0.45 }
    .epochs { fill: none; stroke: #0969da; stroke-width: 2.5; stroke-linejoin: round } .dot { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117 } .text { fill: #f0f6fc } .dim { fill: #9198a1 } .grid { stroke: #3d444d }
      .steps, .epochs { stroke: #4493f8 } .dot { fill: #4493f8 }
    }
  </style>"""


def curve_csv(run: Run) -> str:
    """``step,epoch,mean_loss,time``, one row a snapshot. A time that is not RFC 3339 is left out."""
    sink = io.StringIO()
    rows = csv.writer(sink, lineterminator="\n")
    rows.writerow(("step", "epoch", "mean_loss", "time"))
    for point in run.losses:
        time = point.time if _TIME.fullmatch(point.time) else ""  # a spreadsheet would obey `=…`
        rows.writerow((point.step, point.epoch, repr(float(point.mean_loss)), time))
    return sink.getvalue()


def curve_svg(run: Run) -> str:
    """The loss curve as one self-contained SVG that follows the reader's light or dark scheme.

    The thin line is each snapshot, the thick one the mean of each whole epoch. Losses that are no numbers are said.
    """
    points = tuple(p for p in run.losses if math.isfinite(p.mean_loss))
    broken = f"the loss is no number at step {run.diverged_at:,}" if run.diverged_at is not None else ""
    nothing = broken or "no losses reported yet"
    body = _plot(points, run.epochs) if points else [_text(_WIDTH / 2, _HEIGHT / 2, nothing, "text dim", "middle")]
    if points and broken:
        body.append(_text(_WIDTH - _RIGHT, 38, broken, "text dim", "end"))
    title = f"Mean loss of {run.model.rpartition('/')[2]}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
            f"  <title>{xml(title)}</title>",
            _STYLE,
            f'  <rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>',
            _text(_LEFT, 24, title, "text title"),
            *body,
            "</svg>",
            "",
        ]
    )


def epoch_means(points: Sequence[LossPoint], epochs: int = 0) -> tuple[LossPoint, ...]:
    """One point for each whole epoch, which is counted from 1: the mean of its losses, at its middle step.

    ``epochs`` is how many the run was told to do, 0 where that is not known. A last one that is not whole yet is left
    out, unless there is no other: its few batches would bend the line.
    """
    groups: dict[int, list[LossPoint]] = {}
    for point in points:
        groups.setdefault(point.in_epoch(epochs), []).append(point)
    if len(groups) > 1:
        *_, before, last = groups.values()
        if len(last) + 1 < _WHOLE * len(before):
            del groups[next(reversed(groups))]
    return tuple(
        LossPoint(group[len(group) // 2].step, epoch, math.fsum(p.mean_loss for p in group) / len(group))
        for epoch, group in groups.items()
    )


def _plot(points: tuple[LossPoint, ...], epochs: int) -> list[str]:
    across = Scale(float(min(p.step for p in points)), float(max(p.step for p in points)))
    up = loss_scale([p.mean_loss for p in points])
    means = epoch_means(points, epochs)
    lines = [*_grid(up), *_steps_axis(across), _line(_thin(points), across, up, "steps")]
    if len(means) > 1:
        lines.append(_line(means, across, up, "epochs"))
    lowest = min(means, key=lambda p: p.mean_loss)
    x, y = _x(across, lowest.step), _y(up, lowest.mean_loss)
    label = f"lowest epoch mean {figure(lowest.mean_loss)} (epoch {lowest.epoch})"
    axis = "mean loss" + (" (log scale)" if up.logarithmic else "")
    return [
        *lines,
        f'  <circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        _text(_WIDTH - _RIGHT, 24, label, "text dim", "end"),
        _text(_LEFT, 38, axis, "text dim"),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "step", "text dim", "middle"),
    ]


def _grid(up: Scale) -> list[str]:
    lines = []
    for value in ticks(up):
        y = _y(up, value)
        lines.append(f'  <path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        lines.append(_text(_LEFT - 8, y + 4, figure(value), "text dim", "end"))
    return lines


def _steps_axis(across: Scale) -> list[str]:
    if across.high <= across.low:
        return [_text(_x(across, across.low), _HEIGHT - _BOTTOM + 18, f"{across.low:.0f}", "text dim", "middle")]
    whole = (v for v in ticks(across, 6) if v == round(v))
    return [_text(_x(across, v), _HEIGHT - _BOTTOM + 18, f"{v:,.0f}", "text dim", "middle") for v in whole]


def _thin(points: tuple[LossPoint, ...]) -> tuple[LossPoint, ...]:
    """At most `_MOST_POINTS`: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept: list[LossPoint] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=lambda p: p.mean_loss), max(stretch, key=lambda p: p.mean_loss)}
        kept.extend(p for p in stretch if p in ends)
    return tuple(kept)


def _line(points: Sequence[LossPoint], across: Scale, up: Scale, style: str) -> str:
    if len(points) == 1:
        only = points[0]
        return f'  <circle class="dot" cx="{_x(across, only.step):.1f}" cy="{_y(up, only.mean_loss):.1f}" r="2"/>'
    drawn = " ".join(f"{_x(across, p.step):.1f},{_y(up, p.mean_loss):.1f}" for p in points)
    return f'  <polyline class="{style}" points="{drawn}"/>'


def _x(across: Scale, step: float) -> float:
    return _LEFT + across.share(step) * (_WIDTH - _LEFT - _RIGHT)


def _y(up: Scale, loss: float) -> float:
    return _HEIGHT - _BOTTOM - up.share(loss) * (_HEIGHT - _TOP - _BOTTOM)


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'  <text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{xml(text)}</text>'
