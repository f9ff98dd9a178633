"""A run to the pictures of its loss curve: SVG and CSV for the ledger, lines of characters for the terminal."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence

from controller.report.braille import curve_text, sparkline
from controller.report.escape import xml
from controller.report.scale import Scale, loss_scale, ticks
from controller.report.wording import figure
from controller.state.observed import LossPoint
from controller.state.recorded import Run

__all__ = ["curve_csv", "curve_svg", "curve_text", "epoch_means", "sparkline"]

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 48
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

    The thin line is each snapshot, the thick one the mean of each epoch. Losses that are not finite are left out.
    """
    points = tuple(p for p in run.losses if math.isfinite(p.mean_loss))
    body = _plot(points) if points else [_text(_WIDTH / 2, _HEIGHT / 2, "no losses reported yet", "text dim", "middle")]
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


def epoch_means(points: Sequence[LossPoint]) -> tuple[LossPoint, ...]:
    """One point an epoch: the mean of its losses, at its middle step."""
    epochs: dict[int, list[LossPoint]] = {}
    for point in points:
        epochs.setdefault(point.epoch, []).append(point)
    return tuple(
        LossPoint(group[len(group) // 2].step, epoch, math.fsum(p.mean_loss for p in group) / len(group))
        for epoch, group in epochs.items()
    )


def _plot(points: tuple[LossPoint, ...]) -> list[str]:
    across = Scale(float(min(p.step for p in points)), float(max(p.step for p in points)))
    up = loss_scale([p.mean_loss for p in points])
    means = epoch_means(points)
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
