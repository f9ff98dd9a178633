"""Each row of the decision table and each stage after it, in a world where it is the one that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.errors import Problem
from controller.plan.admission import STAGES
from controller.plan.planner import explained, make_plan
from controller.plan.rules import TABLES
from controller.plan.rules.removal import BEYOND_HISTORY, TUNING_ON
from controller.plan.rules.table import Row
from controller.plan.world import ReviewRule, World
from controller.settings import Policy
from controller.state.desired import (
    Dataset,
    DeletionPolicy,
    Desired,
    Evaluation,
    FromSpec,
    InvalidModel,
    Place,
    WhenSuperseded,
)
from controller.state.identity import Hyperparameters
from controller.state.observed import BaseModelFacts, Observed, ObservedProvider, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record, RunOutcome, Score
from tests.plan.test_budget import HIGH, priced
from tests.plan.test_budget import NUMBERS as PRICED
from tests.plan.test_decide import INTENT, LONGER, NUMBERS, PENDING
from tests.plan.worlds import EXAMPLES, full_name, record_of, remote_of, run_of, slot_of, spec, world_of

MODEL = full_name(NUMBERS)
SERVING, TUNING = remote_of(NUMBERS), remote_of(NUMBERS, RemoteState.CREATING)
ENDED = remote_of(NUMBERS, RemoteState.FAILED)
FOREIGN = replace(SERVING, description="mine")
COPY = replace(SERVING, name=f"{MODEL}-copy")
SHARED = replace(TUNING, owned=False)
ACTIVE = record_of(NUMBERS)
OPEN = record_of(NUMBERS, active=None, intent=INTENT)
EVALUATED = spec(evaluation=Evaluation(Dataset.of("e.jsonl", "e" * 64, EXAMPLES), "exactMatch", 0.8))
POOR = run_of(EVALUATED, score=Score("exactMatch", "e" * 64, 15, 20))
SECOND = spec(attempt=2)
GONE = Desired("c" * 40, ())
DELETED = replace(ACTIVE, deletion_policy=DeletionPolicy.DELETE)
DOOMED = replace(slot_of(NUMBERS), tombstone="2026-01-01T00:00:00Z", tombstone_revision="c" * 40)
ENDS = {
    Reason.RUN_FAILED: RunOutcome.FAILED,
    Reason.RUN_CANCELLED: RunOutcome.CANCELLED,
    Reason.DEADLINE_EXCEEDED: RunOutcome.DEADLINE_EXCEEDED,
}


def broken(reason: Reason) -> World:
    problem = Problem("b.yaml", 3, 1, "GT001", "no")
    return world_of(desired=replace(GONE, invalid=(InvalidModel("numbers", Place("b.yaml"), reason, (problem,)),)))


def removed(record: Record, *, shown: bool = True, **fields: object) -> World:
    return world_of(desired=GONE, records=(record,), remotes=(TUNING,) if shown else (), **fields)


def on_another_provider() -> World:
    moved = record_of(NUMBERS, active=replace(slot_of(NUMBERS), provider="other"))
    world = world_of(NUMBERS, records=(moved,))
    other = ObservedProvider("other", {MODEL: SERVING})
    return replace(world, observed=Observed({**world.observed.providers, "other": other}))


def retired(*, outcome: RunOutcome = RunOutcome.SUCCEEDED) -> World:
    runs = (run_of(NUMBERS, outcome), run_of(LONGER))
    record = record_of(LONGER, active=slot_of(LONGER), retired=(slot_of(NUMBERS),), runs=runs)
    return world_of(NUMBERS, records=(record,), remotes=(SERVING, remote_of(LONGER)))


def paid_for(outcome: RunOutcome) -> World:
    record = record_of(LONGER, active=slot_of(LONGER), runs=(run_of(NUMBERS, outcome), run_of(LONGER)))
    return world_of(NUMBERS, records=(record,), remotes=(remote_of(LONGER),))


def beside_another() -> World:
    runs = (run_of(NUMBERS), run_of(LONGER, RunOutcome.TUNING))
    record = record_of(NUMBERS, active=slot_of(NUMBERS), pending=slot_of(LONGER, RemoteState.CREATING), runs=runs)
    return world_of(NUMBERS, records=(record,), remotes=(SERVING, remote_of(LONGER, RemoteState.CREATING)))


def beside_a_stopped_one() -> World:
    runs = (run_of(NUMBERS), run_of(LONGER, RunOutcome.CANCELLED))
    record = record_of(NUMBERS, active=slot_of(NUMBERS), runs=runs)
    return world_of(NUMBERS, records=(record,), remotes=(SERVING, remote_of(LONGER, RemoteState.CREATING)))


def beyond(policy: DeletionPolicy, *, due: bool = False) -> World:
    slot = replace(DOOMED, model=full_name(SECOND), attempt=2) if due else slot_of(SECOND)
    record = record_of(NUMBERS, active=slot_of(NUMBERS), retired=(slot,))
    model = spec(run_history_limit=0, deletion_policy=policy)
    return world_of(model, records=(record,), remotes=(SERVING,), due=frozenset({slot.model} if due else ()))


CASES: list[tuple[str, str, World]] = [
    *(
        ("not_usable", reason, broken(reason))
        for reason in (Reason.INVALID_SPEC, Reason.INVALID_DATASET, Reason.DATASET_UNREACHABLE)
    ),
    ("suspended", Reason.SUSPENDED, world_of(spec(suspend=True))),
    (
        "taking_over",
        Reason.TREE_INCOMPLETE,
        world_of(desired=Desired("c" * 40, (NUMBERS,), doubtful={"numbers": "old"})),
    ),
    ("create_found", Reason.INTENT_FOUND, world_of(NUMBERS, records=(OPEN,), remotes=(TUNING,))),
    (
        "create_owner_unknown",
        Reason.PROVIDER_UNREADABLE,
        world_of(NUMBERS, records=(OPEN,), remotes=(SHARED,), complete=False),
    ),
    (
        "create_owner_unknown",
        Reason.VISIBILITY,
        world_of(NUMBERS, records=(OPEN,), remotes=(SHARED,), recent_intents=frozenset({INTENT})),
    ),
    ("create_may_yet_show", Reason.VISIBILITY, world_of(LONGER, records=(OPEN,), recent_intents=frozenset({INTENT}))),
    ("create_unknown", Reason.OUTCOME_UNKNOWN, world_of(NUMBERS, records=(OPEN,), complete=False)),
    ("create_id_taken", Reason.FOREIGN_MODEL, world_of(NUMBERS, records=(OPEN,), remotes=(FOREIGN,))),
    # A run is known.
    ("run_unreadable", Reason.PROVIDER_UNREADABLE, world_of(NUMBERS, records=(ACTIVE,), complete=False)),
    ("run_elsewhere", Reason.LOST, on_another_provider()),
    (
        "run_not_shown_yet",
        Reason.VISIBILITY,
        world_of(NUMBERS, records=(PENDING,), recently_created=frozenset({MODEL})),
    ),
    ("run_gone", Reason.LOST, world_of(NUMBERS, records=(ACTIVE,))),
    ("run_is_another_ones", Reason.FOREIGN_MODEL, world_of(NUMBERS, records=(ACTIVE,), closed=frozenset({MODEL}))),
    ("mark_changed", Reason.DRIFTED, world_of(NUMBERS, records=(ACTIVE,), remotes=(FOREIGN,))),
    *(
        (
            "pending_ended_badly",
            reason,
            world_of(NUMBERS, records=(replace(PENDING, runs=(run_of(NUMBERS, end),)),), remotes=(ENDED,)),
        )
        for reason, end in ENDS.items()
    ),
    (
        "pending_overdue",
        Reason.DEADLINE_EXCEEDED,
        world_of(NUMBERS, records=(replace(PENDING, overdue=MODEL),), remotes=(TUNING,), overdue=frozenset({MODEL})),
    ),
    ("pending_tunes", Reason.TUNING, world_of(NUMBERS, records=(PENDING,), remotes=(TUNING,))),
    (
        "pending_below_its_bar",
        Reason.EVALUATION_FAILED,
        world_of(EVALUATED, records=(replace(PENDING, runs=(POOR,)),), remotes=(SERVING,)),
    ),
    ("pending_finished", Reason.RUN_SUCCEEDED, world_of(NUMBERS, records=(PENDING,), remotes=(SERVING,))),
    (
        "active_serves_no_more",
        Reason.LOST,
        world_of(NUMBERS, records=(ACTIVE,), remotes=(remote_of(NUMBERS, RemoteState.FAILED),)),
    ),
    (
        "active_facts_changed",
        Reason.DRIFTED,
        world_of(NUMBERS, records=(ACTIVE,), remotes=(replace(SERVING, hyperparameters=Hyperparameters(9, 4, 0.001)),)),
    ),
    (
        "active_fields_differ",
        Reason.FIELDS_CHANGED,
        world_of(spec(display_name="Numbers"), records=(ACTIVE,), remotes=(SERVING,)),
    ),
    (
        "active_fields_differ",
        Reason.FIELDS_DRIFTED,
        world_of(spec(display_name="Numbers"), records=(replace(ACTIVE, display_name="Numbers"),), remotes=(SERVING,)),
    ),
    ("active_beside_another", Reason.SUPERSEDED, beside_another()),
    ("active_agrees", Reason.UP_TO_DATE, world_of(NUMBERS, records=(ACTIVE,), remotes=(SERVING,))),
    *(("retired_is_no_good", reason, retired(outcome=end)) for reason, end in ENDS.items()),
    (
        "retired_is_no_good",
        Reason.EVALUATION_FAILED,
        world_of(
            EVALUATED,
            records=(record_of(LONGER, active=slot_of(LONGER), retired=(slot_of(EVALUATED),), runs=(POOR,)),),
            remotes=(SERVING,),
        ),
    ),
    ("retired_is_reused", Reason.RUN_EXISTS, retired()),
    # None is known.
    ("marked_under_another_id", Reason.FOREIGN_MODEL, world_of(NUMBERS, remotes=(COPY,))),
    ("listing_needed", Reason.PROVIDER_UNREADABLE, world_of(NUMBERS, complete=False)),
    ("id_taken", Reason.FOREIGN_MODEL, world_of(NUMBERS, remotes=(FOREIGN,))),
    ("id_taken", Reason.PROVIDER_UNREADABLE, world_of(NUMBERS, remotes=(SHARED,), complete=False)),
    *(("paid_for_before", reason, paid_for(end)) for reason, end in ENDS.items()),
    ("paid_for_before", Reason.LOST, paid_for(RunOutcome.SUCCEEDED)),
    (
        "attempt_lowered",
        Reason.ATTEMPT_LOWERED,
        world_of(NUMBERS, records=(record_of(SECOND),), remotes=(remote_of(SECOND),)),
    ),
    (
        "pending_unreadable",
        Reason.PROVIDER_UNREADABLE,
        world_of(LONGER, records=(PENDING,), complete=False, absent=frozenset({full_name(LONGER)})),
    ),
    (
        "pending_not_shown_yet",
        Reason.VISIBILITY,
        world_of(LONGER, records=(PENDING,), recently_created=frozenset({MODEL})),
    ),
    (
        "base_not_usable",
        Reason.BASE_MODEL_NOT_TUNABLE,
        world_of(NUMBERS, base_models={"models/tiny": BaseModelFacts("models/tiny", exists=True, tunable=False)}),
    ),
    ("base_not_usable", Reason.BASE_MODEL_NOT_READY, world_of(spec(base=FromSpec("base", "f" * 64, 1)))),
    ("base_not_usable", Reason.PROVIDER_UNREADABLE, world_of(NUMBERS, base_models={})),
    (
        "pending_finishes",
        Reason.FINISHING,
        world_of(
            replace(LONGER, when_superseded=WhenSuperseded.FINISH),
            records=(PENDING,),
            remotes=(TUNING,),
        ),
    ),
    ("another_run_is_there", Reason.INPUTS_CHANGED, world_of(LONGER, records=(PENDING,), remotes=(TUNING,))),
    ("another_run_is_there", Reason.ATTEMPT_RAISED, world_of(SECOND, records=(ACTIVE,), remotes=(SERVING,))),
    ("nothing_is_there", Reason.NEW_SPEC, world_of(NUMBERS)),
    # The spec is gone.
    ("let_go_before", Reason.ORPHANED, removed(replace(ACTIVE, orphaned=True))),
    ("not_read_whole", Reason.TREE_INCOMPLETE, world_of(desired=replace(GONE, complete=False), records=(ACTIVE,))),
    ("removed_before_a_run", Reason.SPEC_REMOVED, removed(record_of(NUMBERS, active=None))),
    ("removed_create_found", Reason.INTENT_FOUND, removed(OPEN)),
    ("removed_create_unknown", Reason.OUTCOME_UNKNOWN, removed(OPEN, shown=False, complete=False)),
    ("removed_create_unknown", Reason.VISIBILITY, removed(OPEN, shown=False, recent_intents=frozenset({INTENT}))),
    (
        "removed_create_unknown",
        Reason.PROVIDER_UNREADABLE,
        world_of(desired=GONE, records=(OPEN,), remotes=(SHARED,), complete=False),
    ),
    ("removed_run_unseen", Reason.PROVIDER_UNREADABLE, removed(PENDING, shown=False, complete=False)),
    ("removed_run_unseen", Reason.VISIBILITY, removed(PENDING, shown=False, recently_created=frozenset({MODEL}))),
    ("removed_once", Reason.SPEC_MISSING, removed(PENDING)),
    ("removed_twice", Reason.SPEC_REMOVED, removed(replace(PENDING, missing=True))),
    (
        "removed_and_tunes_on",
        Reason.STILL_TUNING,
        removed(record_of(NUMBERS, pending=None, runs=(run_of(NUMBERS, RunOutcome.CANCELLED),))),
    ),
    ("removed_and_left", Reason.SPEC_REMOVED, removed(ACTIVE)),
    ("removed_with_tombstone", Reason.DELETE_PENDING, removed(DELETED)),
    (
        "removed_and_deleted",
        Reason.SPEC_REMOVED,
        removed(replace(DELETED, active=DOOMED), due=frozenset({MODEL})),
    ),
    ("stopped_and_tunes_on", Reason.STILL_TUNING, beside_a_stopped_one()),
    ("beyond_and_left", Reason.HISTORY_LIMIT, beyond(DeletionPolicy.ORPHAN)),
    ("beyond_and_deleted", Reason.HISTORY_LIMIT, beyond(DeletionPolicy.DELETE, due=True)),
    ("beyond_with_tombstone", Reason.HISTORY_LIMIT, beyond(DeletionPolicy.DELETE)),
]
STAGED: list[tuple[str, str, World]] = [
    ("listed_whole", Reason.PROVIDER_UNREADABLE, removed(replace(PENDING, missing=True), complete=False)),
    ("reviewed", Reason.NOT_REVIEWED, world_of(NUMBERS, review=ReviewRule.GRANTS)),
    (
        "settled",
        Reason.SETTLING,
        world_of(LONGER, records=(PENDING,), young=frozenset({MODEL}), policy=Policy(settle=60.0)),
    ),
    ("in_the_queue", Reason.QUEUED, world_of(NUMBERS, concurrency={"local": 0})),
    ("within_budget", Reason.BUDGET_EXCEEDED, priced(world_of(PRICED), HIGH - 1)),
    ("within_budget", Reason.PRICE_UNKNOWN, priced(world_of(PRICED), HIGH, prices={})),
    ("worth_a_cancel", "", priced(world_of(PRICED, records=(PENDING,), remotes=(TUNING,)), HIGH - 1)),
]
BESIDE: tuple[Row[Any], ...] = (*TUNING_ON, *BEYOND_HISTORY)
ROWS = {row.name: (row, rows) for _, rows in TABLES for row in rows}


def named(cases: list[tuple[str, str, World]]) -> list[str]:
    return [f"{name}-{reason}" for name, reason, _ in cases]


@pytest.mark.parametrize(("name", "reason", "world"), CASES, ids=named(CASES))
def test_a_row_decides_where_none_before_it_fits(name: str, reason: str, world: World) -> None:
    row, _ = ROWS[name]
    why = explained("numbers", world)
    rows, stages = why.tried[: -len(STAGES)], why.tried[-len(STAGES) :]
    others = {one.name for one in BESIDE} if row in BESIDE else set(ROWS)

    assert (rows[-1].row, rows[-1].situation) == (name, row.situation)
    assert [one.row for one in rows if one.row in others and not one.why_not] == [name]
    assert all(stage.why_not for stage in stages)
    *before, last = why.actions
    assert (last.word, last.reason) == (row.action, reason)
    if row not in BESIDE:
        assert {(one.word, one.reason) for one in before} <= {("cancel", Reason.SUPERSEDED)}


@pytest.mark.parametrize(("name", "reason", "world"), STAGED, ids=named(STAGED))
def test_a_stage_changes_what_the_rows_gave(name: str, reason: str, world: World) -> None:
    stage = next(one for one in STAGES if one.name == name)
    why = explained("numbers", world)
    changed = [one.row for one in why.tried[-len(STAGES) :] if not one.why_not]

    if stage.reasons:
        assert changed == [name]
        assert [(one.word, one.reason) for one in why.actions] == [(stage.action, reason)]
    else:  # a run is not paid for, so none makes way for it
        given = [one.word for row in why.tried for one in row.actions]
        assert (changed, given) == (["within_budget", name], ["cancel", "retune"])
        assert [one.word for one in why.actions] == ["hold"]


def test_every_reason_of_every_row_and_stage_has_its_world() -> None:
    rows = {(row.name, reason) for row, _ in ROWS.values() for reason in row.reasons}
    stages = {(stage.name, reason) for stage in STAGES for reason in stage.reasons or ("",)}

    assert {(name, reason) for name, reason, _ in CASES} == rows
    assert {(name, reason) for name, reason, _ in STAGED} == stages


def test_no_two_rows_or_stages_have_one_name() -> None:
    names = [row.name for _, rows in TABLES for row in rows] + [stage.name for stage in STAGES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("name", "reason", "world"), CASES + STAGED, ids=named(CASES + STAGED))
def test_what_is_explained_is_what_is_planned(name: str, reason: str, world: World) -> None:
    planned = make_plan(world).actions
    assert explained("numbers", world).actions == tuple(replace(action, digest="") for action in planned)


def test_a_name_that_a_spec_had_before_is_explained_by_that_spec() -> None:
    renamed = spec("figures", former_names=("numbers",))
    why = explained("numbers", world_of(renamed, records=(ACTIVE,), remotes=(SERVING,)))

    assert why == explained("figures", world_of(renamed, records=(ACTIVE,), remotes=(SERVING,)))
    assert (why.name, [action.word for action in why.actions]) == ("figures", ["update"])


def test_nothing_is_tried_for_a_name_that_nobody_has() -> None:
    why = explained("nobody", world_of(NUMBERS))
    assert (why.tried, why.actions) == ((), ())
