"""The unmodified engine as one to three controllers: passes at an interval, deaths, restarts, what they can reach."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.engine.desire import Kept, read_desired
from controller.engine.reconcile import Approval, Pass, preview, reconcile
from controller.errors import ControllerError
from controller.plan.actions import Action, Plan
from controller.ports import Downloads, Facts, Ports, Provider, SpecReader, Tree
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import FACTS
from controller.providers.google.credentials import ApiKey
from controller.providers.google.envelope import GOOGLE
from controller.rest import Rest, Secret, Timing
from controller.settings import Budget, Policy, Prices, ProviderSettings, RequireReview, Settings
from controller.state.desired import Desired
from controller.testing.reporter import SilentReporter
from tests.simulation.chance import Draw, SimChance
from tests.simulation.events import Event, PassBegan, PassEnded, Person
from tests.simulation.faults import Faults
from tests.simulation.ledger_port import Place, SimLedger
from tests.simulation.lives import CURRENT, Crash, Effects, Incarnation
from tests.simulation.network import KEY, LIMITS, DirectRest, Line, SimTransport
from tests.simulation.oracle import INSTANCE
from tests.simulation.remote import Remote
from tests.simulation.repository import Mirror, Repository, SimSource
from tests.simulation.shape import Shape
from tests.simulation.times import SimClock
from tests.simulation.vertex import Vertex
from tests.simulation.windows import within

PROVIDER = "cloud"
_WORDS = {"create": "create", "retune": "create", "update": "update", "cancel": "cancel", "delete": "delete"}


@dataclass(frozen=True, slots=True)
class Outside:
    """All that outlives a controller."""

    shape: Shape
    remote: Remote
    repository: Repository
    place: Place
    faults: Faults
    effects: Effects
    log: Log


class Log(ABC):
    """Where events go; called with each."""

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Note it."""


def settings_of(shape: Shape) -> Settings:
    """The gitune.yaml of a run."""
    budget = Budget(shape.budget, "USD") if shape.budget is not None else None
    prices = Prices("2025-12-31", "USD", {"models/tiny": shape.service.price}) if budget else None
    one = ProviderSettings(PROVIDER, "gemini", prices=prices)
    review = RequireReview.PULL_REQUEST if shape.require_review else RequireReview.NONE
    return Settings(
        instance=INSTANCE,
        default_provider=PROVIDER,
        providers={PROVIDER: one},
        policy=Policy(
            max_deletes=2, delete_grace=shape.grace, settle=shape.settle, budget=budget, require_review=review
        ),
    )


class Controller:
    """One replica: a row of incarnations, of which one lives at a time."""

    def __init__(self, number: int, outside: Outside) -> None:
        self._number = number
        self._outside = outside
        self._draw = Draw(outside.shape.seed, f"controller-{number}")
        self._born = 0
        self.life = self._incarnate()
        self.settings = settings_of(outside.shape)
        self.stop = False

    async def run(self) -> None:
        """Live, die and be started again until told to stop."""
        while not self.stop:
            self.life = self._incarnate()
            self.life.task = asyncio.get_running_loop().create_task(self._live(self.life))
            await asyncio.wait({self.life.task})
            if not self.stop:
                await asyncio.sleep(self._draw.between(5.0, 300.0))

    def _incarnate(self) -> Incarnation:
        self._born += 1
        label = f"c{self._number}.{self._born}"
        return Incarnation(label, self._outside.faults, self._outside.effects, self._outside.log)

    async def _live(self, life: Incarnation) -> None:
        CURRENT.set(life)
        try:
            ports = self.ports(life)
            while True:
                await asyncio.sleep(self._outside.shape.interval * self._draw.between(0.5, 1.5))
                if self.stop or not life.alive:
                    return
                if within(self._outside.shape.blind, asyncio.get_running_loop().time()):
                    continue
                if self._outside.faults.fires("clock", "clock.jump"):
                    ports = self.ports(life)
                await self.one_pass(life, ports, Approval())
        except (Crash, asyncio.CancelledError):
            life.die("unwound")

    async def one_pass(self, life: Incarnation, ports: Ports, approval: Approval) -> Pass | None:
        """One reconcile, and what came of it."""
        life.passes += 1
        life.looks = 0
        log = self._outside.log
        try:
            if self._outside.shape.reviewed and not self._outside.faults.off:
                log(PassBegan(life.label, life.passes))
                shown = await preview(ports, self.settings)
                await asyncio.sleep(self._draw.between(5.0, 200.0))
                approval = Approval(digest=shown.plan.digest)
                log(PassBegan(life.label, life.passes, _approved(shown.plan)))
            else:
                log(PassBegan(life.label, life.passes))
            done = await reconcile(ports, self.settings, approval)
        except ControllerError as error:
            log(PassEnded(life.label, life.passes, (), f"{type(error).__name__}: {error.message}"[:200]))
            return None
        except Exception as error:  # noqa: BLE001 - whatever else the product raises is a finding
            log(PassEnded(life.label, life.passes, (), f"!{type(error).__name__}: {error}"[:300]))
            return None
        log(PassEnded(life.label, life.passes, tuple(told_of(outcome.action) for outcome in done.outcomes)))
        return done

    def ports(self, life: Incarnation) -> Ports:
        """Every door of one incarnation."""
        out = self._outside
        skew = 0.0
        if life.passes and "clock" in out.shape.schedule.categories and not out.faults.off:
            skew = out.faults.amount(f"skew/{life.label}/{life.passes}", -3600.0, 3600.0)
        lag = Draw(out.shape.seed, f"mirror-{self._number}").between(0.0, out.shape.mirror_lag)
        shown = out.shape.shown if self._number == 0 else ()
        return ports_of(out, life, Mirror(lag, shown, lambda kind: meddle(out, kind)), skew)


