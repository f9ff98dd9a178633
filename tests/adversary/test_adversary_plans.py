"""Plans over worlds that somebody hostile, or merely unlucky, could have made."""

from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType

import pytest

from controller.plan.actions import Delete, Orphan, Reuse
from controller.plan.admission import spent
from controller.plan.planner import make_plan
from controller.plan.world import World
from controller.settings import Budget, Policy, Prices
from controller.state.desired import Dataset, Evaluation, WhenSuperseded
from controller.state.identity import Hyperparameters, Mark, with_mark
from controller.state.observed import Observed, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Recorded, RunOutcome, Slot
from controller.testing import FREE
from tests.plan.worlds import INSTANCE, record_of, remote_of, run_of, slot_of, spec, words, world_of

LONGER = Hyperparameters(epoch_count=9)


def superseding(**fields: object) -> World:
    """A spec that has moved on while the run of its earlier inputs tunes."""
    old, new = spec(), spec(hyperparameters=LONGER)
    record = record_of(old, pending=slot_of(old, RemoteState.CREATING), runs=(run_of(old, RunOutcome.TUNING),))
    return replace(world_of(new, records=(record,), remotes=(remote_of(old, RemoteState.CREATING),)), **fields)  # type: ignore[arg-type]


def test_a_run_is_not_thrown_away_for_one_that_the_budget_does_not_cover() -> None:
    costly = MappingProxyType({"local": replace(FREE, free=False)})
    poor = Policy(budget=Budget(1.0, "USD"))
    assert words(superseding(policy=poor, facts=costly)) == [("hold", Reason.PRICE_UNKNOWN)]
    prices = MappingProxyType({"local": Prices("2026-01-01", "USD", MappingProxyType({"models/tiny": 1e9}))})
    dear = superseding(policy=poor, facts=costly, prices=prices)
    assert words(dear) == [("hold", Reason.BUDGET_EXCEEDED)]
    rich = replace(dear, policy=Policy(budget=Budget(1e9, "USD")))
    assert words(rich) == [("cancel", Reason.SUPERSEDED), ("retune", Reason.INPUTS_CHANGED)]


def test_a_bar_that_was_lowered_after_the_approval_moves_the_digest_of_a_reuse() -> None:
    def plan(least: float) -> tuple[str, str]:
        asked = Evaluation(Dataset.of("specs/e.jsonl", "e" * 64, ()), "exactMatch", least)
        model = spec(evaluation=asked)
        found = make_plan(world_of(model, remotes=(remote_of(model),)))
        (action,) = found.actions
        assert isinstance(action, Reuse)
        return found.digest, action.digest

    high, low = plan(0.9), plan(0.1)
    assert high[0] != low[0]
    assert high[1] != low[1]


def test_a_provider_that_cannot_change_texts_is_not_asked_to() -> None:
    model = spec(description="new words", former_names=("digits",))
    old = Mark(INSTANCE, "digits", 1, model.fingerprint)
    remote = remote_of(model, description=with_mark("old words", old))
    world = world_of(model, records=(record_of(model),), remotes=(remote,))
    silent = replace(world, facts=MappingProxyType({"local": replace(FREE, updates=frozenset())}))
    assert words(silent) == [("none", Reason.UP_TO_DATE)]


def test_two_marks_in_one_description_belong_to_nobody() -> None:
    model = spec()
    mine = Mark(INSTANCE, "numbers", 1, model.fingerprint).line()
    theirs = Mark("other/place", "numbers", 1, model.fingerprint).line()
    remote = remote_of(model, description=f"{mine}\n{theirs}")
    assert words(world_of(model, records=(record_of(model),), remotes=(remote,))) == [("hold", Reason.DRIFTED)]
    assert words(world_of(model, remotes=(remote,))) == [("hold", Reason.FOREIGN_MODEL)]


