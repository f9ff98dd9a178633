"""A create whose answer was lost and whose model shows late: no later answer, pause or age of its intent hides it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine.commands import adopt, forget
from controller.engine.reconcile import Approval, preview
from controller.errors import ControllerError, Interrupted, ProviderError, Transient
from controller.plan.grants import basis, with_review
from controller.plan.world import ReviewRule
from controller.ports import CreateRequest
from controller.state.identity import Hyperparameters
from controller.state.observed import RemoteModel, RemoteState
from controller.state.recorded import Answer, Record
from controller.state.reviews import Decision, Origin, Review
from controller.testing import FREE, SERVER_CHOSEN, MemoryProvider
from controller.testing.provider import lost_answer
from tests.engine.stage import Stage, priced, rows, spec_text

QUOTA = Transient("ask again later", quota=True)


class LateProvider(MemoryProvider):
    """Carries out a create, loses its answer, and does not show the model until told to."""

    def __init__(self, *, chooses_id: bool = True) -> None:
        super().__init__("local", facts=FREE if chooses_id else SERVER_CHOSEN)
        self.loses = 0  # of so many creates
        self._late: dict[str, RemoteModel] = {}

    async def create(self, request: CreateRequest) -> RemoteModel:
        """As it is, or lost."""
        made = await super().create(request)
        if not self.loses:
            return made
        self.loses -= 1
        self._late[made.name] = self.models.pop(made.name)
        raise lost_answer()

    def show(self) -> None:
        """What was made is there for everybody."""
        self.models |= self._late


async def settle_on_other_inputs(stage: Stage, provider: LateProvider) -> list[int | None]:
    """The spec moves on, then the late model shows; the epochs of the runs that tune in the end."""
    stage.source.commit(
        {"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 9}"), "specs/rows.jsonl": rows()}
    )
    stage.clock.advance(5)
    await stage.step()
    provider.show()
    for _ in range(3):
        stage.clock.advance(60)
        await stage.step()
    tuning = [model for model in provider.models.values() if model.state is RemoteState.CREATING]
    return [model.hyperparameters.epoch_count for model in tuning]


@pytest.mark.parametrize("later", [Interrupted("HEAD moved"), QUOTA], ids=["interrupted", "refused"])
async def test_a_second_try_that_makes_nothing_does_not_hide_what_the_first_may_have_made(later: ProviderError) -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    provider.loses = 1
    assert await stage.step() == [("numbers", "create")]
    provider.fail("create", later)
    assert await stage.step() == [("numbers", "create")]
    assert await settle_on_other_inputs(stage, provider) == [9]


async def test_a_create_that_is_lost_after_hours_of_refusals_is_waited_for_from_then_on() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    provider.fail("create", QUOTA)
    assert await stage.step() == [("numbers", "create")]
    stage.clock.advance(3600)
    provider.loses = 1
    assert await stage.step() == [("numbers", "create")]
    assert await settle_on_other_inputs(stage, provider) == [9]


async def test_a_refusal_after_a_crash_does_not_hide_what_the_request_before_it_may_have_made() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    provider.loses = 1
    await stage.step()
    *_, intended, _ = stage.ledger.versions
    stage.ledger = type(stage.ledger)(intended)  # nobody came to record what became of the request
    provider.fail("create", QUOTA)
    assert await stage.step() == [("numbers", "create")]
    intent = stage.ledger.records["numbers"].intent
    assert intent is not None
    assert intent.answer is Answer.REPEATED
    provider.fail("create", QUOTA, times=3)
    before = len(stage.ledger.versions)
    for _ in range(3):
        await stage.step()
    assert len(stage.ledger.versions) == before, "no commit at each pass"
    assert await settle_on_other_inputs(stage, provider) == [9]


async def test_a_create_that_is_refused_again_and_again_is_written_once() -> None:
    stage = Stage()
    stage.provider.fail("create", QUOTA, times=6)
    for _ in range(2):
        await stage.step()
    before = len(stage.ledger.versions)
    for _ in range(4):
        await stage.step()
    assert len(stage.ledger.versions) == before


async def test_a_name_whose_create_may_have_made_a_model_is_not_forgotten_before_that_is_known() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    provider.loses = 1
    await stage.step()
    stage.source.commit({"specs/rows.jsonl": rows(), "specs/other.yaml": spec_text("other")})
    with pytest.raises(ControllerError, match="not known yet"):
        await forget(stage.ports, stage.settings, "numbers")
    provider.show()
    for _ in range(5):
        stage.clock.advance(60)
        await stage.step()
    assert [name for name, model in provider.models.items() if model.state is RemoteState.CREATING] == [
        model for model in provider.models if "other" in model
    ]
    await forget(stage.ports, stage.settings, "numbers")
    assert set(stage.ledger.records) == {"other"}


async def _edited_before_it_is_found(stage: Stage, provider: LateProvider, epochs: int) -> list[tuple[int | None, str]]:
    """The lost model shows after the spec moved on to so many epochs; the epochs and state of every model then."""
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters=f"{{epochCount: {epochs}}}")})
    provider.show()
    assert await stage.step() == [("numbers", "adopt")]
    for _ in range(3):
        await stage.step()
    return [(model.hyperparameters.epoch_count, model.state) for model in provider.models.values()]


@pytest.mark.parametrize("chooses_id", [True, False], ids=["by id", "by mark"])
async def test_writing_out_what_a_lost_run_resolved_to_before_it_is_found_pays_for_nothing(*, chooses_id: bool) -> None:
    provider = LateProvider(chooses_id=chooses_id)
    stage = Stage(provider=provider)
    provider.loses = 1
    await stage.step()
    assert await _edited_before_it_is_found(stage, provider, 5) == [(5, RemoteState.CREATING)]
    provider.finish()
    assert [await stage.step() for _ in range(2)] == [[("numbers", "promote")], [("numbers", "none")]]
    assert provider.paid.total() == 1


async def test_inputs_of_an_intent_that_do_not_give_its_fingerprint_count_for_nothing() -> None:
    """A ledger edited by hand: a run of 5 epochs is not taken for one of 10 because an intent says so."""
    provider = LateProvider()
    stage = Stage(provider=provider)
    provider.loses = 1
    await stage.step()
    record = stage.ledger.records["numbers"]
    assert record.intent is not None
    assert record.intent.training is not None
    forged = replace(record.intent.training, hyperparameters=Hyperparameters(epoch_count=10))
    odd = replace(record, intent=replace(record.intent, training=forged))
    await stage.ledger.save({"numbers": odd}, (await stage.ledger.load()).tip, "By hand")
    found = await _edited_before_it_is_found(stage, provider, 10)
    assert found == [(5, RemoteState.CANCELLED), (10, RemoteState.CREATING)]


async def _adopted_while_a_create_is_open(stage: Stage, provider: LateProvider) -> None:
    """A run serves; a create for 9 epochs was lost; the spec asks for 7, for which a colleague's model is adopted."""
    await stage.step()
    provider.finish()
    await stage.step()
    (made,) = provider.models.values()
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 9}")})
    provider.loses = 1
    assert await stage.step() == [("numbers", "retune")]
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 7}")})
    theirs = "tunedModels/theirs"
    provider.models[theirs] = replace(made, name=theirs, description="a colleague's")
    await adopt(stage.ports, stage.settings, "numbers", theirs)


