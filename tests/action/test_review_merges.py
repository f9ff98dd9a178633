"""Every way in which a change reaches the applied branch: what its plan named is granted, whatever landed beside it."""

from __future__ import annotations

import pytest

from controller.state.conditions import ConditionType
from controller.state.reviews import Origin
from tests.action.conftest import House
from tests.action.situations import (
    LONG,
    branch_pushed,
    cancels,
    change,
    directly,
    granted,
    held,
    land,
    model,
    numbers,
    origins,
    patches,
    planned,
    refused,
    serving,
    unrelated,
    well,
)
from tests.e2e.stand import rows, settings, spec
from tests.forge.stand_in import BOT

pytestmark = pytest.mark.slow


# one merge


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_reviewed_pull_request_is_applied_however_it_was_merged(house: House, how: str) -> None:
    planned(house, 1, numbers())

    well(land(house, 1, how))

    assert house.creates == 1
    [grant] = granted(house.records()["numbers"])
    assert (grant.origin, grant.pull, grant.by) == (Origin.PULL_REQUEST, 1, "jane")


@pytest.mark.parametrize("how", ["squash", "rebase"])
def test_an_unreviewed_pull_request_is_refused_however_it_was_merged(house: House, how: str) -> None:
    change(house, 1, numbers())

    held(land(house, 1, how), "pull request 1 was merged without a plan")

    held(unrelated(house))
    assert house.creates == 0


def two_commits(house: House) -> None:
    """A pull request whose first commit brings a model; its last one, the only one that the host ties to it, words."""
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=3))
    house.clone.commit()
    house.clone.write("README.md", "words\n")
    house.open(1)


def test_a_rebase_merge_of_two_commits_is_applied_though_the_host_ties_only_the_last_one_to_it(house: House) -> None:
    two_commits(house)
    well(house.workflow.pull_request(1, "opened"))
    directly(house, {"docs/words.md": "words\n"})

    well(land(house, 1, "rebase"))

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]


def test_a_rebase_merge_of_two_commits_without_a_plan_is_refused_though_the_host_ties_only_the_last_one_to_it(
    house: House,
) -> None:
    two_commits(house)
    directly(house, {"docs/words.md": "words\n"})

    held(land(house, 1, "rebase"), "pull request 1 was merged without a plan")

    held(unrelated(house))
    assert house.creates == 0


def test_a_commit_just_before_a_rebase_merge_is_not_taken_for_a_part_of_it(house: House) -> None:
    planned(house, 1, model("others"))
    directly(house, numbers(), "three epochs")

    well(land(house, 1, "rebase"))

    records = house.records()
    assert origins(records["numbers"]) == [Origin.COMMIT]
    assert origins(records["others"]) == [Origin.PULL_REQUEST]


# several merges, one push


def test_a_merge_queue_that_lands_several_at_once_pays_for_those_that_were_planned(house: House) -> None:
    planned(house, 1, model("first"))
    planned(house, 2, model("second"))
    change(house, 3, model("third"))
    for number in (1, 2):
        house.merge(number, "squash")

    held(land(house, 3, "squash"), "third: pull request 3 was merged without a plan")

    records = house.records()
    assert {name: bool(granted(record)) for name, record in records.items()} == {
        "numbers": True,  # which was on main before anybody asked for a review
        "first": True,
        "second": True,
        "third": False,
    }
    assert house.creates == 3


def test_a_push_whose_job_was_dropped_is_judged_by_the_next_one(house: House) -> None:
    planned(house, 1, model("first"))
    change(house, 2, model("second"))
    house.merge(1)
    house.merge(2)

    held(unrelated(house), "second: pull request 2 was merged without a plan")

    assert origins(house.records()["first"]) == [Origin.PULL_REQUEST]
    assert house.creates == 2


def test_an_unreviewed_change_under_a_reviewed_one_of_the_same_model_is_refused(house: House) -> None:
    directly(house, {"specs/rows.jsonl": rows(20)})
    planned(house, 1, numbers())
    change(house, 2, {"specs/rows.jsonl": rows(24)})
    house.merge(2)

    held(land(house, 1), "numbers")

    assert house.creates == 0


def test_a_plan_that_was_made_on_top_of_what_nobody_reviewed_grants_all_that_it_showed(house: House) -> None:
    change(house, 1, numbers(3))
    house.merge(1)
    planned(house, 2, numbers(4))

    well(land(house, 2))

    assert house.creates == 1
    assert refused(house.records()["numbers"]) == []


def test_what_is_applied_while_another_pull_request_is_open_moves_its_plan(house: House) -> None:
    planned(house, 1, numbers(3))
    planned(house, 2, numbers(4))
    well(land(house, 1))
    house.clone.git("checkout", "-q", "change-2")
    house.clone.git("merge", "-q", "-s", "ours", "-m", "take ours", "main")
    house.forge.push(2, house.commit())  # no job saw it

    held(land(house, 2), "was pushed to after its plan")

    assert house.creates == 1


# other branches, another base


