"""How time, chance and bytes reach a provider."""

from __future__ import annotations

from dataclasses import dataclass

from controller.ports import Chance, Clock
from controller.rest import Timing, Transport


@dataclass(frozen=True, slots=True)
class Doors:
    """The ports of a provider; ``transport`` None means real sockets."""

    clock: Clock
    chance: Chance
    transport: Transport | None = None

    @property
    def timing(self) -> Timing:
        """The same as callables, which is all that `controller.rest` knows of them."""
        return Timing(self.clock.now, self.clock.monotonic, self.clock.sleep, self.chance.uniform)
