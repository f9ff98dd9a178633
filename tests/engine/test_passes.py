"""The life of a spec through whole passes, on ports in memory."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from controller.cli.exit_codes import ExitCode, of_pass
from controller.engine import commands
from controller.engine.reconcile import Approval, Refused, follow, preview_offline, reconcile
from controller.errors import (
    ControllerError,
    LedgerError,
    Rejected,
    RejectedKind,
    RevisionConflict,
    SourceError,
    Transient,
)
from controller.plan.actions import Create, Held, Outcome
from controller.plan.world import ReviewRule
from controller.ports import ObserveRequest, Provider, written_now
from controller.providers.gemini.facts import FACTS
from controller.settings import Budget, Policy, Prices, ProviderSettings, Settings
from controller.state.conditions import ConditionType, Truth
from controller.state.desired import DeletionPolicy
from controller.state.identity import Mark, with_mark
from controller.state.observed import ObservedProvider, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record, RunOutcome
from controller.testing import FREE, FakeClock, MemoryLedger, MemoryProvider, lost_answer
from tests.engine.stage import INSTANCE, Stage, priced, rows, spec_text

DAY = 86_400


async def settled() -> Stage:
    """A stage whose one model serves."""
    stage = Stage()
    await stage.step()
    stage.provider.finish()
    await stage.step()
    await stage.step()
    return stage


async def test_a_spec_that_names_another_key_is_told_where_its_run_is_and_what_serves_goes_on() -> None:
    stage = await settled()
    west = MemoryProvider("west")
    stage.settings = Settings(providers={key: ProviderSettings(key, "local") for key in ("local", "west")})
    stage.source.edit({"specs/numbers.yaml": spec_text(provider="west")})
    ports = replace(stage.ports, providers={"local": stage.provider, "west": west})

    done = await reconcile(ports, stage.settings, Approval())

    (outcome,) = done.outcomes
    assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.LOST)
    assert outcome.action.message == (
        "the run of these inputs is on provider local: "
        "name that in the spec, or raise `spec.attempt` to pay for it on west too"
    )
    (available, *_) = done.records["numbers"].conditions
    assert (available.type, available.status) == (ConditionType.AVAILABLE, Truth.TRUE)
    assert not west.models


async def test_a_new_spec_is_tuned_promoted_and_then_left_alone() -> None:
    stage = Stage()
    assert await stage.step() == [("numbers", "create")]
    assert await stage.step() == [("numbers", "wait")]
    stage.provider.finish()
    assert await stage.step() == [("numbers", "promote")]
    assert await stage.step() == [("numbers", "none")]
    writes, mutations = len(stage.ledger.messages), len(stage.provider.mutations)
    for _ in range(5):
        stage.clock.advance(3600)
        assert await stage.step() == [("numbers", "none")]
    assert (len(stage.ledger.messages), len(stage.provider.mutations)) == (writes, mutations)
    assert sum(stage.provider.paid.values()) == 1


async def test_an_id_that_another_account_has_holds_its_own_spec_alone() -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("other")})
    taken = next(action.model for action in (await stage.plan()).actions if action.name == "numbers")
    stage.provider.closed = {taken}

    done = await stage.run()

    decided = {o.action.name: (o.action.word, o.action.reason, o.action.message) for o in done.outcomes}
    assert decided["other"][0] == "create"
    why = "another account has it, and it may not be read"
    message = f"{taken} is there and is not ours ({why}): nothing of it is touched; rename the spec"
    assert decided["numbers"] == ("hold", Reason.FOREIGN_MODEL, message)
    assert of_pass(done.world, done.outcomes) is ExitCode.HOLDS


async def shared(stage: Stage) -> str:
    """A finished model of another account on the id that the spec will want, with our mark."""
    tuned = Stage()
    await tuned.step()
    tuned.provider.finish()
    stage.provider.models |= tuned.provider.models
    (name,) = stage.provider.shared = set(tuned.provider.models)
    return name


async def test_a_model_that_another_account_shares_is_never_taken_whatever_its_mark_says() -> None:
    stage = Stage()
    name = await shared(stage)
    (outcome,) = (await stage.run()).outcomes
    assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.FOREIGN_MODEL)
    assert outcome.action.message.startswith(f"{name} is there and is not ours (another account shares it")
    assert not stage.provider.mutations
    with pytest.raises(ControllerError, match="does not show"):
        await commands.adopt(stage.ports, stage.settings, "numbers", name)
    assert not stage.provider.mutations


async def test_a_model_that_another_account_put_there_just_before_the_create_is_not_taken_for_what_it_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    late = Stage(source=stage.source, provider=stage.provider)
    await shared(stage)
    there, stage.provider.models = stage.provider.models, {}
    plan = await late.plan()
    assert [action.word for action in plan.actions] == ["create"]
    stage.provider.fail("create", Rejected("it exists", kind=RejectedKind.EXISTS))
    stage.provider.models = there
    monkeypatch.setattr(stage.provider, "observe", _blind_once(stage.provider))
    (outcome,) = (await late.run()).outcomes
    assert isinstance(outcome, Held)
    assert (outcome.action.word, outcome.reason) == ("create", Reason.OUTCOME_UNKNOWN)
    (outcome,) = (await late.run()).outcomes
    assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.VISIBILITY)
    late.clock.advance(601)
    (outcome,) = (await late.run()).outcomes
    assert (outcome.action.word, outcome.action.reason) == ("hold", Reason.FOREIGN_MODEL)
    assert not stage.provider.paid


def _blind_once(provider: MemoryProvider) -> Callable[[ObserveRequest], Coroutine[Any, Any, ObservedProvider]]:
    """A look that finds nothing, once."""
    seeing, looks = provider.observe, 0

    async def observe(want: ObserveRequest) -> ObservedProvider:
        nonlocal looks
        looks += 1
        there, provider.models = provider.models, {} if looks == 1 else provider.models
        seen = await seeing(want)
        provider.models = there
        return seen

    return observe


async def test_the_intent_is_durable_before_the_request_leaves() -> None:
    stage = Stage()
    await stage.step()
    intended = stage.ledger.versions[1]["numbers"].intent
    assert intended is not None
    assert intended.model in stage.provider.models
    assert stage.ledger.records["numbers"].intent is None


async def test_nothing_is_sent_where_the_intent_cannot_be_written() -> None:
    stage = Stage()
    stage.ledger.fail("save", LedgerError("the disk is full"))
    with pytest.raises(LedgerError):
        await stage.step()
    assert stage.provider.mutations == []


async def test_nothing_is_sent_where_the_ledger_could_not_be_written_afterwards() -> None:
    stage = await settled()
    stage.source.edit({"specs/numbers.yaml": spec_text(displayName="Sums")})
    mutations = len(stage.provider.mutations)
    stage.ledger.fail("check", LedgerError("the branch is checked out"))
    with pytest.raises(LedgerError):
        await stage.step()
    assert len(stage.provider.mutations) == mutations
    assert await stage.step() == [("numbers", "update")]


async def test_nothing_is_sent_where_another_controller_wrote_first() -> None:
    stage = Stage()
    stage.ledger.fail("save", RevisionConflict("moved"))
    with pytest.raises(RevisionConflict):
        await stage.step()
    assert stage.provider.mutations == []
    assert await stage.step() == [("numbers", "create")]


async def test_a_lost_race_after_the_effects_is_rebuilt_on_what_the_other_wrote() -> None:
    stage = Stage()
    await stage.step()
    stage.provider.finish()
    stage.ledger.fail("save", RevisionConflict("moved"))
    assert await stage.step() == [("numbers", "promote")]
    assert stage.ledger.records["numbers"].active is not None


async def test_a_create_whose_answer_was_lost_is_looked_for_and_not_repeated() -> None:
    stage = Stage()
    stage.provider.fail("create", lost_answer(), after=True)
    assert await stage.step() == [("numbers", "create")]
    assert stage.ledger.records["numbers"].pending is not None
    assert await stage.step() == [("numbers", "wait")]
    assert list(stage.provider.paid.values()) == [1]


async def test_an_interrupted_create_that_cannot_be_seen_holds_and_is_adopted_when_it_shows() -> None:
    stage = Stage()
    stage.provider.fail("create", lost_answer(), after=True)
    stage.provider.fail("observe", Transient("down"), times=2)
    done = await stage.run()
    name = next(iter(stage.provider.models))
    model = stage.provider.models.pop(name)
    assert len(done.outcomes) == 1
    stage.provider.models[name] = model
    assert (await stage.step())[0][1] in {"adopt", "wait"}
    assert list(stage.provider.paid.values()) == [1]


async def test_a_quota_that_is_used_up_holds_quietly_and_clears_by_itself() -> None:
    stage = Stage()
    stage.provider.fail("create", Transient("quota", quota=True), times=3)
    for _ in range(3):
        done = await stage.run()
        assert done.records["numbers"].conditions[-1].reason is Reason.QUOTA_EXCEEDED
        assert done.records["numbers"].conditions[-1].type is ConditionType.RECONCILING
    assert len(stage.ledger.messages) == 3  # the intent, the refusal, and that it is sent again
    assert await stage.step() == [("numbers", "create")]
    assert list(stage.provider.paid.values()) == [1]


async def test_a_rejected_create_stalls_with_the_providers_words_and_writes_little() -> None:
    stage = Stage()
    bad_key = Rejected("the key is not valid", kind=RejectedKind.UNAUTHENTICATED, hint="Set GEMINI_API_KEY.")
    stage.provider.fail("create", bad_key, times=9)
    for _ in range(9):
        done = await stage.run()
    stalled = done.records["numbers"].conditions[-1]
    assert (stalled.type, stalled.reason) == (ConditionType.STALLED, Reason.PROVIDER_REJECTED)
    assert "Set GEMINI_API_KEY" in stalled.message
    assert len(stage.ledger.messages) == 3


async def test_a_changed_epoch_count_tunes_beside_the_old_model_and_a_revert_is_free() -> None:
    stage = await settled()
    first = stage.ledger.records["numbers"].active
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 8}")})
    assert await stage.step() == [("numbers", "retune")]
    assert stage.ledger.records["numbers"].active == first
    ready = {c.type: c.status for c in stage.ledger.records["numbers"].conditions}
    assert (ready[ConditionType.AVAILABLE], ready[ConditionType.READY]) == (Truth.TRUE, Truth.FALSE)
    stage.provider.finish()
    await stage.step()
    assert stage.ledger.records["numbers"].active != first
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    assert await stage.step() == [("numbers", "reuse")]
    assert stage.ledger.records["numbers"].active == first
    assert await stage.step() == [("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 2


async def test_edits_that_cost_nothing_pay_for_nothing() -> None:
    stage = await settled()
    free = {
        "displayName": "Numbers",
        "description": "Says the next.",
        "hyperparameters": "{epochCount: 5, batchSize: 4, learningRate: 0.001}",
        "sampling": "{temperature: 0.5}",
        "runHistoryLimit": "7",
    }
    stage.source.edit(
        {"specs/numbers.yaml": None, "specs/moved/n.yaml": spec_text(**free), "specs/moved/rows.jsonl": rows()}
    )
    assert await stage.step() == [("numbers", "update")]
    assert await stage.step() == [("numbers", "none")]
    as_csv = "text_input,output\n" + "".join(f"{n},{n + 1}\n" for n in range(1, 21))
    text = spec_text(**free).replace("rows.jsonl", "rows.csv")
    stage.source.edit({"specs/moved/n.yaml": text, "specs/moved/rows.jsonl": None, "specs/moved/rows.csv": as_csv})
    assert await stage.step() == [("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 1


async def test_a_provider_renamed_in_the_settings_pays_for_nothing() -> None:
    stage = await settled()
    stage.settings = Settings(default_provider="here", providers={"here": ProviderSettings("here", "local")})
    ports = replace(stage.ports, providers={"here": stage.provider})
    from controller.engine.reconcile import preview  # noqa: PLC0415

    assert (await preview(ports, stage.settings)).plan.summary == {"none": 1}


class Moved:
    """A stage whose run tunes on ``local``, which has left gitune.yaml for ``new``."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.new = MemoryProvider("new")
        self.providers: dict[str, Provider] = {"new": self.new}

    async def step(self) -> list[Outcome]:
        known = {key: ProviderSettings(key, "local") for key in self.providers}
        settings = Settings(providers=known, default_provider="new")
        done = await reconcile(replace(self.stage.ports, providers=self.providers), settings, Approval())
        return [outcome for outcome in done.outcomes if outcome.action.name == "numbers"]


