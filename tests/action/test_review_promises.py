"""What is applied is what was reviewed, and a refusal lasts: what was once done without a review is done no more."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from controller.review.memory import StoryStage
from controller.state.reviews import Origin
from tests.action.conftest import House, memory_of
from tests.action.situations import (
    LONG,
    cancels,
    change,
    directly,
    dispatched,
    failed,
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
from tests.e2e.stand import rows, spec
from tests.forge.stand_in import BOT
from tests.git.forges import forge

pytestmark = pytest.mark.slow
RULESET = """#!/bin/sh
while read -r old new ref; do
  [ "$ref" = refs/heads/gitune-status ] || continue
  echo "error: GH013: Repository rule violations found for $ref." >&2
  exit 1
done
"""


# A1


def test_what_was_merged_without_a_plan_stays_refused_whatever_is_pushed_afterwards(house: House) -> None:
    change(house, 1, numbers())
    held(land(house, 1), "pull request 1 was merged without a plan")
    [refusal] = refused(house.records()["numbers"])

    for _ in range(2):
        held(unrelated(house), "pull request 1 was merged without a plan")

    assert house.creates == 0
    assert refused(house.records()["numbers"]) == [refusal]


def test_what_was_merged_with_its_plan_is_paid_also_by_a_later_push(house: House) -> None:
    planned(house, 1, numbers())
    house.merge(1)

    well(unrelated(house))

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]


# A2


def test_a_job_that_is_started_by_hand_on_another_branch_applies_the_default_branch(house: House) -> None:
    house.branch("other")
    house.clone.write("specs/others.yaml", spec("others"))
    house.commit()
    house.clone.git("checkout", "-q", "main")

    well(dispatched(house, "other"))

    assert house.creates == 1
    assert set(house.records()) == {"numbers"}


# A3


def test_the_job_of_an_old_cancel_run_again_leaves_the_run_of_another_pull_request_alone(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    cancel = house.comment(1, "jane", "/gitune cancel numbers")
    well(cancel())
    assert len(cancels(house)) == 1
    planned(house, 2, numbers(LONG + 1))
    well(land(house, 2))
    assert house.creates == 2

    assert cancel().answer.code == 1
    failed(house.comment(1, "jane", "/gitune cancel numbers")(), "was not asked for by this pull request")

    assert len(cancels(house)) == 1
    well(house.comment(2, "jane", "/gitune cancel numbers")())
    assert len(cancels(house)) == 2


# A4


def test_a_plan_job_that_ends_after_the_merge_posts_nothing_and_grants_nothing(house: House) -> None:
    change(house, 1, numbers())
    merged = house.merge(1)

    step = well(house.workflow.pull_request(1, "opened"))

    assert "its plan is not posted" in step.answer.out
    assert house.forge.bodies(1) == []
    held(house.workflow.schedule(merged), "pull request 1 was merged without a plan")
    assert house.creates == 0


def test_a_plan_that_stands_there_only_since_the_merge_grants_nothing(house: House) -> None:
    planned(house, 1, numbers())
    [body] = house.forge.bodies(1)
    house.forge.said.clear()
    merged = house.merge(1)
    house.forge.say(1, BOT, body)  # a job that asked before the merge, and was answered after it

    held(house.workflow.schedule(merged), "pull request 1 got its plan after it was merged")

    assert house.creates == 0


# A5


def test_dependabots_pull_request_that_touches_no_model_goes_well(house: House) -> None:
    change(house, 1, {"requirements.txt": "httpx==1.0\n"})
    house.forge.read_only = True
    asked = len(house.proxy.requests)

    step = well(house.workflow.pull_request(1, "opened"))

    assert "may not write" in step.answer.out
    assert "no model changes" in step.summary.lower()
    assert (house.forge.bodies(1), house.forge.checks) == ([], [])
    assert len(house.proxy.requests) == asked
    house.forge.read_only = False
    well(house.workflow.pull_request(1))
    assert [check["conclusion"] for check in house.forge.checks] == ["neutral"]


def test_dependabots_pull_request_that_touches_a_model_is_planned_offline_and_its_merge_grants_nothing(
    house: House,
) -> None:
    change(house, 1, numbers())
    house.forge.read_only = True
    asked = len(house.proxy.requests)

    step = well(house.workflow.pull_request(1, "opened"))

    assert step.outputs["to-create"] == "1"
    assert "no provider was asked" in step.summary
    assert len(house.proxy.requests) == asked
    house.forge.read_only = False
    held(land(house, 1), "pull request 1 was merged without a plan")
    assert house.creates == 0


# A7


def test_of_two_comments_by_jobs_that_raced_the_older_stays_and_says_the_last_word(house: House) -> None:
    say = house.forge.say
    change(house, 1, numbers())

    def after_another(pull: int, author: str, body: str) -> int:
        if not house.forge.bodies(pull):
            say(pull, author, body.replace("create", "created by another job"))
        return say(pull, author, body)

    with mock.patch.object(house.forge, "say", after_another):
        well(house.workflow.pull_request(1, "opened"))

    [left] = [comment for comment in house.forge.said if comment["author"] == BOT]
    assert left["id"] == 1000
    assert "another job" not in left["body"]
    well(land(house, 1))
    assert house.creates == 1


def test_a_second_comment_that_was_left_over_goes_with_the_next_plan(house: House) -> None:
    planned(house, 1, numbers())
    house.forge.say(1, BOT, house.forge.bodies(1)[0])

    house.clone.write("specs/numbers.yaml", spec(epochs=4))
    house.forge.push(1, house.commit())
    well(house.workflow.pull_request(1))

    assert [comment["id"] for comment in house.forge.said] == [1000]
    memory = memory_of(house, 1)
    assert memory is not None
    assert memory.head == house.forge.pulls[1]["head"]["sha"]


# A8


def test_the_same_head_planned_again_writes_no_comment(house: House) -> None:
    planned(house, 1, numbers())
    before = list(house.forge.said)

    well(house.workflow.pull_request(1, GITHUB_RUN_ID="43"))

    assert house.forge.edits == []
    assert house.forge.said == before
    house.clone.write("specs/numbers.yaml", spec(epochs=4))
    house.forge.push(1, house.commit())
    well(house.workflow.pull_request(1, GITHUB_RUN_ID="44"))
    assert len(house.forge.edits) == 1


# A9


def test_a_ruleset_that_refuses_the_ledger_is_named_and_the_plan_still_grants_once_it_is_gone(house: House) -> None:
    with forge(house.bare.parent) as host:
        house.clone.git("remote", "set-url", "origin", f"{host.url}/{house.bare.name}")
        planned(house, 1, numbers())
        merged = house.merge(1)
        hook = house.bare / "hooks" / "pre-receive"
        hook.write_text(RULESET)
        hook.chmod(0o755)

        step = failed(house.workflow.push(merged), "ruleset")

        assert house.creates == 0
        assert "token" not in " ".join(step.commands)
        [told] = house.forge.bodies(1)
        assert "ruleset" in told
        hook.unlink()
        well(house.workflow.schedule(merged))
        assert house.creates == 1
        assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]


def test_a_summary_that_cannot_be_written_keeps_no_comment_back(house: House, tmp_path: Path) -> None:
    planned(house, 1, numbers())

    step = house.workflow.push(house.merge(1), GITHUB_STEP_SUMMARY=str(tmp_path / "nowhere" / "summary.md"))

    failed(step, "cannot be written")
    assert house.creates == 1
    memory = memory_of(house, 1)
    assert memory is not None
    assert memory.stage is StoryStage.APPLYING


# A10


def test_a_model_that_was_pushed_after_the_plan_is_not_paid_at_the_merge(house: House) -> None:
    planned(house, 1, numbers())
    house.clone.write("specs/others.yaml", spec("others"))
    house.forge.push(1, house.commit())  # and no job saw it

    held(land(house, 1), "was pushed to after its plan")

    assert house.creates == 0
    assert {name: len(granted(record)) for name, record in house.records().items()} == {"numbers": 0, "others": 0}


def test_a_model_that_another_merge_brought_is_not_granted_by_a_plan_that_does_not_name_it(house: House) -> None:
    planned(house, 1, numbers())
    change(house, 2, model("others"))
    house.merge(2)

    held(land(house, 1), "others: pull request 2 was merged without a plan")

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]
    assert granted(house.records()["others"]) == []


# A11


def test_the_job_of_an_old_apply_run_again_grants_nothing_that_was_refused_since(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    change(house, 1, numbers(3))
    held(land(house, 1))
    order = house.comment(1, "jane", "/gitune apply")
    well(order())
    assert house.creates == 1
    change(house, 2, numbers(4))
    held(land(house, 2))

    assert "taken before" in well(order()).answer.out
    house.comment(1, "jane", "/gitune apply")()

    assert house.creates == 1
    well(house.comment(2, "jane", "/gitune apply")())
    assert house.creates == 2


# A12


def test_a_forks_pull_request_merged_with_its_offline_plan_holds_its_own_models_alone(house: House) -> None:
    planned(house, 1, model("others"))
    change(house, 2, model("foreign"), repository="stranger/models")
    house.forge.read_only = True
    well(house.workflow.pull_request(2, "opened"))
    house.forge.read_only = False
    house.merge(1)

    held(land(house, 2), "foreign: pull request 2 was merged without a plan")

    assert house.creates == 2  # numbers, which was on main before, and others
    records = house.records()
    assert origins(records["others"]) == [Origin.PULL_REQUEST]
    assert granted(records["foreign"]) == []


# A13


def test_of_two_models_in_a_pull_request_the_one_that_moved_is_held_alone(house: House) -> None:
    directly(house, {"specs/more.jsonl": rows(24), **more(2)})
    planned(house, 1, {**numbers(3), **more(3)})
    directly(house, {"specs/more.jsonl": rows(25)})

    held(land(house, 1), "more: not as it was reviewed in pull request 1: the dataset of more moved")

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]
    assert len(refused(house.records()["more"])) == 1


def more(epochs: int) -> dict[str, str]:
    return {"specs/more.yaml": spec("more", epochs=epochs).replace("rows.jsonl", "more.jsonl")}


# A14


def test_after_a_refused_merge_the_word_of_somebody_who_may_write_grants(house: House) -> None:
    change(house, 1, numbers())
    held(land(house, 1))
    well(house.comment(1, "stranger", "/gitune apply")())
    assert house.creates == 0
    house.forge.permissions["jane"] = "write"

    well(house.comment(1, "jane", "/gitune apply")())

    assert house.creates == 1
    record = house.records()["numbers"]
    assert refused(record) == []
    [grant] = granted(record)
    assert (grant.origin, grant.pull, grant.by) == (Origin.COMMAND, 1, "jane")
    well(unrelated(house))


# A15


def test_words_that_nobody_reviewed_do_not_reach_the_remote_model(house: House) -> None:
    serving(house)
    change(house, 1, numbers(2, "  description: Says the number that follows.\n"))
    held(land(house, 1), "pull request 1 was merged without a plan")

    held(unrelated(house))

    assert patches(house) == []
    planned(house, 2, numbers(2, "  description: Says the next number.\n"))
    well(land(house, 2))
    assert len(patches(house)) == 1
    assert house.creates == 1
