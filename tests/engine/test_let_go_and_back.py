"""A spec that was let go of comes back, the answer to its create is lost, and it is removed again."""

from __future__ import annotations

import pytest

from controller.engine.reconcile import Approval
from controller.ports import CreateRequest
from controller.state.observed import RemoteModel, RemoteState
from controller.testing import MemoryProvider
from controller.testing.provider import lost_answer
from tests.engine.stage import Stage, spec_text

ALLOW = Approval(allow=frozenset({"empty"}))


class Late(MemoryProvider):
    """Makes one model whose answer is lost, and does not show it before it is told to."""

    def __init__(self) -> None:
        super().__init__("local")
        self.loses = False
        self.late: dict[str, RemoteModel] = {}

    async def create(self, request: CreateRequest) -> RemoteModel:
        made = await super().create(request)
        if not self.loses:
            return made
        self.loses = False
        self.late[made.name] = self.models.pop(made.name)
        raise lost_answer()


@pytest.mark.parametrize("others", [True, False], ids=["beside others", "alone at its provider"])
async def test_what_a_lost_create_made_is_stopped_when_its_spec_is_gone_again(*, others: bool) -> None:
    provider = Late()
    stage = Stage(provider=provider)
    if others:
        stage.source.edit({"specs/other.yaml": spec_text("other")})
    await stage.step()
    provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    for _ in range(3):
        await stage.step(ALLOW)
    assert stage.ledger.records["numbers"].orphaned
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 7}")})
    provider.loses = True
    await stage.step()
    provider.models |= provider.late
    (name,) = provider.late
    stage.source.edit({"specs/numbers.yaml": None})
    for _ in range(8):
        await stage.step(ALLOW)
    assert provider.models[name].state is RemoteState.CANCELLED