async def test_a_pending_run_on_a_provider_that_is_gone_from_the_settings_makes_way_and_stays_on_record() -> None:
    stage = Stage()
    await stage.step()
    (first,) = stage.provider.models
    stage.clock.advance(1200)
    moved = Moved(stage)
    stage.source.edit({"specs/numbers.yaml": spec_text(provider="new")})
    (held,) = await moved.step()
    assert held.action.reason is Reason.LOST

    stage.source.edit({"specs/numbers.yaml": spec_text(provider="new", attempt="2")})
    (paid,) = await moved.step()
    assert paid.action.word == "retune"
    assert f"{first} may still tune on provider local, which is not in gitune.yaml any more" in paid.action.message
    assert sum(moved.new.paid.values()) == 1
    record = stage.ledger.records["numbers"]
    assert [(slot.model, slot.provider) for slot in record.retired] == [(first, "local")]
    assert [run.outcome for run in record.runs] == [RunOutcome.TUNING, RunOutcome.TUNING]
    moved.new.finish()
    assert [o.action.word for _ in range(3) for o in await moved.step()] == ["promote", "none", "none"]

    moved.providers["local"] = stage.provider  # somebody brings it back
    assert [o.action.word for _ in range(2) for o in await moved.step()] == ["cancel", "none"]
    assert stage.provider.models[first].state is RemoteState.CANCELLED


