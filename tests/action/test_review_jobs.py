"""Jobs that are run again, late or with less rights; a ledger or a code host that is away; a terminal beside it all."""

from __future__ import annotations

import pytest

from controller.review.fork_plan import FILE
from controller.review.memory import StoryStage
from controller.state.reviews import Origin
from tests.action.conftest import House, memory_of
from tests.action.situations import (
    LONG,
    change,
    directly,
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
    terminal,
    unrelated,
    well,
    writes,
)
from tests.action.workflow import pull_payload
from tests.e2e.stand import rows, settings, spec
from tests.forge.stand_in import REPOSITORY, Failure

pytestmark = pytest.mark.slow
FORK = "stranger/models"
WORDS = "  description: Says the number that follows.\n"


# jobs run again


def test_the_plan_job_of_an_older_head_run_again_leaves_the_newer_plan(house: House) -> None:
    planned(house, 1, numbers(3))
    older = pull_payload(house.forge.pulls[1], "synchronize")
    older["pull_request"] = {**older["pull_request"], "head": dict(older["pull_request"]["head"])}
    merge = house.workflow.merge_ref(older["pull_request"]["head"]["sha"], older["pull_request"]["base"]["sha"])
    house.clone.write("specs/numbers.yaml", spec(epochs=4))
    house.forge.push(1, house.commit())
    well(house.workflow.pull_request(1))
    newer = house.forge.bodies(1)

    step = well(house.workflow.step("pull_request", older, merge, "refs/pull/1/merge"))

    assert "not posted" in step.answer.out
    assert house.forge.bodies(1) == newer
    well(land(house, 1))
    assert house.creates == 1


def test_the_plan_job_run_again_after_the_merge_leaves_the_story_alone(house: House) -> None:
    planned(house, 1, numbers())
    well(land(house, 1))
    told = house.forge.bodies(1)

    well(house.workflow.pull_request(1))

    assert house.forge.bodies(1) == told
    well(unrelated(house))
    assert house.creates == 1


def test_the_apply_job_run_again_applies_the_tip_and_not_the_commit_it_began_with(house: House) -> None:
    planned(house, 1, numbers(3))
    first = house.merge(1)
    well(house.workflow.push(first))
    planned(house, 2, numbers(4))
    well(land(house, 2))
    assert house.creates == 2

    well(house.workflow.push(first))

    assert house.creates == 2
    record = house.records()["numbers"]
    assert record.pending or record.active
    assert record.attempted == house.clone.git("rev-parse", "main")


# tokens


def test_a_token_that_may_write_no_more_stops_no_pass_and_the_comment_is_told_later(house: House) -> None:
    planned(house, 1, numbers())
    merged = house.merge(1)
    house.forge.read_only = True

    failed(house.workflow.push(merged), "may not do this")

    assert house.creates == 1
    assert origins(house.records()["numbers"]) == [Origin.PULL_REQUEST]
    house.forge.read_only = False
    well(house.workflow.schedule(merged))
    memory = memory_of(house, 1)
    assert memory is not None
    assert memory.stage in {StoryStage.APPLYING, StoryStage.DONE}
    assert house.creates == 1


def test_a_plan_whose_token_may_not_write_leaves_what_was_posted_before(house: House) -> None:
    planned(house, 1, numbers(3))
    house.clone.write("specs/numbers.yaml", spec(epochs=4))
    house.forge.push(1, house.commit())
    house.forge.read_only = True
    before = len(house.proxy.requests)

    step = well(house.workflow.pull_request(1))

    assert len(house.proxy.requests) == before
    assert step.outputs["to-create"] == "1"
    house.forge.read_only = False
    held(land(house, 1), "was pushed to after its plan")
    assert house.creates == 0


