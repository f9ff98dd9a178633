"""What the comments say first (what, money, quality) and last (what to say next), in each state of a pull request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from controller.plan.actions import Create, Guard, Hold
from controller.plan.cost import Cost
from controller.plan.grants import ABSENT
from controller.report.plan_comment import ForeignAction, ForeignPlan, Note, PlanView, foreign_comment, plan_comment
from controller.report.progress_comment import Story, progress_comment
from controller.report.quality import Quality, figures, quality_of
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import Dataset, Evaluation
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run, RunOutcome, Score, Slot
from controller.state.reviews import Basis, Decision, Origin, Review
from tests.report.conftest import REVISION, A, B, Golden

LIMIT = 65_536
ROWS = "e" * 64
COST = "costs up to 0.071 USD"
ASKED = Evaluation(Dataset.of("specs/messages.eval.jsonl", ROWS, ()), "exactMatch", 0.8)


def commands(body: str) -> list[str]:
    """What a reader is told to say, in order."""
    return re.findall(r"`(/gitune [^`]+)`", body)


def first_line(body: str) -> str:
    return body.split("\n")[2]


def last_line(body: str) -> str:
    return body.rstrip().split("\n")[-1]


def test_the_plan_of_a_pull_request(review: PlanView, golden: Golden) -> None:
    golden("comment-plan.md", plan_comment(review, LIMIT).body)


def test_the_first_line_says_what_money_and_quality(review: PlanView) -> None:
    line = first_line(plan_comment(review, LIMIT).body)

    assert line == (
        "**1 to create, 1 to re-tune, 1 held, 2 unchanged** · costs 0.024 to 0.071 USD"
        " · up to 12.40 of 200.00 USD spent this month · `messages` serving scores 0.91, bar 0.80"
    )


def test_of_one_model_the_first_line_needs_no_name(review: PlanView) -> None:
    one = replace(review, plan=replace(review.plan, actions=(review.plan.actions[1],)), unchanged=0, budget=None)

    line = first_line(plan_comment(one, LIMIT).body)

    assert line == "**1 to re-tune** · costs 0.024 to 0.071 USD · serving scores 0.91, bar 0.80"


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        (quality_of(None, None, ASKED), "nothing serves yet, bar 0.80"),
        (Quality("exactMatch", 0.8, compared=True), "serving is not scored on these rows, bar 0.80"),
        (Quality(), "not evaluated before it serves"),
    ],
)
def test_without_a_score_of_what_serves_the_first_line_says_so(review: PlanView, quality: Quality, said: str) -> None:
    action = review.plan.actions[1]
    notes = {action.name: Note(quality=quality)}
    view = replace(review, plan=replace(review.plan, actions=(action,)), notes=notes)

    assert first_line(plan_comment(view, LIMIT).body).endswith(f" · {said}")


def test_money_in_two_currencies_is_summed_by_each(review: PlanView) -> None:
    create, retune = review.plan.actions[:2]
    assert isinstance(create, Create)
    other = replace(create, cost=Cost(1.0, 2.5, "EUR", "2026-01-31"))
    view = replace(review, plan=replace(review.plan, actions=(other, retune)), notes={})

    assert "costs 1.00 to 2.50 EUR and 0.024 to 0.071 USD" in first_line(plan_comment(view, LIMIT).body)


def test_an_open_pull_request_is_merged_or_planned_again(review: PlanView) -> None:
    body = plan_comment(review, LIMIT).body

    assert "- Merge to apply this plan" in body
    assert commands(body) == ["/gitune plan", "/gitune help"]
    assert "/gitune plan" in last_line(body)


def test_a_guard_is_allowed_with_every_word_it_needs_and_only_after_the_merge(review: PlanView) -> None:
    guard = Guard("MaxDeletes", "2 models would be deleted", ("old", "older"), ("delete:old", "delete:older"))
    empty = Guard("Empty", "all would go", (), ("empty",))
    body = plan_comment(replace(review, plan=replace(review.plan, guards=(guard, empty))), LIMIT).body

    assert "merge, then somebody who may write says `/gitune apply delete:old delete:older empty`" in body
    assert "- Merge to apply this plan" not in body


def test_a_guard_that_nothing_allows_offers_no_command_but_its_hint(review: PlanView) -> None:
    guard = Guard("Uncommitted", "not committed", hint="Commit it first.")
    body = plan_comment(replace(review, plan=replace(review.plan, guards=(guard,))), LIMIT).body

    assert "`Commit it first.`" in body
    assert commands(body) == ["/gitune plan", "/gitune help"]


def test_a_hold_that_needs_a_person_says_what_ends_it(review: PlanView) -> None:
    assert "- `faulty`: Change the training inputs or raise `spec.attempt`" in plan_comment(review, LIMIT).body


def test_a_merge_into_another_branch_applies_nothing(review: PlanView) -> None:
    body = plan_comment(replace(review, applied_branch="main"), LIMIT).body

    assert "- Merging applies nothing yet" in body
    assert "- Merge to apply this plan" not in body


def test_a_plan_without_a_provider_is_no_plan_to_merge(review: PlanView) -> None:
    offline = plan_comment(replace(review, offline=True), LIMIT).body
    unreadable = plan_comment(replace(review, unreadable=("provider gemini: 503",)), LIMIT).body

    assert "- Merge to apply this plan" not in offline + unreadable
    assert "`/gitune plan` plans this pull request again once everything can be read" in last_line(unreadable)
    assert commands(offline)[:2] == ["/gitune plan", "/gitune apply"]


def test_a_summary_that_stands_on_no_pull_request_offers_no_commands(review: PlanView) -> None:
    assert commands(plan_comment(replace(review, in_pull=False), LIMIT).body) == []


def test_a_forks_plan_ends_with_what_somebody_who_may_write_can_say() -> None:
    action = ForeignAction("numbers", "create", "NewSpec", "a first run", "free, 40 steps", "40 examples, new", ())
    body = foreign_comment(ForeignPlan(1, 7, "a" * 40, (action,), ()), LIMIT)

    assert first_line(body) == "**1 to create**"
    assert commands(last_line(body)) == ["/gitune plan", "/gitune apply"]


RUN = Run(
    model="tunedModels/messages-2",
    provider_type="gemini",
    base="models/tiny",
    fingerprint=B,
    attempt=1,
    dataset_digest=B,
    outcome=RunOutcome.SUCCEEDED,
    cost=0.0712,
    score=Score("exactMatch", ROWS, 94, 100, baseline=33),
)
BEFORE = replace(RUN, model="tunedModels/messages-1", fingerprint=A, score=Score("exactMatch", ROWS, 91, 100))
PAID = Review(
    verdict=Decision.GRANTED,
    origin=Origin.PULL_REQUEST,
    basis=Basis(action="retune", reason="InputsChanged", asked="a" * 32, digest="b" * 32, fingerprint=B, attempt=1),
    pull=7,
    by="jane",
    at="2026-03-01T10:00:00Z",
    why="merged with its plan",
    spent=True,
)
READY = Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE)
TUNING = Condition(ConditionType.RECONCILING, Truth.TRUE, Reason.TUNING, "10/20 steps")
FAILED = Condition(ConditionType.STALLED, Truth.TRUE, Reason.EVALUATION_FAILED, "score 0.700, 0.8 asked")
OLD, NEW = Slot(BEFORE.model, A, 1, "Active"), Slot(RUN.model, B, 1, "Active")


def ready() -> Record:
    return Record(
        name="messages",
        provider="gemini",
        conditions=(READY,),
        active=NEW,
        retired=(OLD,),
        runs=(BEFORE, RUN),
        reviews=(PAID,),
    )


def tuning() -> Record:
    run = replace(RUN, outcome=RunOutcome.TUNING, score=None)
    return replace(ready(), conditions=(TUNING,), active=OLD, pending=NEW, retired=(), runs=(BEFORE, run))


def failed() -> Record:
    run = replace(RUN, score=Score("exactMatch", ROWS, 70, 100, baseline=33))
    return replace(tuning(), conditions=(FAILED,), runs=(BEFORE, run))


def story(records: Mapping[str, Record], **fields: object) -> Story:
    asked = {"messages": ASKED}
    made = Story(pull=7, commit=REVISION, names=tuple(records), records=records, asked=asked, currency="USD")
    return replace(made, **fields)  # type: ignore[arg-type] # a test's fields


def told(record: Record, **fields: object) -> str:
    return progress_comment(story({"messages": record}, **fields), LIMIT)


@pytest.mark.parametrize(
    ("record", "line", "said"),
    [
        (
            ready(),
            "**1 ready** · costs up to 0.071 USD · 0.94 `exactMatch`, bar 0.80, before 0.91, most frequent answer 0.33",
            ["/gitune help"],
        ),
        (
            tuning(),
            "**1 reconciling** · costs up to 0.071 USD · `exactMatch`, bar 0.80, serving 0.91",
            ["/gitune cancel messages", "/gitune help"],
        ),
        (
            failed(),
            f"**1 stalled** · {COST} · 0.70 `exactMatch`, bar 0.80, serving 0.91, most frequent answer 0.33",
            ["/gitune help"],
        ),
    ],
)
def test_after_the_merge_the_first_line_says_the_same_in_the_same_order(
    record: Record, line: str, said: list[str]
) -> None:
    body = told(record)

    assert first_line(body) == line
    assert commands(body) == said
    assert "/gitune help" in last_line(body)


@pytest.mark.parametrize(("name", "record"), [("ready", ready()), ("tuning", tuning()), ("stalled", failed())])
def test_the_story_of_a_merge(name: str, record: Record, golden: Golden) -> None:
    golden(f"comment-{name}.md", told(record))


def test_another_pull_requests_run_is_neither_counted_nor_offered_to_be_stopped() -> None:
    body = told(replace(tuning(), reviews=(replace(PAID, pull=6),)))

    assert "/gitune cancel" not in body
    assert "USD" not in body


def test_a_run_that_has_ended_is_not_offered_to_be_stopped() -> None:
    assert "/gitune cancel" not in told(failed())


def test_a_deletion_is_ended_only_by_the_pull_request_that_asked_for_it() -> None:
    removal = replace(PAID, basis=replace(PAID.basis, action="delete", asked=ABSENT, fingerprint=A))
    marked = replace(ready(), active=replace(OLD, tombstone="2026-03-02T08:00:00Z"), reviews=(removal,))

    assert "/gitune approve-delete messages" in commands(told(marked))
    assert "/gitune approve-delete" not in told(replace(marked, reviews=(replace(removal, pull=6),)))
    assert "/gitune approve-delete" not in told(replace(marked, delete_approved=True))


def test_a_plan_that_a_guard_refused_is_applied_with_the_guards_words() -> None:
    body = told(ready(), refusal="51 models would be created", allow=("creates",))

    assert commands(body) == ["/gitune apply creates", "/gitune help"]


def test_what_was_held_up_by_something_else_is_ordered_once_that_is_fixed() -> None:
    body = told(ready(), refusal="the ledger refuses a push", is_held_up=True)

    assert "Once that is fixed, somebody who may write says `/gitune apply`" in body


def test_a_score_on_other_rows_is_compared_with_nothing() -> None:
    elsewhere = replace(BEFORE, score=Score("exactMatch", "f" * 64, 99, 100))

    assert list(figures(quality_of(RUN, elsewhere, None), str))[:2] == [
        "0.94 exactMatch",
        "serving not scored on these rows",
    ]
    assert list(figures(quality_of(None, elsewhere, ASKED), str)) == [
        "exactMatch",
        "bar 0.80",
        "serving not scored on these rows",
    ]


def test_a_score_below_the_bar_never_reads_as_if_it_reached_it() -> None:
    close = replace(RUN, score=Score("exactMatch", ROWS, 7999, 10_000))

    assert list(figures(quality_of(close, None, ASKED), str))[:2] == ["0.79 exactMatch", "bar 0.80"]
    assert list(figures(quality_of(close, None, replace(ASKED, min_score=0.855)), str))[1] == "bar 0.855"


def test_many_models_are_named_in_part_and_counted(review: PlanView) -> None:
    [hold] = [action for action in review.plan.actions if isinstance(action, Hold)]
    holds = tuple(replace(hold, name=f"faulty-{n}") for n in range(200))
    body = plan_comment(replace(review, plan=replace(review.plan, actions=holds)), LIMIT).body

    assert "- `faulty-0`, `faulty-1`, `faulty-2` and 197 more: Change the training inputs" in body
