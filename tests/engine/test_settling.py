"""A further edit of a spec whose run has just begun waits until the spec is left alone."""

from __future__ import annotations

from dataclasses import replace

from controller.cli.exit_codes import ExitCode, of_pass
from controller.engine.reconcile import Approval, follow
from controller.settings import Policy, Settings
from controller.state.reasons import Reason
from tests.engine.stage import Stage, spec_text

SETTLE = Settings(policy=Policy(settle=60.0))


def edit(stage: Stage, epochs: int) -> None:
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters=f"{{epochCount: {epochs}}}")})


async def begun() -> Stage:
    """A first run, which waits for nothing, and the time as the provider has it."""
    stage = Stage(settings=SETTLE)
    assert await stage.step() == [("numbers", "create")]
    record = stage.ledger.records["numbers"]
    (run,) = record.runs
    now = stage.clock.now().isoformat()
    young = replace(record, runs=(replace(run, started=now),))
    await stage.ledger.save({"numbers": young}, stage.ledger.version, "as old as it is")
    return stage


async def test_eight_edits_three_seconds_apart_are_paid_for_twice() -> None:
    stage = await begun()
    for epochs in range(6, 14):
        stage.clock.advance(3)
        edit(stage, epochs)
        done = await stage.run()
        (outcome,) = done.outcomes
        assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.SETTLING)
        assert of_pass(done.world, done.outcomes) is ExitCode.WELL
    writes = len(stage.ledger.messages)
    stage.clock.advance(59)
    assert await stage.step() == [("numbers", "hold")]
    assert len(stage.ledger.messages) == writes, "waiting writes nothing"
    stage.clock.advance(1)
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "retune")]
    assert sum(stage.provider.paid.values()) == 2
    assert stage.ledger.records["numbers"].awaited is None


async def test_an_edit_that_is_taken_back_leaves_the_run_as_it_is() -> None:
    stage = await begun()
    edit(stage, 6)
    assert await stage.step() == [("numbers", "hold")]
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    assert await stage.step() == [("numbers", "wait")]
    assert stage.ledger.records["numbers"].awaited is None
    assert sum(stage.provider.paid.values()) == 1


async def test_an_edit_of_a_spec_whose_run_is_older_goes_on_at_once() -> None:
    stage = await begun()
    stage.clock.advance(60)
    edit(stage, 6)
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "retune")]


async def test_without_a_time_to_settle_nothing_waits() -> None:
    stage = await begun()
    stage.settings = Settings()
    edit(stage, 6)
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "retune")]


async def test_following_waits_for_it() -> None:
    stage = await begun()
    edit(stage, 6)
    words = []
    async for done in follow(stage.ports, stage.settings, Approval(), 20.0):
        words.append([outcome.action.word for outcome in done.outcomes])
        if len(words) > 4:
            break
    assert words[:5] == [["hold"], ["hold"], ["hold"], ["cancel", "retune"], ["wait"]]
