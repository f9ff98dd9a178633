"""A fork's pull request: planned without a secret or a request to a provider, posted as a stranger's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.review.fork_plan import FILE
from controller.review.memory import StoryStage
from tests.action.conftest import House, memory_of
from tests.action.workflow import Step
from tests.e2e.stand import spec
from tests.forge.stand_in import REPOSITORY

pytestmark = pytest.mark.slow
FORK = "stranger/models"


def from_a_fork(house: House) -> str:
    base = house.clone.git("rev-parse", "main")
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=9))
    head = house.commit()
    house.forge.open_pull(1, head, base, FORK)
    return head


def planned(house: House) -> Step:
    """The fork's own job: GitHub gives it a token that may not write."""
    house.forge.read_only = True
    try:
        return house.workflow.pull_request(1, "opened")
    finally:
        house.forge.read_only = False


def run_ended(head: str, repository: str = FORK) -> dict[str, Any]:
    run = {
        "id": 7,
        "head_sha": head,
        "event": "pull_request",
        "head_branch": "change-1",
        "head_repository": {"full_name": repository},
    }
    return {"action": "completed", "workflow_run": run, "repository": {"full_name": REPOSITORY}}


def artifact(house: House) -> Path:
    return house.workflow.scratch / f"step-{house.workflow.count}" / FILE


def posted(house: House, payload: dict[str, Any], path: Path) -> Step:
    main = house.clone.git("rev-parse", "main")
    return house.workflow.step("workflow_run", payload, main, GITUNE_COMMAND="comment", GITUNE_ARTIFACT=str(path))


def test_a_forks_plan_asks_no_provider_writes_nothing_to_the_code_host_and_is_posted_by_another_run(
    house: House,
) -> None:
    head = from_a_fork(house)
    before = len(house.proxy.requests)

    step = planned(house)

    assert step.answer.code == 0, step.answer.out + step.answer.err
    assert step.outputs["to-create"] == "1"
    assert "no provider was asked" in step.summary
    assert len(house.proxy.requests) == before
    assert house.forge.said == house.forge.checks == []
    done = posted(house, run_ended(head), artifact(house))
    assert done.answer.code == 0, done.answer.out + done.answer.err
    [body] = house.forge.bodies(1)
    assert "| 🆕 create | `numbers` |" in body
    memory = memory_of(house, 1)
    assert memory is not None
    assert (memory.head, memory.stage, memory.stamps) == (head, StoryStage.FOREIGN, None)
    assert len(house.proxy.requests) == before


def test_what_a_fork_planned_approves_nothing_when_it_is_merged(house: House) -> None:
    head = from_a_fork(house)
    planned(house)
    posted(house, run_ended(head), artifact(house))

    step = house.workflow.push(house.merge(1))

    assert step.answer.code == 3, step.answer.out + step.answer.err
    assert house.creates == 0
    assert "did not apply this" in house.forge.bodies(1)[0]


def test_a_forks_change_is_applied_once_somebody_who_may_write_has_had_it_planned(house: House) -> None:
    head = from_a_fork(house)
    planned(house)
    posted(house, run_ended(head), artifact(house))
    house.forge.permissions["jane"] = "write"
    body = "/gitune plan"
    payload = {
        "action": "created",
        "issue": {"number": 1, "pull_request": {"url": "https://api.github.com/x"}},
        "comment": {"id": house.forge.say(1, "jane", body), "body": body, "user": {"login": "jane", "type": "User"}},
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
    }

    shown = house.workflow.step("issue_comment", payload, house.clone.git("rev-parse", "main"))

    assert shown.answer.code == 0, shown.answer.out + shown.answer.err
    [_] = house.forge.bodies(1)
    memory = memory_of(house, 1)
    assert memory is not None
    assert [stamp.basis.action for stamp in memory.stamps or ()] == ["create"]
    assert house.workflow.push(house.merge(1)).answer.code == 0
    assert house.creates == 1


def test_an_artifact_that_speaks_of_another_pull_request_or_commit_is_not_posted(house: House) -> None:
    head = from_a_fork(house)
    planned(house)
    path = artifact(house)
    house.forge.open_pull(2, "f" * 40, house.clone.git("rev-parse", "main"), "victim/models")
    said = json.loads(path.read_text())
    lies = [
        (said | {"pull": 2}, run_ended(head)),
        (said | {"head": "f" * 40}, run_ended(head)),
        (said, run_ended("f" * 40)),
        (said, run_ended(head, "other/models")),
        (said | {"body": "![x](https://evil.example)"}, run_ended(head)),
        (said | {"version": 2}, run_ended(head)),
    ]
    for number, (lie, payload) in enumerate(lies):
        path.write_text(json.dumps(lie))
        assert posted(house, payload, path).answer.code == 1, number
    assert house.forge.bodies(1) == house.forge.bodies(2) == []
