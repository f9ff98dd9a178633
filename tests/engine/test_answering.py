"""A run serves only if it answers, and not for longer than its base model is there."""

from __future__ import annotations

import pytest

from controller.engine import commands
from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.plan.actions import Held
from controller.ports import written_now
from controller.state.conditions import ConditionType, Truth
from controller.state.reasons import Reason
from controller.testing import MemoryLedger
from tests.engine.stage import Stage, rows, spec_text


async def finished() -> Stage:
    """A stage whose one run has finished, and does not serve yet."""
    stage = Stage()
    await stage.step()
    stage.provider.finish()
    return stage


GONE = Rejected("models/tiny is not found", kind=RejectedKind.NOT_FOUND)


async def test_a_finished_run_that_does_not_answer_is_not_promoted_until_it_does() -> None:
    stage = await finished()
    stage.provider.fail("generate", GONE)
    done = await stage.run()
    (outcome,) = done.outcomes
    assert isinstance(outcome, Held)
    assert (outcome.action.word, outcome.reason) == ("promote", Reason.PROVIDER_REJECTED)
    assert outcome.message.startswith(f"{outcome.action.model} is tuned and does not answer: models/tiny is not found")
    assert done.records["numbers"].active is None
    assert await stage.step() == [("numbers", "promote")]
    assert stage.ledger.records["numbers"].active is not None


async def test_an_answer_that_did_not_come_is_asked_for_again_and_stalls_nothing() -> None:
    stage = await finished()
    stage.provider.fail("generate", Transient("overloaded"), times=4)
    for _ in range(4):
        done = await stage.run()
        assert not [c for c in done.records["numbers"].conditions if c.type is ConditionType.STALLED]
    assert await stage.step() == [("numbers", "promote")]
    assert stage.ledger.records["numbers"].active is not None


async def test_a_prompt_that_is_refused_for_what_it_says_was_heard() -> None:
    stage = await finished()
    stage.provider.fail("generate", Rejected("blocked", kind=RejectedKind.INVALID))
    await stage.step()
    assert stage.ledger.records["numbers"].active is not None


async def test_what_is_reused_or_adopted_has_to_answer_too() -> None:
    stage = await finished()
    stage.ledger = MemoryLedger()
    stage.provider.fail("generate", GONE)
    (outcome,) = (await stage.run()).outcomes
    assert isinstance(outcome, Held)
    assert (outcome.action.word, outcome.reason) == ("reuse", Reason.PROVIDER_REJECTED)
    stage.provider.fail("generate", GONE)
    ((name, _),) = stage.provider.models.items()
    with pytest.raises(Rejected):
        await commands.adopt(stage.ports, stage.settings, "numbers", name)
    assert [call.operation for call in stage.provider.mutations] == ["create"]


JUDGED = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.5}"


@pytest.mark.parametrize("is_gone", [False, True], ids=["its spec is there", "its spec is gone"])
@pytest.mark.parametrize("error", [GONE, Transient("overloaded")], ids=["for good", "now"])
async def test_a_run_that_a_person_promotes_has_to_answer_too(error: ProviderError, *, is_gone: bool) -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(evaluation=JUDGED), "specs/held.jsonl": rows(4, start=100)})
    await stage.step()
    stage.provider.finish()
    await stage.step()
    if is_gone:
        stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": spec_text("other")})
    before = stage.ledger.records["numbers"]
    assert before.active is None
    assert before.pending is not None

    stage.provider.fail("generate", error)
    with pytest.raises(type(error), match=f"{before.pending.model} is tuned and does not answer: {error}"):
        await commands.promote(stage.ports, stage.settings, "numbers")
    assert stage.ledger.records["numbers"] == before
    assert (await commands.promote(stage.ports, stage.settings, "numbers")).model == before.pending.model
    assert stage.ledger.records["numbers"].active is not None


async def test_what_serves_on_a_base_that_is_gone_is_not_called_available() -> None:
    stage = await finished()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": spec_text().replace("models/tiny", "models/next")})
    stage.provider.base_models = {"models/next": False}
    since = written_now(stage.clock)
    told = (await stage.run()).records["numbers"].conditions[0]
    assert (told.type, told.status, told.reason) == (ConditionType.AVAILABLE, Truth.FALSE, Reason.BASE_MODEL_GONE)
    assert told.message.endswith(f"the provider does not know its base model models/tiny, since {since}")
    stage.clock.advance(86_400)
    stage.provider.fail("observe", Transient("overloaded"))
    for _ in range(2):
        assert (await stage.run()).records["numbers"].conditions[0].message == told.message
    stage.provider.base_models["models/tiny"] = False
    assert (await stage.run()).records["numbers"].conditions[0].status is Truth.TRUE