def test_a_mark_within_a_line_is_text_and_claims_nothing() -> None:
    model = spec()
    line = Mark(INSTANCE, "numbers", 1, model.fingerprint).line()
    remote = remote_of(model, description=f"copied from {line}")
    assert words(world_of(model, remotes=(remote,))) == [("hold", Reason.FOREIGN_MODEL)]


def test_names_that_are_cut_to_the_same_id_do_not_take_each_others_model() -> None:
    first, second = spec("a" * 39 + "b"), spec("a" * 39 + "c")
    remote = remote_of(first)
    world = world_of(first, second, records=(record_of(first),), remotes=(remote,))
    assert words(world) == [("none", Reason.UP_TO_DATE), ("hold", Reason.FOREIGN_MODEL)]


def test_noise_of_32_bits_is_neither_drift_nor_a_change() -> None:
    model = spec(hyperparameters=Hyperparameters(learning_rate=0.003))
    noisy = Hyperparameters(epoch_count=5, batch_size=4, learning_rate=0.003000000026077032)
    run = replace(run_of(model), resolved=Hyperparameters(5, 4, 0.003))
    world = world_of(
        model,
        records=(record_of(model, active=slot_of(model), runs=(run,)),),
        remotes=(remote_of(model, hyperparameters=noisy),),
    )
    assert words(world) == [("none", Reason.UP_TO_DATE)]


def test_an_open_intent_is_known_before_the_spec_may_move_on() -> None:
    old, new = spec(), spec(hyperparameters=LONGER)
    model = "tunedModels/" + slot_of(old).model.removeprefix("tunedModels/")
    intent = Intent(model, old.fingerprint, 1, "n" * 16, "c" * 40, "local")
    record = record_of(old, active=None, intent=intent)
    there = world_of(new, records=(record,), remotes=(remote_of(old, RemoteState.CREATING),))
    assert words(there) == [("adopt", Reason.INTENT_FOUND)]
    unsure = world_of(new, records=(record,), complete=False)
    assert words(unsure) == [("hold", Reason.OUTCOME_UNKNOWN)]


def test_suspended_means_observed_whatever_else_is_open() -> None:
    model = spec(suspend=True)
    intent = Intent(slot_of(model).model, model.fingerprint, 1, "n" * 16, "c" * 40, "local")
    doomed = replace(slot_of(model), tombstone="2025-01-01T00:00:00Z", tombstone_revision="d" * 40)
    record = record_of(model, active=doomed, retired=(doomed,) * 5, intent=intent, runs=(run_of(model),))
    assert words(world_of(model, records=(record,), remotes=(remote_of(model),), due=frozenset({doomed.model}))) == [
        ("hold", Reason.SUSPENDED)
    ]


def test_a_history_of_none_keeps_no_retired_run_and_the_active_one() -> None:
    old, new = spec(hyperparameters=LONGER), spec(run_history_limit=0)
    record = record_of(new, active=slot_of(new), retired=(slot_of(old),), runs=(run_of(old), run_of(new)))
    world = world_of(new, records=(record,), remotes=(remote_of(new), remote_of(old)))
    found = make_plan(world).actions
    assert [a.model for a in found if isinstance(a, Orphan | Delete)] == [slot_of(old).model]


def test_a_superseded_run_that_may_finish_waits_through_several_edits() -> None:
    world = superseding()
    for epochs in (7, 8, 9):
        (model,) = world.desired.models
        edited = replace(
            model,
            hyperparameters=Hyperparameters(epoch_count=epochs),
            when_superseded=WhenSuperseded.FINISH,
        )
        world = replace(world, desired=replace(world.desired, models=(edited,)))
        assert words(world) == [("wait", Reason.FINISHING)]


def test_foreign_runs_do_not_count_against_our_concurrency() -> None:
    model, other = spec(), spec("other")
    foreign = remote_of(other, RemoteState.CREATING, description="gitune: else/where attempt=1 sha256=" + "a" * 64)
    world = world_of(model, remotes=(foreign,), concurrency=MappingProxyType({"local": 1}))
    assert words(world) == [("create", Reason.NEW_SPEC)]


