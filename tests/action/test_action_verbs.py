"""`/gitune …` under a pull request: who may say what, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.review.commands import (
    ApplyVerb,
    ApproveDeleteVerb,
    CancelVerb,
    HelpVerb,
    PlanVerb,
    Verb,
    parse_verb,
)
from controller.review.memory import StoryStage
from tests.action.conftest import House, memory_of
from tests.action.workflow import Step
from tests.e2e.stand import rows, spec
from tests.forge.stand_in import BOT, REPOSITORY


@pytest.mark.parametrize(
    ("body", "verb"),
    [
        ("/gitune plan", PlanVerb()),
        ("/gitune  plan \r\nthanks", PlanVerb()),
        ("/gitune apply", ApplyVerb()),
        ("/gitune apply delete:a-b creates", ApplyVerb(frozenset({"delete:a-b", "creates"}))),
        ("/gitune apply everything", HelpVerb()),
        ("/gitune cancel numbers", CancelVerb("numbers")),
        ("/gitune cancel ../x", HelpVerb()),
        ("/gitune cancel", HelpVerb()),
        ("/gitune approve-delete numbers", ApproveDeleteVerb("numbers")),
        ("/gitune help", HelpVerb()),
        ("/gitune", HelpVerb()),
        ("/gitunes plan", None),
        ("please /gitune plan", None),
        ("> /gitune plan", None),
        ("", None),
    ],
)
def test_the_first_line_of_a_comment_is_read(body: str, verb: Verb | None) -> None:
    assert parse_verb(body) == verb


def said(house: House, author: str, body: str, kind: str = "User") -> Step:
    number = house.forge.say(1, author, body)
    payload: dict[str, Any] = {
        "action": "created",
        "issue": {"number": 1, "pull_request": {"url": "https://api.github.com/x"}},
        "comment": {"id": number, "body": body, "user": {"login": author, "type": kind}},
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    }
    return house.workflow.step("issue_comment", payload, house.clone.git("rev-parse", "origin/main"))


def opened(house: House) -> None:
    base = house.clone.git("rev-parse", "main")
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=400))
    house.forge.open_pull(1, house.commit(), base)
    house.forge.permissions |= {"jane": "write", "reader": "read"}


@pytest.mark.slow
def test_only_people_who_may_write_are_obeyed(house: House) -> None:
    opened(house)
    for author, kind in (("reader", "User"), ("stranger", "User"), ("some[bot]", "Bot"), (BOT, "Bot")):
        assert said(house, author, "/gitune plan", kind).answer.code == 0
    assert house.forge.bodies(1) == ["/gitune plan"]  # what the bot itself said
    assert [content for _, content in house.forge.reactions] == ["confused", "confused"]

    step = said(house, "jane", "/gitune plan")

    assert step.answer.code == 0, step.answer.out + step.answer.err
    assert "1 to create" in house.forge.bodies(1)[-1]
    assert [content for _, content in house.forge.reactions][2:] == ["eyes", "+1"]


@pytest.mark.slow
def test_a_refused_merge_is_applied_by_a_persons_word_and_its_run_is_cancelled_by_another(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1, "opened")
    assert said(house, "jane", "/gitune apply").answer.code == 1  # not merged yet
    house.clone.git("checkout", "-q", "main")
    house.clone.write("specs/rows.jsonl", rows(21))
    house.commit()
    merged = house.merge(1)
    assert house.workflow.push(merged).answer.code == 3
    assert house.creates == 0

    step = said(house, "jane", "/gitune apply")

    assert step.answer.code == 0, step.answer.out + step.answer.err
    assert house.creates == 1
    marker = memory_of(house, 1)
    assert marker is not None
    assert (marker.stage, marker.commit) == (StoryStage.APPLYING, merged)
    assert said(house, "jane", "/gitune cancel another").answer.code == 1
    assert said(house, "jane", "/gitune cancel numbers").answer.code == 0
    assert any(path.endswith(":cancel") for _, path in house.proxy.changes)
    assert said(house, "jane", "/gitune help").answer.code == 0
    assert said(house, "jane", "/gitune what").answer.code == 0
    assert len(house.forge.bodies(1)) == 2  # the story, and one help
