"""A seed and a name to a stream of draws of its own, so that a new draw in one place moves no other."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import TypeVar

_T = TypeVar("_T")


class Draw:
    """Draws from ``random()`` alone, which every Python gives alike for the same seed."""

    def __init__(self, seed: int, name: str) -> None:
        self.random = Random(f"{seed}/{name}")

    def share(self) -> float:
        """From 0 up to 1."""
        return self.random.random()

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    def between(self, low: float, high: float) -> float:
        """A float of that range, in milliseconds' steps so that it prints alike everywhere."""
        return round(low + (high - low) * self.random.random(), 3)

    def number(self, low: int, high: int) -> int:
        """An integer from low to high, both possible."""
        return low + int(self.random.random() * (high - low + 1))

    def one(self, items: Sequence[_T]) -> _T:
        """One of the items."""
        return items[int(self.random.random() * len(items))]


class SimChance:
    """The `controller.ports.Chance` of one controller."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._label = str(draw.random.random())
        self._nonces = 0

    def nonce(self) -> str:
        """16 hex digits."""
        self._nonces += 1
        return hashlib.sha256(f"{self._label}/{self._nonces}".encode()).hexdigest()[:16]

    def uniform(self, low: float, high: float) -> float:
        """A float between the two."""
        return self._draw.between(low, high)
