"""How time, chance and bytes reach a provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.ports import Chance, Clock
from controller.rest import ClientLimits, Timing, Transport


@dataclass(frozen=True, slots=True)
class Doors:
    """The ports of a provider; ``transport`` None means real sockets. ``limits`` are those of its client."""

    clock: Clock
    chance: Chance
    transport: Transport | None = None
    limits: ClientLimits = field(default_factory=ClientLimits)

    @property
    def timing(self) -> Timing:
        """The same as callables, which is all that `controller.rest` knows of them."""
        return Timing(self.clock.now, self.clock.monotonic, self.clock.sleep, self.chance.uniform)
