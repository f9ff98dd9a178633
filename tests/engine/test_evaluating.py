"""A finished run is asked its evaluation rows: what counts as right, and what is said and known of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from controller.engine import commands
from controller.errors import Rejected, RejectedKind, Transient
from controller.ledger.verdicts import FolderVerdicts
from controller.plan.actions import Held
from controller.plan.evaluation import told
from controller.state.reasons import Reason
from controller.state.recorded import Score
from controller.testing import MemoryProvider
from tests.engine.stage import Stage, rows, spec_text

JUDGED = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.9}"
BLOCKED = Rejected("the model stopped without an answer (SAFETY)", kind=RejectedKind.NO_ANSWER)


async def finished(count: int = 20, judged: str = JUDGED) -> Stage:
    """The first run of a spec has ended well, and answers all its training rows and no other."""
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(evaluation=judged), "specs/held.jsonl": rows(count)})
    await stage.step()
    stage.provider.finish()
    return stage


def asked(provider: MemoryProvider) -> int:
    return [call.operation for call in provider.calls].count("generate")


async def test_a_row_without_an_answer_is_wrong_and_counted_and_the_rows_are_not_asked_again() -> None:
    stage = await finished()
    stage.provider.fail("generate", BLOCKED)
    assert await stage.step() == [("numbers", "promote")]
    run = stage.ledger.records["numbers"].runs[0]
    assert run.score is not None
    assert (run.score.right, run.score.asked, run.score.unanswered) == (19, 20, 1)
    assert told(run.score).startswith("19 of 20 right, 1 not answered")
    assert await stage.step() == [("numbers", "none")]
    assert asked(stage.provider) == 20


async def test_an_answer_that_is_cut_is_no_whole_answer_and_counted() -> None:
    stage = await finished(judged=JUDGED.replace("0.9", "0.5"))
    stage.provider.cut = {"3": "MAX_TOKENS", "4": "MAX_TOKENS"}
    await stage.step()
    run = stage.ledger.records["numbers"].runs[0]
    assert run.score is not None
    assert (run.score.right, run.score.cut, run.score.unanswered) == (18, 2, 0)
    assert told(run.score).startswith("18 of 20 right, 2 cut short")


@pytest.mark.parametrize("kind", [RejectedKind.NOT_FOUND, RejectedKind.UNAUTHENTICATED, RejectedKind.RESPONSE])
async def test_a_refusal_that_is_about_every_row_is_no_score(kind: RejectedKind) -> None:
    stage = await finished()
    stage.provider.fail("generate", Rejected("no", kind=kind), times=20)
    (outcome,) = (await stage.run()).outcomes
    assert isinstance(outcome, Held)
    assert (outcome.reason, outcome.score) == (Reason.PROVIDER_REJECTED, None)


async def test_the_most_frequent_answer_alone_stands_beside_every_score() -> None:
    stage = await finished(judged=JUDGED.replace("0.9", "0"))
    held = "".join(json.dumps({"text_input": f"x{n}", "output": "no" if n < 7 else "yes"}) + "\n" for n in range(10))
    stage.source.edit({"specs/held.jsonl": held})
    assert await stage.step() == [("numbers", "promote")]
    run = stage.ledger.records["numbers"].runs[0]
    assert run.score is not None
    assert (run.score.right, run.score.baseline) == (0, 7)
    assert told(run.score) == "0 of 10 right; baseline 7 of 10 (always the most frequent answer)"


async def test_a_score_by_another_metric_on_the_same_rows_is_not_the_one_asked_for() -> None:
    stage = await finished()
    await stage.step()
    record = stage.ledger.records["numbers"]
    run = record.runs[0]
    assert run.score is not None
    old = Score("another", run.score.digest, 0, 20)
    pending = replace(record, active=None, pending=record.active, runs=(replace(run, score=old),))
    await stage.ledger.save({"numbers": pending}, await stage.ledger.tip(), "as an earlier spec had it scored")
    assert await stage.step() == [("numbers", "promote")]
    assert stage.ledger.records["numbers"].runs[0].score == run.score


async def test_an_earlier_run_is_spoken_of_only_where_one_serves() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(evaluation=JUDGED), "specs/held.jsonl": rows(4, start=100)})
    await stage.step()
    stage.provider.finish()
    for _ in range(2):
        (outcome,) = (await stage.run()).outcomes
        said = outcome.message if isinstance(outcome, Held) else outcome.action.message
        assert "0 of 4 right" in said
        assert "earlier run" not in said


async def test_the_run_that_goes_on_serving_is_spoken_of() -> None:
    stage = await finished()
    await stage.step()
    longer = spec_text(evaluation=JUDGED, hyperparameters="{epochCount: 9}")
    stage.source.edit({"specs/numbers.yaml": longer, "specs/held.jsonl": rows(4, start=100)})
    await stage.step()
    stage.provider.finish()
    for _ in range(2):
        (outcome,) = (await stage.run()).outcomes
        said = outcome.message if isinstance(outcome, Held) else outcome.action.message
        assert said.endswith("the earlier run goes on serving")


async def test_a_loss_that_is_no_number_is_kept_as_where_the_run_diverged_and_said() -> None:
    stage = Stage()
    await stage.step()
    stage.provider.finish()
    (name,) = stage.provider.models
    model = stage.provider.models[name]
    broken = tuple(replace(p, mean_loss=math.inf) if p.step >= 3 else p for p in model.losses)
    stage.provider.models[name] = replace(model, losses=broken)
    await stage.step()
    (run,) = stage.ledger.records["numbers"].runs
    assert run.diverged_at == 3
    assert [point.step for point in run.losses] == [1, 2]
    assert run.last_loss is not None
    assert math.isnan(run.last_loss)
    assert run.advice is not None
    assert run.advice.epochs is None
    assert "at step 3: the run diverged" in run.advice.because
    assert await stage.step() == [("numbers", "none")]


async def test_an_evaluation_that_breaks_off_asks_no_row_twice(tmp_path: Path) -> None:
    stage = await finished()
    stage.verdicts = FolderVerdicts(tmp_path / "evaluations")
    stage.provider.fail("generate", Transient("the quota is used up", quota=True), times=1)
    (held,) = (await stage.run()).outcomes
    assert isinstance(held, Held)
    assert held.reason is Reason.QUOTA_EXCEEDED
    answered = asked(stage.provider) - 1
    stage.verdicts = FolderVerdicts(tmp_path / "evaluations")
    assert await stage.step() == [("numbers", "promote")]
    run = stage.ledger.records["numbers"].runs[0]
    assert run.score is not None
    assert run.score.right == 20
    assert asked(stage.provider) == 21, f"{answered} rows had their answers already"


async def test_a_row_that_is_in_the_set_twice_is_asked_once_and_counted_twice() -> None:
    stage = await finished()
    stage.source.edit({"specs/held.jsonl": rows(3) + rows(3)})
    await stage.step()
    run = stage.ledger.records["numbers"].runs[0]
    assert run.score is not None
    assert (run.score.right, run.score.asked, asked(stage.provider)) == (6, 6, 3)


async def test_a_model_that_was_made_again_under_its_id_is_asked_anew(tmp_path: Path) -> None:
    stage = await finished()
    stage.verdicts = FolderVerdicts(tmp_path / "evaluations")
    await stage.step()
    (name,) = stage.provider.models
    stage.provider.models[name] = replace(stage.provider.models[name], created="2026-02-01T00:00:00Z")
    await stage.ledger.save({}, await stage.ledger.tip(), "lost")
    assert await stage.step() == [("numbers", "reuse")]
    assert asked(stage.provider) == 40


async def test_a_person_who_evaluates_again_has_every_row_asked_again_but_those_of_one_that_broke_off(
    tmp_path: Path,
) -> None:
    stage = await finished()
    stage.verdicts = FolderVerdicts(tmp_path / "evaluations")
    await stage.step()
    stage.provider.calls.clear()
    assert (await commands.evaluate(stage.ports, stage.settings, "numbers")).right == 20
    assert asked(stage.provider) == 20
    stage.source.edit({"specs/held.jsonl": rows(22)})
    assert (await commands.evaluate(stage.ports, stage.settings, "numbers")).right == 20
    assert asked(stage.provider) == 22
