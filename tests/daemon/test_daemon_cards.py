"""What the page says of each model, and which models a search finds."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.daemon.cards import CardFilter, card_of, row_of, rows_of
from controller.daemon.view import StatusView
from controller.daemon.web.html import index_html, model_html
from controller.engine.pace import pace, remaining
from controller.errors import SourceError
from controller.ports import Landing
from controller.report.formatting import roughly
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint
from controller.state.recorded import Record, RunOutcome
from controller.testing.clock import START
from tests.daemon.conftest import Yard
from tests.daemon.gallery import REVISION, evaluated, gallery, losses, ready, stalled, tuning, view_of
from tests.daemon.household import Household
from tests.daemon.process import running

NOW = START + timedelta(days=60)


def words(page: str) -> str:
    """What a reader sees of a page, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.replace("</dt>", ": "))).split())


def shown(record: Record, **fields: object) -> str:
    return words(index_html(replace(view_of({record.name: record}), **fields), NOW))  # type: ignore[arg-type] # a test's


def test_a_card_says_how_good_a_model_is_and_against_what() -> None:
    assert "Score: 0.94 exactMatch, bar 0.80, before 0.91, most frequent answer 0.33" in shown(ready("numbers"))
    assert "Score: exactMatch, bar 0.80, serving 0.94, most frequent answer 0.33 (not scored yet)" in shown(
        tuning("numbers")
    )


def test_a_model_that_nothing_evaluates_says_so() -> None:
    there = ready("numbers")
    view = view_of({"numbers": replace(there, runs=tuple(replace(run, score=None) for run in there.runs))})
    assert view.world is not None
    [spec] = view.world.desired.models
    desired = replace(view.world.desired, models=(replace(spec, evaluation=None),))

    page = words(index_html(replace(view, world=replace(view.world, desired=desired)), NOW))

    assert "Score: not evaluated: the spec asks for no evaluation" in page


def test_a_card_says_what_a_run_was_made_of_by_whom_and_for_how_much() -> None:
    landed = Landing(REVISION, "", "Jane Roe <jane@example.com>", "2026-02-27T00:00:00+00:00", "Add the new rows")
    page = shown(ready("numbers"), commits={REVISION: landed})

    assert "Base model: models/tiny" in page
    assert "Commit: 0123456789ab Add the new rows, Jane Roe, 3 d ago" in page
    assert "jane@example.com" not in page
    assert "Hyperparameters: epochCount 4, batchSize 4, learningRate 0.001" in page
    assert "Dataset: specs/rows.jsonl, 140 rows, dddddddddddd" in page
    assert "Cost: at most 0.07 USD" in page
    assert "Labels: team=demo" in page
    assert "Budget: up to 0.14 of 200.00 USD spent this month" in page


def test_data_that_has_changed_since_the_run_is_named_so() -> None:
    there = ready("numbers")
    older = replace(there, runs=tuple(replace(run, dataset_digest="f" * 64) for run in there.runs))

    assert "Dataset: specs/rows.jsonl, 140 rows, ffffffffffff, changed since this run" in shown(older)


def test_hyperparameters_that_nobody_resolved_are_shown_as_written() -> None:
    there = stalled("numbers")
    written = Hyperparameters(epoch_count=7)
    bare = replace(there, runs=(replace(there.runs[0], resolved=Hyperparameters(), written=written),))

    assert "Hyperparameters: epochCount 7" in shown(bare)


def test_a_cost_that_nobody_knows_is_not_called_free() -> None:
    there = stalled("numbers")
    unpriced = replace(there, runs=(replace(there.runs[0], cost=None),))

    assert "Cost: free" in shown(unpriced)
    assert "Cost: not known" in shown(replace(unpriced, provider="gemini"))


def test_a_hold_says_why_and_the_command_with_the_models_name() -> None:
    page = shown(evaluated("model-3"))

    assert "EvaluationFailed" in page
    assert "What to do:" in page
    assert "gitune promote model-3" in page


@pytest.mark.parametrize(
    ("remote", "link"),
    [
        ("github.com/acme/models", f"https://github.com/acme/models/commit/{REVISION}"),
        ("gitlab.com/acme/deep/models", f"https://gitlab.com/acme/deep/models/-/commit/{REVISION}"),
        ("codeberg.org/acme/models", f"https://codeberg.org/acme/models/commit/{REVISION}"),
        ("bitbucket.org/acme/models", f"https://bitbucket.org/acme/models/commits/{REVISION}"),
        ("git.example.com/acme/models", ""),
        ("", ""),
    ],
)
def test_a_commit_is_a_link_where_its_host_is_known(remote: str, link: str) -> None:
    page = index_html(replace(view_of({"numbers": ready("numbers")}), remote=remote), NOW)
    linked = re.findall(r'href="(https:[^"]*)"', page)

    assert linked == ([link] if link else [])


def test_a_run_that_tunes_says_about_how_long_it_still_takes() -> None:
    assert "25 %, 10 of 40 steps, about 1 min left, loss 0.4" in shown(tuning("numbers"))