def test_a_forks_posted_plan_refuses_its_own_models_alone(house: House) -> None:
    planned(house, 1, model("others"))
    head = change(house, 2, model("foreign"), repository=FORK)
    house.forge.read_only = True
    well(house.workflow.pull_request(2, "opened"))
    house.forge.read_only = False
    artifact = house.workflow.scratch / f"step-{house.workflow.count}" / FILE
    run = {"id": 7, "head_sha": head, "event": "pull_request", "head_repository": {"full_name": FORK}}
    ended = {"workflow_run": run, "repository": {"full_name": REPOSITORY}}
    main = house.clone.git("rev-parse", "main")
    well(house.workflow.step("workflow_run", ended, main, GITUNE_COMMAND="comment", GITUNE_ARTIFACT=str(artifact)))
    assert len(house.forge.bodies(2)) == 1
    house.merge(1)

    held(land(house, 2), "foreign: pull request 2 was planned by a fork's own job alone")

    assert house.creates == 2
    assert granted(house.records()["foreign"]) == []
    held(unrelated(house))
    house.forge.permissions["jane"] = "write"
    well(house.comment(2, "jane", "/gitune apply")())
    assert house.creates == 3


# the ledger and the code host


def test_a_refusal_outlives_the_ledgers_branch(house: House) -> None:
    change(house, 1, numbers())
    held(land(house, 1))
    house.clone.git("push", "-q", "origin", "--delete", "gitune-status")

    held(unrelated(house), "pull request 1")

    assert house.creates == 0


def test_a_reviewed_run_is_found_again_without_the_ledgers_branch_and_not_paid_twice(house: House) -> None:
    planned(house, 1, numbers(LONG))
    merged = house.merge(1)
    well(house.workflow.push(merged))
    house.clone.git("push", "-q", "origin", "--delete", "gitune-status")

    well(house.workflow.schedule(merged))

    assert house.creates == 1
    assert house.records()["numbers"].pending is not None


def test_while_the_code_host_is_away_runs_are_followed_and_what_needs_a_grant_waits(house: House) -> None:
    planned(house, 1, numbers(3))
    well(land(house, 1))
    planned(house, 2, model("others"))
    merged = house.merge(2)
    house.forge.failures.append(Failure("", 404, "away", times=10_000))

    for _ in range(20):
        failed(house.workflow.schedule(merged), "away")
        if house.records()["numbers"].active is not None:
            break

    assert house.records()["numbers"].active is not None
    assert house.creates == 1
    house.forge.failures.clear()
    well(house.workflow.schedule(merged))
    assert house.creates == 2


def test_no_command_is_obeyed_while_the_code_host_cannot_say_who_may_write(house: House) -> None:
    house.forge.permissions["jane"] = "write"
    change(house, 1, numbers())
    held(land(house, 1))
    order = house.comment(1, "jane", "/gitune apply")
    house.forge.failures.append(Failure("permission", 403, "away", times=10_000))

    failed(order())

    assert house.creates == 0
    house.forge.failures.clear()
    well(order())
    assert house.creates == 1


# a terminal


def test_a_terminal_is_bound_by_a_refusal_until_somebody_allows_it_by_name(house: House) -> None:
    change(house, 1, {**numbers(), **model("others")})
    held(land(house, 1))

    bound = terminal(house, "apply")

    assert bound.code == 3
    assert house.creates == 0
    assert "pull request 1 was merged without a plan" in bound.out + bound.err
    freed = terminal(house, "apply", "--allow", "review:numbers")
    assert freed.code == 3  # the other one is held all the same
    assert house.creates == 1
    records = house.records()
    assert origins(records["numbers"]) == [Origin.ALLOWED]
    assert refused(records["numbers"]) == []
    assert len(refused(records["others"])) == 1
    held(unrelated(house), "others")
    assert house.creates == 1


def test_a_terminal_applies_what_nobody_refused(house: House) -> None:
    directly(house, numbers(3))

    assert terminal(house, "apply").code == 0

    assert house.creates == 1


def test_a_terminal_waits_for_a_review_where_the_policy_asks_for_one(house: House) -> None:
    directly(house, {"gitune.yaml": settings(house.proxy.url) + "policy: {requireReview: pullRequest}\n"})

    assert terminal(house, "apply").code == 3

    assert house.creates == 0
    assert terminal(house, "apply", "--allow", "review:numbers").code == 0
    assert house.creates == 1


# what follows from a grant


