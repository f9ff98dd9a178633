"""Where the provider chooses the id, the intent and the mark are all there is to go by."""

from __future__ import annotations

from dataclasses import replace

from controller.engine import commands
from controller.engine.reconcile import Approval
from controller.errors import Transient
from controller.state.observed import RemoteState
from controller.state.reasons import Reason
from controller.testing import SERVER_CHOSEN, MemoryProvider, lost_answer
from tests.engine.stage import Stage, spec_text


def stage_of() -> Stage:
    return Stage(provider=MemoryProvider("local", facts=SERVER_CHOSEN))


async def test_a_run_is_created_promoted_and_left_alone_under_the_name_it_was_given() -> None:
    stage = stage_of()
    assert await stage.step() == [("numbers", "create")]
    pending = stage.ledger.records["numbers"].pending
    assert pending is not None
    assert pending.model == "jobs/1"
    stage.provider.finish()
    assert [await stage.step() for _ in range(3)] == [[("numbers", word)] for word in ("promote", "none", "none")]
    assert stage.provider.paid.total() == 1


async def test_an_answer_that_was_lost_is_found_by_its_mark_and_not_asked_for_again() -> None:
    stage = stage_of()
    stage.provider.fail("create", lost_answer(), after=True)
    await stage.step()
    pending = stage.ledger.records["numbers"].pending
    assert pending is not None
    assert pending.model == "jobs/1"
    assert stage.provider.paid.total() == 1


async def test_a_model_that_shows_late_is_waited_for_and_adopted() -> None:
    stage = stage_of()
    stage.provider.fail("create", lost_answer(), after=True)
    stage.provider.hidden = {"jobs/1"}
    await stage.step()
    assert stage.ledger.records["numbers"].pending is None
    stage.clock.advance(60)
    done = await stage.run()
    assert done.records["numbers"].conditions[-1].reason is Reason.VISIBILITY
    stage.provider.hidden.clear()
    assert await stage.step() == [("numbers", "adopt")]
    assert stage.provider.paid.total() == 1


async def test_a_create_whose_answer_was_lost_is_looked_for_also_where_no_spec_is_left_at_the_provider() -> None:
    stage = stage_of()
    stage.provider.fail("create", lost_answer(), after=True)
    stage.provider.hidden = {"jobs/1"}
    await stage.step()
    stage.provider.hidden.clear()
    stage.source.edit({"specs/numbers.yaml": None})
    steps = [await stage.step(Approval(allow=frozenset({"empty"}))) for _ in range(3)]
    assert steps == [[("numbers", "adopt")], [("numbers", "hold")], [("numbers", "cancel")]]


async def test_a_crash_before_the_request_holds_until_a_person_has_looked() -> None:
    stage = stage_of()
    stage.provider.fail("create", lost_answer())
    for minutes in (0, 1, 20, 20):
        stage.clock.advance(60 * minutes)
        done = await stage.run()
    condition = done.records["numbers"].conditions[-1]
    assert condition.reason is Reason.OUTCOME_UNKNOWN
    assert "gitune forget numbers --intent" in condition.message
    assert stage.provider.paid.total() == 0
    await commands.forget_intent(stage.ports, "numbers")
    assert await stage.step() == [("numbers", "create")]
    assert stage.provider.paid.total() == 1


async def test_a_refusal_that_surely_made_nothing_leaves_no_intent() -> None:
    stage = stage_of()
    stage.provider.fail("create", Transient("quota", quota=True))
    await stage.step()
    assert stage.ledger.records["numbers"].intent is None
    assert await stage.step() == [("numbers", "create")]


async def test_two_runs_of_one_create_are_told_and_the_younger_is_stopped() -> None:
    stage = stage_of()
    stage.provider.fail("create", lost_answer(), after=True)
    stage.provider.hidden = {"jobs/1"}
    await stage.step()
    stage.provider.hidden.clear()
    first = stage.provider.models["jobs/1"]
    stage.provider.models["jobs/2"] = replace(
        first, name="jobs/2", created="2026-01-01T00:00:09Z", operation="jobs/2/operations/1"
    )
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "adopt")]
    assert stage.provider.models["jobs/2"].state is RemoteState.CANCELLED
    assert stage.provider.models["jobs/1"].state is RemoteState.CREATING


async def test_a_lost_ledger_is_rebuilt_from_the_marks() -> None:
    stage = stage_of()
    await stage.step()
    stage.provider.finish()
    again = Stage(source=stage.source, provider=stage.provider)
    assert await again.step() == [("numbers", "reuse")]
    assert stage.provider.paid.total() == 1


async def test_nothing_is_created_after_a_broken_listing() -> None:
    stage = stage_of()
    stage.provider.fail("observe", Transient("cut"))
    done = await stage.run()
    assert done.records["numbers"].conditions[-1].reason is Reason.PROVIDER_UNREADABLE
    stage.source.edit({"specs/other.yaml": spec_text("other")})
    assert stage.provider.paid.total() == 0
