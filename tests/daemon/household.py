"""A daemon's loop on ports in memory: commits to make, passes to take one by one, calls to count."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.daemon.lease import CellLease, Lease
from controller.daemon.loop import Loop, Means, Turn
from controller.daemon.metrics import Metrics
from controller.daemon.schedule import Cause, Rhythm
from controller.errors import LedgerError, RevisionConflict
from controller.ports import Opened, Ports, Reporter, Verdicts
from controller.settings import Settings
from controller.state.recorded import Record
from controller.testing import FakeClock, MemoryLedger, MemoryProvider, MemorySource, SeededChance
from tests.engine.stage import INSTANCE, rows, spec_text

TIME = frozenset({Cause.TIME})


class MemoryCell:
    """A text with the same compare-and-swap as the real ones; ``writes`` counts."""

    def __init__(self) -> None:
        self.text = ""
        self.writes = 0
        self.away = False

    async def read(self) -> tuple[str | None, str]:
        self._reach()
        return (str(self.writes) if self.writes else None), self.text

    async def write(self, tip: str | None, text: str) -> str:
        self._reach()
        if tip != (str(self.writes) if self.writes else None):
            raise RevisionConflict("the cell was changed by another process")
        self.writes += 1
        self.text = text
        return str(self.writes)

    def _reach(self) -> None:
        if self.away:
            raise LedgerError("the repository is away")


def two_specs() -> MemorySource:
    files = {
        "specs/first.yaml": spec_text("first"),
        "specs/second.yaml": spec_text("second"),
        "specs/rows.jsonl": rows(),
    }
    return MemorySource(files, identity=INSTANCE)


@dataclass
class Household:
    """One loop; a second one on the same ``source``, ``provider``, ``ledger`` and ``cell`` is its replica."""

    source: MemorySource = field(default_factory=two_specs)
    provider: MemoryProvider = field(default_factory=lambda: MemoryProvider("local"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    cell: MemoryCell = field(default_factory=MemoryCell)
    clock: FakeClock = field(default_factory=FakeClock)
    settings: Settings = field(default_factory=Settings)
    verdicts: Verdicts | None = None
    who: str = "one"
    place: str = "here"
    opened: int = 0
    closed: int = 0
    told: list[tuple[Mapping[str, Record], Mapping[str, Record]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = SeededChance(sum(self.who.encode()))
        self._chance = chance
        self.metrics = Metrics()
        means = Means(self, self.clock, chance, Rhythm(), self.metrics, lambda *pair: self.told.append(pair))
        self.loop = Loop(means, "here")

    @asynccontextmanager
    async def open(self, reporter: Reporter) -> AsyncIterator[Opened]:
        self.opened += 1
        providers = {"local": self.provider}
        ports = Ports(
            self.source, providers, self.ledger, self.clock, self._chance, reporter, INSTANCE, verdicts=self.verdicts
        )
        try:
            yield Opened(ports, self.settings)
        finally:
            self.closed += 1

    @asynccontextmanager
    async def lease(self, _settings: Settings) -> AsyncIterator[Lease]:
        yield CellLease(self.cell, self.who, self.clock, self._chance)

    def location(self) -> str:
        return self.place

    async def is_current(self, opened: Opened) -> bool:
        return opened.settings == self.settings

    async def turn(self) -> Turn:
        return await self.loop.turn(TIME)

    async def settle(self) -> None:
        """Passes until all is in agreement and nothing is done any more."""
        for _ in range(10):
            if (await self.turn()).result == "unchanged":
                return
            self.provider.finish()
            self.clock.advance(5.0)
        raise AssertionError("it did not settle within ten passes")
