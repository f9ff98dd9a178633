"""A pass that found all in agreement, and what is seen now, to whether its answer still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.daemon.schedule import Rhythm, is_settled, unlisted
from controller.engine.reconcile import Pass
from controller.engine.snapshot import observe, wanted
from controller.ports import Ports, Want
from controller.state.observed import Observed


@dataclass(frozen=True, slots=True)
class Settled:
    """The inputs of a pass that found all in agreement: while they stay as they are, so does its answer.

    Before ``listed_until`` the providers are taken for what they were; from ``until`` on everything is looked at.
    """

    tip: str
    ledger: str | None
    wants: Mapping[str, Want]
    observed: Observed
    rhythm: Rhythm
    until: float
    listed_until: float

    async def still(self, ports: Ports, tip: str) -> Settled | None:
        """Itself, where git (at ``tip``), the ledger and every provider say what they said; None where one does not."""
        now = ports.clock.monotonic()
        if tip != self.tip or now > self.until or await ports.ledger.tip() != self.ledger:
            return None
        if now < self.listed_until:
            return self
        if await observe(ports, self.wants) != self.observed:
            return None
        return replace(self, listed_until=now + _unlisted(self.observed, self.rhythm))


async def settled_by(done: Pass, ports: Ports, tip: str, rhythm: Rhythm) -> Settled | None:
    """What holds from now on, where this pass, begun at ``tip``, found nothing to do and nothing to write."""
    ledger, before = await ports.ledger.tip(), done.world.recorded.tip
    if ledger != before or tip != (done.world.desired.revision or tip):
        return None
    if not is_settled(done.outcomes, done.records):
        return None
    now, observed = ports.clock.monotonic(), done.world.observed
    listed_until = now + _unlisted(observed, rhythm)
    return Settled(tip, ledger, wanted(done.world), observed, rhythm, now + rhythm.resync, listed_until)


def _unlisted(observed: Observed, rhythm: Rhythm) -> float:
    return unlisted(sum(len(seen.models) for seen in observed.providers.values()), rhythm)
