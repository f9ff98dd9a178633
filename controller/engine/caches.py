"""What was made from something, by its key, to what need not be made again in the next round."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.errors import Problem
from controller.specs.loaded import LoadedSpec
from controller.state.desired import DesiredModel
from controller.state.facts import Facts
from controller.state.reasons import Reason

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

    def last(self) -> dict[K, V]:
        """What the round that is over had use for."""
        return self._before


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the settings and of a provider decides what its specs come to: its key, its type and its facts."""

    key: str
    type: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class SettledSpec:
    """What one spec and the contents of its datasets came to, whatever the other specs and a team's severities say.

    ``contents`` name what its datasets hold. ``model`` is None where they cannot be used; what it is tuned on is told
    by the other specs.
    """

    spec: LoadedSpec
    terms: Terms
    contents: tuple[str, ...]
    model: DesiredModel | None
    problems: tuple[Problem, ...]
    reason: Reason

    def stands(self, spec: LoadedSpec, terms: Terms, contents: tuple[str, ...]) -> bool:
        """Whether they would come to the same now."""
        return self.spec is spec and self.contents == contents and self.terms == terms
