"""The number of a step in, its learning rate out: the same course for every engine."""

from __future__ import annotations

import math
from typing import Final

_WARM_UP: Final = 0.1
_WARM_AT_MOST: Final = 100  # steps


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step (from 1): up a line for a tenth of all (at most 100), then down a half cosine."""
    warm = max(1, min(_WARM_AT_MOST, int(steps * _WARM_UP)))
    if step <= warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm + 1)))
