"""What was made from something, by its key, to what need not be made again in the next round."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Last(Generic[K, V]):
    """What the round before used, for the round that runs. It never holds more than two rounds have use for."""

    def __init__(self) -> None:
        self._before: dict[K, V] = {}
        self._now: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What is known by that key; it stays for the next round."""
        found = self._now.get(key)
        if found is None and (found := self._before.get(key)) is not None:
            self._now[key] = found
        return found

    def put(self, key: K, value: V) -> None:
        """Keep it for the next round."""
        self._now[key] = value

    def turn(self) -> None:
        """The round is over: what it had no use for is forgotten."""
        self._before, self._now = self._now, {}
