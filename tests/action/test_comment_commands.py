"""What the comment tells people to say works when they say it, in each state of a pull request."""

from __future__ import annotations

import re

import pytest

from tests.action.conftest import House
from tests.action.situations import LONG, cancels, change, failed, held, land, model, numbers, planned, well

pytestmark = pytest.mark.slow

CREATES_ONE = "policy: {maxCreates: 1}\n"


def offered(house: House, number: int = 1) -> list[str]:
    """The commands in the comment on a pull request, but for the list of all of them."""
    [body, *_] = house.forge.bodies(number)
    found = dict.fromkeys(re.findall(r"`(/gitune [^`]+)`", body))
    return [command for command in found if command != "/gitune help"]


def test_an_open_pull_request_is_told_to_be_planned_again_and_no_more(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers())

    assert offered(house) == ["/gitune plan"]
    well(house.comment(1, "jane", "/gitune plan")())
    failed(house.comment(1, "jane", "/gitune apply")())  # so it is right that it is not offered


def test_a_run_that_tunes_can_be_stopped_as_the_comment_says(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers(LONG))
    well(land(house, 1))

    [cancel] = offered(house)
    assert cancel == "/gitune cancel numbers"
    well(house.comment(1, "jane", cancel)())
    assert len(cancels(house)) == 1


def test_a_merge_without_a_plan_is_applied_as_the_comment_says(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    change(house, 1, numbers())
    held(land(house, 1))

    [order] = offered(house)
    assert order == "/gitune apply"
    well(house.comment(1, "jane", order)())
    assert house.creates == 1


def test_a_guard_is_allowed_as_the_comment_says_before_the_merge_and_after_it(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    settings = (house.clone.root / "gitune.yaml").read_text("utf-8")
    house.clone.git("checkout", "-q", "main")
    house.clone.write("gitune.yaml", settings + CREATES_ONE)
    house.commit()
    planned(house, 1, {**numbers(), **model("second"), **model("third")})
    said = [command for command in offered(house) if command.startswith("/gitune apply")]
    held(land(house, 1))

    [order] = offered(house)
    assert [order] == said == ["/gitune apply creates"]
    assert house.creates == 0
    well(house.comment(1, "jane", order)())
    assert house.creates == 3
