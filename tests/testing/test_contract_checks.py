"""The contract holds for the provider in memory, and notices one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from controller.ports import CreateRequest, Facts, ModelPatch, ObserveRequest
from controller.state.observed import ObservedProvider, RemoteModel, RemoteState
from controller.testing import (
    CHECKS,
    FREE,
    SERVER_CHOSEN,
    ContractBroken,
    MemoryProvider,
    Subject,
    check_provider,
    closing,
)


def subject(make: Callable[[], MemoryProvider]) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    def started() -> AbstractAsyncContextManager[Subject]:
        provider = make()

        async def settle() -> None:
            provider.tick()

        return closing(Subject(provider, "models/tiny", settle))

    return started


@pytest.mark.parametrize("facts", [FREE, SERVER_CHOSEN], ids=["we choose ids", "the provider chooses ids"])
async def test_the_provider_in_memory_keeps_the_contract(facts: Facts) -> None:
    await check_provider(subject(lambda: MemoryProvider(facts=facts)))
    assert len(CHECKS) == 9


async def test_a_provider_that_chooses_ids_pays_for_each_create_and_is_never_told_an_id() -> None:
    provider = MemoryProvider(facts=SERVER_CHOSEN)
    await check_provider(subject(lambda: provider))
    assert {call.model for call in provider.calls if call.operation == "create"} == {""}
    assert set(provider.paid) == {f"jobs/{n}" for n in range(1, len(provider.paid) + 1)}


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


class ChoosingAnyway(MemoryProvider):
    """States that we choose the id, and chooses it."""

    async def create(self, request: CreateRequest) -> RemoteModel:
        made = await super().create(request)
        self.models["tunedModels/mine"] = replace(self.models.pop(made.name), name="tunedModels/mine")
        return self.models["tunedModels/mine"]


class ShortOfBreath(MemoryProvider):
    """Cuts an id before the length that its facts promise."""

    async def create(self, request: CreateRequest) -> RemoteModel:
        return await super().create(replace(request, model=request.model[:50]))


@pytest.mark.parametrize("broken", [ChoosingAnyway, ShortOfBreath])
async def test_a_provider_that_does_not_take_the_id_it_is_given_is_noticed(broken: type[MemoryProvider]) -> None:
    with pytest.raises(ContractBroken, match="the model that was asked for"):
        await check_provider(subject(broken))


class Nameless(MemoryProvider):
    async def create(self, request: CreateRequest) -> RemoteModel:
        return replace(await super().create(request), name="")


class Merging(MemoryProvider):
    """Takes a second create of the same inputs for the first: a new attempt would never run."""

    async def create(self, request: CreateRequest) -> RemoteModel:
        same = (model for model in self.models.values() if model.description == request.description)
        return next(same, None) or await super().create(request)


class Secretive(MemoryProvider):
    """Shows a model only to whoever knows its id: a lost answer could never be found again."""

    async def create(self, request: CreateRequest) -> RemoteModel:
        made = await super().create(request)
        self.hidden.add(made.name)
        return made


class Unmarking(MemoryProvider):
    """Leaves the description, and with it the owner mark, out of a listing."""

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        seen = await super().observe(want)
        bare = {n: m if n in want.models else replace(m, description="") for n, m in seen.models.items()}
        return replace(seen, models=bare)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Nameless, "the id that the provider chose"),
        (Merging, "a second create is another model"),
        (Secretive, "a model whose id nobody knows yet"),
        (Unmarking, "the owner mark of a model"),
    ],
)
async def test_a_provider_that_chooses_ids_and_hides_what_it_made_is_noticed(
    broken: type[MemoryProvider], promise: str
) -> None:
    with pytest.raises(ContractBroken, match=promise):
        await check_provider(subject(lambda: broken(facts=SERVER_CHOSEN)))


@pytest.mark.parametrize("broken", [Forgetful, Overwriting, Undead, Clinging, Stuck, Jumping])
async def test_where_the_provider_chooses_ids_the_other_promises_hold_too(broken: type[MemoryProvider]) -> None:
    with pytest.raises(ContractBroken):
        await check_provider(subject(lambda: broken(facts=SERVER_CHOSEN)))
