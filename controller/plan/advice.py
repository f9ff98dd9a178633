"""The loss curve of a run to the number of epochs the next one should have, with the reasoning shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from controller.state.observed import LossPoint
from controller.state.recorded import Advice

_FEWEST = 8  # points; below, a curve is noise
_SETTLED = 0.005  # of the whole fall: what remains after the plateau begins; 2 % would still cost right answers
_LEARNED = 0.05  # of the first loss: a smaller fall means nothing was learned
_DIVERGED = 0.5  # of the whole fall: the end that lies further above the lowest point has lost what was learned
_BLOWN_UP = 4.0  # times the first loss, three batches long: no ripple is as high; a fourth of the first is well below
_RISEN = 0.15  # of the whole fall: a larger rise from the lowest point to the end is no noise
_STILL = 0.05  # of the first loss of the last stretch: a larger fall within it is still a fall
_SLOWER = "a smaller learning rate (a third of this one) is the next thing to try"


def advise(losses: Sequence[LossPoint], epochs: int, examples: int | None = None) -> Advice:
    """What to change for the next run.

    ``losses`` are a run's snapshots in any order (mean loss of one batch each, so noisy), ``epochs`` what it was told
    to do, ``examples`` how many it had, where known. A loss that is not a finite number counts as a diverged one.
    """
    points = sorted(losses, key=lambda p: p.step)
    if fault := _unusable(points):
        return Advice(None, fault)
    if fault := _blown_up(points, epochs):
        return Advice(None, fault)
    curve = _smooth(points, epochs)
    if epochs < 1 or len(curve.losses) < _FEWEST:
        return Advice(None, f"{len(curve.losses)} loss values are too few to see a plateau")
    return _judge(curve, epochs, examples)


@dataclass(frozen=True, slots=True)
class _Curve:
    """The smoothed losses, and the epoch (counted from 1) in which each was measured."""

    losses: tuple[float, ...]
    in_epoch: tuple[int, ...]

    @property
    def lowest(self) -> int:
        return min(range(len(self.losses)), key=self.losses.__getitem__)

    @property
    def fall(self) -> float:
        return self.losses[0] - self.losses[self.lowest]


def _unusable(points: Sequence[LossPoint]) -> str:
    if not points:
        return "the run reported no losses"
    broken = next((p for p in points if not math.isfinite(p.mean_loss)), None)
    if broken is not None:
        return f"the loss stops being a number at step {broken.step:,}: the run diverged; {_SLOWER}"
    return ""


def _blown_up(points: Sequence[LossPoint], epochs: int) -> str:
    """Whether the loss once rose far above where it began, and did not come back to far below that.

    The first loss is taken as it is: with a learning rate that is far too high, its neighbours are beyond it already.
    """
    if len(points) < _FEWEST:
        return ""
    losses, last = [p.mean_loss for p in points], _smooth(points, epochs).losses[-1]
    first, peak = losses[0], max(sum(three) / 3 for three in zip(losses, losses[1:], losses[2:], strict=False))
    if peak <= _BLOWN_UP * first or last <= first / _BLOWN_UP:
        return ""
    return f"the loss rises from {first:.3g} to {peak:.3g} and ends at {last:.3g}: the run diverged; {_SLOWER}"


def _smooth(points: Sequence[LossPoint], epochs: int) -> _Curve:
    """A centred mean over about one epoch, since only a whole epoch has seen every example once."""
    per_epoch = len(points) / max(1, epochs)
    reach = max(1, min(round(per_epoch / 2), len(points) // 10))
    sums = [0.0, *accumulate(p.mean_loss for p in points)]
    ends = [(max(0, i - reach), min(len(points), i + reach + 1)) for i in range(len(points))]
    losses = tuple((sums[b] - sums[a]) / (b - a) for a, b in ends)
    return _Curve(losses, tuple(p.in_epoch(max(1, epochs)) for p in points))


def _judge(curve: _Curve, epochs: int, examples: int | None) -> Advice:
    first, last = curve.losses[0], curve.losses[-1]
    low, fall = curve.losses[curve.lowest], curve.fall
    ended = curve.in_epoch[-1]
    if last > first and last - first > _LEARNED * abs(first):
        return Advice(None, f"the smoothed loss rises from {first:.3g} to {last:.3g}: the run diverged; {_SLOWER}")
    if fall <= _LEARNED * abs(first):
        return Advice(
            None, f"the smoothed loss stays near {first:.3g}: nothing was learned;{_nothing_learned(examples)}"
        )
    if last - low > _DIVERGED * fall:
        at = curve.in_epoch[curve.lowest]
        because = f"the smoothed loss is lowest ({low:.3g}) at epoch {at} of {epochs} and ends far above it"
        return Advice(None, f"{because}, at {last:.3g}: the run diverged; {_SLOWER}")
    if last - low > _RISEN * fall:
        return _rising(curve, epochs)
    if _still_falling(curve):
        return _more(curve, epochs)
    settled = _settled(curve)
    reached = curve.in_epoch[settled]
    stop = min(reached + 1, epochs)
    seen = (
        f"the smoothed loss falls from {first:.3g} to {curve.losses[settled]:.3g} at epoch {reached} of {epochs} "
        f"and moves less than {_SETTLED:.1%} of that fall after it (lowest {low:.3g})"
    )
    if stop >= ended:
        return Advice(ended, f"{seen}: no epoch was too many")
    return Advice(stop, f"{seen}: {stop} {_epochs(stop)} would have given the same")


def _settled(curve: _Curve) -> int:
    """Where the plateau begins: from here on the curve stays within a small part of its fall above the lowest point."""
    near = curve.losses[curve.lowest] + _SETTLED * curve.fall
    above = [i for i, loss in enumerate(curve.losses[: curve.lowest + 1]) if loss > near]
    return min(above[-1] + 1, curve.lowest) if above else 0


def _still_falling(curve: _Curve) -> bool:
    """Whether the last tenth loses more than a sliver of both what it began with and the whole fall."""
    size = max(2, len(curve.losses) // 10)
    before, after = curve.losses[-1 - size], curve.losses[-1]
    return before - after > _STILL * abs(before) and before - after > _SETTLED * curve.fall


def _rising(curve: _Curve, epochs: int) -> Advice:
    at, low, last = curve.in_epoch[curve.lowest], curve.losses[curve.lowest], curve.losses[-1]
    because = (
        f"the smoothed loss is lowest ({low:.3g}) at epoch {at} of {epochs} and rises to {last:.3g} by the end: "
        f"stop after {at} {_epochs(at)}, or {_SLOWER}"
    )
    return Advice(at, because)


def _more(curve: _Curve, epochs: int) -> Advice:
    size = max(2, len(curve.losses) // 10)
    before, last, ended = curve.losses[-1 - size], curve.losses[-1], curve.in_epoch[-1]
    seen = f"the smoothed loss still falls, from {before:.3g} to {last:.3g} over the last tenth of the run"
    if ended < epochs:
        return Advice(epochs, f"{seen}, which ended in epoch {ended} of {epochs}: it stopped too early")
    more = epochs + max(1, epochs // 2)
    return Advice(more, f"{seen}: more epochs would help, say {more} in place of {epochs}")


def _nothing_learned(examples: int | None) -> str:
    few = f" {examples} examples are few;" if examples is not None and examples < 20 else ""  # noqa: PLR2004 - the guide's least
    return f"{few} see that the outputs follow from the inputs, and try another learning rate"


def _epochs(count: int) -> str:
    return "epoch" if count == 1 else "epochs"
