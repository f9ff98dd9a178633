"""A cancel is a request: a run that trains on after it is asked to stop again, and never serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import Transient
from controller.state.conditions import ConditionType
from controller.state.observed import RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import RunOutcome
from controller.testing import MemoryProvider
from tests.engine.stage import Stage, spec_text


class Deaf(MemoryProvider):
    """A provider that answers its next cancels well and does nothing."""

    deaf = 1

    async def cancel(self, model: str, operation: str) -> None:
        was = self.models[model]
        await super().cancel(model, operation)
        if self.deaf:
            self.deaf -= 1
            self.models[model] = was


def deaf(times: int = 1) -> tuple[Stage, Deaf]:
    provider = Deaf("local")
    provider.deaf = times
    return Stage(provider=provider), provider


def asks(stage: Stage, **lines: str) -> None:
    stage.source.edit({"specs/numbers.yaml": spec_text(limits="{maxDuration: 2h}", **lines)})


async def stopped(stage: Stage, why: str, *, other: bool = True) -> str:
    """The model of a run that was cancelled for that reason and tunes on."""
    asks(stage)
    if other:
        stage.source.edit({"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 2}")})
    await stage.step()
    (name,) = [model for model in stage.provider.models if "numbers" in model]
    match why:
        case "superseded":
            asks(stage, hyperparameters="{epochCount: 9}")
        case "overdue":
            stage.provider.models[name] = replace(stage.provider.models[name], created="2026-01-01T00:00:00Z")
            stage.clock.advance(3 * 3600)
        case _:
            stage.source.edit({"specs/numbers.yaml": None})
            stage.clock.advance(1200)
    for _ in range(4):
        await stage.step()
        if cancels(stage):
            break
    assert stage.provider.models[name].state is RemoteState.CREATING
    return name


def cancels(stage: Stage) -> int:
    return [call.operation for call in stage.provider.mutations].count("cancel")


@pytest.mark.parametrize("policy", ["Orphan", "Delete"])
@pytest.mark.parametrize("why", ["superseded", "removed", "overdue"])
async def test_a_run_that_trains_on_after_its_cancel_is_cancelled_until_it_stops(why: str, policy: str) -> None:
    stage, provider = deaf(3)
    asks(stage, deletionPolicy=policy)
    await stage.step()
    name = await stopped(stage, why)
    before = cancels(stage)
    for _ in range(5):
        await stage.step()

    assert provider.models[name].state is RemoteState.CANCELLED
    assert cancels(stage) - before == 3, "one a pass, and none once it has stopped"
    run = stage.ledger.records["numbers"].run(name)
    assert run is not None
    assert run.outcome is (RunOutcome.DEADLINE_EXCEEDED if why == "overdue" else RunOutcome.CANCELLED)


async def test_a_removed_spec_is_let_go_only_once_its_run_has_stopped() -> None:
    stage, provider = deaf(2)
    stage.source.edit({"specs/other.yaml": spec_text("other", provider="elsewhere")})
    name = await stopped(stage, "removed", other=False)
    assert ("numbers", "cancel") in await stage.step()
    assert not stage.ledger.records["numbers"].orphaned
    (ready,) = [c for c in stage.ledger.records["numbers"].conditions if c.type is ConditionType.READY]
    assert (ready.reason, ready.message) == (
        Reason.STILL_TUNING,
        f"{name} was asked to stop and still tunes: it is asked again",
    )
    assert ("numbers", "cancel") in await stage.step()
    assert provider.models[name].state is RemoteState.CANCELLED
    assert ("numbers", "orphan") in await stage.step()
    assert ("numbers", "none") in await stage.step()


async def test_what_tunes_on_is_told_beside_what_serves_and_writes_the_ledger_once() -> None:
    stage, _ = deaf(100)
    name = await stopped(stage, "superseded")
    (second,) = [model for model in stage.provider.models if "numbers" in model and model != name]
    stage.provider.end(second, RemoteState.ACTIVE)
    for _ in range(3):
        await stage.step()
    told = {c.type: (c.status, c.reason) for c in stage.ledger.records["numbers"].conditions}
    assert told[ConditionType.READY] == ("True", Reason.UP_TO_DATE)
    assert told[ConditionType.RECONCILING] == ("True", Reason.STILL_TUNING)
    writes = len(stage.ledger.messages)
    await stage.step()
    assert len(stage.ledger.messages) == writes


async def test_a_run_that_was_stopped_never_serves_although_it_finished_and_is_wanted_again() -> None:
    stage, _ = deaf(100)
    name = await stopped(stage, "superseded")
    asks(stage)
    held = (await stage.run()).outcomes
    words = [(o.action.word, o.action.reason) for o in held if o.action.name == "numbers"]
    assert words == [
        ("cancel", Reason.SUPERSEDED),
        ("hold", Reason.RUN_CANCELLED),
        ("cancel", Reason.STILL_TUNING),
    ]
    hold = next(o.action for o in held if o.action.word == "hold")
    assert "was cancelled, and still tunes" in hold.message
    stage.provider.end(name, RemoteState.ACTIVE)
    for _ in range(3):
        assert ("numbers", "promote") not in await stage.step()
    assert stage.ledger.records["numbers"].active is None


@pytest.mark.parametrize("why", ["suspended", "a broken listing", "an invalid spec", "not marked as ours"])
async def test_nothing_is_cancelled_again_where_nothing_may_be_cancelled(why: str) -> None:
    stage, _ = deaf()
    name = await stopped(stage, "superseded")
    before = cancels(stage)
    match why:
        case "suspended":
            asks(stage, hyperparameters="{epochCount: 9}", suspend="true")
        case "a broken listing":
            stage.provider.fail("observe", Transient("busy"), times=10)
        case "an invalid spec":
            asks(stage, hyperparameters="{epochCount: nine}")
        case _:
            stage.provider.models[name] = replace(stage.provider.models[name], description="mine")
    for _ in range(3):
        await stage.step()
    assert cancels(stage) == before
