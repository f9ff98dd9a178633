"""What became of a command to its exit code."""

from __future__ import annotations

from collections.abc import Iterable

from controller.cli.codes import Code
from controller.errors import ControllerError, UnsafePlan
from controller.plan.actions import Held, Outcome, Plan
from controller.plan.world import World
from controller.report.applied import waiting_on_people
from controller.report.problems import unreadable
from controller.state.reasons import Reason


def of_error(error: ControllerError) -> Code:
    """A plan refused by a guard or by a moved digest waits on a person; every other error is a failure."""
    return Code.HOLDS if isinstance(error, UnsafePlan) else Code.FAILED


def of_plan(world: World, plan: Plan, *, detailed: bool) -> Code:
    """1 where a spec is invalid or a provider could not be read; 2 for changes where that was asked for."""
    if unreadable(world):
        return Code.FAILED
    changes = any(action.acts for action in plan.actions)
    return Code.CHANGES if detailed and changes else Code.WELL


def of_pass(world: World, outcomes: Iterable[Outcome]) -> Code:
    """1 where a spec is invalid or a provider could not be read; 3 where something holds that needs a person."""
    results = tuple(outcomes)
    if unreadable(world) or any(_reason(result) is Reason.PROVIDER_UNREADABLE for result in results):
        return Code.FAILED
    return Code.HOLDS if waiting_on_people(results) else Code.WELL


def _reason(outcome: Outcome) -> Reason:
    return outcome.reason if isinstance(outcome, Held) else outcome.action.reason
