"""`/gitune apply` and its like: by whoever may write at that moment, for their own pull request, once."""

from __future__ import annotations

import pytest

from controller.state.reviews import Origin
from tests.action.conftest import House
from tests.action.situations import (
    LONG,
    cancels,
    change,
    directly,
    failed,
    granted,
    held,
    land,
    model,
    numbers,
    origins,
    planned,
    refused,
    unrelated,
    well,
)
from tests.forge.stand_in import REPOSITORY

pytestmark = pytest.mark.slow


def refused_merge(house: House) -> None:
    """Pull request 1 was merged without a plan; jane may write, and somebody may read."""
    house.forge.permissions |= {"jane": "write", "reader": "read"}
    change(house, 1, numbers())
    held(land(house, 1))


@pytest.mark.parametrize("author", ["stranger", "reader"])
def test_an_apply_of_somebody_who_may_not_write_grants_nothing(house: House, author: str) -> None:
    refused_merge(house)

    well(house.comment(1, author, "/gitune apply")())

    assert house.creates == 0
    assert [content for _, content in house.forge.reactions] == ["confused"]
    assert granted(house.records()["numbers"]) == []


def test_an_apply_of_somebody_who_lost_the_right_before_the_job_ran_grants_nothing(house: House) -> None:
    refused_merge(house)
    order = house.comment(1, "jane", "/gitune apply")
    house.forge.permissions["jane"] = "read"

    well(order())

    assert house.creates == 0
    house.forge.permissions["jane"] = "maintain"
    well(order())
    assert house.creates == 1


def test_an_apply_of_an_open_pull_request_grants_nothing_also_when_its_job_runs_after_the_merge(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    change(house, 1, numbers())
    early = house.comment(1, "jane", "/gitune apply")
    failed(early(), "an open pull request is not applied")
    held(land(house, 1))

    failed(early(), "before the merge")

    assert house.creates == 0
    held(unrelated(house))
    well(house.comment(1, "jane", "/gitune apply")())
    assert house.creates == 1


def test_a_cancel_that_was_said_before_the_merge_stops_nothing_when_its_job_runs_after_it(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers(LONG))
    early = house.comment(1, "jane", "/gitune cancel numbers")
    failed(early())
    well(land(house, 1))

    failed(early(), "before the merge")

    assert cancels(house) == []
    well(house.comment(1, "jane", "/gitune cancel numbers")())
    assert len(cancels(house)) == 1


def test_a_comment_that_says_something_else_by_now_is_not_obeyed(house: House) -> None:
    refused_merge(house)
    order = house.comment(1, "jane", "/gitune apply")
    house.forge.said[-1] |= {"body": "rather not", "updated": house.forge.time()}

    well(order())

    assert house.creates == 0


def test_a_comment_that_was_deleted_by_now_is_not_obeyed(house: House) -> None:
    refused_merge(house)
    order = house.comment(1, "jane", "/gitune apply")
    house.forge.said.pop()

    well(order())

    assert house.creates == 0


def test_the_edit_of_a_comment_is_no_order(house: House) -> None:
    refused_merge(house)
    house.comment(1, "jane", "thanks")
    house.forge.said[-1]["body"] = "/gitune apply"
    number = house.forge.said[-1]["id"]
    payload = {
        "action": "edited",
        "issue": {"number": 1, "pull_request": {"url": "https://api.github.com/x"}},
        "comment": {"id": number, "body": "/gitune apply", "user": {"login": "jane", "type": "User"}},
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    }

    well(house.workflow.step("issue_comment", payload, house.clone.git("rev-parse", "origin/main")))

    assert house.creates == 0


def test_an_order_that_is_run_again_is_taken_once(house: House) -> None:
    refused_merge(house)
    order = house.comment(1, "jane", "/gitune apply")
    well(order())
    edits = len(house.forge.edits)

    assert "taken before" in well(order()).answer.out

    assert house.creates == 1
    assert len(house.forge.edits) == edits


def test_an_order_grants_nothing_that_another_pull_request_brought(house: House) -> None:
    refused_merge(house)
    change(house, 2, model("others"))
    held(land(house, 2))

    step = house.comment(1, "jane", "/gitune apply")()

    assert step.answer.code == 0  # the order was carried out; what is held is none of its
    assert origins(house.records()["numbers"]) == [Origin.COMMAND]
    assert len(refused(house.records()["others"])) == 1
    assert house.creates == 1


def test_an_order_grants_nothing_where_another_pull_request_changed_the_same_model_afterwards(house: House) -> None:
    refused_merge(house)
    change(house, 2, numbers(4))
    held(land(house, 2))

    house.comment(1, "jane", "/gitune apply")()

    assert house.creates == 0
    assert granted(house.records()["numbers"]) == []
    well(house.comment(2, "jane", "/gitune apply")())
    assert house.creates == 1


def test_an_order_on_a_pull_request_into_another_branch_is_refused(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    change(house, 1, numbers(), branch="next")
    house.clone.git("checkout", "-q", "next")
    house.clone.git("merge", "-q", "--no-ff", "-m", "Merge 1", "change-1")
    house.clone.git("push", "-q", "origin", "next")
    house.forge.merge(1, house.clone.git("rev-parse", "HEAD"))

    failed(house.comment(1, "jane", "/gitune apply")(), "main is what is applied")

    assert house.creates == 0


def test_an_order_on_a_pull_request_that_changed_no_model_grants_nothing(house: House) -> None:
    refused_merge(house)
    change(house, 2, {"README.md": "words\n"})
    house.merge(2)

    failed(house.comment(2, "jane", "/gitune apply")(), "changed no model")

    assert house.creates == 0


def test_an_order_covers_what_was_pushed_on_top_of_its_pull_request(house: House) -> None:
    refused_merge(house)
    directly(house, numbers(4))

    well(house.comment(1, "jane", "/gitune apply")())

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.COMMAND]


@pytest.mark.parametrize("how", ["squash", "rebase"])
def test_an_order_finds_what_its_pull_request_changed_however_it_was_merged(house: House, how: str) -> None:
    house.forge.permissions["jane"] = "write"
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", numbers()["specs/numbers.yaml"])
    house.clone.commit()
    house.clone.write("README.md", "words\n")
    house.open(1)
    house.forge.pulls[1]["commits"] = 2
    directly(house, {"docs/words.md": "words\n"}, "words")
    held(land(house, 1, how))

    well(house.comment(1, "jane", "/gitune apply")())

    assert house.creates == 1


def test_a_cancel_stops_no_run_whose_pull_request_only_said_that_it_may_finish(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    planned(house, 2, numbers(LONG + 1, "  whenSuperseded: Finish\n"))
    well(land(house, 2))

    failed(house.comment(2, "jane", "/gitune cancel numbers")(), "was not asked for by this pull request")

    assert cancels(house) == []
    well(house.comment(1, "jane", "/gitune cancel numbers")())
    assert len(cancels(house)) == 1