async def test_a_pending_run_on_a_provider_that_cannot_be_read_is_waited_for_and_that_one_is_named() -> None:
    stage = Stage()
    await stage.step()
    stage.clock.advance(1200)
    moved = Moved(stage)
    moved.providers["local"] = stage.provider
    stage.source.edit({"specs/numbers.yaml": spec_text(provider="new", attempt="2")})
    stage.provider.fail("observe", Transient("busy"))
    stage.provider.hidden = set(stage.provider.models)
    held = (await moved.step())[-1]
    assert (held.action.word, held.action.reason) == ("hold", Reason.PROVIDER_UNREADABLE)
    assert "provider local: busy" in held.action.message
    assert [o.action.word for o in await moved.step()] == ["cancel", "retune"]


async def test_a_removed_spec_whose_run_is_on_a_provider_that_is_gone_from_the_settings_is_let_go() -> None:
    stage = Stage()
    await stage.step()
    stage.clock.advance(1200)
    moved = Moved(stage)
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other")})
    (left,) = await moved.step()
    assert left.action.word == "orphan"
    assert "may still tune on provider local, which is not in gitune.yaml any more" in left.action.message
    record = stage.ledger.records["numbers"]
    assert record.orphaned
    assert [run.outcome for run in record.runs] == [RunOutcome.TUNING]


async def test_a_removed_spec_is_orphaned_and_its_model_stays() -> None:
    stage = await settled()
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other")})
    assert ("numbers", "orphan") in await stage.step()
    assert len(stage.provider.models) == 2
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    assert ("numbers", "reuse") in await stage.step()
    assert stage.provider.paid[next(m for m in stage.provider.models if "numbers" in m)] == 1


class Overtaken(MemoryLedger):
    """A ledger that another controller writes right before the next save."""

    first: Mapping[str, Record] | None = None

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        first, self.first = self.first, None
        if first is not None:
            await super().save(first, await self.tip(), "somebody else")
        return await super().save(records, tip, message)


