"""Wakes to passes: whatever rang, everything is looked at, and what is not in order is brought on its way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from controller.daemon.bell import Bell, Cause
from controller.daemon.gate import Spared
from controller.daemon.metrics import Metrics
from controller.daemon.place import Means, Place, open_place
from controller.daemon.schedule import backoff, is_interrupted, is_moving, jittered, next_look
from controller.daemon.settled import Settled, settled_by
from controller.daemon.telling import Telling
from controller.daemon.view import View, as_seen
from controller.engine.reconcile import Approval, Pass, Refused, reconcile
from controller.errors import ControllerError, RevisionConflict
from controller.spans import Span, span

log = structlog.stdlib.get_logger("gitune")

_LONGEST_PASS = 900.0  # seconds for one action, or for a look without any
_LONGEST_FAREWELL = 1.5  # seconds for giving the lease back
_SOON = 1.0  # seconds until the look that sees what a pass has done
_RACE = 0.2  # seconds after a lost race for the ledger


@dataclass(frozen=True, slots=True)
class Turn:
    """How one pass ended, and the seconds until the next is due.

    ``result`` is ``changed`` (a whole pass), ``unchanged`` (all is as it was when it was settled), ``standby``,
    ``raced``, ``refused`` or ``failed``.
    """

    result: str
    wait: float


class Loop:
    """One followed repository, pass by pass. `run` ends when the bell does."""

    def __init__(self, means: Means, bell: Bell, following: str, name: str = "", full_name: str = "") -> None:
        """``name`` is "" where it is the only one; ``full_name`` is what a forge calls it, "" where that is unknown."""
        self.bell = bell
        self.view = View(following, name=name)
        self.full_name = full_name
        self._means = means
        self._telling = Telling(means.clock, means.rhythm)
        self._spared = Spared()
        self._place: Place | None = None
        self._settled: Settled | None = None
        self._waiting_since: float | None = None
        self._done_tip = ""
        self._reopen = False
        self._ended = self._now()

    @property
    def metrics(self) -> Metrics:
        """Its numbers."""
        return self._means.metrics

    async def run(self, wait: float = 0.0) -> None:
        """Passes until the bell ends, the first in ``wait`` seconds. Raises nothing that a later pass could mend."""
        until = self._now() + wait
        try:
            while not self.bell.over:
                if causes := await self.bell.wait(until):
                    self._means.metrics.woke(causes)
                    self._reopen |= Cause.RELOAD in causes
                    began, turn = self._now(), await self.turn(causes)
                    until = next_look(began, self._now(), turn.wait)
        finally:
            await self._leave()

    def end(self) -> None:
        """No further effect, no further pass; the one that runs comes to its end."""
        if self._place is not None:
            self._place.fence.ending = True
        self.bell.end()

    def is_alive(self) -> bool:
        """Whether a look came to its end lately, or an action of the one that runs was begun."""
        return self._now() - max(self._ended, self._telling.last) < self._means.rhythm.interval + _LONGEST_PASS

    def age(self) -> float:
        """Seconds since the oldest commit was seen that no pass has brought to an end."""
        return self._now() - self._waiting_since if self._waiting_since is not None else 0.0

    async def turn(self, causes: frozenset[Cause]) -> Turn:
        """One pass, with its account."""
        with span(
            "pass", repository=self.view.name, following=self.view.following, causes=" ".join(sorted(causes))
        ) as told:
            return await self._turn(causes, told)

    async def _turn(self, causes: frozenset[Cause], told: Span) -> Turn:
        began, result, wait = self._now(), "failed", 0.0
        try:
            result, wait = await self._pass()
        except RevisionConflict as error:
            log.info("pass.raced", said=error.message)
            result, wait = "raced", self._means.chance.uniform(_RACE / 2, _RACE)
        except Refused as refused:
            result, wait = "refused", self._refused(refused)
            await self._release()
        except ControllerError as error:
            wait = self._failed(error)
        self._ended = self._now()
        seconds = self._ended - began
        self._means.metrics.passed(result, seconds)
        told.tell(result=result)
        if result != "unchanged":
            log.info(
                "pass.ended",
                result=result,
                causes=sorted(map(str, causes)),
                seconds=round(seconds, 3),
                next=round(wait, 1),
            )
        return Turn(result, wait)

    async def close(self) -> None:
        """Give the lease back and let go of the ports; `run` does so at its end."""
        await self._leave()

    async def _pass(self) -> tuple[str, float]:
        place = await self._opened()
        tip = await place.ports.source.tip()
        if tip != self._done_tip and self._waiting_since is None:
            self._waiting_since = self._now()
        if tip != self._done_tip and not await self._means.opening.is_current(place.opened):
            place = await self._opened_again()
        self._settled = await self._settled.still(place.ports, tip) if self._settled is not None else None
        if self._settled is not None:
            self._show(failures=0, failure="", hint="", looked=self._means.clock.now(), standby="")
            return "unchanged", self._interval()
        if not await place.lease.take():
            return await self._stand_by(place)
        return "changed", await self._reconcile(place, tip)

    async def _reconcile(self, place: Place, tip: str) -> float:
        place.fence.begin(place.opened.ports.source, tip)
        self._telling.begin()
        self._means.metrics.led(held=True)
        done = await reconcile(place.ports, place.opened.settings, Approval())
        self._settled = await settled_by(done, place.ports, tip, self._means.rhythm)
        self._done_tip, self._waiting_since = tip, None
        self._account(done)
        if self._settled is not None:
            await self._release()
        return self._next(done)

    async def _release(self) -> None:
        """Nothing is left to do: others may look. What cannot be given back runs out by itself."""
        if self._place is not None:
            with suppress(ControllerError, TimeoutError):
                await asyncio.wait_for(self._place.lease.release(), _LONGEST_FAREWELL)
        self._means.metrics.led(held=False)

    def _next(self, done: Pass) -> float:
        """Seconds until something can be new: a run's progress, a retry, else the interval."""
        now = self._now()
        times = [self._interval()]
        if is_moving(done.outcomes):
            times.append(_SOON)
        if is_interrupted(done.outcomes):
            times.append(_RACE)
        times += [due - now for due in (self._telling.next_poll(), self._spared.due(now)) if due is not None]
        return max(0.05, min(times))

    def _account(self, done: Pass) -> None:
        metrics, now = self._means.metrics, self._means.clock.now()
        metrics.recorded(done.records)
        metrics.held(done.outcomes)
        self._means.recorded(done.world.recorded.records, done.records)
        self._show(
            revision=done.plan.revision or "",
            records=as_seen(done.records, done.world.observed),
            plan=done.plan,
            outcomes=done.outcomes,
            problems=done.world.desired.problems,
            failure="",
            hint="",
            failures=0,
            standby="",
            looked=now,
            passed=now,
        )

    async def _stand_by(self, place: Place) -> tuple[str, float]:
        """Another one is at work: show what it writes, and look again before its lease can be over."""
        holder = place.lease.holder
        if self.view.standby != holder:
            log.info("lease.elsewhere", holder=holder)
        self._means.metrics.led(held=False)
        recorded = await place.ports.ledger.load()
        self._means.metrics.recorded(recorded.records)
        self._show(records=recorded.records, standby=holder, failures=0, failure="", looked=self._means.clock.now())
        return "standby", self._means.chance.uniform(1.0, 3.0)

    def _refused(self, refused: Refused) -> float:
        """A guard stands: nothing was sent. The plan is shown with what to do; a change of anything is a new chance."""
        plan = refused.preview.plan
        if self.view.failure != refused.message:
            log.warning("pass.refused", said=refused.message, hint=refused.hint)
        now = self._means.clock.now()
        self._means.metrics.recorded(refused.preview.world.recorded.records)
        self._show(
            revision=plan.revision or "",
            records=refused.preview.world.recorded.records,
            plan=plan,
            outcomes=(),
            failure=refused.message,
            hint=refused.hint,
            failures=0,
            looked=now,
            passed=now,
        )
        return self._interval()

    def _failed(self, error: ControllerError) -> float:
        failures = self.view.failures + 1
        log.warning("pass.failed", failures=failures, said=error.message, hint=error.hint, kind=type(error).__name__)
        self._settled = None
        self._show(failure=error.message, hint=error.hint, failures=failures, looked=self._means.clock.now())
        return backoff(failures, self._means.rhythm, self._means.chance.uniform(0.0, 1.0))

    def stumbled(self, error: Exception) -> float:
        """A pass met what nobody foresaw: its kind is shown, and the seconds to wait before the next are returned."""
        self._ended = self._now()
        message = f"a fault of Gitune: {type(error).__name__}"
        return self._failed(
            ControllerError(message, hint="Please report it, with the line of the log that says where.")
        )

    def _show(self, **changes: object) -> None:
        self.view = replace(self.view, **changes)  # type: ignore[arg-type] # fields of View

    async def _opened(self) -> Place:
        if self._place is None or self._reopen or self._place.where != self._means.opening.place():
            return await self._opened_again()
        return self._place

    async def _opened_again(self) -> Place:
        """The ports as the settings now ask for them."""
        await self._leave()
        self._reopen, self._settled, self._done_tip = False, None, ""
        self._place = place = await open_place(self._means, self._telling, self._spared)
        place.fence.ending = self.bell.over
        log.info("ports.opened", following=self.view.following, providers=sorted(place.ports.providers))
        return place

    async def _leave(self) -> None:
        await self._release()
        place, self._place = self._place, None
        if place is not None:
            await place.stack.aclose()

    def _interval(self) -> float:
        return jittered(self._means.rhythm.interval, self._means.chance.uniform(0.0, 1.0))

    def _now(self) -> float:
        return self._means.clock.monotonic()