def test_a_pull_request_into_another_branch_is_never_applied_from_there(house: House) -> None:
    serving(house)
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    planned(house, 1, numbers(3), branch="next")
    merged_into(house, 1, "next")

    well(branch_pushed(house, "next"))

    assert house.creates == 1
    well(house.workflow.schedule(house.clone.git("rev-parse", "main")))
    assert house.creates == 1


def test_what_came_from_another_branch_takes_the_plan_of_its_own_pull_request(house: House) -> None:
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    planned(house, 1, numbers(3), branch="next")
    merged_into(house, 1, "next")
    house.branch("change-2", "next")
    house.open(2)

    held(land(house, 2), "pull request 2 was merged without a plan")

    assert house.creates == 0


def test_a_plan_for_another_branch_grants_nothing_where_the_base_was_changed_afterwards(house: House) -> None:
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    planned(house, 1, numbers(3), branch="next")
    house.forge.pulls[1]["base"]["ref"] = "main"

    held(land(house, 1), "was planned for another branch than main")

    assert house.creates == 0


def test_a_plan_made_again_after_the_base_was_changed_grants(house: House) -> None:
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    planned(house, 1, numbers(3), branch="next")
    house.forge.pulls[1]["base"]["ref"] = "main"
    well(house.workflow.pull_request(1, "edited"))

    well(land(house, 1))

    assert house.creates == 1


def merged_into(house: House, number: int, branch: str) -> None:
    """Merge a pull request into a branch that is not applied."""
    house.clone.git("checkout", "-q", branch)
    house.clone.git("merge", "-q", "--no-ff", "-m", f"Merge {number}", str(house.forge.pulls[number]["head"]["sha"]))
    house.clone.git("push", "-q", "origin", branch)
    house.forge.merge(number, house.clone.git("rev-parse", "HEAD"))


def test_a_base_that_moved_for_another_model_takes_nothing_away(house: House) -> None:
    planned(house, 1, numbers())
    directly(house, model("others"))

    well(land(house, 1))

    assert house.creates == 2
    assert origins(house.records()["others"]) == [Origin.COMMIT]


def test_the_input_branch_is_what_is_applied_and_what_its_pull_requests_are_merged_into(house: House) -> None:
    house.clone.git("push", "-q", "origin", "main:refs/heads/next")
    house.clone.git("branch", "-q", "next", "main")
    house.workflow.environ["GITUNE_BRANCH"] = "next"
    planned(house, 1, numbers(3), branch="next")
    merged_into(house, 1, "next")

    well(branch_pushed(house, "next"))

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]
    well(unrelated(house))
    assert house.creates == 1


# what changed


def test_data_that_changed_alone_is_paid_where_it_was_reviewed(house: House) -> None:
    serving(house)
    planned(house, 1, {"specs/rows.jsonl": rows(24)})

    well(land(house, 1))

    assert house.creates == 2
    assert Origin.PULL_REQUEST in origins(house.records()["numbers"])


def test_data_that_changed_alone_is_refused_where_it_was_not_reviewed(house: House) -> None:
    serving(house)
    change(house, 1, {"specs/rows.jsonl": rows(24)})
    held(land(house, 1), "pull request 1 was merged without a plan")

    held(unrelated(house))

    assert house.creates == 1


def test_a_rename_while_it_tunes_costs_and_cancels_nothing(house: House) -> None:
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    renamed(house, 2, LONG)
    well(house.workflow.pull_request(2, "opened"))

    well(land(house, 2))

    assert (house.creates, cancels(house)) == (1, [])
    record = house.records()["digits"]
    assert record.pending is not None
    assert record.former_names == ("numbers",)
    assert {review.pull for review in granted(record)} == {1, 2}


