"""What a pass tells while it works to log events, to what the page shows, and to when each run is looked at next."""

from __future__ import annotations

import structlog

from controller.daemon.schedule import Rhythm, Sight, poll_after
from controller.plan.actions import Action, Held, Outcome
from controller.ports import Clock, Reporter
from controller.state.observed import RemoteModel, RemoteState

log = structlog.stdlib.get_logger("gitune")


class Telling:
    """The reporter of one daemon. ``last`` is when an action was last begun (monotonic seconds)."""

    def __init__(self, clock: Clock, rhythm: Rhythm) -> None:
        self._clock = clock
        self._rhythm = rhythm
        self._before: dict[str, Sight] = {}
        self._seen: dict[str, Sight] = {}
        self._due: dict[str, float] = {}
        self.last = clock.monotonic()

    def started(self, action: Action) -> None:
        """An event, where something is about to be done."""
        self.last = self._clock.monotonic()
        if action.acts:
            log.info("action.started", action=action.word, name=action.name, model=action.model)

    def ended(self, outcome: Outcome) -> None:
        """An event, where something was done or refused."""
        action = outcome.action
        if isinstance(outcome, Held):
            log.warning(
                "action.held", action=action.word, name=action.name, reason=str(outcome.reason), said=outcome.message
            )
        elif action.acts:
            log.info("action.done", action=action.word, name=action.name, model=action.model)

    def observed(self, model: RemoteModel) -> None:
        """Keep what it looks like, to look again when that will have changed."""
        if model.state not in {RemoteState.CREATING, RemoteState.UNKNOWN}:
            return
        now = Sight(self._clock.monotonic(), model.progress)
        before = self._before.get(model.name)
        self._due[model.name] = now.at + poll_after(before, now, self._rhythm)
        moved = before is None or before.progress != model.progress
        self._seen[model.name] = now if moved else before or now
        if moved:
            progress = model.progress
            log.info("run.progress", model=model.name, steps=progress.completed_steps, of=progress.total_steps)

    def begin(self) -> None:
        """A pass begins: what it does not speak of is over."""
        self._before, self._seen, self._due = self._seen, {}, {}

    def next_poll(self) -> float | None:
        """When the next run is to be looked at (monotonic seconds); None where none tunes."""
        return min(self._due.values(), default=None)


_: type[Reporter] = Telling  # mypy holds that this is what the engine tells
