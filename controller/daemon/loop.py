"""Wakes to passes: whatever rang, everything is looked at, and what is not in order is brought on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from controller.daemon.lease import RENEWED, Fence, Lease
from controller.daemon.metrics import Metrics
from controller.daemon.provider_guard import ProviderGuard, RecentFailures
from controller.daemon.reporter import LoopReporter
from controller.daemon.schedule import (
    Cause,
    Rhythm,
    Settled,
    Triggers,
    backoff,
    is_evaluating,
    is_interrupted,
    is_moving,
    jittered,
    next_look,
    settled_by,
)
from controller.daemon.view import StatusView, revisions_of
from controller.engine.desire import Readings
from controller.engine.downloads import in_background
from controller.engine.reconcile import Approval, Pass, Refused, reconcile
from controller.engine.score import Evaluations
from controller.errors import ControllerError, RevisionConflict
from controller.plan.actions import Outcome, Update
from controller.plan.record import as_seen
from controller.ports import Chance, Clock, Landing, Opened, Ports, Reporter
from controller.settings import Settings
from controller.source.watch import Watched
from controller.spans import span
from controller.state.recorded import Record

log = structlog.stdlib.get_logger("gitune")

_LONGEST_PASS = 900.0  # seconds for one action, or for a look without any
_LONGEST_FAREWELL = 1.5  # seconds for giving the lease back
_SOON = 1.0  # seconds until the look that sees what a pass has done
_SETTLE = 60.0  # seconds, of `policy.settle`: whoever edits on is not paid for twice
_PATIENCE = 30.0  # seconds that a pass waits for data outside of the commit
_RACE = 0.2  # seconds after a lost race for the ledger


class Opening(Protocol):
    """How the ports come to be open."""

    def open(self, reporter: Reporter) -> AbstractAsyncContextManager[Opened]:
        """The ports, and the settings as they are now. Raises `ControllerError`."""
        ...

    def lease(self, settings: Settings) -> AbstractAsyncContextManager[Lease]:
        """The lease that goes with the ledger of these settings. Raises `ControllerError`."""
        ...

    def location(self) -> str:
        """Which folder and repository the name of what is followed leads to at this moment."""
        ...

    async def is_current(self, opened: Opened) -> bool:
        """Whether opening again would give the same. Raises `ControllerError`."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a loop is made of. ``recorded`` is told of the ledger before and after each pass."""

    opening: Opening
    clock: Clock
    chance: Chance
    rhythm: Rhythm
    metrics: Metrics
    recorded: Callable[[Mapping[str, Record], Mapping[str, Record]], None]


@dataclass(frozen=True, slots=True)
class Session:
    """Open ports with their guards, lease and fence, and the evaluations that go on beside the passes.

    ``where`` is what the name led to when it was opened. ``instance`` is who the owner marks say we are, ``remote``
    the repository as ``host/path``, "" where no network address leads to it.
    """

    opened: Opened
    ports: Ports
    lease: Lease
    fence: Fence
    evaluations: Evaluations
    stack: AsyncExitStack
    where: str
    instance: str = ""
    remote: str = ""


async def open_session(
    means: Means, reporter: Reporter, failures: RecentFailures, evaluated: Callable[[], None], written: str = ""
) -> Session:
    """The ports as the settings now ask for them. What cannot be opened leaves none open. Raises `ControllerError`.

    ``evaluated`` is called whenever an evaluation has ended; ``written`` is what the lease before was held by: it may
    stand there still.
    """
    stack, where = AsyncExitStack(), means.opening.location()
    try:
        opened = await stack.enter_async_context(means.opening.open(reporter))
        lease = await stack.enter_async_context(means.opening.lease(opened.settings))
        lease.written = written
    except BaseException:
        await stack.aclose()
        raise
    fence = Fence(lease)
    guards = {
        key: ProviderGuard(provider, fence, means.metrics, failures) for key, provider in opened.ports.providers.items()
    }
    downloads = await stack.enter_async_context(in_background(opened.ports.downloads, _PATIENCE))
    ports = replace(opened.ports, providers=guards, reading=Readings(opened.ports.cache).read, downloads=downloads)
    evaluations = Evaluations(ports.verdicts, failures, evaluated)
    stack.push_async_callback(evaluations.close)  # before the providers that they ask
    instance, remote = opened.settings.instance or "", await _remote(ports)
    return Session(opened, ports, lease, fence, evaluations, stack, where, instance, remote)