def test_a_reviewed_retune_supersedes_the_run_before_it_and_is_paid_in_the_passes_that_follow(house: House) -> None:
    planned(house, 1, numbers(LONG))
    well(land(house, 1))
    planned(house, 2, numbers(LONG + 1))

    well(land(house, 2))
    for _ in range(5):
        if house.creates == 2:
            break
        well(unrelated(house))

    assert house.creates == 2


def test_a_reviewed_model_that_waits_in_the_queue_is_paid_when_there_is_room(house: House) -> None:
    one_at_a_time = settings(house.proxy.url).replace("}\n", ", maxConcurrentRuns: 1}\n")
    directly(house, {"gitune.yaml": one_at_a_time})
    planned(house, 1, {**numbers(3), **model("others")})
    merged = house.merge(1)

    for _ in range(30):
        well(house.workflow.schedule(merged))
        if house.creates == 2:
            break

    assert house.creates == 2
    assert {o for r in house.records().values() for o in origins(r)} == {Origin.PULL_REQUEST}


def test_a_reviewed_model_that_is_tuned_on_another_one_is_paid_once_that_one_serves(house: House) -> None:
    planned(house, 1, {**numbers(3), "specs/upper.yaml": upper()})
    merged = house.merge(1)

    for _ in range(30):
        well(house.workflow.schedule(merged))
        if house.creates == 2:
            break

    assert house.creates == 2
    assert {o for r in house.records().values() for o in origins(r)} == {Origin.PULL_REQUEST}


def test_a_model_whose_base_nobody_reviewed_waits_for_it_and_is_not_paid_as_something_else(house: House) -> None:
    serving(house)
    planned(house, 1, {"specs/upper.yaml": upper()})
    change(house, 2, {"specs/rows.jsonl": rows(24)})
    house.merge(2)

    step = held(land(house, 1), "numbers: pull request 2 was merged without a plan")

    assert house.creates == 1
    assert "upper:" not in step.answer.out
    house.forge.permissions["jane"] = "write"
    well(house.comment(2, "jane", "/gitune apply")())
    for _ in range(30):
        step = house.workflow.schedule(house.clone.git("rev-parse", "main"))
        if "upper:" in step.answer.out:
            break
    assert house.creates == 2
    held(step, "upper: pull request 1 was already decided on")


def upper() -> str:
    return spec("upper").replace("baseModel: models/tiny", "baseModel: {from: numbers}")


def test_words_that_nobody_reviewed_wait_also_where_they_came_while_the_run_was_tuning(house: House) -> None:
    planned(house, 1, numbers(60))
    well(land(house, 1))
    change(house, 2, numbers(60, WORDS))
    well(land(house, 2))  # it tunes on

    for _ in range(60):
        step = house.workflow.schedule(house.clone.git("rev-parse", "main"))
        if step.answer.code:
            break

    held(step, "pull request 2 was merged without a plan")
    assert patches(house) == []
    house.forge.permissions["jane"] = "write"
    well(house.comment(2, "jane", "/gitune apply")())
    assert len(patches(house)) == 1


def test_words_that_nobody_reviewed_wait_also_where_they_came_with_a_revert(house: House) -> None:
    serving(house)
    well(house.workflow.push(directly(house, numbers(3)), GITUNE_WAIT="true"))
    change(house, 1, numbers(2, WORDS))
    land(house, 1)  # going back costs nothing and needs no review

    held(unrelated(house), "pull request 1 was merged without a plan")

    assert house.creates == 2
    assert patches(house) == []


def test_words_that_were_reviewed_follow_when_the_run_serves(house: House) -> None:
    planned(house, 1, numbers(20))
    well(land(house, 1))
    planned(house, 2, numbers(20, WORDS))
    well(land(house, 2))

    for _ in range(60):
        well(house.workflow.schedule(house.clone.git("rev-parse", "main")))
        if patches(house):
            break

    assert len(patches(house)) == 1


def test_a_step_says_its_story_in_one_comment(house: House) -> None:
    planned(house, 1, numbers())
    merged = house.merge(1)

    for _ in range(2):
        well(house.workflow.push(merged))

    assert house.creates == 1
    assert len([path for method, path in writes(house) if method == "POST" and path.endswith("/comments")]) == 1
