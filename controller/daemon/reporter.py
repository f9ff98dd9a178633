"""What a pass tells while it works to log events, and to when each run is looked at next."""

from __future__ import annotations

import logging

import structlog

from controller.daemon.schedule import Rhythm, Sight, poll_after
from controller.plan.actions import Action, Held, Outcome
from controller.ports import Clock, Reporter
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason

log = structlog.stdlib.get_logger("gitune")


class LogReporter:
    """Log events only: for a daemon, and where a program reads a command's result. ``held`` is the level of a hold."""

    held = logging.INFO

    def started(self, action: Action) -> None:
        """An event, where something is about to be done."""
        if action.acts:
            log.info("action.started", action=action.word, name=action.name, model=action.model)

    def ended(self, outcome: Outcome) -> None:
        """An event, where something was done or refused."""
        action = outcome.action
        if isinstance(outcome, Held):
            facts = {"action": action.word, "name": action.name, "reason": str(outcome.reason)}
            level = logging.INFO if outcome.reason is Reason.EVALUATING else self.held  # it goes on, as is expected
            log.log(level, "action.held", said=outcome.message, **facts)
        elif action.acts:
            log.info("action.done", action=action.word, name=action.name, model=action.model)

    def observed(self, model: RemoteModel) -> None:
        """An event with how far a run is."""
        progress, state = model.progress, str(model.state)
        log.info("run.progress", model=model.name, state=state, steps=progress.completed_steps, of=progress.total_steps)


class LoopReporter(LogReporter):
    """The reporter of one daemon. ``last`` is when an action was last begun (monotonic seconds)."""

    held = logging.WARNING

    def __init__(self, clock: Clock, rhythm: Rhythm) -> None:
        self._clock = clock
        self._rhythm = rhythm
        self._before: dict[str, Sight] = {}
        self._seen: dict[str, Sight] = {}
        self._due: dict[str, float] = {}
        self.last = clock.monotonic()

    def started(self, action: Action) -> None:
        """As `LogReporter`; a daemon that begins an action is alive."""
        self.last = self._clock.monotonic()
        super().started(action)

    def observed(self, model: RemoteModel) -> None:
        """Keep what a run that tunes looks like, to look again when that will have changed; an event where it moved."""
        if model.state not in {RemoteState.CREATING, RemoteState.UNKNOWN}:
            return
        now = Sight(self._clock.monotonic(), model.progress)
        before = self._before.get(model.name)
        self._due[model.name] = now.at + poll_after(before, now, self._rhythm)
        if before is None or before.progress != model.progress:
            self._seen[model.name] = now
            super().observed(model)
        else:
            self._seen[model.name] = before

    def begin(self) -> None:
        """A pass begins: what it does not speak of is over."""
        self._before, self._seen, self._due = self._seen, {}, {}

    def next_poll(self) -> float | None:
        """When the next run is to be looked at (monotonic seconds); None where none tunes."""
        return min(self._due.values(), default=None)


_: type[Reporter] = LogReporter  # mypy holds that this is what the engine tells
