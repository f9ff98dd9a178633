"""The contract holds for the provider in memory, and notices one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from controller.ports import CreateRequest, ModelPatch, ObserveRequest
from controller.state.observed import ObservedProvider, RemoteModel, RemoteState
from controller.testing import CHECKS, ContractBroken, MemoryProvider, Subject, check_provider, closing


def subject(make: Callable[[], MemoryProvider]) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    def started() -> AbstractAsyncContextManager[Subject]:
        provider = make()

        async def settle() -> None:
            provider.tick()

        return closing(Subject(provider, "models/tiny", settle))

    return started


async def test_the_provider_in_memory_keeps_the_contract() -> None:
    await check_provider(subject(MemoryProvider))
    assert len(CHECKS) == 9


class Twice(MemoryProvider):
    async def create(self, request: CreateRequest) -> RemoteModel:
        self.models.pop(request.model, None)
        return await super().create(request)


class Forgetful(MemoryProvider):
    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        return replace(await super().observe(want), complete=False)


class Overwriting(MemoryProvider):
    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        return await super().update(model, replace(change, description=change.description or ""))


class Undead(MemoryProvider):
    async def cancel(self, model: str, operation: str) -> None:
        await super().cancel(model, operation)
        self.end(model, RemoteState.ACTIVE)


class Clinging(MemoryProvider):
    async def delete(self, model: str) -> None:
        self._demand(model)


class Stuck(MemoryProvider):
    def tick(self, steps: int = 1) -> None:
        """Nothing moves."""


class Jumping(MemoryProvider):
    def tick(self, steps: int = 1) -> None:
        super().tick(steps)
        self.models = {n: replace(m, losses=m.losses[::-1]) for n, m in self.models.items()}


@pytest.mark.parametrize("broken", [Twice, Forgetful, Overwriting, Undead, Clinging, Stuck, Jumping])
async def test_a_provider_that_breaks_a_promise_is_noticed(broken: type[MemoryProvider]) -> None:
    with pytest.raises(ContractBroken):
        await check_provider(subject(broken))