def ports_of(out: Outside, life: Incarnation, mirror: Mirror, skew: float = 0.0) -> Ports:
    """Every door of one incarnation, onto the repository as its mirror shows it."""
    chance = SimChance(Draw(out.shape.seed, f"chance/{life.label}"))
    clock = SimClock(asyncio.get_running_loop(), skew, out.shape.clocks)
    line = Line(out.remote, life, out.faults, Draw(out.shape.seed, f"line/{life.label}"))
    return Ports(
        SimSource(out.repository, life, out.faults, mirror),
        {PROVIDER: _provider(out.shape, line, clock, chance)},
        SimLedger(out.place, life, out.faults),
        clock,
        chance,
        SilentReporter(),
        INSTANCE,
        _reader(),
    )


def _reader() -> SpecReader:
    """What a daemon's reading is, without the thread: the loop of a simulation has none."""
    kept = Kept()

    async def read(tree: Tree, settings: Settings, facts: Mapping[str, Facts], downloads: Downloads | None) -> Desired:
        del downloads  # its specs name none
        return read_desired(tree, settings, facts, kept)

    return read


def meddle(out: Outside, kind: str) -> None:
    """Between the plan and the last look before a deletion, people change their minds."""
    now = asyncio.get_running_loop().time()
    doomed = [(name, slot.model) for name, r in out.place.records.items() for slot in r.slots if slot.tombstone]
    if not doomed:
        return
    name, model = doomed[0]
    if kind == "again.unmarked":
        out.log(Person(kind, model))
        out.remote.by_hand(model, lambda version: replace(version, description="Ours now."), now, "edit")
    else:
        out.repository.restore(name, now)


def _provider(shape: Shape, line: Line, clock: SimClock, chance: SimChance) -> Provider:
    if shape.stack == "vertex":
        return Vertex(PROVIDER, DirectRest(line))
    if shape.stack == "direct":
        return Gemini(PROVIDER, DirectRest(line), FACTS)  # type: ignore[arg-type]  # a Rest by its shape
    timing = Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform)
    key = ApiKey(Secret(KEY), "GEMINI_API_KEY")
    rest = Rest("http://127.0.0.1:9", key, LIMITS, SimTransport(line), timing, dialect=GOOGLE)
    return Gemini(PROVIDER, rest, FACTS)


def told_of(action: Action) -> tuple[str, str, str, str]:
    """An action as the log has it."""
    return action.name, action.word, str(action.reason), action.model


def _approved(plan: Plan) -> frozenset[tuple[str, str]]:
    return frozenset((_WORDS[action.word], action.model) for action in plan.actions if action.word in _WORDS)