async def test_a_removed_spec_is_not_let_go_where_another_controller_recorded_that_it_is_to_be_deleted() -> None:
    stage = await settled()
    ledger = Overtaken(stage.ledger.records)
    record = ledger.records["numbers"]
    ledger.first = {"numbers": replace(record, deletion_policy=DeletionPolicy.DELETE)}
    stage.ledger = ledger
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other", suspend="true")})
    assert ("numbers", "orphan") in await stage.step()
    assert not ledger.records["numbers"].orphaned
    assert ("numbers", "hold") in await stage.step()
    assert all(slot.tombstone for slot in ledger.records["numbers"].slots)


async def test_a_removed_spec_that_still_tunes_is_cancelled_after_two_looks() -> None:
    stage = Stage()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other")})
    assert ("numbers", "hold") in await stage.step()
    assert [call.operation for call in stage.provider.mutations].count("cancel") == 0
    assert ("numbers", "cancel") in await stage.step()
    assert ("numbers", "orphan") in await stage.step()
    assert [call.operation for call in stage.provider.mutations].count("cancel") == 1


async def test_an_empty_tree_is_refused_and_named() -> None:
    stage = await settled()
    stage.source.commit({"README.md": "nothing"})
    with pytest.raises(Refused, match="no spec at all") as refused:
        await stage.step()
    assert refused.value.preview.plan.summary == {"orphan": 1}
    assert await stage.step(Approval(allow=frozenset({"empty"}))) == [("numbers", "orphan")]


async def test_one_broken_file_stops_nothing_else_and_removes_nothing() -> None:
    stage = await settled()
    stage.source.edit({"specs/numbers.yaml": "kind: [", "specs/other.yaml": spec_text("other")})
    assert await stage.step() == [("numbers", "hold"), ("other", "create")]
    assert stage.ledger.records["numbers"].active is not None


async def test_a_source_that_cannot_be_read_changes_nothing() -> None:
    stage = await settled()
    before = len(stage.ledger.messages)
    stage.source.fail(SourceError("the clone is cut"))
    with pytest.raises(SourceError):
        await stage.step()
    assert len(stage.ledger.messages) == before


async def test_a_broken_listing_cancels_orphans_and_loses_nothing() -> None:
    stage = await settled()
    stage.source.edit({"specs/other.yaml": spec_text("other"), "specs/numbers.yaml": None})
    stage.provider.fail("observe", Transient("cut off"))
    words = await stage.step()
    assert ("other", "create") in words, "its id was asked for, so it may go on"
    assert not {"cancel", "delete"} & {word for _, word in words}


async def test_only_the_approved_plan_is_applied() -> None:
    stage = Stage()
    plan = await stage.plan()
    stage.source.edit({"specs/rows.jsonl": rows(25)})
    with pytest.raises(Refused, match="something moved"):
        await stage.step(Approval(plan.digest))
    assert stage.provider.mutations == []
    assert await stage.step(Approval((await stage.plan()).digest)) == [("numbers", "create")]


async def test_a_working_tree_is_not_applied_to_a_provider_that_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(provider=MemoryProvider("local", facts=replace(FREE, free=False)))
    tree = await stage.source.tree()

    class Unmarked:
        revision = None
        entries = staticmethod(tree.entries)
        read = staticmethod(tree.read)
        read_many = staticmethod(tree.read_many)
        chunks = staticmethod(tree.chunks)
        later = staticmethod(tree.later)

    async def unmarked(revision: str | None = None) -> object:
        return Unmarked()

    monkeypatch.setattr(stage.source, "tree", unmarked)
    with pytest.raises(Refused, match="working tree"):
        await stage.step()
    assert stage.provider.mutations == []


async def test_more_creates_than_allowed_are_refused_as_a_whole() -> None:
    stage = Stage(settings=Settings(policy=Policy(max_creates=1)))
    stage.source.edit({"specs/other.yaml": spec_text("other")})
    with pytest.raises(Refused, match="maxCreates"):
        await stage.step()
    assert stage.provider.mutations == []


async def test_a_run_that_does_not_pass_its_evaluation_leaves_the_old_model_serving() -> None:
    stage = await settled()
    first = stage.ledger.records["numbers"].active
    judged = spec_text(
        hyperparameters="{epochCount: 9}", evaluation="{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.5}"
    )
    stage.source.edit({"specs/numbers.yaml": judged, "specs/held.jsonl": rows(20, start=100)})
    await stage.step()
    stage.provider.finish()
    done = await stage.run()
    record = done.records["numbers"]
    assert record.active == first
    assert record.conditions[-1].reason is Reason.EVALUATION_FAILED
    assert "0 of 20" in record.conditions[-1].message
    asked = [call.operation for call in stage.provider.calls].count("generate")
    assert asked == 1 + 20, "the first model was asked once before it served"
    assert await stage.step() == [("numbers", "hold")]
    assert [call.operation for call in stage.provider.calls].count("generate") == asked, "a score is not taken twice"


async def test_a_run_that_passes_its_evaluation_is_promoted_with_its_score() -> None:
    stage = Stage()
    judged = spec_text(evaluation="{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 1.0}")
    stage.source.edit({"specs/numbers.yaml": judged, "specs/held.jsonl": rows(5)})
    await stage.step()
    stage.provider.finish()
    done = await stage.run()
    run = done.records["numbers"].runs[0]
    assert run.score is not None
    assert run.score.value == 1.0