async def _remote(ports: Ports) -> str:
    """``host/path`` of the repository. What cannot be found out is only missing from a page."""
    with suppress(ControllerError):
        identity = await ports.source.identity() or ""
        return identity if "/" in identity else ""
    return ""


@dataclass(frozen=True, slots=True)
class Turn:
    """How one pass ended, and the seconds until the next is due.

    ``result`` is ``changed`` (a whole pass), ``unchanged`` (all is as it was when it was settled), ``standby``,
    ``raced``, ``refused`` or ``failed``.
    """

    result: str
    wait: float


def _with_settle(settings: Settings) -> Settings:
    """The settings with the time that a daemon gives edits to settle where gitune.yaml says none."""
    if settings.policy.settle is not None:
        return settings
    return replace(settings, policy=replace(settings.policy, settle=_SETTLE))


class Loop:
    """One followed repository, pass by pass. `run` ends when its triggers do."""

    def __init__(
        self, means: Means, following: str, watched: Watched | None = None, name: str = "", full_name: str = ""
    ) -> None:
        """``name`` is "" where it is the only one; ``full_name`` is what a forge calls it, "" where that is unknown.

        ``watched`` None: nothing on this machine tells of changes, only time does.
        """
        self.triggers = Triggers(means.clock)
        self.watched = watched
        self.view = StatusView(following, name=name)
        self.full_name = full_name
        self.metrics = means.metrics
        self._means = means
        self._reporter = LoopReporter(means.clock, means.rhythm)
        self._failures = RecentFailures(means.clock, means.chance, means.rhythm)
        self._session: Session | None = None
        self._written = ""  # what our last lease was held by: it could not be given back if its repository was away
        self._settled: Settled | None = None
        self._waiting_since: float | None = None
        self._done_tip = ""
        self._updated: frozenset[str] = frozenset()
        self._commits: Mapping[str, Landing | None] = {}  # None: it is not here
        self._reopen = False
        self._ended = self._now()

    async def run(self, wait: float = 0.0) -> None:
        """Passes until its triggers end, the first in ``wait`` seconds. Raises nothing that a later pass could fix."""
        until = self._now() + wait
        try:
            while not self.triggers.over:
                if causes := await self.triggers.wait(until):
                    self.metrics.woke(causes)
                    self._reopen |= Cause.RELOAD in causes
                    began, turn = self._now(), await self.turn(causes)
                    until = next_look(began, self._now(), turn.wait)
        finally:
            await self.close()

    def end(self) -> None:
        """No further effect, no further pass; the one that runs comes to its end."""
        if self._session is not None:
            self._session.fence.ending = True
        self.triggers.end()

    def is_alive(self) -> bool:
        """Whether a look came to its end lately, or an action of the one that runs was begun."""
        return self._now() - max(self._ended, self._reporter.last) < self._means.rhythm.interval + _LONGEST_PASS

    def age(self) -> float:
        """Seconds since the oldest commit was seen that no pass has brought to an end."""
        return self._now() - self._waiting_since if self._waiting_since is not None else 0.0

    async def turn(self, causes: frozenset[Cause]) -> Turn:
        """One pass, with its account."""
        said, began = " ".join(sorted(causes)), self._now()
        with span("pass", repository=self.view.name, following=self.view.following, causes=said) as told:
            turn = await self._turn()
            told.tell(result=turn.result)
        self._ended = self._now()
        seconds = self._ended - began
        self.metrics.passed(turn.result, seconds)
        if turn.result != "unchanged":
            why, wait = sorted(map(str, causes)), round(turn.wait, 1)
            log.info("pass.ended", result=turn.result, causes=why, seconds=round(seconds, 3), next=wait)
        return turn

    async def _turn(self) -> Turn:
        try:
            return await self._pass()
        except RevisionConflict as error:
            log.info("pass.raced", said=error.message)
            return Turn("raced", self._means.chance.uniform(_RACE / 2, _RACE))
        except Refused as refused:
            wait = self._refused(refused)
            await self._release()
            return Turn("refused", wait)
        except ControllerError as error:
            return Turn("failed", self._failed(error))

    async def _pass(self) -> Turn:
        session = await self._opened()
        tip = await session.ports.source.tip()
        if tip != self._done_tip and self._waiting_since is None:
            self._waiting_since = self._now()
        if tip != self._done_tip and not await self._means.opening.is_current(session.opened):
            session = await self._opened_again()
        self._settled = await self._settled.still(session.ports, tip) if self._settled is not None else None
        if self._settled is not None:
            self._show(standby="")
            return Turn("unchanged", self._interval())
        if not await session.lease.take():
            return await self._stand_by(session)
        return Turn("changed", await self._reconcile(session, tip))

    async def _reconcile(self, session: Session, tip: str) -> float:
        session.fence.begin(session.opened.ports.source, tip)
        self._reporter.begin()
        self.metrics.led(held=True)
        done = await reconcile(session.ports, _with_settle(session.opened.settings), Approval(), session.evaluations)
        self._settled = await settled_by(done, session.ports, tip, self._means.rhythm)
        self._done_tip, self._waiting_since = tip, None
        await self._describe(session, done.records)
        self._account(done)
        if self._settled is not None:
            await self._release()
        return self._next(done)

    async def _describe(self, session: Session, records: Mapping[str, Record]) -> None:
        """Who wrote the commits that the page names; what is not known of them is only missing from it."""
        wanted = frozenset(revisions_of(records))
        asked = wanted - self._commits.keys()
        found: Mapping[str, Landing] = {}
        if asked:
            with suppress(ControllerError):
                found = await session.ports.source.described(asked)
        self._commits = {one: self._commits.get(one) or found.get(one) for one in wanted}

    async def _release(self) -> None:
        """Nothing is left to do: others may look. What cannot be given back runs out by itself."""
        if self._session is not None:
            with suppress(ControllerError, TimeoutError):
                await asyncio.wait_for(self._session.lease.release(), _LONGEST_FAREWELL)
        self.metrics.led(held=False)

    def _next(self, done: Pass) -> float:
        """Seconds until something can be new: a run's progress, a retry, else the interval."""
        now = self._now()
        times = [self._interval()]
        repeated = self._repeated(done.outcomes)
        if is_moving(outcome for outcome in done.outcomes if outcome.action.digest not in repeated):
            times.append(_SOON)
        if is_interrupted(done.outcomes):
            times.append(_RACE)
        if is_evaluating(done.outcomes):
            times.append(RENEWED)
        times += [due - now for due in (self._reporter.next_poll(), self._failures.due()) if due is not None]
        return max(0.05, min(times))

    def _repeated(self, outcomes: Sequence[Outcome]) -> frozenset[str]:
        """The digests of updates that the pass before sent too: they change nothing, and nothing is gained by haste."""
        now = frozenset(o.action.digest for o in outcomes if isinstance(o.action, Update))
        repeated, self._updated = now & self._updated, now
        return repeated

    def _account(self, done: Pass) -> None:
        self.metrics.recorded(done.records)
        self.metrics.held(done.outcomes)
        self._means.recorded(done.world.recorded.records, done.records)
        self._show(
            revision=done.plan.revision or "",
            records=as_seen(done.records, done.world.observed),
            world=done.world,
            plan=done.plan,
            outcomes=done.outcomes,
            problems=done.world.desired.problems,
            standby="",
            passed=self._means.clock.now(),
        )

    async def _stand_by(self, session: Session) -> Turn:
        """Another one is at work: show what it writes, and look again before its lease can be over."""
        session.evaluations.stop_unwanted()
        holder = session.lease.holder
        if self.view.standby != holder:
            log.info("lease.elsewhere", holder=holder)
        self.metrics.led(held=False)
        recorded = await session.ports.ledger.load()
        self.metrics.recorded(recorded.records)
        self._show(records=recorded.records, standby=holder)
        return Turn("standby", self._means.chance.uniform(1.0, 3.0))

    def _refused(self, refused: Refused) -> float:
        """A guard stands: nothing was sent. The plan is shown with what to do; a change of anything is a new chance."""
        plan, world = refused.preview.plan, refused.preview.world
        records = world.recorded.records
        if self.view.failure != refused.message:
            log.warning("pass.refused", said=refused.message, hint=refused.hint)
        self.metrics.recorded(records)
        now, revision = self._means.clock.now(), plan.revision or ""
        self._show(refused, revision=revision, records=records, world=world, plan=plan, outcomes=(), passed=now)
        return self._interval()

    def _failed(self, error: ControllerError) -> float:
        failures = self.view.failures + 1
        log.warning("pass.failed", failures=failures, said=error.message, hint=error.hint, kind=type(error).__name__)
        self._settled = None
        self._show(error, failures=failures)
        return backoff(failures, self._means.rhythm, self._means.chance.uniform(0.0, 1.0))

    def stumbled(self, error: Exception) -> float:
        """A pass met what nobody foresaw: its kind is shown, and the seconds to wait before the next are returned."""
        self._ended = self._now()
        message = f"a fault of Gitune: {type(error).__name__}"
        return self._failed(
            ControllerError(message, hint="Please report it, with the line of the log that says where.")
        )

    def _show(self, fault: ControllerError | None = None, failures: int = 0, **changes: object) -> None:
        """What was looked at just now, and what went wrong with it."""
        failure, hint = (fault.message, fault.hint) if fault else ("", "")
        looked = {"failure": failure, "hint": hint, "failures": failures, "looked": self._means.clock.now()}
        commits = {commit: landing for commit, landing in self._commits.items() if landing is not None}
        self.view = replace(self.view, **looked, commits=commits, **changes)  # type: ignore[arg-type] # fields of View

    async def _opened(self) -> Session:
        if self._session is None or self._reopen or self._session.where != self._means.opening.location():
            return await self._opened_again()
        return self._session

    async def _opened_again(self) -> Session:
        """The ports as the settings now ask for them."""
        await self.close()
        self._reopen, self._settled, self._done_tip = False, None, ""
        self._session = session = await open_session(
            self._means, self._reporter, self._failures, lambda: self.triggers.fire(Cause.EVALUATION), self._written
        )
        session.fence.ending = self.triggers.over
        self._commits = {}
        self.view = replace(
            self.view,
            instance=session.instance,
            remote=session.remote,
            currency=session.opened.settings.currency,
            free=frozenset(key for key, facts in session.ports.facts.items() if facts.free),
        )
        log.info("ports.opened", following=self.view.following, providers=sorted(session.ports.providers))
        return session

    async def close(self) -> None:
        """Give the lease back and let go of the ports; `run` does so at its end."""
        await self._release()
        session, self._session = self._session, None
        if session is not None:
            self._written = session.lease.written
            await session.stack.aclose()

    def _interval(self) -> float:
        return jittered(self._means.rhythm.interval, self._means.chance.uniform(0.0, 1.0))

    def _now(self) -> float:
        return self._means.clock.monotonic()