async def test_a_model_that_is_adopted_does_not_hide_what_a_create_for_other_inputs_may_have_made() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    await _adopted_while_a_create_is_open(stage, provider)
    assert await stage.step() == [("numbers", "hold")], "what was sent may show yet"
    provider.show()
    seen = []
    for _ in range(4):
        stage.clock.advance(60)
        seen.extend(await stage.step())
    assert seen == [("numbers", "adopt"), ("numbers", "cancel"), ("numbers", "none"), ("numbers", "none")]
    record = stage.ledger.records["numbers"]
    assert record.intent is None
    assert record.active is not None
    assert record.active.model == "tunedModels/theirs"
    assert provider.models.keys() == {run.model for run in record.runs}
    assert RemoteState.CREATING not in {model.state for model in provider.models.values()}


async def test_a_create_that_made_nothing_does_not_stand_in_the_way_of_what_was_adopted_instead() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider)
    await _adopted_while_a_create_is_open(stage, provider)
    stage.clock.advance(3600)
    assert await stage.step() == [("numbers", "none")]
    before = len(stage.ledger.versions)
    assert await stage.step() == [("numbers", "none")]
    assert len(stage.ledger.versions) == before


async def test_a_model_that_is_adopted_for_the_inputs_of_an_open_create_settles_it_and_counts_for_its_cost() -> None:
    provider = LateProvider()
    stage = Stage(provider=provider, settings=priced())
    provider.loses = 1
    await stage.step()
    intent = stage.ledger.records["numbers"].intent
    assert intent is not None
    provider.show()
    ((name, made),) = provider.models.items()
    provider.finish()
    provider.models[name] = replace(provider.models[name], description="its mark was removed")
    await adopt(stage.ports, stage.settings, "numbers", made.name)
    record = stage.ledger.records["numbers"]
    assert record.intent is None
    assert record.runs[0].cost == intent.cost is not None
    assert await stage.step() == [("numbers", "none")]