def test_a_slot_of_a_provider_that_is_gone_holds_nobody_else() -> None:
    gone = record_of(spec("gone"), provider="elsewhere", active=replace(slot_of(spec("gone")), provider="elsewhere"))
    found = {a.name: a for a in make_plan(world_of(spec(), records=(gone,))).actions}
    assert found["numbers"].word == "create"
    assert not isinstance(found["gone"], Delete)


def test_thousands_of_specs_are_planned_within_seconds() -> None:
    """Linear: every mark is read once, and the names are gathered once."""
    models = [spec(f"m{n}", dataset=Dataset.of("d", f"{n:064x}", ())) for n in range(4_000)]
    records = tuple(record_of(model) for model in models[:2_000])
    lost = tuple(remote_of(model) for model in models)
    began = time.perf_counter()
    found = make_plan(world_of(*models, records=records, remotes=lost))
    assert found.summary == {"reuse": 2_000, "none": 2_000}
    removed = make_plan(world_of(models[0], records=records, remotes=lost))
    assert removed.summary == {"orphan": 1_999, "none": 1}
    assert time.perf_counter() - began < 10


def test_after_a_broken_listing_a_superseded_run_goes_on_and_nothing_is_paid_for_in_its_place() -> None:
    world = superseding()
    seen = replace(world.observed.providers["local"], complete=False, error="cut off")
    (held,) = make_plan(replace(world, observed=Observed(MappingProxyType({"local": seen})))).actions
    assert (held.word, held.reason) == ("hold", Reason.PROVIDER_UNREADABLE)


def test_a_slot_without_a_run_is_left_to_its_mark() -> None:
    model = spec()
    bare = Slot(slot_of(model).model, model.fingerprint, 1, "", provider="")
    record = record_of(model, active=bare, runs=())
    assert words(world_of(model, records=(record,), remotes=(remote_of(model),))) == [("none", Reason.UP_TO_DATE)]


def test_of_two_models_under_one_mark_the_one_with_our_id_is_taken() -> None:
    model = spec()
    copied = replace(remote_of(model), name="tunedModels/a-copy", created="2020-01-01T00:00:00Z")
    (action,) = make_plan(world_of(model, remotes=(copied, remote_of(model)))).actions
    assert (action.word, action.model) == ("reuse", slot_of(model).model)


def test_an_intent_whose_id_is_taken_does_not_hold_other_inputs_for_ever() -> None:
    """L1: the message says to change the inputs or the name, so a change of inputs has to help."""
    old, new = spec(), spec(hyperparameters=LONGER)
    intent = Intent(slot_of(old).model, old.fingerprint, 1, "n" * 16, "c" * 40, "local")
    record = record_of(old, active=None, intent=intent)
    foreign = remote_of(old, description="somebody's own")
    assert words(world_of(old, records=(record,), remotes=(foreign,))) == [("hold", Reason.FOREIGN_MODEL)]
    assert words(world_of(new, records=(record,), remotes=(foreign,))) == [("create", Reason.NEW_SPEC)]


@pytest.mark.parametrize("started", ["2026-02-28T20:00:00-08:00", "", "yesterday", "2026-03-01T00:00:00"])
def test_a_run_counts_against_the_budget_of_its_month_however_its_provider_writes_the_time(started: str) -> None:
    record = record_of(spec(), active=slot_of(spec()), runs=(replace(run_of(spec()), started=started, cost=7.0),))
    recorded = Recorded(MappingProxyType({"numbers": record}))
    assert spent(recorded, "2026-03") == 7.0
    earlier = replace(record, runs=(replace(record.runs[0], started="2026-02-28T20:00:00Z"),))
    assert spent(Recorded(MappingProxyType({"numbers": earlier})), "2026-03") == 0.0
