"""Outcomes to the next record: slots, runs, intents and conditions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.plan.actions import Done, Held, Outcome, Reuse
from controller.plan.grants import asked_for
from controller.plan.planner import make_plan
from controller.plan.record import next_records, with_intents
from controller.plan.world import World
from controller.state.conditions import ConditionType, Truth
from controller.state.desired import DeletionPolicy, Desired, Evaluation, Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint, Progress, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Record, Recorded, RunOutcome, Score
from tests.plan.worlds import actions, full_name, record_of, remote_of, run_of, slot_of, spec, world_of

NOW = "2026-02-02T00:00:00Z"
NUMBERS = spec()
LONGER = spec(hyperparameters=Hyperparameters(epoch_count=8))
PENDING = record_of(NUMBERS, pending=slot_of(NUMBERS, RemoteState.CREATING), runs=(run_of(NUMBERS, RunOutcome.TUNING),))


def after(world: World, *outcomes: Outcome, name: str = "numbers") -> Record:
    return next_records(world, outcomes, NOW)[name]


def done(world: World, remote: RemoteModel | None = None) -> list[Outcome]:
    return [Done(action, remote or world.observed.model("local", action.model)) for action in actions(world)]


def standing(record: Record) -> dict[ConditionType, tuple[Truth, str]]:
    return {c.type: (c.status, c.reason) for c in record.conditions}


def test_an_intent_is_recorded_before_a_create_and_kept_while_it_is_the_same() -> None:
    world = world_of(NUMBERS)
    records = with_intents(world, actions(world), {"numbers": "a" * 16}, NOW)
    intent = records["numbers"].intent
    assert intent is not None
    assert (intent.model, intent.nonce, intent.revision) == (full_name(NUMBERS), "a" * 16, "c" * 40)
    again = replace(world, recorded=Recorded(records, "tip2"))
    later = "2026-03-01T00:00:00Z"
    kept = with_intents(again, actions(again), {"numbers": "b" * 16}, later)["numbers"].intent
    assert kept == replace(intent, answer=Answer.REPEATED)


def test_a_record_that_a_create_is_meant_for_says_what_was_asked() -> None:
    world = world_of(NUMBERS)
    record = with_intents(world, actions(world), {"numbers": "a" * 16}, NOW)["numbers"]
    assert record.asked == asked_for(NUMBERS)


@pytest.mark.parametrize("answer", list(Answer))
def test_that_a_create_is_sent_again_is_written_once(answer: Answer) -> None:
    world = world_of(NUMBERS)
    records = with_intents(world, actions(world), {"numbers": "a" * 16}, NOW)
    intent = records["numbers"].intent
    assert intent is not None
    known = replace(intent, answer=answer)
    for hour in range(3):
        records = {"numbers": replace(records["numbers"], intent=known)}
        again = replace(world, recorded=Recorded(records, "tip2"))
        known = _sent(again, f"2026-03-01T0{hour}:00:00Z")
        assert known == replace(intent, answer=Answer.REPEATED)


def test_what_was_sent_again_at_an_unknown_time_is_waited_for_from_when_other_inputs_are_noticed() -> None:
    repeated = replace(_sent(world_of(NUMBERS), NOW), answer=Answer.REPEATED)
    record = record_of(NUMBERS, active=None, runs=(), intent=repeated)
    world = world_of(LONGER, records=(record,))
    assert after(world, *done(world)).intent == replace(repeated, answer=Answer.LOST, since=NOW)


def _sent(world: World, now: str) -> Intent:
    intent = with_intents(world, actions(world), {"numbers": "b" * 16}, now)["numbers"].intent
    assert intent is not None
    return intent


def test_a_create_fills_the_pending_slot_and_closes_its_intent() -> None:
    world = world_of(NUMBERS)
    world = replace(world, recorded=Recorded(with_intents(world, actions(world), {"numbers": "a" * 16}, NOW), "t"))
    record = after(world, *done(world, remote_of(NUMBERS, RemoteState.CREATING, created="2026-02-01T00:00:00Z")))
    assert record.intent is None
    assert record.pending == slot_of(NUMBERS, RemoteState.CREATING)
    assert record.runs[0].started == "2026-02-01T00:00:00Z"
    assert standing(record) == {
        ConditionType.AVAILABLE: (Truth.FALSE, Reason.NEW_SPEC),
        ConditionType.READY: (Truth.FALSE, Reason.NEW_SPEC),
        ConditionType.RECONCILING: (Truth.TRUE, Reason.NEW_SPEC),
    }


def test_an_unknown_outcome_keeps_the_intent_and_stalls() -> None:
    world = world_of(NUMBERS)
    world = replace(world, recorded=Recorded(with_intents(world, actions(world), {"numbers": "a" * 16}, NOW), "t"))
    (action,) = actions(world)
    record = after(world, Held(action, Reason.OUTCOME_UNKNOWN, "the answer was lost"))
    assert record.intent is not None
    assert record.pending is None
    assert standing(record)[ConditionType.STALLED] == (Truth.TRUE, Reason.OUTCOME_UNKNOWN)


def test_progress_is_recorded_by_tenths_only() -> None:
    def look(steps: int, record: Record) -> Record:
        remote = remote_of(
            NUMBERS,
            RemoteState.CREATING,
            progress=Progress(100, steps),
            losses=tuple(LossPoint(s, 0, 1.0) for s in range(steps)),
        )
        world = world_of(NUMBERS, records=(record,), remotes=(remote,))
        return after(world, *done(world))

    first = look(11, replace(PENDING, runs=(replace(PENDING.runs[0], total_steps=100),)))
    assert (first.tenths, first.runs[0].completed_steps) == (1, 11)
    assert look(19, first) == first
    assert look(20, first).tenths == 2
    assert "20 %" in look(20, first).conditions[-1].message


def test_a_state_that_lies_before_the_recorded_one_changes_nothing() -> None:
    record = record_of(NUMBERS)
    world = world_of(NUMBERS, records=(record,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert after(world, *done(world)).active == record.active


def test_a_promotion_retires_the_run_that_served() -> None:
    record = record_of(
        LONGER,
        active=slot_of(NUMBERS),
        pending=slot_of(LONGER, RemoteState.CREATING),
        runs=(run_of(NUMBERS), run_of(LONGER, RunOutcome.TUNING)),
    )
    losses = tuple(LossPoint(step, step // 5, 4.0 / (step + 1)) for step in range(25))
    world = world_of(LONGER, records=(record,), remotes=(remote_of(NUMBERS), remote_of(LONGER, losses=losses)))
    kept = after(world, *done(world))
    assert kept.active is not None
    assert kept.active.model == full_name(LONGER)
    assert kept.pending is None
    assert [slot.model for slot in kept.retired] == [full_name(NUMBERS)]
    assert kept.runs[1].outcome is RunOutcome.SUCCEEDED
    assert kept.runs[1].advice is not None
    assert kept.applied == "c" * 40
    assert standing(kept) == {
        ConditionType.AVAILABLE: (Truth.TRUE, Reason.RUN_SUCCEEDED),
        ConditionType.READY: (Truth.TRUE, Reason.UP_TO_DATE),
    }


def test_a_failed_evaluation_records_its_score_and_the_old_run_serves() -> None:
    judged = replace(LONGER, evaluation=Evaluation(NUMBERS.dataset, "exactMatch", 0.9))
    record = record_of(LONGER, active=slot_of(NUMBERS), pending=slot_of(LONGER), runs=(run_of(NUMBERS), run_of(LONGER)))
    world = world_of(judged, records=(record,), remotes=(remote_of(NUMBERS), remote_of(LONGER)))
    (action,) = actions(world)
    score = Score("exactMatch", NUMBERS.dataset.digest, 10, 20)
    kept = after(world, Held(action, Reason.EVALUATION_FAILED, "10 of 20", score=score))
    assert kept.active == slot_of(NUMBERS)
    assert kept.runs[1].score == score
    assert standing(kept)[ConditionType.AVAILABLE][0] is Truth.TRUE
    assert standing(kept)[ConditionType.STALLED] == (Truth.TRUE, Reason.EVALUATION_FAILED)
    held = world_of(judged, records=(kept,), remotes=(remote_of(NUMBERS), remote_of(LONGER)))
    assert [a.reason for a in actions(held)] == [Reason.EVALUATION_FAILED]


def test_a_revert_swaps_the_slots() -> None:
    record = record_of(
        LONGER, active=slot_of(LONGER), retired=(slot_of(NUMBERS),), runs=(run_of(NUMBERS), run_of(LONGER))
    )
    world = world_of(NUMBERS, records=(record,), remotes=(remote_of(NUMBERS), remote_of(LONGER)))
    kept = after(world, *done(world))
    assert kept.active == slot_of(NUMBERS)
    assert kept.retired == (slot_of(LONGER),)


def test_a_cancelled_run_leaves_the_slot_and_is_remembered() -> None:
    world = world_of(LONGER, records=(PENDING,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    cancel, retune = actions(world)
    created = remote_of(LONGER, RemoteState.CREATING)
    kept = after(world, Done(cancel), Done(retune, created))
    assert kept.pending is not None
    assert kept.pending.model == full_name(LONGER)
    assert [run.outcome for run in kept.runs] == [RunOutcome.CANCELLED, RunOutcome.TUNING]
    assert kept.retired == ()


def test_a_superseded_run_that_was_let_finish_is_kept_for_a_free_revert() -> None:
    world = world_of(LONGER, records=(PENDING,), remotes=(remote_of(NUMBERS),))
    kept = after(world, *done(world, remote_of(LONGER, RemoteState.CREATING)))
    assert [slot.model for slot in kept.retired] == [full_name(NUMBERS)]


def test_a_renamed_spec_takes_its_record_along() -> None:
    renamed = spec("figures", former_names=("numbers",))
    world = world_of(renamed, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    records = next_records(world, done(world), NOW)
    assert set(records) == {"figures"}
    assert records["figures"].active == slot_of(NUMBERS)


def test_a_removed_spec_is_marked_missing_then_cancelled_and_orphaned() -> None:
    other, tuning = spec("other"), remote_of(NUMBERS, RemoteState.CREATING)
    world = world_of(other, records=(PENDING,), remotes=(tuning,))
    (hold,) = (a for a in actions(world) if a.name == "numbers")
    missing = after(world, Done(hold))
    assert missing.missing
    again = world_of(other, records=(missing,), remotes=(tuning,))
    stopped = after(again, *(Done(a) for a in actions(again) if a.name == "numbers"))
    last = world_of(other, records=(stopped,), remotes=(remote_of(NUMBERS, RemoteState.CANCELLED),))
    kept = after(last, *(Done(a) for a in actions(last) if a.name == "numbers"))
    assert kept.orphaned
    assert kept.pending is None
    assert kept.runs[0].outcome is RunOutcome.CANCELLED


def test_a_tree_that_could_not_be_read_whole_marks_nothing_missing() -> None:
    world = world_of(desired=Desired("c" * 40, (), complete=False), records=(PENDING,), remotes=(remote_of(NUMBERS),))
    assert not after(world, *done(world)).missing


def test_a_settled_world_writes_the_same_record_for_ever() -> None:
    named = spec(display_name="Numbers", description="Says more.", sampling=Sampling(temperature=0.5))
    world = world_of(named, records=(record_of(named),), remotes=(remote_of(named),))
    first = next_records(world, done(world), NOW)
    later = replace(world, recorded=Recorded(first, "t"))
    assert next_records(later, done(later), "2027-01-01T00:00:00Z") == first
    assert make_plan(later).summary == {"none": 1}


def test_fields_put_back_after_drift_are_told_from_fields_that_changed() -> None:
    named = spec(display_name="Numbers")
    world = world_of(named, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    (update,) = actions(world)
    kept = after(world, Done(update, remote_of(named)))
    drifted = world_of(named, records=(kept,), remotes=(remote_of(named, display_name="By hand"),))
    assert [a.reason for a in actions(drifted)] == [Reason.FIELDS_DRIFTED]
    moved = world_of(spec(display_name="New"), records=(kept,), remotes=(remote_of(named),))
    assert [a.reason for a in actions(moved)] == [Reason.FIELDS_CHANGED]


def test_a_lost_run_whose_id_begins_like_that_of_the_serving_one_leaves_it_available() -> None:
    first, tenth = spec(), spec(attempt=10)
    slots = {"active": slot_of(first), "pending": slot_of(tenth, RemoteState.CREATING)}
    record = record_of(tenth, **slots, runs=(run_of(first), run_of(tenth, RunOutcome.TUNING)))
    lost = full_name(tenth)
    world = world_of(tenth, records=(record,), remotes=(remote_of(first),), absent=frozenset({lost}))
    kept = after(world, *done(world))
    assert full_name(first) in lost
    assert standing(kept)[ConditionType.STALLED] == (Truth.TRUE, Reason.LOST)
    assert standing(kept)[ConditionType.AVAILABLE] == (Truth.TRUE, Reason.RUN_SUCCEEDED)


def test_an_intent_keeps_the_deletion_policy_of_its_spec() -> None:
    world = world_of(spec(deletion_policy=DeletionPolicy.DELETE))
    (record,) = with_intents(world, actions(world), {"numbers": "a" * 16}, NOW).values()
    assert record.deletion_policy is DeletionPolicy.DELETE


def test_a_run_that_tunes_stays_in_a_slot_where_another_one_that_tunes_is_taken_up_again() -> None:
    tunes = slot_of(LONGER, RemoteState.CREATING)
    wanted = remote_of(NUMBERS, RemoteState.CREATING)
    record = record_of(NUMBERS, active=None, pending=tunes, runs=(run_of(LONGER, RunOutcome.TUNING),))
    world = world_of(NUMBERS, records=(record,), remotes=(wanted, remote_of(LONGER, RemoteState.CREATING)))
    (reuse,) = [action for action in actions(world) if isinstance(action, Reuse)]
    record = after(world, Done(reuse, wanted))  # its cancel was held
    assert record.pending is not None
    assert record.pending.model == wanted.name
    assert [slot.model for slot in record.retired] == [tunes.model]