GRANTS = Approval(review=ReviewRule.GRANTS)


async def granted(stage: Stage) -> None:
    """What the stage's spec asks for now has a grant on record."""
    shown = await preview(stage.ports, stage.settings, review=ReviewRule.NOTHING)
    (pay,) = (basis(action, shown.world) for action in shown.plan.actions)
    grant = Review(
        verdict=Decision.GRANTED, origin=Origin.PULL_REQUEST, basis=pay, pull=1, commit=shown.plan.revision or ""
    )
    record = stage.ledger.records.get("numbers") or Record(name="numbers", provider="local")
    await stage.ledger.save({"numbers": with_review(record, grant)}, stage.ledger.version, "granted")


@pytest.mark.parametrize("answer", [QUOTA, Transient("no connection"), lost_answer()], ids=["quota", "away", "lost"])
async def test_what_comes_back_unreviewed_is_not_paid_for_by_a_create_that_made_nothing(answer: ProviderError) -> None:
    stage = Stage()
    await granted(stage)
    stage.provider.fail("create", answer)
    await stage.step(GRANTS)
    assert stage.ledger.records["numbers"].intent is not None

    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 9}")})
    assert await stage.step(GRANTS) == [("numbers", "hold")]
    stage.clock.advance(7 * 86_400)
    stage.source.edit({"specs/numbers.yaml": spec_text()})
    held = await stage.run(GRANTS)

    assert [str(outcome.action.reason) for outcome in held.outcomes] == ["NotReviewed"]
    assert not stage.provider.paid


@pytest.mark.parametrize("answer", [QUOTA, Transient("no connection"), lost_answer()], ids=["quota", "away", "lost"])
async def test_what_was_granted_goes_on_after_a_create_that_made_nothing(answer: ProviderError) -> None:
    stage = Stage()
    await granted(stage)
    stage.provider.fail("create", answer)
    await stage.step(GRANTS)
    stage.clock.advance(7 * 86_400)

    assert await stage.step(GRANTS) == [("numbers", "create")]
    assert sum(stage.provider.paid.values()) == 1


@pytest.mark.parametrize("asks", [7, 5], ids=["its own", "those of the name it takes"])
@pytest.mark.parametrize("chooses_id", [True, False])
async def test_what_two_lost_creates_made_is_known_where_one_name_takes_over_the_other(
    asks: int, *, chooses_id: bool
) -> None:
    provider = LateProvider(chooses_id=chooses_id)
    stage = Stage(provider=provider)
    for name, epochs in (("numbers", 5), ("other", 7)):
        stage.source.edit({f"specs/{name}.yaml": spec_text(name, hyperparameters=f"{{epochCount: {epochs}}}")})
    provider.loses = 2
    await stage.step()
    assert all(record.intent for record in stage.ledger.records.values())
    wanted = spec_text("other", hyperparameters=f"{{epochCount: {asks}}}")
    taken = wanted.replace("{name: other}", "{name: other, formerNames: [numbers]}")
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": taken})
    provider.show()
    for _ in range(6):
        stage.clock.advance(60)
        await stage.step()

    assert sum(provider.paid.values()) == 2
    states = {model.hyperparameters.epoch_count: model.state for model in provider.models.values()}
    assert states == {asks: RemoteState.CREATING, 12 - asks: RemoteState.CANCELLED}
    (record,) = stage.ledger.records.values()
    assert {run.model for run in record.runs} == provider.models.keys()
    assert record.intent is None
    assert record.pending is not None
    assert provider.models[record.pending.model].hyperparameters.epoch_count == asks


async def test_a_create_that_was_refused_leaves_nothing_under_the_name_that_is_taken_over() -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 7}")})
    stage.provider.fail("create", QUOTA, times=3)
    await stage.step()
    taken = spec_text("other", hyperparameters="{epochCount: 7}").replace(
        "{name: o", "{formerNames: [numbers], name: o"
    )
    stage.source.edit({"specs/numbers.yaml": None, "specs/other.yaml": taken})
    await stage.step()

    assert list(stage.ledger.records) == ["other"]
    assert await stage.step() == [("other", "create")]
