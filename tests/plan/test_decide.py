"""The decision table, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import Problem
from controller.plan.actions import Cancel, Create, Hold, Retune, Update
from controller.plan.approval import standing, uncommitted
from controller.plan.matching import with_former_names
from controller.plan.planner import make_plan
from controller.plan.world import RevisionHistory
from controller.settings import Policy
from controller.state.desired import (
    BaseModel,
    Dataset,
    DeletionPolicy,
    Desired,
    Evaluation,
    FromSpec,
    InvalidModel,
    Place,
    Sampling,
    WhenSuperseded,
)
from controller.state.identity import Hyperparameters, Mark, model_id
from controller.state.observed import BaseModelFacts, Observed, ObservedProvider, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Record, Recorded, RunOutcome, Score
from tests.plan.worlds import (
    EXAMPLES,
    INSTANCE,
    actions,
    full_name,
    record_of,
    remote_of,
    run_of,
    slot_of,
    spec,
    words,
    world_of,
)

NUMBERS = spec()
LONGER = spec(hyperparameters=Hyperparameters(epoch_count=8))
PENDING = record_of(NUMBERS, pending=slot_of(NUMBERS, RemoteState.CREATING), runs=(run_of(NUMBERS, RunOutcome.TUNING),))
INTENT = Intent(full_name(NUMBERS), NUMBERS.fingerprint, 1, "0" * 16, "c" * 40, "local")


def test_a_new_spec_is_created() -> None:
    (action,) = actions(world_of(NUMBERS))
    assert isinstance(action, Create)
    assert action.model == full_name(NUMBERS)
    assert action.reason is Reason.NEW_SPEC


def test_a_suspended_spec_is_only_observed() -> None:
    assert words(world_of(spec(suspend=True))) == [("hold", "Suspended")]


def test_an_invalid_spec_holds_and_the_good_one_beside_it_goes_on() -> None:
    broken = InvalidModel("broken", Place("b.yaml"), Reason.INVALID_SPEC, (Problem("b.yaml", 3, 1, "GT001", "no"),))
    desired = Desired("c" * 40, (NUMBERS,), (broken,))
    assert words(world_of(desired=desired)) == [("hold", "InvalidSpec"), ("create", "NewSpec")]


def test_an_invalid_spec_with_a_record_does_not_count_as_removed() -> None:
    broken = InvalidModel("numbers", Place("b.yaml"), Reason.INVALID_DATASET, (Problem("b.yaml", 3, 1, "GT201", "no"),))
    world = world_of(desired=Desired("c" * 40, (), (broken,)), records=(PENDING,), remotes=(remote_of(NUMBERS),))
    assert words(world) == [("hold", "InvalidDataset")]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RemoteState.CREATING, ("wait", "Tuning")),
        (RemoteState.UNKNOWN, ("wait", "Tuning")),
        (RemoteState.ACTIVE, ("promote", "RunSucceeded")),
        (RemoteState.FAILED, ("hold", "RunFailed")),
        (RemoteState.CANCELLED, ("hold", "RunCancelled")),
    ],
)
def test_a_pending_run_is_waited_for_promoted_or_held(state: RemoteState, expected: tuple[str, str]) -> None:
    assert words(world_of(NUMBERS, records=(PENDING,), remotes=(remote_of(NUMBERS, state),))) == [expected]


def test_a_run_that_we_cancelled_is_never_promoted_even_where_the_provider_says_active() -> None:
    record = replace(PENDING, runs=(run_of(NUMBERS, RunOutcome.CANCELLED),))
    assert words(world_of(NUMBERS, records=(record,), remotes=(remote_of(NUMBERS),))) == [("hold", "RunCancelled")]


def test_a_run_past_its_limit_is_cancelled_and_then_held() -> None:
    tuning = remote_of(NUMBERS, RemoteState.CREATING)
    name = full_name(NUMBERS)
    for before, now, expected in [
        ("", name, ("wait", "Tuning")),
        (name, "", ("wait", "Tuning")),
        (full_name(LONGER), name, ("wait", "Tuning")),
        (name, name, ("cancel", "DeadlineExceeded")),
    ]:
        record = replace(PENDING, overdue=before)
        late = world_of(NUMBERS, records=(record,), remotes=(tuning,), overdue=frozenset({now}))
        assert words(late) == [expected]
    stopped = replace(PENDING, runs=(run_of(NUMBERS, RunOutcome.DEADLINE_EXCEEDED),))
    still = world_of(NUMBERS, records=(stopped,), remotes=(tuning,))
    assert words(still) == [("hold", "DeadlineExceeded"), ("cancel", "StillTuning")]
    ended = remote_of(NUMBERS, RemoteState.CANCELLED)
    assert words(world_of(NUMBERS, records=(stopped,), remotes=(ended,))) == [("hold", "DeadlineExceeded")]


def test_a_finished_run_below_its_bar_holds_with_its_score_and_the_old_one_serves() -> None:
    rows = Dataset.of("e.jsonl", "e" * 64, EXAMPLES)
    model = spec(evaluation=Evaluation(rows, "exactMatch", 0.8))
    poor = run_of(model, score=Score("exactMatch", "e" * 64, 15, 20))
    record = record_of(model, pending=slot_of(model), runs=(poor,))
    world = world_of(model, records=(record,), remotes=(remote_of(model),))
    (action,) = actions(world)
    assert (action.word, action.reason) == ("hold", "EvaluationFailed")
    assert "15 of 20" in action.message
    other_rows = replace(poor, score=Score("exactMatch", "f" * 64, 15, 20))
    again = world_of(model, records=(replace(record, runs=(other_rows,)),), remotes=(remote_of(model),))
    assert words(again) == [("promote", "RunSucceeded")]


def test_an_active_run_that_is_equal_needs_nothing() -> None:
    assert words(world_of(NUMBERS, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))) == [
        ("none", "UpToDate")
    ]


def test_a_changed_display_name_is_updated_in_place() -> None:
    named = spec(display_name="Numbers")
    world = world_of(named, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    (action,) = actions(world)
    assert (action.word, action.reason) == ("update", "FieldsChanged")
    assert [(c.field, c.before, c.after) for c in action.changes] == [("displayName", "numbers", "Numbers")]


def test_a_field_changed_by_hand_in_the_console_is_drift_and_put_back_for_nothing() -> None:
    named = spec(display_name="Numbers", sampling=Sampling(temperature=0.5))
    record = record_of(named, active=slot_of(named), display_name="Numbers", sampling=Sampling(temperature=0.5))
    remote = remote_of(named, display_name="Hacked", sampling=Sampling(temperature=0.9))
    (action,) = actions(world_of(named, records=(record,), remotes=(remote,)))
    assert (action.word, action.reason) == ("update", "FieldsDrifted")
    assert {c.field for c in action.changes} == {"displayName", "temperature"}


def test_text_that_people_put_around_the_mark_is_left_where_the_spec_says_none() -> None:
    remote = remote_of(NUMBERS)
    noted = replace(remote, description=f"kept by hand\n{remote.description}")
    assert words(world_of(NUMBERS, records=(record_of(NUMBERS),), remotes=(noted,))) == [("none", "UpToDate")]


def test_an_active_model_that_is_gone_is_lost_and_not_paid_for_again() -> None:
    assert words(world_of(NUMBERS, records=(record_of(NUMBERS),))) == [("hold", "Lost")]


def test_a_model_missing_from_a_broken_listing_is_not_taken_for_gone() -> None:
    world = world_of(NUMBERS, records=(record_of(NUMBERS),), complete=False)
    assert words(world) == [("hold", "ProviderUnreadable")]


def test_a_create_may_go_on_after_a_broken_listing_where_its_id_was_asked_for() -> None:
    world = world_of(NUMBERS, complete=False, absent=frozenset({full_name(NUMBERS)}))
    assert words(world) == [("create", "NewSpec")]


def test_a_renamed_spec_without_any_known_run_needs_a_whole_listing_since_its_run_may_have_the_old_name() -> None:
    renamed = spec("figures", former_names=("numbers",))
    world = world_of(renamed, complete=False, absent=frozenset({full_name(renamed)}))
    assert words(world) == [("hold", "ProviderUnreadable")]
    assert words(world_of(renamed)) == [("create", "NewSpec")]


@pytest.mark.parametrize("text", ["", "gitune: somebody/else attempt=1 sha256=" + "0" * 64])
def test_a_model_whose_mark_was_removed_or_changed_is_no_longer_touched(text: str) -> None:
    remote = replace(remote_of(NUMBERS), description=text)
    named = spec(display_name="Other")
    assert words(world_of(named, records=(record_of(NUMBERS),), remotes=(remote,))) == [("hold", "Drifted")]


def test_other_training_facts_than_recorded_are_drift() -> None:
    remote = remote_of(NUMBERS, hyperparameters=Hyperparameters(9, 4, 0.001))
    assert words(world_of(NUMBERS, records=(record_of(NUMBERS),), remotes=(remote,))) == [("hold", "Drifted")]


def test_changed_inputs_tune_a_new_run_beside_the_one_that_serves() -> None:
    (action,) = actions(world_of(LONGER, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),)))
    assert isinstance(action, Retune)
    assert [(c.field, c.before, c.after) for c in action.changes] == [("hyperparameters.epochCount", "(unset)", "8")]
    assert action.model == full_name(LONGER) != full_name(NUMBERS)


def test_a_hyperparameter_written_out_with_its_resolved_value_costs_nothing() -> None:
    written = spec(hyperparameters=Hyperparameters(epoch_count=5, batch_size=4, learning_rate=0.001))
    assert written.fingerprint != NUMBERS.fingerprint
    assert words(world_of(written, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))) == [
        ("none", "UpToDate")
    ]


def test_a_learning_rate_equal_to_what_a_multiplier_gave_is_a_change() -> None:
    by_factor = spec(hyperparameters=Hyperparameters(learning_rate_multiplier=1.0))
    by_value = spec(hyperparameters=Hyperparameters(learning_rate=0.001))
    record = record_of(by_factor)
    assert words(world_of(by_value, records=(record,), remotes=(remote_of(by_factor),))) == [
        ("retune", "InputsChanged")
    ]


def test_a_raised_attempt_pays_again_and_says_so() -> None:
    second = spec(attempt=2)
    assert words(world_of(second, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))) == [
        ("retune", "AttemptRaised")
    ]


def test_a_superseded_run_is_cancelled_before_the_new_one_is_paid_for() -> None:
    world = world_of(LONGER, records=(PENDING,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert words(world) == [("cancel", "Superseded"), ("retune", "InputsChanged")]


def test_a_superseded_run_that_was_seen_to_succeed_is_not_cancelled_where_a_listing_lags() -> None:
    listed = remote_of(NUMBERS, RemoteState.CREATING)
    succeeded = replace(PENDING, runs=(run_of(NUMBERS, RunOutcome.SUCCEEDED),))
    assert words(world_of(LONGER, records=(succeeded,), remotes=(listed,))) == [("retune", "InputsChanged")]


def test_that_an_old_run_serves_is_said_only_where_one_does() -> None:
    first = world_of(LONGER, records=(PENDING,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert "serves" not in actions(first)[-1].message
    beside = world_of(LONGER, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    assert actions(beside)[-1].message.endswith("; the old one serves until it is done")


def test_a_superseded_run_may_finish_where_the_spec_says_so() -> None:
    patient = replace(LONGER, when_superseded=WhenSuperseded.FINISH)
    world = world_of(patient, records=(PENDING,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert words(world) == [("wait", "Finishing")]
    done = world_of(patient, records=(PENDING,), remotes=(remote_of(NUMBERS),))
    assert words(done) == [("retune", "InputsChanged")]


def test_a_superseded_run_without_our_mark_is_not_cancelled() -> None:
    foreign = replace(remote_of(NUMBERS, RemoteState.CREATING), description="")
    world = world_of(LONGER, records=(PENDING,), remotes=(foreign,))
    assert not any(isinstance(action, Cancel) for action in actions(world))


def test_a_revert_reuses_the_retired_run_for_nothing() -> None:
    record = record_of(
        LONGER, active=slot_of(LONGER), retired=(slot_of(NUMBERS),), runs=(run_of(NUMBERS), run_of(LONGER))
    )
    world = world_of(NUMBERS, records=(record,), remotes=(remote_of(NUMBERS), remote_of(LONGER)))
    assert words(world) == [("reuse", "RunExists")]


def test_a_revert_while_the_new_run_tunes_cancels_that_one() -> None:
    record = record_of(
        NUMBERS,
        active=slot_of(NUMBERS),
        pending=slot_of(LONGER, RemoteState.CREATING),
        runs=(run_of(NUMBERS), run_of(LONGER, RunOutcome.TUNING)),
    )
    remotes = (remote_of(NUMBERS), remote_of(LONGER, RemoteState.CREATING))
    assert words(world_of(NUMBERS, records=(record,), remotes=remotes)) == [("cancel", "Superseded")]


def test_a_model_found_under_our_mark_after_the_ledger_was_lost_is_reused() -> None:
    assert words(world_of(NUMBERS, remotes=(remote_of(NUMBERS),))) == [("reuse", "RunExists")]


@pytest.mark.parametrize("incarnation", [1, 2, 12])
@pytest.mark.parametrize("name", ["numbers", "figures", "a-name-of-a-length-that-does-not-fit-whole"])
def test_whatever_id_its_create_may_have_chosen_a_marked_model_is_ours(name: str, incarnation: int) -> None:
    asked = replace(NUMBERS, former_names=(name,))
    chosen = model_id(name, NUMBERS.fingerprint, 1, 40, incarnation)
    made = replace(remote_of(NUMBERS), name=f"tunedModels/{chosen}")
    assert words(world_of(asked, remotes=(made,))) == [("reuse", "RunExists")]


@pytest.mark.parametrize("state", [RemoteState.ACTIVE, RemoteState.CREATING, RemoteState.FAILED])
@pytest.mark.parametrize("found", ["somebodys-copy", "{}-copy", "{}-1", "{}-02", "{}-0", "{}-²"])
def test_a_marked_model_under_another_id_is_not_ours_and_nothing_is_paid_until_a_person_says_so(
    found: str, state: RemoteState
) -> None:
    ours = remote_of(NUMBERS)
    copy = replace(remote_of(NUMBERS, state), name=f"tunedModels/{found.format(ours.name.partition('/')[2])}")
    (held,) = actions(world_of(NUMBERS, remotes=(copy,)))

    assert (held.word, held.reason) == ("hold", "ForeignModel")
    assert f"gitune adopt numbers {copy.name}" in held.message
    assert words(world_of(NUMBERS, remotes=(ours, copy))) == [("reuse", "RunExists")]
    assert words(world_of(LONGER, remotes=(copy,))) == [("create", "NewSpec")]


def test_a_failed_model_found_under_our_mark_is_not_paid_for_again() -> None:
    assert words(world_of(NUMBERS, remotes=(remote_of(NUMBERS, RemoteState.FAILED),))) == [("hold", "RunFailed")]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (RunOutcome.FAILED, "RunFailed"),
        (RunOutcome.CANCELLED, "RunCancelled"),
        (RunOutcome.DEADLINE_EXCEEDED, "DeadlineExceeded"),
        (RunOutcome.SUCCEEDED, "Lost"),
    ],
)
def test_inputs_that_were_paid_for_once_are_not_paid_for_again(outcome: RunOutcome, reason: str) -> None:
    record = record_of(LONGER, active=slot_of(LONGER), runs=(run_of(NUMBERS, outcome), run_of(LONGER)))
    assert words(world_of(NUMBERS, records=(record,), remotes=(remote_of(LONGER),))) == [("hold", reason)]


def test_a_foreign_model_on_our_id_holds() -> None:
    foreign = replace(remote_of(NUMBERS), description="mine")
    (action,) = actions(world_of(NUMBERS, remotes=(foreign,)))
    assert (action.word, action.reason) == ("hold", "ForeignModel")
    assert action.reason.traits.needs_person


def test_an_open_intent_whose_model_is_there_is_adopted() -> None:
    record = record_of(NUMBERS, active=None, intent=INTENT)
    tuning = remote_of(NUMBERS, RemoteState.CREATING)
    assert words(world_of(NUMBERS, records=(record,), remotes=(tuning,))) == [("adopt", "IntentFound")]


def test_an_open_intent_whose_model_is_proven_absent_goes_on_with_the_same_id() -> None:
    record = record_of(NUMBERS, active=None, intent=INTENT)
    (action,) = actions(world_of(NUMBERS, records=(record,)))
    assert isinstance(action, Create)
    assert action.model == INTENT.model


def test_a_create_sent_lately_is_waited_for_before_other_inputs_or_a_removal_leave_it_behind() -> None:
    record = record_of(NUMBERS, active=None, runs=(), intent=INTENT)
    young = frozenset({INTENT})
    assert words(world_of(LONGER, records=(record,), recent_intents=young)) == [("hold", Reason.VISIBILITY)]
    assert words(world_of(LONGER, records=(record,))) == [("create", Reason.NEW_SPEC)]
    empty = Desired("c" * 40, ())
    assert words(world_of(desired=empty, records=(record,), recent_intents=young)) == [("hold", Reason.VISIBILITY)]
    assert words(world_of(desired=empty, records=(record,))) == [("orphan", Reason.SPEC_REMOVED)]


def test_a_create_that_was_refused_is_not_waited_for() -> None:
    refused = replace(INTENT, answer=Answer.REFUSED)
    record = record_of(NUMBERS, active=None, runs=(), intent=refused)
    world = world_of(LONGER, records=(record,), recent_intents=frozenset({refused}))
    assert words(world) == [("create", Reason.NEW_SPEC)]


def test_a_create_that_was_sent_again_after_a_refusal_is_waited_for_whenever_that_was() -> None:
    repeated = replace(INTENT, answer=Answer.REPEATED)
    record = record_of(NUMBERS, active=None, runs=(), intent=repeated)
    assert words(world_of(NUMBERS, records=(record,))) == [("create", Reason.NEW_SPEC)]
    assert words(world_of(LONGER, records=(record,))) == [("hold", Reason.VISIBILITY)]
    assert words(world_of(desired=Desired("c" * 40, ()), records=(record,))) == [("hold", Reason.VISIBILITY)]


def test_a_create_sent_lately_to_another_provider_is_waited_for() -> None:
    elsewhere = replace(INTENT, provider="other")
    record = record_of(NUMBERS, active=None, runs=(), intent=elsewhere)
    world = world_of(NUMBERS, records=(record,), recent_intents=frozenset({elsewhere}))
    assert words(world) == [("hold", Reason.OUTCOME_UNKNOWN)], "it was not listed"
    listed = replace(world, observed=Observed({**world.observed.providers, "other": ObservedProvider("other")}))
    assert words(listed) == [("hold", Reason.VISIBILITY)]
    assert words(replace(listed, recent_intents=frozenset())) == [("create", Reason.NEW_SPEC)]


def test_an_open_intent_that_nobody_can_tell_of_holds_for_a_person() -> None:
    record = record_of(NUMBERS, active=None, intent=INTENT)
    (action,) = actions(world_of(NUMBERS, records=(record,), complete=False))
    assert (action.word, action.reason) == ("hold", "OutcomeUnknown")
    assert "gitune adopt" in action.message


def test_an_open_intent_is_settled_first_where_its_fingerprint_is_no_longer_desired() -> None:
    record = record_of(NUMBERS, active=None, intent=INTENT)
    found = world_of(LONGER, records=(record,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert words(found) == [("adopt", "IntentFound")]
    assert words(world_of(LONGER, records=(record,), complete=False)) == [("hold", "OutcomeUnknown")]


def test_a_base_model_that_cannot_be_tuned_holds() -> None:
    untunable = {"models/tiny": BaseModelFacts("models/tiny", exists=True, tunable=False)}
    assert words(world_of(NUMBERS, base_models=untunable)) == [("hold", "BaseModelNotTunable")]
    unknown = {"models/tiny": BaseModelFacts("models/tiny", exists=False, tunable=False, note="retired in May")}
    assert words(world_of(NUMBERS, base_models=unknown)) == [("hold", "BaseModelNotTunable")]
    (held,) = make_plan(world_of(NUMBERS, base_models=unknown)).actions
    assert held.message == "models/tiny cannot be tuned: the provider does not know it; retired in May"


def test_a_spec_tuned_on_another_waits_for_that_one_to_serve() -> None:
    child = spec("child", base=FromSpec("numbers", NUMBERS.fingerprint, 1))
    waiting = world_of(NUMBERS, child, records=(PENDING,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
    assert words(waiting) == [("hold", "BaseModelNotReady"), ("wait", "Tuning")]
    ready = world_of(NUMBERS, child, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    (create, none) = actions(ready)
    assert isinstance(create, Create)
    assert create.base == full_name(NUMBERS)
    assert none.word == "none"


def test_the_fingerprint_of_the_base_spec_enters_ours() -> None:
    on_one = spec("child", base=FromSpec("numbers", NUMBERS.fingerprint, 1))
    on_other = spec("child", base=FromSpec("numbers", LONGER.fingerprint, 1))
    assert on_one.fingerprint != on_other.fingerprint != spec("child", base=BaseModel("models/tiny")).fingerprint


def test_runs_over_the_providers_concurrency_are_queued() -> None:
    world = world_of(spec("aa"), spec("bb"), spec("cc"), concurrency={"local": 2})
    assert words(world) == [("create", "NewSpec"), ("create", "NewSpec"), ("hold", "Queued")]


def test_a_renamed_spec_keeps_its_run_and_its_mark_follows() -> None:
    renamed = spec("figures", former_names=("numbers",))
    world = world_of(renamed, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
    (action,) = actions(world)
    assert isinstance(action, Update)
    assert Mark(INSTANCE, "figures", 1, NUMBERS.fingerprint).line() in action.description


def test_an_id_that_was_deleted_under_another_name_is_not_asked_for_again() -> None:
    renamed = spec("figures", former_names=("numbers",))
    deleted = record_of(renamed, active=None, runs=(run_of(NUMBERS, deleted=True),), orphaned=True)
    (action,) = (a for a in actions(world_of(NUMBERS, records=(deleted,))) if a.name == "numbers")
    assert (action.word, action.model) == ("create", f"{full_name(NUMBERS)}-2")


def test_retired_runs_beyond_the_limit_are_let_go() -> None:
    record = replace(record_of(NUMBERS), retired=(slot_of(LONGER), slot_of(spec(attempt=3))))
    world = world_of(replace(NUMBERS, run_history_limit=1), records=(record,), remotes=(remote_of(NUMBERS),))
    assert words(world) == [("none", "UpToDate"), ("orphan", "HistoryLimit")]


class TestARemovedSpec:
    """Desired names it no more."""

    def test_is_orphaned(self) -> None:
        other = spec("other")
        world = world_of(other, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
        assert ("orphan", "SpecRemoved") in words(world)

    def test_is_not_removed_where_the_tree_could_not_be_read_whole(self) -> None:
        desired = Desired("c" * 40, (), complete=False)
        world = world_of(desired=desired, records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),))
        assert words(world) == [("hold", "TreeIncomplete")]

    def test_has_its_tuning_run_cancelled_only_after_a_second_look(self) -> None:
        other, tuning = spec("other"), remote_of(NUMBERS, RemoteState.CREATING)
        first = world_of(other, records=(PENDING,), remotes=(tuning,))
        assert [w for w in words(first) if w[0] != "create"] == [("hold", "SpecMissing")]
        second = world_of(other, records=(replace(PENDING, missing=True),), remotes=(tuning,))
        assert [w for w in words(second) if w[0] != "create"] == [("cancel", "SpecRemoved")]

    def test_has_its_open_intent_settled_first(self) -> None:
        record = record_of(NUMBERS, active=None, intent=INTENT)
        found = world_of(spec("other"), records=(record,), remotes=(remote_of(NUMBERS, RemoteState.CREATING),))
        assert ("adopt", "IntentFound") in words(found)

    def test_is_left_alone_once_orphaned(self) -> None:
        record = replace(record_of(NUMBERS), orphaned=True)
        assert ("none", "Orphaned") in words(world_of(spec("other"), records=(record,)))

    def test_with_the_delete_policy_gets_a_tombstone_first(self) -> None:
        record = replace(record_of(NUMBERS), deletion_policy=DeletionPolicy.DELETE)
        world = world_of(spec("other"), records=(record,), remotes=(remote_of(NUMBERS),), due=frozenset({record.name}))
        assert ("hold", "DeletePending") in words(world)

    def test_with_a_tombstone_whose_grace_is_over_is_deleted(self) -> None:
        slot = replace(slot_of(NUMBERS), tombstone="2026-01-01T00:00:00Z", tombstone_revision="c" * 40)
        record = replace(record_of(NUMBERS), active=slot, deletion_policy=DeletionPolicy.DELETE)
        waiting = world_of(spec("other"), records=(record,), remotes=(remote_of(NUMBERS),))
        assert ("hold", "DeletePending") in words(waiting)
        due = replace(waiting, due=frozenset({slot.model}))
        assert ("delete", "SpecRemoved") in words(due)
        approved = world_of(
            spec("other"), records=(replace(record, delete_approved=True),), remotes=(remote_of(NUMBERS),)
        )
        assert ("delete", "SpecRemoved") in words(approved)

    def test_whose_tombstone_left_history_with_a_forced_push_waits_anew(self) -> None:
        slot = replace(slot_of(NUMBERS), tombstone="2026-01-01T00:00:00Z", tombstone_revision="b" * 40)
        record = replace(record_of(NUMBERS), active=slot, deletion_policy=DeletionPolicy.DELETE, delete_approved=True)
        world = world_of(
            spec("other"),
            records=(record,),
            remotes=(remote_of(NUMBERS),),
            due=frozenset({slot.model}),
            history=RevisionHistory(rewritten=frozenset({"b" * 40})),
        )
        assert ("hold", "DeletePending") in words(world)

    def test_that_comes_back_reuses_its_orphaned_run(self) -> None:
        record = replace(record_of(NUMBERS), orphaned=True)
        assert words(world_of(NUMBERS, records=(record,), remotes=(remote_of(NUMBERS),))) == [("reuse", "RunExists")]


class TestGuards:
    """They stand beside the plan and never in its place."""

    def test_an_empty_desired_set_that_was_not_empty_before_is_refused(self) -> None:
        plan = make_plan(world_of(records=(record_of(NUMBERS),), remotes=(remote_of(NUMBERS),)))
        assert [guard.code for guard in plan.guards] == ["EmptySet"]
        assert plan.summary == {"orphan": 1}
        assert standing(plan.guards, frozenset({"empty"})) == ()

    def test_more_creates_than_the_policy_allows_are_refused(self) -> None:
        plan = make_plan(world_of(spec("aa"), spec("bb"), policy=Policy(max_creates=1)))
        assert [guard.code for guard in plan.guards] == ["MaxCreates"]
        assert standing(plan.guards, frozenset()) == plan.guards

    def test_a_working_tree_may_not_pay(self) -> None:
        world = world_of(desired=Desired(None, (NUMBERS,)))
        plan = make_plan(world)
        assert plan.guards == uncommitted(plan.actions, world) == ()
        (guard,) = uncommitted(plan.actions, replace(world, facts={}))
        assert guard.code == "Uncommitted"
        assert standing((guard,), frozenset({"Uncommitted", "creates"})) == (guard,)


class TestDigests:
    """What was reviewed is what is applied."""

    def test_progress_does_not_move_a_plan(self) -> None:
        early = remote_of(NUMBERS, RemoteState.CREATING)
        other = spec("other")
        plans = [
            make_plan(world_of(NUMBERS, other, records=(PENDING,), remotes=(remote,)))
            for remote in (early, replace(early, progress=replace(early.progress, completed_steps=20)))
        ]
        assert plans[0].digest == plans[1].digest

    def test_a_dataset_a_base_and_a_text_that_is_sent_each_move_it(self) -> None:
        variants = [
            NUMBERS,
            spec(dataset=Dataset.of("specs/d.jsonl", "e" * 64, EXAMPLES)),
            spec(description="other"),
            spec(hyperparameters=Hyperparameters(batch_size=8)),
        ]
        assert len({make_plan(world_of(model)).digest for model in variants}) == len(variants)

    def test_a_change_to_one_model_leaves_the_other_actions_digest(self) -> None:
        one = {a.name: a.digest for a in actions(world_of(NUMBERS, spec("other")))}
        two = {a.name: a.digest for a in actions(world_of(LONGER, spec("other")))}
        assert one["other"] == two["other"]
        assert one["numbers"] != two["numbers"]


def test_a_hold_names_what_it_speaks_of() -> None:
    (action,) = actions(world_of(NUMBERS, records=(record_of(NUMBERS),)))
    assert isinstance(action, Hold)
    assert action.model == full_name(NUMBERS)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (RunOutcome.CANCELLED, Reason.RUN_CANCELLED),
        (RunOutcome.FAILED, Reason.RUN_FAILED),
        (RunOutcome.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (RunOutcome.SUCCEEDED, Reason.LOST),
    ],
)
def test_going_back_to_inputs_that_ended_badly_stops_the_run_that_nothing_asks_for_any_more(
    ended: RunOutcome, reason: Reason
) -> None:
    tunes = slot_of(LONGER, RemoteState.CREATING)
    runs = (run_of(NUMBERS, ended), run_of(LONGER, RunOutcome.TUNING))
    record = record_of(NUMBERS, pending=tunes, runs=runs)
    world = world_of(NUMBERS, records=(record,), remotes=(remote_of(LONGER, RemoteState.CREATING),))

    assert words(world) == [("cancel", Reason.SUPERSEDED), ("hold", reason)]
    finish = spec(when_superseded=WhenSuperseded.FINISH)
    assert words(replace(world, desired=replace(world.desired, models=(finish,)))) == [("hold", reason)]


def test_a_retired_run_that_is_no_good_holds_and_what_tunes_beside_it_is_stopped() -> None:
    runs = (run_of(NUMBERS, RunOutcome.CANCELLED), run_of(LONGER, RunOutcome.TUNING))
    record = record_of(NUMBERS, pending=slot_of(LONGER, RemoteState.CREATING), retired=(slot_of(NUMBERS),), runs=runs)
    remotes = (remote_of(NUMBERS, RemoteState.CANCELLED), remote_of(LONGER, RemoteState.CREATING))

    assert words(world_of(NUMBERS, records=(record,), remotes=remotes)) == [
        ("cancel", Reason.SUPERSEDED),
        ("hold", Reason.RUN_CANCELLED),
    ]


def test_a_record_that_holds_no_more_than_a_refusal_keeps_no_former_name_from_the_spec_that_had_it() -> None:
    record = record_of(NUMBERS, former_names=("digits",))
    told = Record(name="digits", provider="local", commands=(7,))
    desired = with_former_names(Desired("c" * 40, (NUMBERS,)), Recorded({"numbers": record, "digits": told}, "tip"))

    assert desired.models[0].former_names == ("digits",)
