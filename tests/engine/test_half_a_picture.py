"""A name that is given up beside a file that cannot be read: its bearer may be in there."""

from __future__ import annotations

import pytest

from controller.state.observed import RemoteState
from tests.engine.stage import Stage, spec_text

UNREADABLE = "metadata: ["


def renamed(name: str, former: str) -> str:
    return spec_text(name).replace(f"{{name: {name}}}", f"{{name: {name}, formerNames: [{former}]}}")


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
    stage.source.edit({"specs/numbers.yaml": renamed("numbers", "figures"), "specs/other.yaml": UNREADABLE})
    for _ in range(3):
        assert await stage.step() == [("figures", "hold"), ("numbers", "hold")]
    assert tuning(stage) == runs
    assert stage.ledger.records["figures"].pending is not None
    assert stage.provider.paid.total() == runs


async def test_it_is_taken_over_once_everything_can_be_read() -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("figures", hyperparameters="{epochCount: 7}")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": renamed("numbers", "figures"), "specs/other.yaml": UNREADABLE})
    await stage.step()
    stage.source.edit({"specs/other.yaml": None})
    assert await stage.step() == [("numbers", "cancel"), ("numbers", "wait")]
    assert set(stage.ledger.records) == {"numbers"}
    assert tuning(stage) == 1


async def test_a_spec_that_waits_remembers_the_names_it_had_before() -> None:
    stage = Stage()
    stage.source.edit({"specs/other.yaml": spec_text("figures", hyperparameters="{epochCount: 7}")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": renamed("letters", "numbers")})
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": renamed("letters", "figures"), "specs/other.yaml": UNREADABLE})
    assert ("letters", "hold") in await stage.step()
    assert stage.ledger.records["letters"].former_names == ("numbers",)
    stage.source.edit({"specs/numbers.yaml": spec_text("numbers"), "specs/other.yaml": None})
    await stage.step()
    assert stage.provider.paid.total() == 2, "a rename undone is a rename"
