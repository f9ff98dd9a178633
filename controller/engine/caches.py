"""What was made from something, by its key, to what need not be made again: of the last round, or as much as fits."""

from __future__ import annotations

from collections import OrderedDict
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


class Recent(Generic[K, V]):
    """What was used lately, as long as all of it together weighs no more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def get(self, key: K) -> V | None:
        """What is known by that key."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep it; what was not used for longest makes room. What weighs too much by itself is not kept."""
        if weight > self._most or key in self._held:
            return
        self._held[key] = (value, weight)
        self._weight += weight
        while self._weight > self._most:
            _, (_, lighter) = self._held.popitem(last=False)
            self._weight -= lighter