def test_an_order_on_the_pull_request_that_took_a_rename_back_leaves_the_model_managed(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    renamed(house, 2, LONG)
    well(house.workflow.pull_request(2, "opened"))
    well(land(house, 2))
    house.branch("change-3")
    (house.clone.root / "specs" / "digits.yaml").unlink()
    house.clone.write("specs/numbers.yaml", spec(epochs=LONG))
    house.open(3)
    well(house.workflow.pull_request(3, "opened"))
    well(land(house, 3))

    well(house.comment(3, "jane", "/gitune apply")())

    well(unrelated(house))
    (record,) = house.records().values()
    assert (record.name, [c.reason for c in record.conditions if c.type is ConditionType.STALLED]) == ("numbers", [])
    assert (house.creates, cancels(house)) == (1, [])


def test_a_rename_carries_the_refusal_of_what_it_asks_for(house: House) -> None:
    change(house, 1, numbers(3))
    held(land(house, 1))
    renamed(house, 2, 3)

    held(land(house, 2), "digits")
    held(unrelated(house), "digits")

    assert house.creates == 0
    house.forge.permissions["jane"] = "write"
    well(house.comment(1, "jane", "/gitune apply")())
    assert house.creates == 1


def renamed(house: House, number: int, epochs: int) -> None:
    """A pull request in which `numbers` is called `digits`."""
    house.branch(f"change-{number}")
    (house.clone.root / "specs" / "numbers.yaml").unlink()
    text = spec("digits", epochs=epochs).replace("{name: digits}", "{name: digits, formerNames: [numbers]}")
    house.clone.write("specs/digits.yaml", text)
    house.open(number)


def test_a_removal_that_nobody_reviewed_stops_no_run(house: House) -> None:
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    removed(house, 2)

    held(land(house, 2), "pull request 2 was merged without a plan")
    held(unrelated(house))

    assert cancels(house) == []
    house.forge.permissions["jane"] = "write"
    well(house.comment(2, "jane", "/gitune apply")())
    assert len(cancels(house)) == 1


def test_a_removal_that_was_reviewed_stops_the_run(house: House) -> None:
    planned(house, 1, {**numbers(LONG), **model("others")})
    well(land(house, 1))
    removed(house, 2)
    well(house.workflow.pull_request(2, "opened"))

    well(land(house, 2))
    well(unrelated(house))  # a spec counts as removed at the second look

    assert len(cancels(house)) == 1


def removed(house: House, number: int) -> None:
    house.branch(f"change-{number}")
    (house.clone.root / "specs" / "numbers.yaml").unlink()
    house.clone.write("specs/others.yaml", spec("others"))
    house.open(number)


# a push over what was refused


def test_a_push_that_says_again_what_was_refused_changes_nothing(house: House) -> None:
    change(house, 1, numbers(3))
    held(land(house, 1))

    held(house.workflow.push(directly(house, numbers(3, "  # in other words\n"))), "pull request 1")

    assert house.creates == 0


def test_a_push_of_other_inputs_on_top_of_what_was_refused_is_refused_with_it(house: House) -> None:
    """It may rest on what nobody looked at, its data for one: the history since the last act is judged as a whole."""
    change(house, 1, {**numbers(3), "specs/rows.jsonl": rows(24)})
    held(land(house, 1))

    held(house.workflow.push(directly(house, numbers(4))), "pull request 1")

    assert house.creates == 0
    planned(house, 2, numbers(5))
    well(land(house, 2))
    assert house.creates == 1


def test_what_was_refused_and_is_taken_back_leaves_the_way_free_for_other_inputs(house: House) -> None:
    serving(house)
    change(house, 1, numbers(3))
    held(land(house, 1))
    well(house.workflow.push(directly(house, numbers(2))))

    well(house.workflow.push(directly(house, numbers(4))))

    assert house.creates == 2


def test_what_was_refused_stays_refused_after_it_was_taken_back(house: House) -> None:
    serving(house)
    change(house, 1, numbers(3))
    held(land(house, 1))
    well(house.workflow.push(directly(house, numbers(2))))

    held(house.workflow.push(directly(house, numbers(3))), "pull request 1 was merged without a plan")

    assert house.creates == 1


def test_what_was_refused_stays_refused_after_its_spec_was_removed_and_brought_back(house: House) -> None:
    change(house, 1, numbers(3))
    held(land(house, 1))
    house.clone.git("checkout", "-q", "main")
    (house.clone.root / "specs" / "numbers.yaml").unlink()
    house.workflow.push(directly(house, model("others")))

    held(house.workflow.push(directly(house, numbers(3))), "pull request 1 was merged without a plan")

    assert house.creates == 1  # the other one


def test_a_commit_of_no_pull_request_waits_where_the_policy_asks_for_a_review(house: House) -> None:
    strict = settings(house.proxy.url) + "policy: {requireReview: pullRequest}\n"

    held(house.workflow.push(directly(house, {"gitune.yaml": strict})), "came from no pull request")

    held(house.workflow.push(directly(house, numbers(3))), "came from no pull request")
    assert house.creates == 0
    planned(house, 1, numbers(4))
    well(land(house, 1))
    assert house.creates == 1
    assert patches(house) == []


# the comment that holds the plan


def test_a_plan_that_was_deleted_before_the_merge_grants_nothing(house: House) -> None:
    planned(house, 1, numbers())
    house.forge.said.clear()

    held(land(house, 1), "pull request 1 was merged without a plan")

    assert house.creates == 0


def test_a_plan_that_was_edited_after_the_merge_grants_nothing(house: House) -> None:
    planned(house, 1, numbers())
    merged = house.merge(1)
    [comment] = [one for one in house.forge.said if one["author"] == BOT]
    comment |= {"body": comment["body"] + "\nand more", "updated": house.forge.time()}

    held(house.workflow.push(merged), "pull request 1 got its plan after it was merged")

    assert house.creates == 0


def test_a_plan_that_was_deleted_after_its_grant_is_on_record_is_applied(house: House) -> None:
    """A guard stops the pass that took the grant."""
    directly(house, {"gitune.yaml": settings(house.proxy.url) + "policy: {maxCreates: 0}\n"})
    planned(house, 1, numbers())
    held(land(house, 1), "maxCreates")
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]
    assert house.creates == 0
    house.forge.said.clear()

    well(house.workflow.push(directly(house, {"gitune.yaml": settings(house.proxy.url)})))

    assert house.creates == 1
