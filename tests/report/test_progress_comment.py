"""The comment of a merged pull request: one text for each turning point, and the same one in between."""

from __future__ import annotations

from dataclasses import replace

from controller.report.progress_comment import Story, is_settled, loss_chart, progress_comment
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.observed import LossPoint
from controller.state.reasons import Reason
from controller.state.recorded import Advice, Record, Run, RunOutcome, Score, Slot

LIMIT = 65_536
LOSSES = tuple(LossPoint(n, n // 4, 4.0 / (n + 1)) for n in range(20))
RUN = Run(
    model="tunedModels/numbers-1",
    provider_type="local",
    base="models/tiny",
    fingerprint="f" * 64,
    attempt=1,
    dataset_digest="d" * 64,
)
SLOT = Slot(RUN.model, "f" * 64, 1, "Creating")
TUNING = Condition(ConditionType.RECONCILING, Truth.TRUE, Reason.TUNING, "10/20 steps")
READY = Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE)
STALLED = Condition(ConditionType.STALLED, Truth.TRUE, Reason.RUN_FAILED, "the provider gave up")


def story(record: Record | None, **fields: object) -> Story:
    records = {"numbers": record} if record else {}
    return replace(Story(pull=7, commit="c" * 40, names=("numbers",), records=records), **fields)  # type: ignore[arg-type] # a test's fields


def tuning(tenths: int = 1, steps: int = 2) -> Record:
    run = replace(RUN, completed_steps=steps, total_steps=20, losses=LOSSES[:steps])
    return Record(name="numbers", provider="local", pending=SLOT, runs=(run,), conditions=(TUNING,), tenths=tenths)


def ready() -> Record:
    run = replace(
        RUN,
        outcome=RunOutcome.SUCCEEDED,
        losses=LOSSES,
        advice=Advice(3, "the loss is flat after epoch 2"),
        score=Score("exactMatch", "e" * 64, 19, 20),
    )
    return Record(name="numbers", provider="local", active=SLOT, runs=(run,), conditions=(READY,))


def test_a_runs_progress_does_not_change_a_word() -> None:
    early, late = story(tuning(1, 2)), story(tuning(9, 18))

    assert progress_comment(early, LIMIT) == progress_comment(late, LIMIT)
    assert "Gitune is tuning" in progress_comment(early, LIMIT)
    assert not is_settled(early)


def test_a_model_that_serves_is_told_with_loss_advice_evaluation_and_curve() -> None:
    done = story(ready(), curves_url="https://github.com/acme/models/blob/gitune-status/curves")
    body = progress_comment(done, LIMIT)

    assert is_settled(done)
    assert "all is as merged" in body
    assert "| ✅ | `numbers` | Ready | 0.95 `exactMatch` | final loss 0.2, 3 epochs advised |" in body
    assert "evaluation: 0.95 `exactMatch` (19 of 20 right)" in body
    assert "[loss curve](https://github.com/acme/models/blob/gitune-status/curves/numbers.svg)" in body
    assert "xychart-beta" in body


def test_the_baseline_and_what_was_not_answered_stand_beside_the_score() -> None:
    scored = Score("exactMatch", "e" * 64, 18, 20, unanswered=1, cut=1, baseline=9)
    body = progress_comment(story(replace(ready(), runs=(replace(ready().runs[0], score=scored),))), LIMIT)

    assert "| 0.90 `exactMatch`, most frequent answer 0.45 |" in body
    said = "18 of 20 right, 1 not answered, 1 cut short; baseline 9 of 20 (always the most frequent answer)"
    assert f"evaluation: 0.90 `exactMatch` ({said})" in body


def test_a_run_that_diverged_has_no_last_loss_to_speak_of() -> None:
    broken = replace(ready(), runs=(replace(ready().runs[0], diverged_at=3),))

    assert "final loss nan" in progress_comment(story(broken), LIMIT)


def test_a_failure_is_told_with_its_reason() -> None:
    failed = replace(RUN, outcome=RunOutcome.FAILED, error="out of memory")
    record = Record(name="numbers", provider="local", runs=(failed,), conditions=(STALLED,))
    body = progress_comment(story(record), LIMIT)

    assert is_settled(story(record))
    assert "waits on a person" in body
    assert "RunFailed: `the provider gave up`" in body
    assert "the provider says: `out of memory`" in body


def test_a_refusal_says_what_moved_and_what_to_do() -> None:
    refused = story(None, refused={"numbers": "the dataset of numbers moved"})
    body = progress_comment(refused, LIMIT)

    assert "did not apply this" in body
    assert "> ⛔ `numbers`: `the dataset of numbers moved`" in body
    assert "Somebody who may write says `/gitune apply`" in body


def test_three_hundred_models_fit_with_a_row_each() -> None:
    names = tuple(f"a-model-with-a-rather-long-name-{n:04d}" for n in range(300))
    body = progress_comment(Story(pull=7, commit="c" * 40, names=names, records=dict.fromkeys(names, ready())), LIMIT)

    assert len(body.encode()) <= LIMIT
    assert all(f"`{name}`" in body for name in names)


def test_more_than_any_comment_holds_is_counted() -> None:
    names = tuple(f"a-model-with-a-rather-long-name-{n:04d}" for n in range(3000))
    body = progress_comment(Story(pull=7, commit="c" * 40, names=names, records=dict.fromkeys(names, ready())), LIMIT)

    assert len(body.encode()) <= LIMIT
    assert "more models_" in body or "more models: `gitune status` shows all._" in body


def test_the_chart_has_a_colour_of_its_own_and_no_number_that_mermaid_cannot_read() -> None:
    points = (LossPoint(1, 0, 1e-7), LossPoint(2, 1, float("nan")), LossPoint(3, 2, 2.5), LossPoint(4, 3, 1e3))
    lines = list(loss_chart(replace(RUN, losses=points)))

    assert '      plotColorPalette: "#1f77b4"' in lines
    assert '  x-axis "epoch" [1, 3, 4]' in lines
    assert "  line [0, 2.5, 1000]" in lines
    assert list(loss_chart(replace(RUN, losses=points[:1]))) == []


def test_a_long_run_is_drawn_with_few_points_and_its_last() -> None:
    losses = tuple(LossPoint(n, n, 1.0 / (n + 1)) for n in range(500))
    [axis] = [line for line in loss_chart(replace(RUN, losses=losses)) if "x-axis" in line]

    assert axis.count(",") < 45
    assert axis.endswith(" 500]")