def test_the_rest_is_estimated_from_the_times_of_the_run_itself() -> None:
    run = tuning("numbers").runs[-1]

    assert remaining(run) == pytest.approx(60.0)  # thirty steps of two seconds
    assert remaining(replace(run, outcome=RunOutcome.SUCCEEDED)) is None
    assert remaining(replace(run, total_steps=0)) is None
    assert remaining(replace(run, losses=losses(1))) is None
    assert remaining(replace(run, losses=(LossPoint(1, 0, 1.0, "soon"), LossPoint(2, 0, 1.0, "later")))) is None
    assert remaining(replace(run, losses=(LossPoint(1, 0, 1.0), LossPoint(2, 0, 1.0)))) is None
    assert remaining(replace(run, losses=(*reversed(losses(5)),))) is None  # a clock that went back
    assert pace(ready("numbers").runs[-1]) == pytest.approx(3.0)
    assert pace(run) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "under a minute"),
        (61, "about 1 min"),
        (3000, "about 50 min"),
        (7600, "about 2 h 10 min"),
        (7200, "about 2 h"),
    ],
)
def test_an_estimate_says_no_more_than_it_knows(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_what_a_picture_shows_is_told_to_those_who_do_not_see_it() -> None:
    page = index_html(view_of({"numbers": ready("numbers")}), NOW)

    assert 'alt="Loss of numbers: 4 → 0.1 over 40 steps"' in page


def test_the_scores_of_earlier_runs_stand_on_the_models_page() -> None:
    page = words(model_html(view_of({"numbers": ready("numbers")}), "numbers", NOW) or "")

    assert "numbers · github.com/acme/models · Gitune" in page
    assert "0.91 exactMatch" in page
    assert "Evaluation: 94 of 100 right; baseline 33 of 100 (always the most frequent answer)" in page


@pytest.mark.parametrize(
    ("view", "title"),
    [
        (StatusView("/srv/models/"), "models"),
        (StatusView("https://git.example.com/acme/models.git"), "models"),
        (StatusView("/srv/models", remote="github.com/acme/models"), "github.com/acme/models"),
        (StatusView("/srv/models", remote="github.com/acme/models", instance="acme/models"), "acme/models"),
        (StatusView("/srv/models", instance="acme/models", name="here"), "here"),
    ],
)
def test_the_title_names_the_repository(view: StatusView, title: str) -> None:
    assert f"<title>{title} · Gitune</title>" in index_html(view, NOW)


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (CardFilter(), {"a", "b", "c"}),
        (CardFilter(q="B"), {"b"}),
        (CardFilter(q="tiny out of"), set()),
        (CardFilter(q="models/tiny team=demo"), {"a", "b", "c"}),
        (CardFilter(q="jane"), {"a", "b", "c"}),
        (CardFilter(q=REVISION[:7]), {"a", "b", "c"}),
        (CardFilter(q="ddd"), set()),
        (CardFilter(state="Ready"), {"a"}),
        (CardFilter(state="Stalled", provider="local"), {"c"}),
        (CardFilter(provider="gemini"), {"a", "b"}),
        (CardFilter(label="team=demo"), {"a", "b", "c"}),
        (CardFilter(label="team=other"), set()),
        (CardFilter(state="<script>"), set()),
    ],
)
def test_a_search_finds_what_has_every_word_and_every_filter(wish: CardFilter, names: set[str]) -> None:
    view = view_of({"a": ready("a"), "b": tuning("b"), "c": stalled("c")})

    assert {row.record.name for row in rows_of(view) if wish.fits(row)} == names


def test_an_address_asks_for_what_it_says_and_is_shown_back_as_data() -> None:
    wish = CardFilter.asked({"q": " <script>alert(1)</script> ", "state": "Ready", "other": "x", "label": "l" * 10_000})

    assert wish.q == "<script>alert(1)</script>"
    assert len(wish.label) == 200
    assert wish.query(q="", label="") == "?state=Ready"
    assert not CardFilter.asked({})
    page = index_html(gallery(20), NOW, wish)
    assert "<script>alert" not in page
    assert "0 of 20 models." in words(page)


async def test_who_wrote_a_commit_is_asked_once_and_a_source_that_cannot_tell_stops_no_pass() -> None:
    house = Household()
    asked: list[frozenset[str]] = []
    described = house.source.described

    async def counted(commits: frozenset[str]) -> Mapping[str, Landing]:
        asked.append(commits)
        return await described(commits)

    house.source.described = counted  # type: ignore[method-assign] # it counts
    await house.settle()
    assert len(asked) == 1
    assert set(house.loop.view.commits) == {house.source.head}

    async def broken(_: frozenset[str]) -> Mapping[str, Landing]:
        raise SourceError("the objects are away")

    other = Household()
    other.source.described = broken  # type: ignore[method-assign, assignment] # it fails
    await other.settle()
    assert other.loop.view.is_ready
    assert other.loop.view.commits == {}


def test_a_card_before_the_first_pass_says_what_the_ledger_knows() -> None:
    view = StatusView("/srv/models", records={"numbers": ready("numbers")})
    card = card_of(row_of(view.records["numbers"], view), view, NOW)

    assert card.scores == ("0.94 exactMatch", "before 0.91", "most frequent answer 0.33")
    assert card.cost == "at most 0.07"
    assert card.labels == ()
    assert card.dataset == ("dddddddddddd",)


@pytest.mark.slow
def test_a_real_daemon_names_the_repository_and_the_commit(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started in the folder, without a word on where it is: the page says no dot."""
    yard.repository.write("specs/rows.jsonl", (yard.repository.root / "specs/rows.jsonl").read_text())
    yard.repository.git("commit", "-q", "--amend", "--author", "Jörg Ä <j@example.com>", "-m", "<b>Ünï</b>\n\nmore")
    monkeypatch.chdir(yard.repository.root)
    with running("--root", ".", "--listen", "127.0.0.1:0", home=yard.home) as daemon:
        daemon.wait(lambda: [e for e in daemon.said("action.done") if e["action"] == "promote"])
        daemon.wait(lambda: "Ready" in daemon.get("/")[1])
        page = daemon.get("/")[1]

    assert f"<title>{Path(yard.repository.root).name} · Gitune</title>" in page
    assert "<bdi>&lt;b&gt;Ünï&lt;/b&gt;</bdi>, <bdi>Jörg Ä</bdi>, " in page
    assert "j@example.com" not in page
    assert re.search(r"epochCount \d+, batchSize \d+", words(page))
