"""Deleting takes a policy, a tombstone, a grace period and a last look; wanted again is a new incarnation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine import commands
from controller.engine.reconcile import Approval, Refused
from controller.errors import ControllerError, LedgerError
from controller.plan.actions import Held
from controller.ports import ObserveRequest
from controller.state.observed import ObservedProvider, RemoteState
from controller.state.reasons import Reason
from tests.engine.stage import Stage, spec_text

DAY = 86_400
OTHER = {"specs/other.yaml": spec_text("other")}


async def doomed() -> Stage:
    """A model that serves, with the Delete policy, whose spec has just been removed; its tombstone stands."""
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), **OTHER})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    assert ("numbers", "hold") in await stage.step()
    return stage


def numbers(stage: Stage) -> list[str]:
    return [name for name in stage.provider.models if "numbers" in name]


def deletes(stage: Stage) -> int:
    return [call.operation for call in stage.provider.mutations].count("delete")


async def test_nothing_is_deleted_before_the_grace_period_is_over() -> None:
    stage = await doomed()
    stage.clock.advance(DAY - 60)
    await stage.step()
    assert deletes(stage) == 0
    writes = len(stage.ledger.messages)
    await stage.step()
    assert len(stage.ledger.messages) == writes, "waiting writes nothing"
    stage.clock.advance(61)
    assert ("numbers", "delete") in await stage.step()
    assert numbers(stage) == []
    assert ("numbers", "orphan") in await stage.step()
    assert ("numbers", "none") in await stage.step()
    assert deletes(stage) == 1


async def test_a_spec_that_comes_back_within_the_grace_period_keeps_its_model() -> None:
    stage = await doomed()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete")})
    assert ("numbers", "none") in await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    stage.clock.advance(2 * DAY)
    assert ("numbers", "hold") in await stage.step(), "the second removal waits its own grace period"
    assert deletes(stage) == 0


async def test_a_model_that_is_another_accounts_by_now_is_not_deleted() -> None:
    stage = await doomed()
    (gone,) = numbers(stage)
    del stage.provider.models[gone]
    stage.provider.closed = {gone}
    stage.clock.advance(2 * DAY)
    (held,) = [o for o in (await stage.run()).outcomes if o.action.name == "numbers"]
    assert isinstance(held, Held)
    assert (held.action.word, held.reason) == ("delete", Reason.FOREIGN_MODEL)
    assert held.message == f"{gone} is another account's: it is not deleted"
    assert deletes(stage) == 0


async def test_a_copy_by_hand_is_never_taken_for_what_was_deleted() -> None:
    stage = await doomed()
    (gone,) = numbers(stage)
    copy = "tunedModels/numbers-copied"
    stage.provider.models[copy] = replace(stage.provider.models[gone], name=copy)
    before = stage.provider.models[copy]
    stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete", displayName="Sums")})
    assert ("numbers", "create") in await stage.step()
    stage.provider.finish()
    for _ in range(3):
        await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.clock.advance(2 * DAY)
    await stage.step()
    assert numbers(stage) == [copy]
    assert stage.provider.models[copy] == before


async def test_a_copy_by_hand_is_never_taken_for_what_is_gone() -> None:
    stage = Stage()
    await stage.step()
    stage.provider.finish()
    await stage.step()
    (gone,) = stage.provider.models
    copy = "tunedModels/numbers-copied"
    stage.provider.models = {copy: replace(stage.provider.models[gone], name=copy)}
    stage.clock.advance(DAY)
    (outcome,) = (await stage.run()).outcomes
    assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.LOST)


async def test_a_person_may_end_the_grace_period() -> None:
    stage = await doomed()
    with pytest.raises(ControllerError, match="no deletion of other"):
        await commands.approve_delete(stage.ports, "other")
    (model,) = await commands.approve_delete(stage.ports, "numbers")
    assert ("numbers", "delete") in await stage.step()
    assert model not in stage.provider.models


async def test_the_policy_holds_after_the_file_is_gone_and_orphan_is_the_default() -> None:
    stage = Stage()
    stage.source.edit(OTHER)
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.clock.advance(10 * DAY)
    await stage.step()
    assert deletes(stage) == 0
    assert len(numbers(stage)) == 1


async def test_a_model_that_is_wanted_again_at_the_last_look_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await doomed()
    stage.clock.advance(2 * DAY)
    tree, looked = stage.source.tree, []

    async def late(revision: str | None = None) -> object:
        looked.append(revision)
        if len(looked) == 2:
            stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete")})
        return await tree(revision)

    monkeypatch.setattr(stage.source, "tree", late)
    done = await stage.run()
    assert deletes(stage) == 0
    assert done.records["numbers"].conditions[-1].reason is Reason.SUPERSEDED
    assert ("numbers", "none") in await stage.step()


async def test_a_model_whose_mark_was_taken_away_is_not_deleted() -> None:
    stage = await doomed()
    (name,) = numbers(stage)
    stage.provider.models[name] = replace(stage.provider.models[name], description="mine now")
    stage.clock.advance(2 * DAY)
    await stage.step()
    assert deletes(stage) == 0
    assert numbers(stage) == [name]


async def test_more_deletes_than_the_policy_allows_need_their_names() -> None:
    stage = Stage()
    both = {f"specs/{name}.yaml": spec_text(name, deletionPolicy="Delete") for name in ("numbers", "second")}
    stage.source.edit({**both, **OTHER})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit(dict.fromkeys(both))
    await stage.step()
    stage.clock.advance(2 * DAY)
    with pytest.raises(Refused, match="maxDeletes") as refused:
        await stage.step()
    assert "--allow delete:numbers --allow delete:second" in refused.value.hint
    assert deletes(stage) == 0
    await stage.step(Approval(allow=frozenset({"delete:numbers", "delete:second"})))
    assert deletes(stage) == 2


async def test_a_model_deleted_on_purpose_and_wanted_again_is_a_new_incarnation() -> None:
    stage = await doomed()
    (first,) = numbers(stage)
    stage.clock.advance(2 * DAY)
    await stage.step()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete")})
    assert any(step in {("numbers", "create"), ("numbers", "retune")} for step in await stage.step())
    (second,) = numbers(stage)
    assert second == f"{first}-2"
    assert all(count == 1 for count in stage.provider.paid.values())


async def test_a_deleted_model_that_a_slow_listing_still_shows_is_not_taken_again() -> None:
    stage = await doomed()
    (first,) = numbers(stage)
    ghost = stage.provider.models[first]
    stage.clock.advance(2 * DAY)
    await stage.step()
    stage.provider.models[first] = ghost
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete")})
    await stage.step()
    record = stage.ledger.records["numbers"]
    assert record.pending is not None
    assert record.pending.model == f"{first}-2"


async def test_a_forced_push_starts_the_grace_period_anew() -> None:
    stage = await doomed()
    stage.clock.advance(2 * DAY)
    head = stage.source.head
    assert head is not None
    fresh = Stage()
    stage.source._trees.update(fresh.source._trees)  # a history that knows nothing of the tombstone's commit
    rewritten = fresh.source.edit({"specs/numbers.yaml": None, **OTHER})
    stage.source._trees.update(fresh.source._trees)
    stage.source._parents.update(fresh.source._parents)
    stage.source.reset(rewritten)
    assert ("numbers", "hold") in await stage.step()
    assert deletes(stage) == 0
    stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await stage.step()


async def test_retired_runs_beyond_the_limit_are_deleted_in_two_steps_too() -> None:
    stage = Stage()
    for epochs in ("1", "2", "3"):
        text = spec_text(deletionPolicy="Delete", runHistoryLimit="1", hyperparameters=f"{{epochCount: {epochs}}}")
        stage.source.edit({"specs/numbers.yaml": text})
        await stage.step()
        stage.provider.finish()
        await stage.step()
    assert len(numbers(stage)) == 3
    await stage.step()
    stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await stage.step()
    assert len(numbers(stage)) == 2
    assert await stage.step() == [("numbers", "none")]


async def tuned(stage: Stage, epochs: int, **files: str) -> None:
    """A run of that many epochs that serves; earlier ones are beyond the history at once."""
    inputs = f"{{epochCount: {epochs}}}"
    text = spec_text(deletionPolicy="Delete", runHistoryLimit="0", hyperparameters=inputs)
    stage.source.edit({"specs/numbers.yaml": text, **files})
    await stage.step()
    stage.provider.finish()
    await stage.step()


async def test_what_a_person_approved_holds_for_the_models_of_that_moment_alone() -> None:
    stage = Stage()
    await tuned(stage, 1, **OTHER)
    await tuned(stage, 2)
    await stage.step()
    first, serving = numbers(stage)
    assert await commands.approve_delete(stage.ports, "numbers") == (first,)

    stage.source.edit({"specs/numbers.yaml": None})
    assert ("numbers", "hold") in await stage.step(), "the serving model was not among the approved ones"
    stage.clock.advance(60)
    assert ("numbers", "hold") in await stage.step()
    assert numbers(stage) == [first, serving]
    stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await stage.step()
    assert numbers(stage) == []


async def test_an_approval_that_could_not_be_used_is_none_for_a_later_run() -> None:
    stage = Stage()
    await tuned(stage, 1)
    await tuned(stage, 2)
    await stage.step()
    first = numbers(stage)[0]
    stage.provider.models[first] = replace(stage.provider.models[first], description="another team's now")
    await commands.approve_delete(stage.ports, "numbers")
    await stage.step()
    stage.clock.advance(30 * DAY)

    await tuned(stage, 3)
    await stage.step()
    stage.clock.advance(60)
    await stage.step()

    assert len(numbers(stage)) == 3
    assert deletes(stage) == 0


async def test_a_run_beyond_the_history_goes_where_another_spec_has_the_same_inputs_and_its_own_model() -> None:
    stage = Stage()
    await tuned(stage, 1, **{"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 1}")})
    await tuned(stage, 2)
    await stage.step()
    first, serving = numbers(stage)
    stage.clock.advance(2 * DAY)

    assert ("numbers", "delete") in await stage.step()

    assert first not in stage.provider.models
    assert numbers(stage) == [serving]
    assert [name for name in stage.provider.models if "other" in name]


@pytest.mark.parametrize(("policy", "limit"), [("Delete", "5"), ("Orphan", "0")])
async def test_a_run_that_its_spec_keeps_at_the_last_look_stays(
    policy: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    await tuned(stage, 1)
    await tuned(stage, 2)
    await stage.step()
    stage.clock.advance(2 * DAY)
    tree, looked = stage.source.tree, []

    async def late(revision: str | None = None) -> object:
        looked.append(revision)
        if len(looked) == 2:
            inputs = "{epochCount: 2}"
            text = spec_text(deletionPolicy=policy, runHistoryLimit=limit, hyperparameters=inputs)
            stage.source.edit({"specs/numbers.yaml": text})
        return await tree(revision)

    monkeypatch.setattr(stage.source, "tree", late)
    await stage.step()

    assert len(looked) == 2
    assert deletes(stage) == 0
    await stage.step()
    assert deletes(stage) == 0


async def serving(stage: Stage, epochs: int, **lines: str) -> str:
    """The model of a run of so many epochs, which serves; one earlier run is kept for a revert."""
    before = set(numbers(stage))
    asks(stage, epochs, **lines)
    await stage.step()
    stage.provider.finish()
    await stage.step()
    (made,) = set(numbers(stage)) - before
    return made


def asks(stage: Stage, epochs: int, **lines: str) -> None:
    inputs = f"{{epochCount: {epochs}}}"
    text = spec_text(deletionPolicy="Delete", runHistoryLimit="1", hyperparameters=inputs, **lines)
    stage.source.edit({"specs/numbers.yaml": text, **OTHER})


async def test_a_superseded_run_takes_no_place_of_one_that_can_be_reverted_to() -> None:
    stage = Stage()
    kept = await serving(stage, 5)
    await serving(stage, 6)
    for epochs in (7, 8, 9):  # each is superseded by a revert while it tunes
        asks(stage, epochs)
        await stage.step()
        asks(stage, 6)
        for _ in range(4):
            await stage.step()
            stage.clock.advance(2 * DAY)

    assert kept in stage.provider.models
    assert len(numbers(stage)) == 3, "what is left of the cancelled ones is cleared, up to the last"
    asks(stage, 5)
    assert ("numbers", "reuse") in await stage.step()


@pytest.mark.parametrize("stopped_by", ["the limit", "a person"])
async def test_a_run_that_was_stopped_is_cleared_once_another_one_serves(stopped_by: str) -> None:
    stage = Stage()
    await serving(stage, 5, limits="{maxDuration: 2h}")
    asks(stage, 6, limits="{maxDuration: 2h}")
    await stage.step()
    stopped = stage.ledger.records["numbers"].pending
    assert stopped is not None
    if stopped_by == "a person":
        await commands.cancel(stage.ports, stage.settings, "numbers")
    else:
        stage.clock.advance(3 * 3600)
        for _ in range(2):
            await stage.step()
    assert stage.provider.models[stopped.model].state is RemoteState.CANCELLED
    for epochs in (7, 8):
        await serving(stage, epochs)
    for _ in range(3):
        await stage.step()
        stage.clock.advance(2 * DAY)

    assert stopped.model not in stage.provider.models
    assert len(numbers(stage)) == 2


async def test_a_pass_on_an_older_commit_does_not_bring_the_policy_to_delete_back() -> None:
    stage = Stage()
    older = stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), **OTHER})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    await stage.step()

    await stage.step(Approval(revision=older))
    stage.source.edit({"specs/numbers.yaml": None})

    assert ("numbers", "orphan") in await stage.step()
    stage.clock.advance(2 * DAY)
    await stage.step()
    assert deletes(stage) == 0


async def test_a_cancelled_run_of_a_removed_spec_is_deleted_as_well() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), **OTHER})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    assert ("numbers", "cancel") in await stage.step()
    await stage.step()
    stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await stage.step()
    assert numbers(stage) == []


async def test_a_head_older_than_what_was_acted_on_needs_a_word() -> None:
    stage = Stage()
    old = stage.source.head
    assert old is not None
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 8}")})
    await stage.step()
    stage.source.reset(old)
    with pytest.raises(Refused, match="older than a commit that was acted on") as refused:
        await stage.step()
    assert "--allow behind" in refused.value.hint
    await stage.step(Approval(allow=frozenset({"behind"})))


async def test_a_tombstone_that_another_controller_takes_away_meanwhile_spares_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = await doomed()
    stage.clock.advance(DAY + 60)
    (name,) = numbers(stage)
    observe = stage.provider.observe

    async def meanwhile(want: ObserveRequest) -> ObservedProvider:
        seen = await observe(want)
        if want.models == {name}:  # the last look: another mirror shows that the spec is there again
            recorded = await stage.ledger.load()
            record = recorded.records["numbers"]
            assert record.active is not None
            spared = replace(record, active=replace(record.active, tombstone="", tombstone_revision=""))
            await stage.ledger.save({**recorded.records, "numbers": spared}, recorded.tip, "Status of numbers")
        return seen

    monkeypatch.setattr(stage.provider, "observe", meanwhile)
    done = await stage.run()
    held = next(outcome for outcome in done.outcomes if outcome.action.name == "numbers")
    assert isinstance(held, Held)
    assert held.reason is Reason.SUPERSEDED
    assert numbers(stage) == [name]


async def test_a_deletion_whose_ledger_cannot_be_read_just_before_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await doomed()
    stage.clock.advance(DAY + 60)

    async def unread() -> str | None:
        raise LedgerError("the ledger cannot be read")

    monkeypatch.setattr(stage.ledger, "tip", unread)
    await stage.run()
    assert deletes(stage) == 0
    monkeypatch.undo()
    await stage.run()
    assert deletes(stage) == 1
