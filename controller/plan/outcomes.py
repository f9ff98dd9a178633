"""What became of each action, for the record and the report."""

from __future__ import annotations

from dataclasses import dataclass

from controller.plan.actions import Action
from controller.state.observed import RemoteModel
from controller.state.reasons import Reason
from controller.state.recorded import Score


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out (or there was nothing to do). ``remote`` is the model as the provider answered it."""

    action: Action
    remote: RemoteModel | None = None
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """It was not carried out, or its outcome is not known; ``reason`` and ``message`` become the condition.

    ``skipped`` are the actions of the same name that stood behind it and were not tried.
    """

    action: Action
    reason: Reason
    message: str
    hint: str = ""
    score: Score | None = None
    skipped: tuple[Action, ...] = ()


Outcome = Done | Held
