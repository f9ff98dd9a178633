"""A shape to one whole run: safety phase with faults, heal, convergence, quiet; out come events and violations."""

from __future__ import annotations

import asyncio
import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controller import failpoints
from tests.simulation.chance import Draw
from tests.simulation.controllers import Controller, Log, Outside
from tests.simulation.events import Died, Event, Fault, Healed, Person
from tests.simulation.faults import Faults
from tests.simulation.forge import Forge, Hook
from tests.simulation.jobs import Jobs
from tests.simulation.ledger_port import Place
from tests.simulation.lives import Crash, Effects, at_point
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.oracle import Bounds, Oracle, Violation
from tests.simulation.people import Act, perform
from tests.simulation.remote import Model, Remote, Version
from tests.simulation.repository import Repository
from tests.simulation.reviewers import act_on_host, is_hosted
from tests.simulation.settling import settle
from tests.simulation.shape import Shape


@dataclass
class Result:
    """What a run came to. ``trace`` is (time, event); ``keys`` name every fault and act that took part."""

    shape: Shape
    violations: list[Violation] = field(default_factory=list)
    trace: list[tuple[float, Event]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    keys: tuple[str, ...] = ()
    passes_to_settle: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    effects: tuple[str, ...] = ()
    steps: int = 0
    end: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the trace: the same seed gives the same, wherever it runs."""
        whole = hashlib.sha256()
        for at, event in self.trace:
            whole.update(f"{at:.6f} {event!r}\n".encode())
        return whole.hexdigest()


class Broke(Exception):
    """A violation was found: there is no need to go on."""


class _Recorder(Log):
    def __init__(self, result: Result, loop: SimLoop) -> None:
        self._result = result
        self._loop = loop
        self.oracle: Oracle | None = None

    def __call__(self, event: Event) -> None:
        self._result.trace.append((self._loop.time(), event))
        if isinstance(event, Fault):
            self._result.faults[event.kind] += 1
        if self.oracle is not None:
            self.oracle.see(event)


class World:
    """Everything of one run."""

    def __init__(self, shape: Shape, loop: SimLoop) -> None:
        self.shape = shape
        self.loop = loop
        self.result = Result(shape)
        log = _Recorder(self.result, loop)
        bounds = Bounds(shape.budget, shape.grace, shape.mirror_lag, shape.orderly, shape.require_review, shape.hosted)
        bounds = replace(bounds, settle=shape.settle)
        self.oracle = Oracle(bounds, self.result.violations.append, loop.time)
        log.oracle = self.oracle
        self.log = log
        self.faults = Faults(shape.seed, shape.schedule, log)
        self.effects = Effects(shape.crash_at, shape.fail_at)
        self.remote = Remote(shape.seed, shape.service, log, self.faults.fires)
        self.repository = Repository(shape.seed, log)
        self.place = Place(log, shape.whole_ledger, shape.parsed_ledger, shape.service.distance / 4)
        self.outside = Outside(shape, self.remote, self.repository, self.place, self.faults, self.effects, log)
        self.controllers = [Controller(n, self.outside) for n in range(shape.controllers)]
        self.forge = Forge(self.repository, log, loop.time) if shape.hosted else None
        self.jobs = Jobs(self.outside, self.forge) if self.forge is not None else None
        self.acted: list[str] = []
        self.waiting: list[asyncio.Task[None]] = []

    async def whole(self) -> None:
        """Safety, then heal, convergence and quiet."""
        shape = self.shape
        self.repository.commit({wish.name: wish for wish in shape.wishes}, {}, 0.0)
        jobs = [self.loop.create_task(controller.run()) for controller in self.controllers]
        others = (self._people(), self._trouble(), self._hands(), self._schedule())
        jobs += [self.loop.create_task(job) for job in others]
        step = shape.interval
        while self.loop.time() < shape.safety and not self.result.violations:
            await asyncio.sleep(min(step, max(1.0, shape.safety - self.loop.time())))
        self.remote.tell_ends(self.loop.time())
        for job in (*jobs[len(self.controllers) :], *self.waiting):
            job.cancel()
        await self._stop(jobs[: len(self.controllers)])
        if not self.result.violations:
            await settle(self)

    async def _stop(self, jobs: list[asyncio.Task[None]]) -> None:
        """Heal: faults end, the controllers' passes are let run out or killed."""
        self.faults.off = True
        self.effects.armed = False
        self.remote.heal(self.loop.time())
        for controller in self.controllers:
            controller.stop = True
        killed = Draw(self.shape.seed, "heal").chance(0.5)
        if killed:
            for controller in self.controllers:
                controller.life.kill("stopped")
        if self.jobs is not None:
            self.jobs.stop = True
            for life in self.jobs.lives:
                if killed and life.alive:
                    life.kill("stopped")
            jobs = [*jobs, *self.jobs.running]
        if jobs:
            await asyncio.wait(set(jobs), timeout=20_000.0)
        self.log(Healed(self.repository.head.revision))

    async def _people(self) -> None:
        for act in self.shape.acts:
            await asyncio.sleep(max(0.0, act.at - self.loop.time()))
            if self.faults.wanted(act.key):
                self.acted.append(act.key)
                await self._act(act)

    async def _act(self, act: Act) -> None:
        """A careful person waits, and holds nobody else up meanwhile."""
        if self.forge is None or not is_hosted(act):
            before = self.repository.head
            perform(act, self.repository, self.loop.time())
            if self.forge is not None and self.repository.head is not before:
                self.forge.wake(Hook("apply"))
        elif act.what.startswith("merge-well"):
            self.waiting.append(self.loop.create_task(act_on_host(act, self)))
        else:
            await act_on_host(act, self)

    def again(self, kind: str, number: int) -> None:
        """A person starts an old job again, as its event told of it."""
        past = [task for task in self.jobs.past if task.kind == kind] if self.jobs is not None else []
        if self.jobs is not None and past:
            self.jobs.start(past[-1 - number % len(past)], 1.0)

    async def _schedule(self) -> None:
        """An apply now and then, whatever happens."""
        while self.forge is not None:
            await asyncio.sleep(self.shape.interval * 2.0)
            self.forge.wake(Hook("apply"))

    async def _trouble(self) -> None:
        """Faults with a time of their own, in the order of their times."""
        draw = Draw(self.shape.seed, "trouble")
        table: list[tuple[float, str, str, bool]] = []
        for kind in ("kill", "kill", "kill", "sigterm", *_TROUBLES):
            at, key = draw.between(100.0, self.shape.safety), f"timed@{len(table)}:{kind}"
            table.append((at, key, kind, self.faults.timed(kind)))
        only = self.shape.schedule.only
        for at, key, kind, drawn in sorted(table):
            if not (key in only if only is not None else drawn):
                continue
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            self._strike(kind, key)

    async def _hands(self) -> None:
        """What a shape says a hand does, in the console to the model of that number, or to the ledger."""
        for at, kind, nth in self.shape.strikes:
            await asyncio.sleep(max(0.0, at - self.loop.time()))
            if kind.startswith("ledger."):
                self._lose(kind, nth)
            elif not _by_hand(self, kind, lambda models, nth=nth: models[nth], self.loop.time()):  # type: ignore[misc]
                continue
            self.faults.strike(kind, f"strike@{at:g}:{kind}")

    def _strike(self, kind: str, key: str) -> None:
        now = self.loop.time()
        pick = Draw(self.shape.seed, f"strike/{key}")
        if kind in {"kill", "sigterm"}:
            lives = [controller.life for controller in self.controllers]
            lives += [life for life in self.jobs.lives if life.alive] if self.jobs is not None else []
            if not lives:
                return
            life = lives[pick.number(0, len(lives) - 1)]
            if life.task is None or not life.alive:
                return
            if kind == "kill":
                life.kill("killed")
            else:
                life.task.cancel()  # a real unwind: its ports still work
                self.log(Died(life.label, "told to stop"))
        elif not self._trouble_at(kind, pick, now):
            return
        self.faults.strike(kind, key)

    def _trouble_at(self, kind: str, pick: Draw, now: float) -> bool:
        if kind == "base.retired":
            self.remote.base_tunable = not self.remote.base_tunable
            return True
        if kind.startswith("ledger."):
            if not self.shape.service.chooses_id or self.place.now is None:
                return False  # where the service chooses ids, the ledger is the only lock there is
            self._lose(kind, pick.number(1, 3))
            return True
        return _by_hand(self, kind, pick.one, now)

    def _lose(self, kind: str, by: int) -> None:
        """The ledger's ref is gone, or put back by so many versions."""
        self.log(Person(kind, ""))
        self.oracle.excuse_the_lost()
        self.place.vanish() if kind == "ledger.vanished" else self.place.roll_back(by)


def _by_hand(world: World, kind: str, choose: Callable[[Sequence[Model]], Model], now: float) -> bool:
    if kind in _PLANTED:
        return _plant(world, kind, now)
    ours = [model for model in world.remote.alive(now) if not model.foreign]
    if not ours:
        return False
    name = choose(ours).name
    changes: dict[str, Any] = {
        "console.edited": lambda v: replace(v, description=f"Edited by hand.\n{v.description}", display="By hand"),
        "console.unmarked": lambda v: replace(v, description="Ours now."),
        "console.deleted": lambda v: replace(v, gone=True),
    }
    change: Any = changes[kind]
    world.log(Person(kind, name))
    world.remote.by_hand(name, change, now, "delete" if kind == "console.deleted" else "edit")
    return True


# What somebody plants: the word that tells it, and whose account it is in.
_PLANTED = {"console.foreign": "", "console.copied": "", "console.shared": "shared", "console.closed": "closed"}


def _plant(world: World, kind: str, now: float) -> bool:
    """A model of somebody else on the very id that a spec will want, or a copy of what serves on another one."""
    head = world.repository.head
    if not head.wishes or not world.shape.service.chooses_id:
        return False
    name = min(head.wishes)
    for known in world.place.records.values():
        if known.name == name and known.active is not None:
            wanted = known.active.model + "-copy" if kind == "console.copied" else known.active.model[:-1] + "2"
            version = world.remote.models[known.active.model].version(now)
            forged = version.description if version is not None and kind != "console.foreign" else "made by hand"
            if kind != "console.copied":
                forged = forged.replace(" attempt=1 ", " attempt=2 ")
            if world.remote.plant(wanted, now, forged, _PLANTED[kind]):
                world.log(Person(kind, wanted))
                return True
    return False


_TROUBLES = (
    "base.retired",
    "ledger.vanished",
    "ledger.rolled-back",
    "console.edited",
    "console.unmarked",
    "console.deleted",
    *_PLANTED,
)


def run(shape: Shape) -> Result:
    """One run from its beginning to its end, or to its first violation."""
    loop = SimLoop(Draw(shape.seed, "loop").random)
    loop.set_exception_handler(lambda _loop, _context: None)
    gc.disable()
    failpoints.hook(at_point)
    world = World(shape, loop)
    try:
        loop.run_until_complete(world.whole())
    except Stuck as error:
        world.result.violations.append(Violation("L3", loop.time(), str(error)))
    except Crash:
        world.result.violations.append(Violation("X", loop.time(), "a crash left its process"))
    finally:
        failpoints.hook(None)
        _close(loop)
    result = world.result
    fired = [event.key for _, event in result.trace if isinstance(event, Fault)]
    result.keys = tuple(dict.fromkeys((*fired, *world.acted)))
    result.counts = world.oracle.counts
    result.effects = tuple(world.effects.verbs)
    result.steps = loop.steps
    return result


def _close(loop: SimLoop) -> None:
    """Let go of every task without running any of it on."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop._ready.clear()
    loop._scheduled.clear()
    loop.close()


__all__ = ["Result", "Version", "World", "run"]
