"""Whole passes over worlds that somebody hostile, or merely unlucky, could have made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from controller.engine import commands
from controller.engine.reconcile import Approval, Pass, follow, reconcile
from controller.errors import SourceError, Transient
from controller.ports import Ports
from controller.report.render_problems import unreadable
from controller.settings import ProviderSettings, Settings
from controller.state.conditions import ConditionType, Truth
from controller.state.identity import Hyperparameters
from controller.state.observed import RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import RunOutcome
from controller.testing import SERVER_CHOSEN, MemoryProvider
from controller.testing.provider import lost_answer
from tests.engine.stage import Stage, rows, spec_text

DAY = 86_400
# Other inputs than those of numbers: a model of the same inputs is protected by whoever asks for them.
OTHER = {"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 7}")}


async def serving(**lines: str) -> Stage:
    """One spec beside another, both of whose runs serve."""
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(**lines), **OTHER})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    return stage


def renamed(old: str, new: str, **lines: str) -> str:
    return spec_text(new, **lines).replace(f"{{name: {new}}}", f"{{name: {new}, formerNames: [{old}]}}")


def numbers(stage: Stage) -> list[str]:
    return [name for name in stage.provider.models if "numbers" in name]


async def settled_words(stage: Stage, passes: int = 5) -> list[tuple[str, str]]:
    """What the last of five passes did; it must write nothing any more."""
    for _ in range(passes):
        words = await stage.step()
    return words


async def test_a_rename_that_is_invalid_at_first_still_takes_its_record_along() -> None:
    """P2: else the run that failed under the old name is forgotten, and paid for again under the new one."""
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(), **OTHER})
    await stage.step()
    (model,) = numbers(stage)
    stage.provider.end(model, RemoteState.FAILED, "no memory")
    await stage.step()
    del stage.provider.models[model]
    stage.source.edit({"specs/numbers.yaml": renamed("numbers", "digits", hyperparameters="{epochCount: 0}")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": renamed("numbers", "digits")})
    words = await settled_words(stage)
    assert ("digits", "hold") in words
    assert sum(stage.provider.paid.values()) == 2, "numbers once, other once"
    assert "numbers" not in stage.ledger.records


async def test_an_orphaned_record_of_the_new_name_does_not_hide_what_the_former_one_spent() -> None:
    stage = await serving()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.source.edit({"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 2}")})
    await stage.step()
    (model,) = [n for n, m in stage.provider.models.items() if m.state is RemoteState.CREATING]
    stage.provider.end(model, RemoteState.FAILED, "no memory")
    await stage.step()
    del stage.provider.models[model]
    paid = sum(stage.provider.paid.values())
    stage.source.edit({"specs/other.yaml": renamed("other", "numbers", hyperparameters="{epochCount: 2}")})
    assert ("numbers", "hold") in await settled_words(stage)
    assert sum(stage.provider.paid.values()) == paid
    assert "other" not in stage.ledger.records


async def test_a_retired_run_that_a_revert_takes_again_is_not_deleted_in_the_same_pass() -> None:
    """S7: the revert writes out what the run had resolved to: another fingerprint, and the same model."""
    stage = await serving(deletionPolicy="Delete", runHistoryLimit="0")
    (old,) = numbers(stage)
    longer = spec_text(deletionPolicy="Delete", runHistoryLimit="0", hyperparameters="{epochCount: 10}")
    stage.source.edit({"specs/numbers.yaml": longer})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    stage.clock.advance(DAY * 2)
    back = spec_text(deletionPolicy="Delete", runHistoryLimit="0", hyperparameters="{epochCount: 5}")
    stage.source.edit({"specs/numbers.yaml": back})
    words = await stage.step()
    assert ("numbers", "reuse") in words
    assert old in stage.provider.models, words


async def test_a_history_delete_looks_again_by_effect_and_not_by_text() -> None:
    stage = await serving(deletionPolicy="Delete", runHistoryLimit="0")
    (old,) = numbers(stage)
    longer = spec_text(deletionPolicy="Delete", runHistoryLimit="0", hyperparameters="{epochCount: 10}")
    stage.source.edit({"specs/numbers.yaml": longer})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    stage.clock.advance(DAY * 2)
    planned = stage.source.head
    back = spec_text(deletionPolicy="Delete", runHistoryLimit="0", hyperparameters="{epochCount: 5}")
    stage.source.edit({"specs/numbers.yaml": back})
    await stage.run(Approval(revision=planned))
    assert old in stage.provider.models


async def test_a_pass_on_an_older_revision_deletes_nothing_that_the_newest_one_wants() -> None:
    stage = await serving(deletionPolicy="Delete")
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.clock.advance(DAY * 2)
    removed = stage.source.head
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete")})
    await stage.run(Approval(revision=removed))
    assert numbers(stage)


async def test_a_pass_on_an_older_revision_cancels_nothing_that_the_newest_one_wants() -> None:
    stage = Stage()
    stage.source.edit(OTHER)
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    removed = stage.source.head
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    await stage.run(Approval(revision=removed))
    assert "cancel" not in [call.operation for call in stage.provider.mutations]


async def test_a_spec_that_came_back_broken_gets_a_whole_grace_period_when_it_goes_again() -> None:
    stage = await serving(deletionPolicy="Delete")
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(epochs="5")})
    await stage.step()
    stage.clock.advance(DAY * 2)
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    await stage.step()
    assert numbers(stage), "its tombstone was of another removal"


async def test_a_spec_that_came_back_broken_is_looked_for_twice_before_its_run_is_stopped() -> None:
    stage = Stage()
    stage.source.edit(OTHER)
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(epochs="5")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    assert "cancel" not in [call.operation for call in stage.provider.mutations]


async def test_a_status_with_a_state_nobody_knows_stops_nothing() -> None:
    stage = await serving()
    record = stage.ledger.records["numbers"]
    assert record.active is not None
    odd = replace(record, active=replace(record.active, state="Hibernating"))
    await stage.ledger.save({**stage.ledger.records, "numbers": odd}, (await stage.ledger.load()).tip, "odd")
    assert ("numbers", "none") in await stage.step()
    active = stage.ledger.records["numbers"].active
    assert active is not None
    assert active.state == RemoteState.ACTIVE


async def test_a_run_whose_start_nobody_can_read_is_not_stopped_for_its_age() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(limits="{maxDuration: 24h}")})
    stage.provider.fail("create", lost_answer(), after=True)
    await stage.step()
    for name, model in stage.provider.models.items():
        stage.provider.models[name] = replace(model, created="2026-01-01 00:00:00")
    record = stage.ledger.records["numbers"]
    odd = replace(record, runs=tuple(replace(r, started="yesterday") for r in record.runs))
    await stage.ledger.save({"numbers": odd}, (await stage.ledger.load()).tip, "odd")
    assert await settled_words(stage) == [("numbers", "wait")]


async def test_a_run_whose_create_lost_its_answer_knows_its_inputs_like_any_other() -> None:
    """P8: else writing out a resolved hyperparameter would pay for a second run of the same inputs."""
    stage = Stage()
    stage.provider.fail("create", lost_answer(), after=True)
    stage.provider.fail("observe", Transient("cut off"))
    real = stage.provider.observe
    looks = 0

    async def observe(want: object) -> object:
        nonlocal looks
        looks += 1
        seen = await real(want)  # type: ignore[arg-type]
        return seen if looks != 2 else replace(seen, models={}, absent=frozenset(), complete=False)

    stage.provider._failures.pop("observe")
    stage.provider.observe = observe  # type: ignore[method-assign, assignment]
    await stage.step()
    assert stage.ledger.records["numbers"].intent is not None
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 5}")})
    assert await stage.step() == [("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 1


async def test_a_revert_by_effect_to_a_run_that_was_let_go_is_free() -> None:
    stage = await serving(runHistoryLimit="0")
    longer = spec_text(runHistoryLimit="0", hyperparameters="{epochCount: 10}")
    stage.source.edit({"specs/numbers.yaml": longer})
    for _ in range(4):
        await stage.step()
        stage.provider.finish()
    paid = sum(stage.provider.paid.values())
    stage.source.edit({"specs/numbers.yaml": spec_text(runHistoryLimit="0", hyperparameters="{epochCount: 5}")})
    assert ("numbers", "reuse") in await stage.step()
    assert sum(stage.provider.paid.values()) == paid


async def test_writing_out_what_the_base_had_resolved_to_costs_its_child_nothing() -> None:
    stage = Stage()
    child = spec_text("child").replace("baseModel: models/tiny", "baseModel: {from: numbers}")
    stage.source.edit({"specs/child.yaml": child})
    for _ in range(5):
        await stage.step()
        stage.provider.finish()
    assert sum(stage.provider.paid.values()) == 2
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 5}")})
    assert await settled_words(stage) == [("child", "none"), ("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 2


async def test_a_description_that_the_mark_tidies_is_written_once() -> None:
    mark = "gitune: else/where attempt=1 sha256=" + "a" * 64
    for said in (f'"first\\n{mark}\\nlast"', '"first\\u2028last"', '"first\\r\\nlast"', '"first\\n\\n  "', '"a\\fb"'):
        stage = await serving(description=said)
        before = len(stage.provider.mutations)
        await settled_words(stage)
        assert len(stage.provider.mutations) == before, said


async def test_a_display_name_that_is_empty_is_written_once() -> None:
    stage = await serving(displayName='""')
    before = len(stage.provider.mutations)
    await settled_words(stage)
    assert len(stage.provider.mutations) == before


def under(stage: Stage, key: str) -> tuple[Ports, Settings]:
    settings = Settings(default_provider=key, providers={key: ProviderSettings(key, "local")})
    return replace(stage.ports, providers={key: stage.provider}), settings


async def test_a_doomed_model_of_a_provider_that_is_gone_stops_nothing_else() -> None:
    stage = await serving(deletionPolicy="Delete")
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.clock.advance(DAY * 2)
    ports, settings = under(stage, "here")
    done = await reconcile(ports, settings, Approval())
    assert numbers(stage)
    assert {o.action.name for o in done.outcomes} == {"numbers", "other"}


async def test_a_renamed_provider_takes_its_runs_along() -> None:
    stage = await serving()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 2}")})
    await stage.step()
    ports, settings = under(stage, "here")
    await reconcile(ports, settings, Approval())
    assert (await commands.resolve(ports, "other")).provider == "here"
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 3}")})
    words: list[tuple[str, str]] = []
    for _ in range(3):
        done: Pass = await reconcile(ports, settings, Approval())
        words += [(o.action.name, o.action.word) for o in done.outcomes]
    assert ("numbers", "cancel") in words
    assert ("numbers", "retune") in words


async def test_other_training_facts_stay_drift_until_they_are_put_back() -> None:
    stage = await serving()
    (name,) = numbers(stage)
    other = Hyperparameters(epoch_count=99, batch_size=4, learning_rate=0.001)
    stage.provider.models[name] = replace(stage.provider.models[name], hyperparameters=other)
    assert ("numbers", "hold") in await settled_words(stage)
    run = stage.ledger.records["numbers"].run(name)
    assert run is not None
    assert run.resolved.epoch_count == 5


async def test_a_superseded_run_that_may_finish_is_still_under_its_limit() -> None:
    """L1: a run that never ends would keep the new inputs waiting for ever."""
    stage = Stage()
    kept = {"whenSuperseded": "Finish", "limits": "{maxDuration: 24h}"}
    stage.source.edit({"specs/numbers.yaml": spec_text(**kept)})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 2}", **kept)})
    record = stage.ledger.records["numbers"]
    now = stage.clock.now()
    young = replace(record, runs=tuple(replace(r, started=now.isoformat()) for r in record.runs))
    await stage.ledger.save({"numbers": young}, (await stage.ledger.load()).tip, "young")
    assert await stage.step() == [("numbers", "wait")]
    stage.clock.advance(timedelta(days=2).total_seconds())
    assert await stage.step() == [("numbers", "wait")], "one reading of a clock stops nothing"
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "retune")]


async def test_after_a_broken_listing_nothing_is_cancelled_and_nothing_let_go() -> None:
    stage = await serving()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 2}"), "specs/other.yaml": None})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 3}")})
    stage.source.edit({"specs/more.yaml": spec_text("more")})
    stage.provider.fail("observe", Transient("cut off"))
    words = {word for _, word in await stage.step()}
    assert not {"cancel", "delete", "orphan"} & words


async def test_a_removed_spec_is_not_let_go_after_a_broken_listing() -> None:
    stage = await serving()
    stage.source.edit({"specs/numbers.yaml": None})
    stage.provider.fail("observe", Transient("cut off"))
    assert ("numbers", "hold") in await stage.step()
    assert ("numbers", "orphan") in await stage.step()


async def test_a_failed_run_that_its_provider_calls_active_later_is_not_promoted() -> None:
    stage = Stage()
    await stage.step()
    (name,) = numbers(stage)
    stage.provider.end(name, RemoteState.FAILED, "no memory")
    await stage.step()
    stage.provider.end(name, RemoteState.ACTIVE)
    assert await stage.step() == [("numbers", "hold")]
    run = stage.ledger.records["numbers"].run(name)
    assert run is not None
    assert run.outcome is RunOutcome.FAILED
    assert stage.ledger.records["numbers"].active is None


async def test_a_run_promoted_by_a_person_brings_its_own_prefix() -> None:
    stage = await serving()
    dataset = '{path: rows.jsonl, prefix: "next: "}\n  whenSuperseded: Cancel'
    asked = "{dataset: {path: eval.jsonl}, minScore: 1.0}"
    text = spec_text(evaluation=asked).replace("{path: rows.jsonl}", dataset)
    stage.source.edit({"specs/numbers.yaml": text, "specs/eval.jsonl": rows(20, 500)})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    served = await commands.promote(stage.ports, stage.settings, "numbers")
    assert served.prefix == "next: "
    assert (await commands.resolve(stage.ports, "numbers")).prefix == "next: "


async def test_a_forced_push_also_ends_what_a_person_had_approved() -> None:
    stage = await serving(deletionPolicy="Delete")
    before = stage.source.head
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    await commands.approve_delete(stage.ports, "numbers")
    assert before is not None
    stage.source.reset(before)
    stage.source.edit({"specs/numbers.yaml": None, "specs/rows.jsonl": rows(21)})
    await stage.step()
    await stage.step()
    assert numbers(stage)


async def test_a_retired_run_of_the_former_name_is_deleted_in_the_end() -> None:
    stage = await serving(deletionPolicy="Delete", runHistoryLimit="0")
    kept = {"deletionPolicy": "Delete", "runHistoryLimit": "0", "hyperparameters": "{epochCount: 2}"}
    (old,) = numbers(stage)
    stage.source.edit({"specs/numbers.yaml": renamed("numbers", "digits", **kept)})
    for _ in range(4):
        await stage.step()
        stage.provider.finish()
    stage.clock.advance(DAY * 2)
    await stage.step()
    assert old not in stage.provider.models
    assert Reason.DRIFTED not in {c.reason for c in stage.ledger.records["digits"].conditions}


async def test_a_retired_run_at_a_provider_that_is_gone_is_no_failure() -> None:
    """Else `gitune apply` exits 1 for ever after a move to another provider, whatever is well."""
    stage = await serving()
    record = stage.ledger.records["numbers"]
    assert record.active is not None
    elsewhere = replace(record.active, model="tunedModels/before", provider="gone")
    kept = replace(record, retired=(elsewhere,))
    await stage.ledger.save({**stage.ledger.records, "numbers": kept}, (await stage.ledger.load()).tip, "moved")
    done = await stage.run()
    assert unreadable(done.world) == ()
    assert stage.ledger.records["numbers"].retired == (elsewhere,)


async def test_a_create_that_stood_behind_a_failed_cancel_leaves_no_intent() -> None:
    """L1: where the provider chooses the ids it would look like a lost answer, and wait for a person."""
    server = MemoryProvider("local", facts=SERVER_CHOSEN)
    stage = Stage(provider=server)
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 2}")})
    server.fail("cancel", Transient("later"))
    assert await stage.step() == [("numbers", "cancel")]
    assert stage.ledger.records["numbers"].intent is None
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "retune")]


async def test_a_head_that_cannot_be_read_at_the_last_look_loses_no_record_of_what_was_done() -> None:
    stage = await serving(deletionPolicy="Delete")
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    stage.clock.advance(DAY * 2)
    stage.source.edit({"specs/alpha.yaml": spec_text("alpha", hyperparameters="{epochCount: 3}")})
    first = await stage.source.tree()
    looks = 0

    async def tree(revision: str | None = None) -> object:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise SourceError("git is away")
        return first

    stage.source.tree = tree  # type: ignore[method-assign, assignment]
    assert ("alpha", "create") in await stage.step()
    alpha = stage.ledger.records["alpha"]
    assert alpha.intent is None
    assert alpha.pending is not None
    assert numbers(stage)


async def test_a_lower_attempt_that_never_ran_is_not_paid_for() -> None:
    """P2: a new run takes other inputs or a higher attempt."""
    stage = await serving(attempt="5")
    paid = sum(stage.provider.paid.values())
    stage.source.edit({"specs/numbers.yaml": spec_text(attempt="3")})
    assert ("numbers", "hold") in await settled_words(stage)
    assert sum(stage.provider.paid.values()) == paid
    stage.source.edit({"specs/numbers.yaml": spec_text(attempt="6")})
    assert ("numbers", "retune") in await stage.step()


async def test_following_an_approved_plan_pays_for_nothing_beyond_it() -> None:
    """P6: a create that was queued when the plan was approved is not in that plan."""
    stage = Stage()
    stage.source.edit(OTHER)
    stage.settings = Settings(providers={"local": ProviderSettings("local", "local", max_concurrent_runs=1)})
    approved = await stage.plan()
    async for done in follow(stage.ports, stage.settings, Approval(approved.digest), 1.0):
        stage.provider.finish()
        assert len(done.outcomes) == 2
    assert sum(stage.provider.paid.values()) == 1
    assert "numbers" in next(iter(stage.provider.paid))
    await stage.step()
    assert sum(stage.provider.paid.values()) == 2


async def test_following_an_approved_plan_tries_what_is_in_it_again() -> None:
    stage = Stage()
    approved = await stage.plan()
    stage.provider.fail("create", Transient("later", quota=True))
    (held,) = (await stage.run(Approval(approved.digest))).outcomes
    assert held.action.word == "create"
    only = frozenset(action.digest for action in approved.actions)
    assert await stage.step(Approval(only=only)) == [("numbers", "create")]


async def test_a_model_that_is_gone_is_not_said_to_serve_while_its_successor_tunes() -> None:
    """P7: the listing was whole, and the active model is not in it."""
    stage = await serving()
    (old,) = numbers(stage)
    for name in stage.ledger.records:
        record = stage.ledger.records[name]
        aged = replace(record, runs=tuple(replace(r, started="2025-01-01T00:00:00Z") for r in record.runs))
        await stage.ledger.save({**stage.ledger.records, name: aged}, (await stage.ledger.load()).tip, "aged")
    del stage.provider.models[old]
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 2}")})
    await stage.step()
    await stage.step()
    (available,) = [c for c in stage.ledger.records["numbers"].conditions if c.type is ConditionType.AVAILABLE]
    assert available.status is Truth.FALSE


async def test_a_model_adopted_twice_is_not_deleted_as_its_own_predecessor() -> None:
    stage = await serving(deletionPolicy="Delete", runHistoryLimit="0")
    (old,) = numbers(stage)
    await commands.adopt(stage.ports, stage.settings, "numbers", old)
    assert stage.ledger.records["numbers"].retired == ()
    record = stage.ledger.records["numbers"]
    assert record.active is not None
    twice = replace(record, retired=(record.active,))
    await stage.ledger.save({**stage.ledger.records, "numbers": twice}, (await stage.ledger.load()).tip, "twice")
    kept = {"deletionPolicy": "Delete", "runHistoryLimit": "0", "hyperparameters": "{epochCount: 2}"}
    stage.source.edit({"specs/numbers.yaml": spec_text(**kept)})
    await stage.step()
    stage.clock.advance(DAY * 2)
    await stage.step()
    assert old in stage.provider.models, "it serves until the new run does"
