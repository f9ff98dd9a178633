"""What was seen, and when, to when to look again; triggers, any number of them, to one pass at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from controller.engine.reconcile import Pass
from controller.engine.snapshot import observe, wanted
from controller.plan.actions import Done, Held, Hold, Nothing, Outcome
from controller.ports import Clock, ObserveRequest, Ports
from controller.state.observed import Observed, Progress
from controller.state.reasons import Reason
from controller.state.recorded import Record

_QUIET: Final = 0.5  # seconds without an event after which a storm counts as over
_LONGEST_STORM: Final = 10.0  # a storm that does not end must not keep anybody waiting for longer
_LOOKS_PER_RUN: Final = 20
# To list a model and compare it with what it was takes about 0.1 ms of a core (benches/daemon_idle.py): so seldom, all
# listings together take no more than half a percent of one.
_SECONDS_PER_MODEL: Final = 0.02
_GROWTH: Final = 2.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The times of a daemon, in seconds.

    ``interval`` lies between two looks where nothing happens, ``resync`` between two whole passes; ``soonest`` and
    ``latest`` bound the time between two looks at a run; ``first_retry`` and ``last_retry`` the waits after failures.
    """

    interval: float = 60.0
    resync: float = 3600.0
    soonest: float = 1.0
    latest: float = 60.0
    first_retry: float = 1.0
    last_retry: float = 300.0


def backoff(failures: int, rhythm: Rhythm, chance: float) -> float:
    """How long to wait after so many failures in a row; ``chance`` (0 to 1) spreads it over its upper half."""
    if failures <= 0:
        return 0.0
    whole = min(rhythm.last_retry, rhythm.first_retry * _GROWTH ** min(failures - 1, 32))
    return whole * (0.5 + chance / 2)


def jittered(seconds: float, chance: float) -> float:
    """Up to a tenth less, so that many daemons do not ask at the same moment, and none later than was promised."""
    return seconds * (0.9 + chance / 10)


def unlisted(models: int, rhythm: Rhythm) -> float:
    """Seconds for which so many models, of which none tunes, are not listed again: none, unless they are thousands.

    It only decides how soon a hand in the console is noticed: git and ledger are looked at each time.
    """
    pause = models * _SECONDS_PER_MODEL
    return min(rhythm.resync, pause) if pause > rhythm.interval else 0.0


def next_look(began: float, ended: float, wait: float) -> float:
    """When the look after one is due that waits so long: counted from where that one began, so that its own time is no
    delay; but a look that took long is followed by a pause as long, up to the whole wait.
    """
    return max(began + wait, ended + min(wait, ended - began))


@dataclass(frozen=True, slots=True)
class Sight:
    """A run as it was seen at one moment (monotonic seconds)."""

    at: float
    progress: Progress


def poll_after(before: Sight | None, now: Sight, rhythm: Rhythm) -> float:
    """How long to leave a run alone: a twentieth of the time it takes at the pace last seen, and not past its end.

    Of a run whose pace is not known yet that time cannot be told: it is looked at as soon as allowed.
    """
    steps = now.progress.completed_steps - (before.progress.completed_steps if before else 0)
    since = now.at - before.at if before else 0.0
    if before is None or steps <= 0 or since <= 0:
        return rhythm.soonest if before is None else min(rhythm.latest, max(rhythm.soonest, since))
    total = now.progress.total_steps
    if not total:
        return min(rhythm.latest, rhythm.soonest * _GROWTH)
    pace = steps / since
    left = max(0.0, (total - now.progress.completed_steps) / pace)
    return min(rhythm.latest, max(rhythm.soonest, min(total / pace / _LOOKS_PER_RUN, left)))


def hold_off(last_pass: float | None, first: float, last: float, now: float) -> float:
    """How long an event waits for its pass: not at all, unless a pass has just begun and events still come.

    ``last_pass`` is when the last one began that events woke; ``first`` and ``last`` are the oldest and the newest
    event that waits.
    """
    if last_pass is None or first - last_pass >= _QUIET:
        return 0.0
    return max(0.0, min(last + _QUIET, first + _LONGEST_STORM) - now)


class Cause(StrEnum):
    """Why a pass begins. It decides nothing: every pass looks at everything."""

    START = "start"
    FILES = "files"
    REMOTE = "remote"
    WEBHOOK = "webhook"
    TIME = "time"
    RELOAD = "reload"
    EVALUATION = "evaluation"