async def test_a_run_that_overstays_is_cancelled_once_and_then_stalls() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(limits="{maxDuration: 2h}")})
    await stage.step()
    name = next(iter(stage.provider.models))
    created = replace(stage.provider.models[name], created="2026-01-01T00:00:00Z")
    stage.provider.models[name] = created
    stage.clock.advance(3 * 3600)
    assert await stage.step() == [("numbers", "wait")], "one reading of a clock stops nothing"
    assert await stage.step() == [("numbers", "cancel")]
    for _ in range(3):
        done = await stage.run()
    assert done.records["numbers"].conditions[-1].reason is Reason.DEADLINE_EXCEEDED
    assert [call.operation for call in stage.provider.mutations] == ["create", "cancel"]


def limited(epochs: int) -> str:
    return spec_text(limits="{maxDuration: 2h}", hyperparameters=f"{{epochCount: {epochs}}}")


async def superseded_and_held(why: str) -> tuple[Stage, Approval]:
    """A run with a limit that has just begun, whose spec asks for another one, which is held for that reason."""
    stage, approval = Stage(), Approval()
    if why == "BudgetExceeded":
        stage = Stage(settings=priced(), provider=MemoryProvider("local", facts=FACTS))
    stage.source.edit({"specs/numbers.yaml": limited(5)})
    if why == "BudgetExceeded":
        cost = max(a.cost.high for a in (await stage.plan()).actions if isinstance(a, Create) and a.cost)
        stage.settings = replace(stage.settings, policy=Policy(budget=Budget(cost * 1.1, "USD")))
    await stage.step()
    record = stage.ledger.records["numbers"]
    began = replace(record, runs=(replace(record.runs[0], started=stage.clock.now().isoformat()),))
    await stage.ledger.save({"numbers": began}, stage.ledger.version, "as old as it is")
    match why:
        case "NotReviewed":
            approval = Approval(review=ReviewRule.GRANTS)
        case "Settling":
            stage.settings = Settings(policy=Policy(settle=10.0 * DAY))
        case "BaseModelNotTunable":
            stage.provider.base_models["models/tiny"] = False
        case _:
            pass
    stage.source.edit({"specs/numbers.yaml": limited(6)})
    return stage, approval


@pytest.mark.parametrize("why", ["NotReviewed", "BudgetExceeded", "Settling", "BaseModelNotTunable"])
async def test_a_run_past_its_limit_is_stopped_whatever_its_successor_waits_for(why: str) -> None:
    stage, approval = await superseded_and_held(why)
    (name,) = stage.provider.models

    async def told() -> list[tuple[str, str]]:
        outcomes = (await stage.run(approval)).outcomes
        # What is not reviewed is held action by action.
        return list(dict.fromkeys((outcome.action.word, str(outcome.action.reason)) for outcome in outcomes))

    stage.clock.advance(3600)
    for _ in range(3):
        assert await told() == [("hold", why)], "it is not past its limit"
    stage.clock.advance(2 * 3600)
    assert await told() == [("hold", why)], "one reading of a clock stops nothing"
    assert await told() == [("cancel", "DeadlineExceeded"), ("hold", why)]
    assert stage.provider.models[name].state is RemoteState.CANCELLED
    assert [run.outcome for run in stage.ledger.records["numbers"].runs] == [RunOutcome.DEADLINE_EXCEEDED]
    await told()
    assert [call.operation for call in stage.provider.mutations].count("cancel") == 1


async def test_a_run_past_its_limit_goes_on_where_the_listing_is_broken() -> None:
    stage, approval = await superseded_and_held("NotReviewed")
    stage.clock.advance(3 * 3600)
    await stage.run(approval)
    stage.provider.fail("observe", Transient("busy"), times=2)
    for _ in range(2):
        await stage.run(approval)
    assert [call.operation for call in stage.provider.mutations] == ["create"]


async def test_a_clock_that_is_days_ahead_stops_nothing_where_the_provider_tells_the_time() -> None:
    stage = Stage()
    stage.provider.time = "2026-01-01T00:20:00+00:00"
    stage.source.edit({"specs/numbers.yaml": spec_text(limits="{maxDuration: 24h}")})
    await stage.step()
    stage.clock.advance(48 * 3600)
    for _ in range(5):
        assert await stage.step() == [("numbers", "wait")]
    stage.provider.time = "2026-01-02T00:20:00+00:00"
    assert await stage.step() == [("numbers", "wait")]
    assert await stage.step() == [("numbers", "cancel")]


async def test_a_clock_that_was_ahead_for_one_look_stops_nothing() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(limits="{maxDuration: 24h}")})
    await stage.step()
    ((name, model),) = stage.provider.models.items()
    stage.provider.models[name] = replace(model, created=written_now(stage.clock))
    stage.ledger = MemoryLedger()
    assert await stage.step() == [("numbers", "reuse")]
    right, ahead = stage.clock, FakeClock()
    ahead.advance(48 * 3600)
    for _ in range(3):
        stage.clock = ahead
        assert await stage.step() == [("numbers", "wait")]
        assert stage.ledger.records["numbers"].overdue
        stage.clock = right
        assert await stage.step() == [("numbers", "wait")]
        assert not stage.ledger.records["numbers"].overdue


