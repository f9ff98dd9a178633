"""A name that is given up beside a file that cannot be read: its bearer may be in there."""

from __future__ import annotations

import pytest

from controller.state.observed import RemoteState
from tests.engine.stage import Stage, spec_text

UNREADABLE = "metadata: ["


def taking_over(former: str, **lines: str) -> str:
    return spec_text(**lines).replace("{name: numbers}", f"{{name: numbers, formerNames: [{former}]}}")


def tuning(stage: Stage) -> int:
    return sum(model.state is RemoteState.CREATING for model in stage.provider.models.values())


@pytest.mark.parametrize("alone", [True, False])
async def test_a_former_name_is_not_taken_over_while_its_bearer_may_be_in_a_file_that_cannot_be_read(
    *, alone: bool
) -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("figures", hyperparameters="{epochCount: 7}")})
    if alone:
        stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    runs = tuning(stage)
    stage.source.edit({"specs/numbers.yaml": taking_over("figures"), "specs/other.yaml": UNREADABLE})
    for _ in range(3):
        assert await stage.step() == [("figures", "hold"), ("numbers", "hold")]
    assert tuning(stage) == runs
    assert stage.ledger.records["figures"].pending is not None
    assert stage.provider.paid.total() == runs


async def test_it_is_taken_over_once_everything_can_be_read() -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("figures", hyperparameters="{epochCount: 7}")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": taking_over("figures"), "specs/other.yaml": UNREADABLE})
    await stage.step()
    stage.source.edit({"specs/other.yaml": None})
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "wait")]
    assert set(stage.ledger.records) == {"numbers"}
    assert tuning(stage) == 1
