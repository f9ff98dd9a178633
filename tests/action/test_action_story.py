"""The whole story on a real bare repository, the embedded server and a code host that judges every request."""

from __future__ import annotations

import pytest

from controller.review.memory import StoryStage
from tests.action.conftest import House, memory_of
from tests.e2e.stand import rows, spec

pytestmark = pytest.mark.slow


def opened(house: House, epochs: int = 3) -> str:
    """A pull request that changes the number of epochs; its head."""
    base = house.clone.git("rev-parse", "main")
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=epochs))
    head = house.commit()
    house.forge.open_pull(1, head, base)
    return head


def pushed(house: House, epochs: int) -> None:
    house.clone.git("checkout", "-q", "change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=epochs))
    house.forge.push(1, house.commit())


def stage(house: House) -> StoryStage:
    marker = memory_of(house, 1)
    assert marker is not None
    return marker.stage


def test_one_comment_from_the_first_plan_to_the_model_that_serves(house: House) -> None:
    assert house.workflow.push(house.clone.git("rev-parse", "main"), GITUNE_WAIT="true").answer.code == 0
    opened(house)
    first = house.workflow.pull_request(1, "opened")
    assert first.answer.code == 0, first.answer.out + first.answer.err
    assert first.outputs["changes"] == "true"
    assert first.outputs["to-retune"] == "1"
    [planned] = house.forge.bodies(1)
    assert "1 to re-tune" in planned
    assert "`hyperparameters.epochCount` | `2` | `3` | re-tune" in planned
    for epochs in (4, 5, 6):
        pushed(house, epochs)
        assert house.workflow.pull_request(1).answer.code == 0
    [edited] = house.forge.bodies(1)
    assert "`2` | `6` | re-tune" in edited
    creates = house.creates
    merged = house.merge(1)
    applied = house.workflow.push(merged)
    assert applied.answer.code == 0, applied.answer.out + applied.answer.err
    assert house.creates == creates + 1
    assert stage(house) is StoryStage.APPLYING
    [tuning] = house.forge.bodies(1)
    assert "is tuning" in tuning
    while stage(house) is StoryStage.APPLYING:
        assert house.workflow.schedule(merged).answer.code == 0
    [told] = house.forge.bodies(1)
    assert "final loss" in told
    assert "xychart-beta" in told
    assert house.creates == creates + 1
    assert house.forge.statuses[-1]["state"] == "success"
    edits = len(house.forge.edits)
    assert house.workflow.schedule(merged).answer.code == 0
    assert len(house.forge.edits) == edits


def test_a_dataset_changed_between_review_and_apply_is_refused_by_name_and_nothing_is_paid(house: House) -> None:
    opened(house)
    assert house.workflow.pull_request(1).answer.code == 0
    house.clone.git("checkout", "-q", "main")
    house.clone.write("specs/rows.jsonl", rows(21))
    house.commit()
    merged = house.merge(1)

    step = house.workflow.push(merged)

    assert step.answer.code == 3, step.answer.out + step.answer.err
    assert house.creates == 0
    [told] = house.forge.bodies(1)
    assert "the dataset of numbers moved" in told
    assert stage(house) is StoryStage.REFUSED
    assert house.workflow.schedule(merged).answer.code == 3
    assert house.creates == 0