async def test_the_ledger_can_be_lost_and_nothing_is_paid_twice() -> None:
    stage = await settled()
    lost = Stage(source=stage.source, provider=stage.provider)
    assert await lost.step() == [("numbers", "reuse")]
    assert await lost.step() == [("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 1
    assert lost.ledger.records["numbers"].active == stage.ledger.records["numbers"].active


async def copied_and_lost() -> tuple[Stage, str]:
    """A model was copied by hand, with our mark, under another id; it is all that is left, and the ledger is lost."""
    stage = Stage()
    stage.source.edit(
        {"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), "specs/other.yaml": spec_text("other")}
    )
    await stage.step()
    stage.provider.finish()
    await stage.step()
    (ours,) = [name for name in stage.provider.models if "numbers" in name]
    copy = "tunedModels/somebodys-copy"
    stage.provider.models[copy] = replace(stage.provider.models.pop(ours), name=copy)
    stage.provider.answers[copy] = stage.provider.answers[ours]
    stage.ledger = MemoryLedger()
    return stage, copy


async def test_a_copy_by_hand_is_not_reused_patched_or_deleted_after_the_ledger_was_lost() -> None:
    stage, copy = await copied_and_lost()
    before, paid = stage.provider.models[copy], sum(stage.provider.paid.values())
    assert ("numbers", "hold") in await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete", displayName="Sums")})
    assert ("numbers", "hold") in await stage.step()
    assert any(f"gitune adopt numbers {copy}" in c.message for c in stage.ledger.records["numbers"].conditions)
    stage.source.edit({"specs/numbers.yaml": None})
    for _ in range(4):
        await stage.step()
        stage.clock.advance(2 * 86_400)

    assert stage.provider.models[copy] == before
    assert sum(stage.provider.paid.values()) == paid


async def test_a_model_that_was_adopted_under_another_id_is_adopted_again_after_the_ledger_was_lost() -> None:
    stage, copy = await copied_and_lost()
    await stage.step()
    assert (await commands.adopt(stage.ports, stage.settings, "numbers", copy)).model == copy
    assert ("numbers", "none") in await stage.step()
    assert sum(stage.provider.paid.values()) == 2


async def test_what_is_left_of_a_copy_without_our_mark_is_no_reason_to_hold() -> None:
    stage, copy = await copied_and_lost()
    stage.provider.models[copy] = replace(stage.provider.models[copy], description="Mine.")
    assert ("numbers", "create") in await stage.step()


async def test_two_controllers_with_a_ledger_each_share_one_run() -> None:
    stage = Stage()
    other = Stage(source=stage.source, provider=stage.provider)
    await stage.step()
    stage.provider.hidden = set(stage.provider.models)
    assert await other.step() == [("numbers", "hold")], "only the listing tells what is this account's"
    stage.provider.hidden = set()
    assert await other.step() == [("numbers", "reuse")]
    assert sum(stage.provider.paid.values()) == 1


async def test_what_the_provider_stores_otherwise_is_sent_once_and_drift_is_still_put_back() -> None:
    stage = Stage()
    stage.provider.folds = True
    stage.source.edit({"specs/numbers.yaml": spec_text(description="'Says  what follows.'")})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    assert await stage.step() == [("numbers", "update")]
    for _ in range(3):
        assert await stage.step() == [("numbers", "none")]
    stage.source.edit({"specs/numbers.yaml": spec_text(description="'Says  more.'")})
    assert await stage.step() == [("numbers", "update")]
    assert await stage.step() == [("numbers", "none")]
    (name,) = stage.provider.models
    stage.provider.models[name] = replace(stage.provider.models[name], description="by hand")
    assert [action.reason for action in (await stage.plan()).actions] == [Reason.DRIFTED]
    stage.provider.models[name] = replace(stage.provider.models[name], display_name="By hand")
    stage.source.edit({"specs/numbers.yaml": spec_text(description="'Says more.'")})
    mark = with_mark("By hand", Mark(INSTANCE, "numbers", 1, stage.ledger.records["numbers"].runs[0].fingerprint))
    stage.provider.models[name] = replace(stage.provider.models[name], description=mark)
    assert await stage.step() == [("numbers", "update")]
    assert stage.ledger.records["numbers"].stored == ()


async def test_a_model_changed_in_the_console_is_put_back_and_a_deleted_one_is_not_paid_for_again() -> None:
    stage = await settled()
    stage.source.edit({"specs/numbers.yaml": spec_text(displayName="Numbers")})
    await stage.step()
    name = next(iter(stage.provider.models))
    stage.provider.models[name] = replace(stage.provider.models[name], display_name="By hand")
    assert await stage.step() == [("numbers", "update")]
    assert stage.provider.models[name].display_name == "Numbers"
    del stage.provider.models[name]
    for _ in range(3):
        assert await stage.step() == [("numbers", "hold")]
    assert sum(stage.provider.paid.values()) == 1


async def test_a_spec_on_another_waits_and_is_tuned_on_its_run() -> None:
    stage = Stage()
    child = spec_text("child").replace("baseModel: models/tiny", "baseModel: {from: numbers}")
    stage.source.edit({"specs/child.yaml": child})
    assert await stage.step() == [("child", "hold"), ("numbers", "create")]
    stage.provider.finish()
    await stage.step()
    assert await stage.step() == [("child", "create"), ("numbers", "none")]
    made = next(m for name, m in stage.provider.models.items() if "child" in name)
    active = stage.ledger.records["numbers"].active
    assert active is not None
    assert made.source_model == active.model


async def test_a_renamed_spec_keeps_its_model_and_pays_nothing() -> None:
    stage = await settled()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": renamed})
    assert await stage.step() == [("figures", "update")]
    assert set(stage.ledger.records) == {"figures"}
    stage.source.edit({"specs/numbers.yaml": spec_text("figures")})
    assert await stage.step() == [("figures", "none")]
    assert sum(stage.provider.paid.values()) == 1


async def test_a_quota_message_that_counts_down_is_written_once() -> None:
    stage = Stage()
    for left in (120, 90, 60, 30):
        stage.provider.fail("create", Transient(f"quota used up, try again in {left} s", quota=True))
        await stage.step()
    said = {c.message for c in stage.ledger.records["numbers"].conditions if c.reason is Reason.QUOTA_EXCEEDED}
    assert said == {"no run serves yet", "quota used up, try again in 120 s"}
    assert len(stage.ledger.messages) == 3


async def test_a_run_found_after_the_ledger_was_lost_counts_in_the_budget() -> None:
    prices = Prices("2026-01-01", "USD", MappingProxyType({"models/tiny": 1000.0}))
    paid = ProviderSettings("local", "gemini", prices=prices)
    stage = Stage(settings=Settings(providers={"local": paid}, policy=Policy(budget=Budget(100.0, "USD"))))
    await stage.step()
    cost = stage.ledger.records["numbers"].runs[0].cost
    stage.provider.finish()
    await stage.step()
    stage.ledger.reset(None)
    assert await stage.step() == [("numbers", "reuse")]
    assert stage.ledger.records["numbers"].runs[0].cost == cost is not None


async def test_a_failed_run_found_after_the_ledger_was_lost_is_on_record_again() -> None:
    stage = Stage()
    await stage.step()
    name = next(iter(stage.provider.models))
    stage.provider.models[name] = replace(stage.provider.models[name], state=RemoteState.FAILED, error="diverged")
    await stage.step()
    stage.ledger.reset(None)
    assert await stage.step() == [("numbers", "hold")]
    run = stage.ledger.records["numbers"].run(name)
    assert run is not None
    assert (run.outcome, run.error) == (RunOutcome.FAILED, "diverged")
    del stage.provider.models[name]
    assert await stage.step() == [("numbers", "hold")], "what was paid for once is not paid for again"
    assert stage.provider.paid.total() == 1


async def test_a_run_found_after_the_ledger_was_lost_that_fails_its_evaluation_is_on_record_and_asked_once() -> None:
    judged = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.8}"
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(evaluation=judged), "specs/held.jsonl": rows(5, start=100)})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    ((name, _),) = stage.provider.models.items()
    stage.ledger.reset(None)
    before = len(_questions(stage))
    assert await stage.step() == [("numbers", "reuse")]
    run = stage.ledger.records["numbers"].run(name)
    assert run is not None
    assert run.outcome is RunOutcome.SUCCEEDED
    assert run.score
    assert (run.score.right, run.score.asked) == (0, 5)
    written = len(stage.ledger.versions)
    for _ in range(3):
        done = await stage.run()
        assert [(o.action.word, o.action.reason) for o in done.outcomes] == [("hold", Reason.EVALUATION_FAILED)]
    assert len(_questions(stage)) == before + 5
    assert len(stage.ledger.versions) == written
    del stage.provider.models[name]
    assert await stage.step() == [("numbers", "hold")], "what was paid for once is not paid for again"
    assert stage.provider.paid.total() == 1