# What can come in storms. A pass that one of these began holds those after it off until they cease.
_EVENTS = frozenset({Cause.FILES, Cause.REMOTE, Cause.WEBHOOK})


class Triggers:
    """A debouncer: fired from anywhere in the loop's thread; waited for by one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fired = asyncio.Event()
        self._causes: set[Cause] = set()
        self._first = self._last = 0.0
        self._began: float | None = None
        self._ended = asyncio.Event()

    def fire(self, cause: Cause) -> None:
        """Ask for a pass. Those before it begins are one."""
        self._last = self._clock.monotonic()
        if not self._fired.is_set():
            self._first = self._last
        self._causes.add(cause)
        self._fired.set()

    def end(self) -> None:
        """No pass is waited for any more."""
        self._ended.set()
        self._fired.set()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    async def wait(self, until: float) -> frozenset[Cause]:
        """The causes of the next pass, when it may begin; at ``until`` (monotonic seconds) it begins by itself.

        Empty where there is to be no pass any more.
        """
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                await self._fired.wait()
        except TimeoutError:
            self.fire(Cause.TIME)
        while not self._ended.is_set() and (pause := self._pause()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), pause)
        if not self._causes.isdisjoint(_EVENTS):
            self._began = self._clock.monotonic()
        causes, self._causes = frozenset(self._causes), set()
        self._fired.clear()
        return frozenset() if self.over else causes

    def _pause(self) -> float:
        if self._causes.isdisjoint(_EVENTS):
            return 0.0
        return hold_off(self._began, self._first, self._last, self._clock.monotonic())


def is_settled(outcomes: Iterable[Outcome], records: Mapping[str, Record]) -> bool:
    """Whether a next pass with the same inputs can find nothing to do, however much time goes by."""
    if any(record.pending or record.intent for record in records.values()):
        return False
    if any(slot.tombstone for record in records.values() for slot in record.slots):
        return False
    return all(_rests(outcome) for outcome in outcomes)


def _rests(outcome: Outcome) -> bool:
    action = outcome.action
    if isinstance(action, Hold):
        return not action.reason.traits.passes
    return isinstance(outcome, Done) and isinstance(action, Nothing)


def is_moving(outcomes: Iterable[Outcome]) -> bool:
    """Whether something was done that the very next look will see the outcome of."""
    return any(_moved(outcome) for outcome in outcomes)


def is_interrupted(outcomes: Iterable[Outcome]) -> bool:
    """Whether the pass was not allowed to go on to its end: it is decided again at once."""
    return any(isinstance(outcome, Held) and outcome.reason is Reason.INTERRUPTED for outcome in outcomes)


def is_evaluating(outcomes: Iterable[Outcome]) -> bool:
    """Whether an evaluation goes on beside the passes."""
    return any(isinstance(outcome, Held) and outcome.reason is Reason.EVALUATING for outcome in outcomes)


def _moved(outcome: Outcome) -> bool:
    if isinstance(outcome.action, Hold):
        return outcome.action.reason is Reason.SPEC_MISSING
    return isinstance(outcome, Done) and outcome.action.word not in {"none", "wait", "orphan"}


@dataclass(frozen=True, slots=True)
class Settled:
    """The inputs of a pass that found all in agreement: while they stay as they are, so does its answer.

    Before ``listed_until`` the providers are taken for what they were; from ``until`` on everything is looked at.
    """

    tip: str
    ledger: str | None
    wants: Mapping[str, ObserveRequest]
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
        return replace(self, listed_until=now + unlisted(_models(self.observed), self.rhythm))


async def settled_by(done: Pass, ports: Ports, tip: str, rhythm: Rhythm) -> Settled | None:
    """What holds from now on, where this pass, begun at ``tip``, found nothing to do and nothing to write."""
    ledger, before = await ports.ledger.tip(), done.world.recorded.tip
    if ledger != before or tip != (done.world.desired.revision or tip):
        return None
    if not is_settled(done.outcomes, done.records):
        return None
    now, observed = ports.clock.monotonic(), done.world.observed
    listed_until = now + unlisted(_models(observed), rhythm)
    return Settled(tip, ledger, wanted(done.world), observed, rhythm, now + rhythm.resync, listed_until)


def _models(observed: Observed) -> int:
    return sum(len(seen.models) for seen in observed.providers.values())
