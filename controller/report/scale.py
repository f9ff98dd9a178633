"""Values to positions on an axis, and to the round numbers written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
