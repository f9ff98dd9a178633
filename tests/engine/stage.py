"""A whole controller on ports in memory: specs to commit, passes to run, counts to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.engine.reconcile import Approval, Pass, preview, reconcile
from controller.plan.actions import Plan
from controller.ports import Cache, Downloads, Ports, Verdicts
from controller.settings import Budget, Policy, Prices, ProviderSettings, Settings
from controller.testing import FakeClock, MemoryLedger, MemoryProvider, MemorySource, SeededChance, SilentReporter

INSTANCE = "example.com/models"


def rows(count: int = 20, start: int = 1) -> str:
    return "".join(json.dumps({"text_input": str(n), "output": str(n + 1)}) + "\n" for n in range(start, start + count))


def spec_text(name: str = "numbers", **lines: str) -> str:
    """A spec's YAML; ``lines`` are extra lines under spec, by key."""
    extra = "".join(f"  {key}: {value}\n" for key, value in lines.items())
    return (
        "apiVersion: gitune.dev/v1alpha1\nkind: TunedModel\n"
        f"metadata: {{name: {name}}}\n"
        f"spec:\n  baseModel: models/tiny\n  dataset: {{path: rows.jsonl}}\n{extra}"
    )


def priced() -> Settings:
    """A gitune.yaml with prices, and a budget to keep."""
    prices = Prices("2026-01-01", "USD", MappingProxyType({"models/tiny": 1000.0}))
    paid = ProviderSettings("local", "gemini", prices=prices)
    return Settings(providers={"local": paid}, policy=Policy(budget=Budget(100.0, "USD")))


def _source() -> MemorySource:
    return MemorySource({"specs/numbers.yaml": spec_text(), "specs/rows.jsonl": rows()}, identity=INSTANCE)


@dataclass
class Stage:
    """The ports, and a pass at a time."""

    source: MemorySource = field(default_factory=_source)
    provider: MemoryProvider = field(default_factory=lambda: MemoryProvider("local"))
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    clock: FakeClock = field(default_factory=FakeClock)
    settings: Settings = field(default_factory=Settings)
    verdicts: Verdicts | None = None
    downloads: Downloads | None = None
    cache: Cache | None = None

    @property
    def ports(self) -> Ports:
        return Ports(
            self.source,
            {"local": self.provider},
            self.ledger,
            self.clock,
            SeededChance(),
            SilentReporter(),
            INSTANCE,
            verdicts=self.verdicts,
            cache=self.cache,
            downloads=self.downloads,
        )

    async def plan(self) -> Plan:
        return (await preview(self.ports, self.settings)).plan

    async def step(self, approval: Approval | None = None) -> list[tuple[str, str]]:
        """One pass; what was decided, by name and word."""
        done = await self.run(approval)
        return [(outcome.action.name, outcome.action.word) for outcome in done.outcomes]

    async def run(self, approval: Approval | None = None) -> Pass:
        return await reconcile(self.ports, self.settings, approval or Approval())
