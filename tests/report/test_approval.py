"""What was reviewed beside what is there later: what moved is named, progress and other models do not count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.conditions import Reason
from controller.plan.actions import Cancel, Create, Hold, Retune
from controller.plan.planner import make_plan
from controller.plan.withheld import withhold
from controller.plan.world import World
from controller.report.approval import config_digest, moved, stamps
from controller.report.marker import Marker, Stage
from controller.settings import Policy, ProviderSettings, Settings
from controller.state.desired import BaseModel, Dataset, DesiredModel
from controller.state.identity import Hyperparameters
from controller.state.observed import BaseModelFacts, RemoteState
from controller.state.recorded import RunOutcome, Slot
from tests.plan.worlds import EXAMPLES, record_of, remote_of, run_of, slot_of, spec, world_of

CONFIG = config_digest(Settings())
OTHER_BASES = {name: BaseModelFacts(name, exists=True, tunable=True) for name in ("models/tiny", "models/small")}


def reviewed(world: World) -> Marker:
    plan = make_plan(world)
    return Marker(Stage.PLANNED, "a" * 40, plan.digest, CONFIG, stamps(plan.actions, world))


def found(marker: Marker, world: World, config: str = CONFIG) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.name, one.parts) for one in moved(marker, make_plan(world), world, config)]


def tuned(model: DesiredModel, before: DesiredModel) -> World:
    """The model asked for, where another run of it serves."""
    return world_of(model, records=(record_of(before),), remotes=(remote_of(before),), base_models=OTHER_BASES)


BEFORE = spec()
AFTER = spec(hyperparameters=Hyperparameters(epoch_count=9))
ELSEWHERE: list[tuple[dict[str, Any], str]] = [
    ({"dataset": Dataset("specs/d.jsonl", "e" * 64, EXAMPLES)}, "the dataset"),
    ({"hyperparameters": Hyperparameters(epoch_count=10)}, "the spec"),
    ({"attempt": 2}, "the spec"),
    ({"display_name": "Another"}, "the spec"),
    ({"base": BaseModel("models/small")}, "the base model"),
]


def test_what_is_as_it_was_has_not_moved() -> None:
    world = tuned(AFTER, BEFORE)

    assert [type(a) for a in make_plan(world).actions] == [Retune]
    assert found(reviewed(world), world) == []


@pytest.mark.parametrize(("fields", "part"), ELSEWHERE, ids=lambda value: str(value)[:30])
def test_what_moved_is_named(fields: dict[str, Any], part: str) -> None:
    marker = reviewed(tuned(AFTER, BEFORE))

    [(name, parts)] = found(marker, tuned(replace(AFTER, **fields), BEFORE))

    assert name == "numbers"
    assert part in parts
    assert "the configuration" not in parts


def test_the_run_that_is_superseded_is_an_observed_fact() -> None:
    marker = reviewed(tuned(AFTER, BEFORE))
    another = spec(hyperparameters=Hyperparameters(epoch_count=2))

    assert found(marker, tuned(AFTER, another)) == [("numbers", ("what the provider and the ledger say",))]


def test_the_configuration_is_named_only_where_something_moved() -> None:
    marker = reviewed(tuned(AFTER, BEFORE))
    changed = replace(AFTER, dataset=Dataset("specs/d.jsonl", "e" * 64, EXAMPLES))

    assert found(marker, tuned(AFTER, BEFORE), "123456") == []
    assert found(marker, tuned(changed, BEFORE), "123456")[0][1] == ("the dataset", "the configuration")


def test_the_configurations_digest_is_over_what_a_plan_is_made_with() -> None:
    settings = Settings()
    others = (
        replace(settings, policy=Policy(max_creates=1)),
        replace(settings, default_provider="gemini"),
        replace(settings, providers={"local": ProviderSettings("local", "local", endpoint="http://127.0.0.1:1")}),
        replace(settings, instance="acme/models"),
    )

    assert len({CONFIG, *(config_digest(other) for other in others)}) == 5


def test_another_models_change_does_not_count() -> None:
    marker = reviewed(tuned(AFTER, BEFORE))
    later = world_of(
        AFTER, spec("others"), records=(record_of(BEFORE),), remotes=(remote_of(BEFORE),), base_models=OTHER_BASES
    )

    assert found(marker, later) == []


def test_the_progress_of_its_run_does_not_count() -> None:
    marker = reviewed(tuned(AFTER, BEFORE))
    pending = slot_of(AFTER, RemoteState.CREATING)
    record = record_of(
        BEFORE,
        active=slot_of(BEFORE),
        pending=pending,
        runs=(run_of(BEFORE), run_of(AFTER, RunOutcome.TUNING)),
    )
    for state in (RemoteState.CREATING, RemoteState.ACTIVE):
        remotes = (remote_of(BEFORE), remote_of(AFTER, state))
        assert found(marker, world_of(AFTER, records=(record,), remotes=remotes)) == []


def test_a_run_that_waited_for_another_to_be_stopped_was_reviewed_with_it() -> None:
    record = record_of(
        BEFORE, active=None, pending=slot_of(BEFORE, RemoteState.CREATING), runs=(run_of(BEFORE, RunOutcome.TUNING),)
    )
    first = world_of(AFTER, records=(record,), remotes=(remote_of(BEFORE, RemoteState.CREATING),))
    assert {type(a) for a in make_plan(first).actions} == {Cancel, Retune}
    stopped = record_of(BEFORE, active=None, pending=None, runs=(run_of(BEFORE, RunOutcome.CANCELLED),))
    later = world_of(AFTER, records=(stopped,), remotes=(remote_of(BEFORE, RemoteState.CANCELLED),))
    assert isinstance(make_plan(later).actions[0], Create)
    other = world_of(replace(AFTER, attempt=3), records=(stopped,), remotes=(remote_of(BEFORE, RemoteState.CANCELLED),))

    assert found(reviewed(first), later) == []
    assert [name for name, _ in found(reviewed(first), other)] == ["numbers"]


def test_a_place_in_the_queue_was_reviewed_and_a_refused_budget_was_not() -> None:
    full = world_of(spec(), concurrency={"local": 0})
    assert [a.reason for a in make_plan(full).actions] == [Reason.QUEUED]
    unpriced = reviewed(full)
    held = tuple(replace(stamp, observed="ffffff") for stamp in unpriced.stamps or ())

    assert found(unpriced, world_of(spec())) == []
    assert found(replace(unpriced, stamps=held), world_of(spec())) != []


def test_without_stamps_only_the_whole_digest_approves() -> None:
    world = tuned(AFTER, BEFORE)
    whole = replace(reviewed(world), stamps=None)

    assert found(whole, world) == []
    assert found(replace(whole, digest=""), world) == [("", ("the plan as a whole",))]


def test_what_is_withheld_is_held_and_the_rest_goes_on() -> None:
    world = world_of(spec("one"), spec("two"))
    plan = make_plan(world)

    less = withhold(plan, {"one": "not reviewed"}, world)

    first, second = less.actions
    assert isinstance(first, Hold)
    assert (first.reason, first.message, first.fingerprint) == (Reason.GUARDED, "not reviewed", spec("one").fingerprint)
    assert second == plan.actions[1]
    assert less.digest not in {plan.digest, ""}
    assert withhold(plan, {}, world) is plan


def test_what_only_records_what_happened_is_never_withheld() -> None:
    record = record_of(
        BEFORE, active=None, pending=slot_of(BEFORE, RemoteState.CREATING), runs=(run_of(BEFORE, RunOutcome.TUNING),)
    )
    world = world_of(BEFORE, records=(record,), remotes=(remote_of(BEFORE),))

    assert withhold(make_plan(world), {"numbers": "x"}, world).actions == make_plan(world).actions


def test_slots_are_not_needed_to_know_a_removed_model() -> None:
    gone = world_of(records=(record_of(BEFORE, active=Slot("tunedModels/x", "", 1, "Active")),))

    assert found(reviewed(gone), gone) == []
