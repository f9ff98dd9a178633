"""The commands that need a person, on ports in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from controller.engine import commands
from controller.engine.reconcile import Approval, reconcile
from controller.errors import ControllerError, LedgerError, Transient
from controller.plan.admission import spent
from controller.providers.gemini.facts import FACTS
from controller.settings import Policy, ProviderSettings, Settings
from controller.state.identity import find_mark
from controller.state.reasons import Reason
from controller.state.recorded import Recorded
from controller.testing import FakeClock, MemoryLedger, MemoryProvider, lost_answer
from tests.engine.stage import INSTANCE, Stage, priced, rows, spec_text

JUDGED = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.5}"


async def serving(settings: Settings | None = None, **lines: str) -> Stage:
    stage = Stage(settings=settings or Settings())
    stage.source.edit({"specs/numbers.yaml": spec_text(**lines), "specs/held.jsonl": rows(4, start=100)})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    return stage


async def acts_refuse_to_resolve(stage: Stage) -> bool:
    with pytest.raises(ControllerError, match="no run of numbers serves"):
        await commands.resolve(stage.ports, "numbers")
    return True


async def test_what_callers_use_is_told_with_the_prefix() -> None:
    stage = Stage()
    text = spec_text().replace("{path: rows.jsonl}", "{path: rows.jsonl, prefix: 'Next: '}")
    stage.source.edit({"specs/numbers.yaml": text})
    with pytest.raises(ControllerError, match="knows no numbers"):
        await commands.resolve(stage.ports, "numbers")
    await stage.step()
    with pytest.raises(ControllerError, match="no run of numbers serves"):
        await commands.resolve(stage.ports, "numbers")
    stage.provider.finish()
    await stage.step()
    found = await commands.resolve(stage.ports, "numbers")
    assert found.model in stage.provider.models
    assert found.prefix == "Next: "
    assert (await commands.generate(stage.ports, "numbers", "7")).text == "8"


@pytest.mark.parametrize("prompt", ["", "  ", "x" * 40_001])
async def test_a_prompt_that_no_tuned_model_takes_is_refused_before_it_is_sent(prompt: str) -> None:
    stage = await serving()
    calls = len(stage.provider.calls)
    with pytest.raises(ControllerError):
        await commands.generate(stage.ports, "numbers", prompt)
    assert len(stage.provider.calls) == calls


async def test_a_score_on_the_training_rows_is_told_and_not_recorded() -> None:
    stage = await serving()
    score = await commands.evaluate(stage.ports, stage.settings, "numbers", "training")
    assert (score.right, score.asked) == (20, 20)
    assert stage.ledger.records["numbers"].runs[0].score is None
    with pytest.raises(ControllerError, match="has no evaluation"):
        await commands.evaluate(stage.ports, stage.settings, "numbers")


async def test_a_score_on_the_evaluation_rows_is_recorded_and_a_person_may_promote_below_the_bar() -> None:
    stage = await serving(evaluation=JUDGED)
    assert await acts_refuse_to_resolve(stage)
    score = await commands.evaluate(stage.ports, stage.settings, "numbers")
    assert (score.right, score.asked) == (0, 4)
    promoted = await commands.promote(stage.ports, stage.settings, "numbers")
    active = stage.ledger.records["numbers"].active
    assert active is not None
    assert active.model == promoted.model
    assert await stage.step() == [("numbers", "none")]
    with pytest.raises(ControllerError, match="no pending run"):
        await commands.promote(stage.ports, stage.settings, "numbers")


@pytest.mark.parametrize("asked", ["evaluation", "training"])
async def test_a_row_that_cannot_be_asked_is_told_as_what_the_provider_said(asked: commands.Rows) -> None:
    stage = await serving(evaluation=JUDGED.replace("0.5", "0.0"))
    stage.provider.fail("generate", Transient("ask again later", quota=True), times=2)
    with pytest.raises(Transient, match="ask again later") as told:
        await commands.evaluate(stage.ports, stage.settings, "numbers", asked)
    assert told.value.quota


async def test_a_score_is_asked_of_the_provider_that_holds_the_run() -> None:
    stage = await serving(evaluation=JUDGED.replace("0.5", "0.0"))
    stage.source.edit({"specs/numbers.yaml": spec_text(evaluation=JUDGED, provider="second")})
    second = MemoryProvider("second")
    both = replace(stage.ports, providers={"local": stage.provider, "second": second})
    local = ProviderSettings("local", "local")
    settings = replace(stage.settings, providers={"local": local, "second": replace(local, key="second")})
    assert (await commands.evaluate(both, settings, "numbers")).asked == 4
    assert (await commands.evaluate(both, settings, "numbers", "training")).asked == 20
    assert not [call for call in second.calls if call.operation == "generate"]


async def test_a_cancelled_run_holds_and_is_not_paid_for_again() -> None:
    stage = Stage()
    await stage.step()
    await commands.cancel(stage.ports, stage.settings, "numbers")
    done = await stage.run()
    assert done.records["numbers"].conditions[-1].reason is Reason.RUN_CANCELLED
    with pytest.raises(ControllerError, match="does not tune"):
        await commands.cancel(stage.ports, stage.settings, "numbers")
    assert [call.operation for call in stage.provider.mutations] == ["create", "cancel"]


async def test_a_run_whose_mark_was_removed_is_not_cancelled() -> None:
    stage = Stage()
    await stage.step()
    name, model = next(iter(stage.provider.models.items()))
    stage.provider.models[name] = replace(model, description="")
    with pytest.raises(ControllerError, match="not marked as ours"):
        await commands.cancel(stage.ports, stage.settings, "numbers")
    assert [call.operation for call in stage.provider.mutations] == ["create"]


async def test_a_foreign_model_can_be_adopted_and_then_serves() -> None:
    stage = await serving()
    name, model = next(iter(stage.provider.models.items()))
    stage.provider.models["tunedModels/by-hand"] = replace(model, name="tunedModels/by-hand", description="by hand")
    stage.source.edit({"specs/other.yaml": spec_text("other")})
    await commands.adopt(stage.ports, stage.settings, "other", "tunedModels/by-hand")
    mark = find_mark(stage.provider.models["tunedModels/by-hand"].description)
    assert mark is not None
    assert (mark.instance, mark.name) == (INSTANCE, "other")
    assert stage.provider.models["tunedModels/by-hand"].description.startswith("by hand\n")
    assert await stage.step() == [("numbers", "none"), ("other", "none")]
    with pytest.raises(ControllerError, match="is marked as") as ours:
        await commands.adopt(stage.ports, stage.settings, "other", name)
    assert ours.value.hint == "A mark stays. A spec of that name with those inputs takes it back by itself."


async def test_a_run_on_record_that_is_adopted_keeps_what_it_cost_when_it_began_and_how_it_scored() -> None:
    stage = await serving(priced(), evaluation=JUDGED.replace("0.5", "0.0"))
    (before,) = stage.ledger.records["numbers"].runs
    assert before.cost
    assert before.score
    ((name, model),) = stage.provider.models.items()
    stage.provider.models[name] = replace(model, description="its mark was removed", created="")
    await commands.adopt(stage.ports, stage.settings, "numbers", name)
    (run,) = stage.ledger.records["numbers"].runs
    assert (run.cost, run.started, run.score) == (before.cost, before.started, before.score)
    assert spent(Recorded(stage.ledger.records), before.started[:7]) == before.cost


async def test_a_model_of_ours_from_before_the_repository_had_its_name_comes_back_with_the_name_in_the_settings() -> (
    None
):
    stage = await serving()
    (name,) = stage.provider.models
    moved = replace(stage.ports, instance="example.com/moved", ledger=MemoryLedger())
    back = f"say `instance: {INSTANCE}` in gitune.yaml"

    (held,) = (await reconcile(moved, stage.settings, Approval())).outcomes

    assert (held.action.word, held.action.reason) == ("hold", Reason.FOREIGN_MODEL)
    assert back in held.action.message
    with pytest.raises(ControllerError, match="is marked as") as theirs:
        await commands.adopt(moved, stage.settings, "numbers", name)
    assert back in theirs.value.hint
    stage.ledger = MemoryLedger()
    assert await stage.step() == [("numbers", "reuse")]
    assert list(stage.provider.models) == [name]


async def test_a_run_that_may_tune_is_not_forgotten_unless_nobody_can_ask_its_provider_any_more() -> None:
    stage = Stage()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other", suspend="true")})
    with pytest.raises(ControllerError, match="may still tune"):
        await commands.forget(stage.ports, stage.settings, "numbers")
    without = replace(stage.ports, providers={"elsewhere": MemoryProvider("elsewhere")})
    elsewhere = {"elsewhere": ProviderSettings("elsewhere", "local")}
    settings = replace(stage.settings, default_provider="elsewhere", providers=elsewhere)
    await commands.forget(without, settings, "numbers")
    assert "numbers" not in stage.ledger.records


async def test_a_name_is_forgotten_only_when_no_spec_and_no_run_needs_it() -> None:
    stage = await serving()
    with pytest.raises(ControllerError, match="still there"):
        await commands.forget(stage.ports, stage.settings, "numbers")
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other")})
    await stage.step()
    await commands.forget(stage.ports, stage.settings, "numbers")
    assert set(stage.ledger.records) == {"other"}
    assert len(stage.provider.models) == 2, "the remote model stays"


@pytest.mark.parametrize(("now", "then"), [("2026-03-31", "2026-04-01"), ("2025-12-31", "2026-01-01")])
async def test_a_name_that_paid_this_month_is_not_forgotten_while_a_budget_is_kept(now: str, then: str) -> None:
    stage = Stage(
        settings=priced(),
        provider=MemoryProvider("local", facts=FACTS),
        clock=FakeClock(datetime.fromisoformat(f"{now}T12:00:00+00:00")),
    )
    stage.source.edit({"specs/other.yaml": spec_text("other", suspend="true")})
    await stage.step()
    (name,) = stage.provider.models
    stage.provider.models[name] = replace(stage.provider.models[name], created=f"{now}T12:00:00Z")
    record = stage.ledger.records["numbers"]
    runs = (replace(record.runs[0], started=f"{now}T12:00:00Z"),)
    await stage.ledger.save({"numbers": replace(record, runs=runs)}, stage.ledger.version, "begun today")
    stage.provider.finish()
    stage.source.edit({"specs/numbers.yaml": None})
    for _ in range(3):
        await stage.step()

    with pytest.raises(ControllerError, match=r"USD may be spent under numbers this month") as told:
        await commands.forget(stage.ports, stage.settings, "numbers")
    assert then in told.value.hint
    assert spent(Recorded(stage.ledger.records), now[:7]) > 0
    unlimited = replace(stage.settings, policy=Policy())
    kept = dict(stage.ledger.records)
    await commands.forget(stage.ports, unlimited, "numbers")
    assert "numbers" not in stage.ledger.records
    await stage.ledger.save(kept, stage.ledger.version, "as it was")
    stage.clock.advance(86_400)
    await commands.forget(stage.ports, stage.settings, "numbers")
    assert "numbers" not in stage.ledger.records


async def test_an_open_intent_can_be_dropped_by_a_person_who_has_looked() -> None:
    stage = Stage()
    stage.provider.fail("create", lost_answer())
    stage.provider.fail("observe", Transient("down"), times=2)
    await stage.step()
    with pytest.raises(ControllerError, match="no open intent"):
        await commands.forget_intent((await serving()).ports, "numbers")
    await commands.forget_intent(stage.ports, "numbers")
    assert stage.ledger.records["numbers"].intent is None


async def test_a_run_is_not_stopped_where_that_could_not_be_recorded() -> None:
    stage = Stage()
    await stage.step()
    stage.ledger.fail("check", LedgerError("the branch is checked out"))
    with pytest.raises(LedgerError):
        await commands.cancel(stage.ports, stage.settings, "numbers")
    assert "cancel" not in [call.operation for call in stage.provider.mutations]
