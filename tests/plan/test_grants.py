"""What was shown to a reviewer beside what would be done now: what is covered, what is refused, what is spent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.plan.actions import Action, Cancel, Create, Hold, Orphan, Retune, Update
from controller.plan.grants import (
    ABSENT,
    INVALID,
    NOT_ON_RECORD,
    REFUSALS,
    after_action,
    asked_by,
    asked_for,
    basis,
    covered,
    covers,
    needs_grant,
    parts_moved,
    standing_refusal,
    with_review,
)
from controller.plan.planner import make_plan, ungranted
from controller.plan.world import ReviewRule, World
from controller.settings import Policy, RequireReview
from controller.state.desired import BaseModel, Dataset, DeletionPolicy, DesiredModel, InvalidModel, Place
from controller.state.identity import Hyperparameters
from controller.state.observed import BaseModelFacts, Observed, ObservedProvider, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Record, Recorded, RunOutcome
from controller.state.reviews import Basis, Decision, Origin, Review
from tests.plan.worlds import EXAMPLES, full_name, record_of, remote_of, run_of, slot_of, spec, world_of

OTHER_BASES = {name: BaseModelFacts(name, exists=True, tunable=True) for name in ("models/tiny", "models/small")}
BEFORE = spec()
AFTER = spec(hyperparameters=Hyperparameters(epoch_count=9))
ELSEWHERE: list[tuple[dict[str, Any], str]] = [
    ({"dataset": Dataset.of("specs/d.jsonl", "e" * 64, EXAMPLES)}, "the dataset"),
    ({"hyperparameters": Hyperparameters(epoch_count=10)}, "the spec"),
    ({"attempt": 2}, "the spec"),
    ({"display_name": "Another"}, "the spec"),
    ({"base": BaseModel("models/small")}, "the base model"),
]


def tuned(model: DesiredModel, before: DesiredModel) -> World:
    """The model asked for, where another run of it serves."""
    return world_of(model, records=(record_of(before),), remotes=(remote_of(before),), base_models=OTHER_BASES)


def shown(world: World) -> tuple[Basis, ...]:
    """What a plan for review would remember."""
    return tuple(basis(action, world) for action in make_plan(replace(world, review=ReviewRule.NOTHING)).actions)


def review(basis: Basis, verdict: Decision = Decision.GRANTED, **fields: Any) -> Review:
    return Review(**{"verdict": verdict, "origin": Origin.PULL_REQUEST, "basis": basis, "pull": 1, **fields})


def granted(world: World, *bases: Basis, verdict: Decision = Decision.GRANTED, **fields: Any) -> World:
    """The world with reviews on record for all of its names."""
    given = tuple(review(one, verdict, **fields) for one in bases)
    known = dict(world.recorded.records)
    for model in world.desired.models:
        known.setdefault(model.name, Record(name=model.name, provider=model.provider))
    records = {name: replace(record, reviews=given) for name, record in known.items()}
    return replace(world, recorded=replace(world.recorded, records=records), review=ReviewRule.GRANTS)


def done(world: World) -> list[tuple[str, str]]:
    return [(action.word, str(action.reason)) for action in make_plan(world).actions]


def test_with_a_code_host_nothing_is_paid_without_a_grant_and_all_is_with_one() -> None:
    world = tuned(AFTER, BEFORE)
    needed = replace(world, review=ReviewRule.GRANTS)

    assert done(world) == [("retune", "InputsChanged")]
    assert done(needed) == [("hold", "NotReviewed")]
    assert [action.message for action in make_plan(needed).actions] == [NOT_ON_RECORD]
    assert done(granted(world, *shown(world))) == [("retune", "InputsChanged")]
    assert ungranted(granted(world, *shown(world))) == {}
    assert ungranted(needed) == {"numbers": shown(world)}


def test_a_policy_asks_for_reviews_where_there_is_no_code_host() -> None:
    world = replace(tuned(AFTER, BEFORE), policy=Policy(require_review=RequireReview.PULL_REQUEST))

    assert done(world) == [("hold", "NotReviewed")]
    assert done(replace(granted(world, *shown(world)), review=ReviewRule.REFUSALS)) == [("retune", "InputsChanged")]


@pytest.mark.parametrize(("fields", "part"), ELSEWHERE, ids=lambda value: str(value)[:30])
def test_what_moved_is_not_covered_and_named(fields: dict[str, Any], part: str) -> None:
    (reviewed,) = shown(tuned(AFTER, BEFORE))
    later = tuned(replace(AFTER, **fields), BEFORE)

    assert done(granted(later, reviewed)) == [("hold", "NotReviewed")]
    assert part in parts_moved(reviewed, shown(later)[0])


def test_the_run_that_is_superseded_is_an_observed_fact() -> None:
    (reviewed,) = shown(tuned(AFTER, BEFORE))
    later = tuned(AFTER, spec(hyperparameters=Hyperparameters(epoch_count=2)))

    assert done(granted(later, reviewed)) == [("hold", "NotReviewed")]
    assert parts_moved(reviewed, shown(later)[0]) == ("what the provider and the ledger say",)


def test_another_models_change_and_the_progress_of_its_run_do_not_count() -> None:
    bases = shown(tuned(AFTER, BEFORE))
    record = record_of(
        BEFORE,
        active=slot_of(BEFORE),
        pending=slot_of(AFTER, RemoteState.CREATING),
        runs=(run_of(BEFORE), run_of(AFTER, RunOutcome.TUNING)),
    )
    for state in (RemoteState.CREATING, RemoteState.ACTIVE):
        later = world_of(AFTER, spec("others"), records=(record,), remotes=(remote_of(BEFORE), remote_of(AFTER, state)))
        assert list(ungranted(granted(later, *bases))) == ["others"]


def cancelled_first() -> tuple[World, World]:
    """A run that makes way for another one, and the same after it was stopped."""
    record = record_of(
        BEFORE, active=None, pending=slot_of(BEFORE, RemoteState.CREATING), runs=(run_of(BEFORE, RunOutcome.TUNING),)
    )
    first = world_of(AFTER, records=(record,), remotes=(remote_of(BEFORE, RemoteState.CREATING),))
    stopped = record_of(BEFORE, active=None, pending=None, runs=(run_of(BEFORE, RunOutcome.CANCELLED),))
    return first, world_of(AFTER, records=(stopped,), remotes=(remote_of(BEFORE, RemoteState.CANCELLED),))


def test_a_run_that_waited_for_another_to_be_stopped_was_reviewed_with_it() -> None:
    first, later = cancelled_first()
    assert [type(a) for a in make_plan(first).actions] == [Cancel, Retune]
    assert [type(a) for a in make_plan(later).actions] == [Create]
    (stop, _) = shown(first)

    assert done(granted(later, stop)) == [("create", "NewSpec")]
    other = replace(later, desired=replace(later.desired, models=(replace(AFTER, attempt=3),)))
    assert done(granted(other, stop)) == [("hold", "NotReviewed")]


def test_a_paid_run_is_not_stopped_where_its_successor_was_not_reviewed() -> None:
    first, _ = cancelled_first()
    stop, pay = shown(first)

    assert done(granted(first, stop)) == [("cancel", "Superseded"), ("retune", "InputsChanged")]
    assert done(granted(first, pay)) == [("hold", "NotReviewed"), ("hold", "NotReviewed")]


def test_a_place_in_the_queue_was_reviewed_and_a_refused_budget_was_not() -> None:
    full = world_of(spec(), concurrency={"local": 0})
    (queued,) = shown(full)
    assert (queued.action, queued.reason) == ("hold", "Queued")

    assert done(granted(world_of(spec()), queued)) == [("create", "NewSpec")]
    assert done(granted(world_of(spec()), replace(queued, reason="BudgetExceeded"))) == [("hold", "NotReviewed")]


def test_a_grant_that_was_spent_pays_no_second_time() -> None:
    world = world_of(spec())
    (pay,) = shown(world)

    assert done(granted(world, pay, spent=True)) == [("hold", "NotReviewed")]


def test_words_may_be_gone_back_to_without_another_review() -> None:
    described = replace(BEFORE, description="Says the next number.")
    world = world_of(described, records=(record_of(BEFORE),), remotes=(remote_of(BEFORE),))
    assert [type(a) for a in make_plan(world).actions] == [Update]
    once = Basis(action="create", reason="NewSpec", asked=asked_for(described), digest="0" * 32)

    assert done(replace(world, review=ReviewRule.GRANTS)) == [("hold", "NotReviewed")]
    assert done(granted(world, once, spent=True)) == [("update", "FieldsChanged")]
    assert done(granted(world, replace(once, asked="0" * 32))) == [("hold", "NotReviewed")]


def test_drift_is_put_back_without_a_review() -> None:
    described = replace(BEFORE, description="Says the next number.")
    record = record_of(described, description="Says the next number.")
    drifted = replace(remote_of(described), description=remote_of(BEFORE).description)
    world = replace(world_of(described, records=(record,), remotes=(drifted,)), review=ReviewRule.GRANTS)

    assert done(world) == [("update", "FieldsDrifted")]


def removed(**fields: Any) -> World:
    record = record_of(BEFORE, deletion_policy=DeletionPolicy.DELETE, **fields)
    return world_of(records=(record,), remotes=(remote_of(BEFORE),))


def test_a_first_tombstone_needs_a_grant_and_the_deletion_at_its_end_none() -> None:
    world = removed()
    (reviewed,) = shown(world)
    assert (reviewed.reason, reviewed.asked) == ("DeletePending", ABSENT)
    doomed = removed(active=replace(slot_of(BEFORE), tombstone="2026-01-01T00:00:00Z", tombstone_revision="c" * 40))
    due = replace(doomed, due=frozenset({full_name(BEFORE)}))

    assert done(replace(world, review=ReviewRule.GRANTS)) == [("hold", "NotReviewed")]
    assert done(granted(world, reviewed)) == [("hold", "DeletePending")]
    assert done(replace(doomed, review=ReviewRule.GRANTS)) == [("hold", "DeletePending")]
    assert done(replace(due, review=ReviewRule.GRANTS)) == [("delete", "SpecRemoved")]


def test_a_removal_was_not_reviewed_for_models_that_came_later() -> None:
    (reviewed,) = shown(removed())
    more = removed(active=slot_of(AFTER), retired=(slot_of(BEFORE),))

    assert done(granted(more, reviewed)) == [("hold", "NotReviewed")]


def test_what_was_granted_for_a_removal_goes_when_the_spec_is_back() -> None:
    (reviewed,) = shown(removed())
    world = granted(world_of(BEFORE, records=(record_of(BEFORE),), remotes=(remote_of(BEFORE),)), reviewed)
    (nothing,) = make_plan(world).actions

    (kept,) = after_action(world.recorded.records["numbers"], nothing, BEFORE, world).reviews

    assert kept.spent


def test_letting_go_needs_no_review() -> None:
    world = replace(world_of(records=(record_of(BEFORE),), remotes=(remote_of(BEFORE),)), review=ReviewRule.GRANTS)

    assert [type(a) for a in make_plan(world).actions] == [Orphan]


def sent(answer: Answer, *reviews: Review, rule: ReviewRule = ReviewRule.GRANTS) -> World:
    """A create that was sent once, and what is on record of it."""
    intent = Intent(
        full_name(BEFORE), BEFORE.fingerprint, 1, "n" * 16, "c" * 40, "local", "2026-01-01T00:00:00Z", answer=answer
    )
    record = Record(name="numbers", provider="local", intent=intent, reviews=reviews)
    return replace(world_of(BEFORE, records=(record,)), review=rule)


@pytest.mark.parametrize("answer", Answer)
def test_a_create_that_may_have_been_paid_for_goes_on_by_its_grant_though_other_facts_moved(answer: Answer) -> None:
    (pay,) = shown(world_of(BEFORE))
    world = sent(answer, review(replace(pay, digest="0" * 32)))
    goes_on = [("hold", "NotReviewed")] if answer is Answer.REFUSED else [("create", "NewSpec")]
    other = replace(world, desired=replace(world.desired, models=(AFTER,)))

    assert done(world) == goes_on
    assert [word for word, _ in done(other)] == ["hold"]
    assert done(sent(answer, review(pay))) == [("create", "NewSpec")]


@pytest.mark.parametrize("answer", Answer)
def test_a_create_does_not_go_on_by_a_grant_that_is_spent_nor_with_words_that_nobody_reviewed(answer: Answer) -> None:
    (pay,) = shown(world_of(BEFORE))
    words = replace(pay, asked="0" * 32)

    assert done(sent(answer)) == [("hold", "NotReviewed")]
    assert done(sent(answer, review(pay, spent=True))) == [("hold", "NotReviewed")]
    assert done(sent(answer, review(words))) == [("hold", "NotReviewed")]


@pytest.mark.parametrize("rule", [ReviewRule.GRANTS, ReviewRule.REFUSALS])
@pytest.mark.parametrize("answer", Answer)
def test_a_create_that_was_sent_before_is_not_sent_again_once_people_refused_it(
    answer: Answer, rule: ReviewRule
) -> None:
    """It met a quota; the spec moved on and came back in a pull request that nobody reviewed."""
    (pay,) = shown(world_of(BEFORE))
    refused = review(pay, Decision.REFUSED, why="pull request 3 was merged without a plan")
    older = review(replace(pay, digest="0" * 32))

    assert done(sent(answer, refused, rule=rule)) == [("hold", "NotReviewed")]
    assert done(sent(answer, older, refused, rule=rule)) == [("hold", "NotReviewed")]


def test_what_an_unreviewed_create_has_made_is_adopted_all_the_same() -> None:
    world = sent(Answer.LOST)
    there = ObservedProvider("local", {full_name(BEFORE): remote_of(BEFORE, RemoteState.CREATING)})
    seen = replace(world, observed=Observed({"local": there}))

    assert done(seen) == [("adopt", "IntentFound")]


def test_a_refusal_binds_who_asks_no_code_host_until_it_is_granted_or_allowed() -> None:
    world = world_of(spec())
    (pay,) = shown(world)
    refused = replace(granted(world, pay, verdict=Decision.REFUSED, why="pull request 1 was merged without a plan"))
    bound = replace(refused, review=ReviewRule.REFUSALS)
    described = replace(bound, desired=replace(bound.desired, models=(spec(description="Else"),)))
    other = replace(bound, desired=replace(bound.desired, models=(AFTER,)))

    assert [a.message for a in make_plan(bound).actions] == ["pull request 1 was merged without a plan"]
    assert done(described) == [("hold", "NotReviewed")]
    assert done(other) == [("create", "NewSpec")]
    assert done(replace(bound, allowed=frozenset({"numbers"}))) == [("create", "NewSpec")]
    record = with_review(bound.recorded.records["numbers"], review(pay))
    assert [r.verdict for r in record.reviews] == [Decision.GRANTED]


def test_a_commit_that_brings_back_what_was_granted_before_is_granted_anew() -> None:
    (pay,) = shown(world_of(spec()))
    by_commit = replace(review(pay, spent=True), origin=Origin.COMMIT, pull=0, head="", commit="a" * 40)
    record = with_review(Record(name="numbers", provider="local"), by_commit)

    assert len(with_review(record, replace(by_commit, spent=False, commit="b" * 40)).reviews) == 2


def test_a_commit_that_history_was_put_back_to_is_granted_anew_and_once() -> None:
    (pay,) = shown(world_of(spec()))
    by_commit = replace(review(pay), origin=Origin.COMMIT, pull=0, head="", commit="a" * 40)
    spent = with_review(Record(name="numbers", provider="local"), replace(by_commit, spent=True))
    anew = with_review(spent, by_commit)

    assert [r.spent for r in anew.reviews] == [True, False]
    assert with_review(anew, by_commit) is anew


def test_what_a_merged_plan_granted_is_not_granted_again_by_that_plan() -> None:
    (pay,) = shown(world_of(spec()))
    record = with_review(Record(name="numbers", provider="local"), review(pay, spent=True))

    assert with_review(record, review(pay)) is record


def test_what_says_nothing_new_is_not_written() -> None:
    (pay,) = shown(world_of(spec()))
    record = with_review(Record(name="numbers", provider="local"), review(pay, Decision.REFUSED, why="no plan", at="1"))

    assert with_review(record, review(pay, Decision.REFUSED, why="no plan", at="2")) is record
    assert with_review(record, review(pay, Decision.REFUSED, why="another", at="2")).reviews[0].why == "another"


def test_no_refusal_is_forgotten_for_what_is_granted_beside_it() -> None:
    (pay,) = shown(world_of(spec()))
    record = Record(name="numbers", provider="local")
    for number in range(REFUSALS):
        record = with_review(record, review(replace(pay, asked=f"{number:032x}", attempt=number + 2), Decision.REFUSED))
    for number in range(500, 600):
        other = replace(pay, asked=f"{number:032x}", digest=f"{number:032x}", attempt=number)
        record = with_review(record, review(other, spent=True))

    assert sum(r.verdict is Decision.REFUSED for r in record.reviews) == REFUSALS
    assert len(record.reviews) == REFUSALS + 40
    assert standing_refusal(record.reviews, replace(pay, attempt=2, asked="0" * 32)) is not None


def test_what_a_spec_asks_for_is_told_from_a_commit_alone_by_any_of_its_names() -> None:
    renamed = spec("figures", former_names=("numbers",))
    world = world_of(BEFORE)
    broken = InvalidModel("numbers", Place("specs/numbers.yaml"), Reason.INVALID_SPEC, ())

    assert asked_by(world.desired, ("figures", "numbers")) == asked_for(BEFORE) == asked_for(renamed)
    assert asked_by(world.desired, ("nobody",)) == ABSENT
    assert asked_by(replace(world.desired, models=(), invalid=(broken,)), ("numbers",)) == INVALID
    assert asked_by(replace(world.desired, models=(), complete=False), ("numbers",)) == INVALID


def test_a_digest_covers_only_what_asks_for_the_same() -> None:
    (pay,) = shown(world_of(spec()))

    assert covers(pay, pay)
    assert not covers(pay, replace(pay, asked="0" * 32))
    assert not covers(pay, replace(pay, digest="0" * 32))
    assert not covered((review(pay, Decision.REFUSED),), pay)


def kinds(world: World) -> list[tuple[str, bool]]:
    return [(action.word, needs_grant(action, world)) for action in made(world)]


def made(world: World) -> tuple[Action, ...]:
    return make_plan(replace(world, review=ReviewRule.NOTHING)).actions


def test_only_what_a_spec_asks_for_needs_a_grant() -> None:
    first, _ = cancelled_first()
    overdue = replace(first, desired=replace(first.desired, models=(replace(BEFORE, max_duration=1.0),)))
    (record,) = overdue.recorded.records.values()
    marked = Recorded({record.name: replace(record, overdue=full_name(BEFORE))}, overdue.recorded.tip)
    overdue = replace(overdue, recorded=marked, overdue=frozenset({full_name(BEFORE)}))

    assert kinds(first) == [("cancel", True), ("retune", True)]
    assert kinds(overdue) == [("cancel", False)]
    assert kinds(world_of(BEFORE, records=(record_of(BEFORE),), remotes=(remote_of(BEFORE),))) == [("none", False)]
    assert not any(isinstance(action, Hold) for action in made(first))
