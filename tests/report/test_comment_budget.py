"""The comment keeps to its limit, and its table tells of every action there is room for words on."""

from __future__ import annotations

import re

import cmarkgfm
import pytest

from controller.plan.actions import Change, ChangeClass, Create, DatasetChange, Plan
from controller.plan.cost import Cost
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.report.plan_comment import DataNote, Note, PlanView, Seconds, plan_comment
from controller.state.desired import BaseModel, Dataset, DesiredModel, Example, Place
from controller.state.identity import Hyperparameters
from controller.state.reasons import Reason


def name(number: int) -> str:
    return f"a-model-with-a-rather-long-name-{number:04d}"


def create(number: int) -> Create:
    model = DesiredModel(
        name=name(number),
        place=Place("specs/a.yaml"),
        provider="gemini",
        provider_type="gemini",
        base=BaseModel("models/gemini"),
        hyperparameters=Hyperparameters(epoch_count=5, batch_size=4),
        start=GEMINI.start,
        dataset=Dataset.of("a.jsonl", "d" * 64, (Example("question", "answer"),) * 40),
    )
    return Create(
        name=model.name,
        provider="gemini",
        reason=Reason.NEW_SPEC,
        message="no run of these inputs exists, and none is on its way: it is tuned for the first time",
        model=f"tunedModels/{model.name}",
        fingerprint=f"{number:064x}",
        attempt=1,
        changes=(Change("hyperparameters.epochCount", ChangeClass.RETUNE, "3", "5"),),
        dataset=DatasetChange(40, 560),
        digest=f"{number * 7919:064x}",
        desired=model,
        base="models/gemini",
        cost=Cost(0.1, 0.35, "USD", "2026-11-01"),
    )


LIMIT = 65_536


def planned(count: int) -> PlanView:
    actions = tuple(create(n) for n in range(count))
    data = DataNote(40, 560, added=(1, 2, 3), edited=(7,), known_before=True, lengths=(10, 20, 30))
    notes = {a.name: Note(data=data, time=Seconds(100, 200, 3)) for a in actions}
    url = "https://github.com/acme/models/actions/runs/42"
    return PlanView(plan=Plan("a" * 40, actions, (), "b" * 64), head="a" * 40, notes=notes, summary_url=url)


def rows(body: str) -> list[str]:
    """The models of the table, as GitHub renders it."""
    rendered = cmarkgfm.github_flavored_markdown_to_html(body, cmarkgfm.Options.CMARK_OPT_UNSAFE)
    table = rendered.split("<details>")[0]
    return re.findall(r"<code>(a-model[^<]*)</code></td>", table)


@pytest.mark.parametrize("count", [0, 1, 3, 50, 150, 300])
def test_every_action_has_its_row(count: int) -> None:
    view = planned(count)

    body = plan_comment(view, LIMIT).body

    assert len(body.encode()) <= LIMIT
    assert rows(body) == [name(n) for n in range(count)]


def test_three_hundred_actions_with_all_their_details_are_more_than_fits_and_the_rest_is_counted() -> None:
    view = planned(300)

    rendered = plan_comment(view, LIMIT)
    kept = rendered.body.count("<details>")

    assert not rendered.whole
    assert f"_The details of {300 - kept} actions did not fit: the job's summary has all._" in rendered.body


def test_more_models_than_any_table_can_hold_are_counted_and_nothing_is_broken_off() -> None:
    view = planned(1500)

    body = plan_comment(view, LIMIT).body

    assert len(body.encode()) <= LIMIT
    assert "_More models than this table can hold: the job's summary has all 1,500._" in body
    assert len(rows(body)) > 500


@pytest.mark.parametrize("limit", range(2000, 20_000, 617))
def test_any_budget_is_kept_to_the_byte(limit: int) -> None:
    view = planned(12)

    assert len(plan_comment(view, limit).body.encode()) <= limit


def test_the_same_plan_is_the_same_comment() -> None:
    assert plan_comment(planned(5), LIMIT).body == plan_comment(planned(5), LIMIT).body


def test_a_sentence_says_what_merging_costs() -> None:
    view = planned(3)

    assert "**3 to create** · costs 0.30 to 1.05 USD" in plan_comment(view, LIMIT).body
