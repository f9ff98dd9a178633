"""Weights and gradients in, better weights out: Adam with a warm-up, a decay to zero and decoupled weight decay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.server.text import Floats

__all__ = ["Adam", "rate_at"]

_FIRST: Final = 0.9
_SECOND: Final = 0.98
_CLIP: Final = 1.0
_DECAY: Final = 0.01
_WARM_UP: Final = 0.1


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step (from 1): up a line for a tenth of all (at most 100), then down a half cosine."""
    warm = max(1, min(100, int(steps * _WARM_UP)))
    if step <= warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm + 1)))


@dataclass(slots=True)
class Adam:
    """The optimizer's memory: running means of the gradient and of its square, each as long as the weights."""

    mean: Floats
    square: Floats

    @classmethod
    def fresh(cls, size: int) -> Adam:
        """An optimizer that has seen nothing."""
        return cls(np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32))

    def improve(self, weights: Floats, gradient: Floats, step: int, rate: float) -> None:
        """Takes one step, numbered from 1, changing ``weights`` in place."""
        length = float(np.sqrt(np.dot(gradient, gradient)))
        if length > _CLIP:
            gradient = gradient * np.float32(_CLIP / length)
        self.mean += np.float32(1 - _FIRST) * (gradient - self.mean)
        self.square += np.float32(1 - _SECOND) * (gradient * gradient - self.square)
        scale = np.float32(rate * math.sqrt(1 - _SECOND**step) / (1 - _FIRST**step))
        weights -= scale * self.mean / (np.sqrt(self.square) + np.float32(1e-8)) + np.float32(rate * _DECAY) * weights