def _questions(stage: Stage) -> list[object]:
    return [call for call in stage.provider.calls if call.operation == "generate"]


async def test_a_rename_that_is_undone_pays_nothing() -> None:
    stage = await settled()
    original = spec_text()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    for text, name in ((renamed, "figures"), (original, "numbers"), (renamed, "figures"), (original, "numbers")):
        stage.source.edit({"specs/numbers.yaml": text})
        assert await stage.step() == [(name, "update")]
        assert await stage.step() == [(name, "none")]
        assert set(stage.ledger.records) == {name}
    assert sum(stage.provider.paid.values()) == 1


async def test_a_rename_that_is_undone_and_made_otherwise_while_nobody_looked_pays_nothing() -> None:
    stage = await settled()
    for name in ("figures", "counts"):
        renamed = spec_text(name).replace(f"{{name: {name}}}", f"{{name: {name}, formerNames: [numbers]}}")
        stage.source.edit({"specs/numbers.yaml": renamed})
        assert await stage.step() == [(name, "update")]
        assert set(stage.ledger.records) == {name}
    assert sum(stage.provider.paid.values()) == 1


async def test_a_name_that_was_given_up_and_asks_for_something_else_is_a_new_spec() -> None:
    stage = await settled()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": renamed})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 8}")})
    assert await stage.step() == [("figures", "orphan"), ("numbers", "create")]
    assert set(stage.ledger.records) == {"figures", "numbers"}


