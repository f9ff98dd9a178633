"""Which exit code a plan, a pass or an error ends in."""

from __future__ import annotations

import pytest

from controller.cli.exit_codes import ExitCode, of_error, of_pass, of_plan
from controller.engine.reconcile import Preview, Refused
from controller.errors import (
    ControllerError,
    LedgerError,
    OutcomeUnknown,
    Problem,
    RevisionConflict,
    SourceError,
    SpecInvalid,
    Transient,
    UnsafePlan,
)
from controller.plan.actions import Done, Held, Hold, Nothing, Orphan, Plan, Wait
from controller.plan.approval import only_new
from controller.plan.world import World
from controller.report.render_problems import unreadable
from controller.state.desired import Desired, InvalidModel, Place
from controller.state.observed import Observed, ObservedProvider
from controller.state.reasons import Reason
from controller.state.recorded import Recorded


def action(
    kind: type[Hold | Nothing | Wait | Orphan] = Hold, reason: Reason = Reason.SUSPENDED
) -> Hold | Nothing | Wait | Orphan:
    return kind(name="a", provider="local", reason=reason, message="", digest=f"{kind.__name__}{reason}")


def world(desired: Desired | None = None, **providers: ObservedProvider) -> World:
    return World(desired or Desired("r", ()), Recorded(), Observed(providers), "acme/models")


PROBLEM = Problem("specs/a.yaml", 1, 1, "GT012", "wrong")
BROKEN = Desired("r", (), (InvalidModel("a", Place("specs/a.yaml"), Reason.INVALID_SPEC, (PROBLEM,)),), (PROBLEM,))
SILENT = ObservedProvider("gemini", complete=False, error="403")


@pytest.mark.parametrize("kind", [Hold, Nothing, Wait])
def test_what_waits_or_holds_or_is_in_order_is_no_change(kind: type[Hold | Nothing | Wait]) -> None:
    assert of_plan(world(), Plan("r", (action(kind),)), detailed=True) is ExitCode.WELL


def test_changes_are_2_only_where_that_was_asked_for() -> None:
    plan = Plan("r", (action(Orphan),))
    assert of_plan(world(), plan, detailed=True) is ExitCode.CHANGES
    assert of_plan(world(), plan, detailed=False) is ExitCode.WELL


@pytest.mark.parametrize("seen", [world(BROKEN), world(gemini=SILENT), world(Desired("r", (), complete=False))])
def test_half_a_picture_is_a_failure_whatever_the_plan_says(seen: World) -> None:
    assert of_plan(seen, Plan("r", (action(Orphan),)), detailed=True) is ExitCode.FAILED
    assert of_pass(seen, [Done(action(Hold, Reason.RUN_FAILED))]) is ExitCode.FAILED


def test_what_could_not_be_used_is_named() -> None:
    assert unreadable(world(BROKEN, gemini=SILENT)) == ("spec a cannot be used", "provider gemini cannot be read")
    assert unreadable(world(Desired("r", (), (), (PROBLEM,)))) == ("specs/a.yaml is invalid",)
    assert unreadable(world()) == ()


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.traits.needs_person])
def test_a_hold_that_needs_a_person_exits_3_planned_or_met_on_the_way(reason: Reason) -> None:
    assert of_pass(world(), [Done(action(Hold, reason))]) is ExitCode.HOLDS
    assert of_pass(world(), [Held(action(Orphan), reason, "")]) is ExitCode.HOLDS


@pytest.mark.parametrize(
    "reason", [Reason.SUSPENDED, Reason.QUEUED, Reason.QUOTA_EXCEEDED, Reason.BASE_MODEL_NOT_READY, Reason.SETTLING]
)
def test_a_hold_that_ends_by_itself_or_was_wished_for_exits_0(reason: Reason) -> None:
    assert of_pass(world(), [Done(action(Hold, reason))]) is ExitCode.WELL


def test_a_provider_that_fails_in_mid_pass_exits_1() -> None:
    assert of_pass(world(), [Held(action(Orphan), Reason.PROVIDER_UNREADABLE, "")]) is ExitCode.FAILED


def test_a_refused_plan_exits_3_and_every_other_error_1() -> None:
    refused = Refused("no", Preview(world(), Plan("r", ())))
    assert {of_error(refused), of_error(UnsafePlan("no"))} == {ExitCode.HOLDS}
    others: tuple[ControllerError, ...] = (
        SpecInvalid((PROBLEM,)),
        RevisionConflict("x"),
        SourceError("x"),
        LedgerError("x"),
        Transient("x"),
        OutcomeUnknown("x"),
        ControllerError("x"),
    )
    assert {of_error(error) for error in others} == {ExitCode.FAILED}


def test_a_plan_against_a_base_shows_what_the_base_would_not_do_by_itself() -> None:
    pending, new, same = action(Orphan), action(Hold, Reason.RUN_FAILED), action(Nothing, Reason.UP_TO_DATE)
    shown = only_new(Plan("r", (pending, new, same), digest="whole"), Plan("b", (pending,)))
    assert shown.actions == (new,)
    assert shown.digest == "whole"