async def test_a_name_that_was_given_up_is_not_taken_back_while_its_bearer_is_there() -> None:
    stage = await settled()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": renamed})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text("figures"), "specs/again.yaml": spec_text("numbers")})
    held = await stage.run()
    assert [(o.action.name, o.action.word) for o in held.outcomes] == [("figures", "none"), ("numbers", "hold")]
    assert held.outcomes[1].action.reason is Reason.FOREIGN_MODEL


@pytest.mark.parametrize("epochs", [5, 7])
async def test_a_run_that_tunes_under_a_name_another_spec_takes_over_is_stopped_or_gone_on_with(epochs: int) -> None:
    stage = await settled()
    stage.source.edit({"specs/other.yaml": spec_text("figures", hyperparameters="{epochCount: 7}")})
    assert await stage.step() == [("figures", "create"), ("numbers", "none")]
    joined = spec_text(hyperparameters=f"{{epochCount: {epochs}}}")
    joined = joined.replace("{name: numbers}", "{name: numbers, formerNames: [figures]}")
    stage.source.edit({"specs/numbers.yaml": joined, "specs/other.yaml": None})
    words = [word for _ in range(3) for _, word in await stage.step()]
    assert words == (["wait"] * 3 if epochs == 7 else ["cancel", "none", "none"])
    assert set(stage.ledger.records) == {"numbers"}
    tuning = [model for model in stage.provider.models.values() if model.state is RemoteState.CREATING]
    assert len(tuning) == (epochs == 7)
    assert sum(stage.provider.paid.values()) == 2


async def test_of_two_runs_that_tune_under_names_which_become_one_the_wanted_one_goes_on() -> None:
    stage = Stage()
    other = spec_text("figures", hyperparameters="{epochCount: 7}")
    stage.source.edit({"specs/other.yaml": other})
    assert await stage.step() == [("figures", "create"), ("numbers", "create")]
    joined = spec_text().replace("{name: numbers}", "{name: numbers, formerNames: [figures]}")
    stage.source.edit({"specs/numbers.yaml": joined, "specs/other.yaml": None})
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "wait")]
    assert await stage.step() == [("numbers", "wait")]
    assert set(stage.ledger.records) == {"numbers"}
    tuning = [name for name, model in stage.provider.models.items() if model.state is RemoteState.CREATING]
    assert [name.startswith("tunedModels/numbers-") for name in tuning] == [True]
    stage.provider.finish()
    assert await stage.step() == [("numbers", "promote")]
    assert await stage.step() == [("numbers", "none")]
    assert sum(stage.provider.paid.values()) == 2


async def test_a_name_that_was_given_up_waits_while_its_bearer_may_be_in_a_file_that_cannot_be_read() -> None:
    stage = await settled()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": renamed})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": "metadata: [", "specs/again.yaml": spec_text("numbers")})
    held = await stage.run()
    assert [o.action.reason for o in held.outcomes] == [Reason.TREE_INCOMPLETE] * 2
    assert held.records["figures"].active is not None, "it may be there still: its model stays its own"
    stage.source.edit({"specs/numbers.yaml": renamed, "specs/again.yaml": None})
    assert await stage.step() == [("figures", "none")]
    assert sum(stage.provider.paid.values()) == 1


async def test_a_rename_that_is_undone_beside_a_file_that_cannot_be_read_waits_and_pays_nothing() -> None:
    stage = await settled()
    renamed = spec_text("figures").replace("{name: figures}", "{name: figures, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": renamed})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text(), "specs/other.yaml": "metadata: ["})
    assert await stage.step() == [("figures", "hold"), ("numbers", "hold")]
    stage.source.edit({"specs/other.yaml": None})
    assert await stage.step() == [("numbers", "update")]
    assert set(stage.ledger.records) == {"numbers"}
    assert sum(stage.provider.paid.values()) == 1


async def test_following_goes_on_until_nothing_tunes() -> None:
    stage = Stage()
    passes = []
    async for done in follow(stage.ports, stage.settings, Approval(), 10):
        passes.append([outcome.action.word for outcome in done.outcomes])
        stage.provider.tick(13)
    assert passes == [["create"], ["wait"], ["promote"], ["none"]]
    assert stage.clock.slept == [10, 10, 10]


async def test_a_plan_without_the_provider_is_made_from_the_ledger_alone() -> None:
    stage = await settled()
    before = len(stage.provider.calls)
    shown = await preview_offline(stage.ports, stage.settings)
    assert shown.plan.summary == {"none": 1}
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 8}")})
    shown = await preview_offline(stage.ports, stage.settings)
    assert shown.plan.summary == {"retune": 1}
    assert len(stage.provider.calls) == before


async def test_a_failed_run_is_not_paid_for_again_until_its_attempt_rises() -> None:
    stage = Stage()
    await stage.step()
    stage.provider.end(next(iter(stage.provider.models)), RemoteState.FAILED, "data too odd")
    for _ in range(3):
        done = await stage.run()
    held = done.records["numbers"].conditions[-1]
    assert (held.type, held.reason) == (ConditionType.STALLED, Reason.RUN_FAILED)
    assert "data too odd" in held.message
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 8}")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    assert ("numbers", "hold") in [*await stage.step(), *await stage.step()], "a revert to failed inputs stays held"
    assert sum(stage.provider.paid.values()) == 2
    stage.source.edit({"specs/numbers.yaml": spec_text(attempt="2")})
    words = [*await stage.step(), *await stage.step()]
    assert ("numbers", "create") in words
    assert sum(stage.provider.paid.values()) == 3
