"""The embedded tuning API behind the Gemini client, found or started when it is first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from controller.errors import ControllerError, ProviderError
from controller.ports import CheckResult, CreateRequest, Facts, ModelAnswer, ModelPatch, ObserveRequest
from controller.providers.gemini.client import Gemini
from controller.providers.local.embedded import Address, Embedded
from controller.state.observed import ObservedProvider, RemoteModel


class Local:
    """Models tuned on this machine. ``connect`` makes a Gemini client for an address."""

    def __init__(self, key: str, server: Embedded, connect: Callable[[Address], Gemini], facts: Facts) -> None:
        self.key = key
        self.facts = facts
        self._server = server
        self._connect = connect
        self._open: tuple[Address, Gemini] | None = None
        self._turn = asyncio.Lock()

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        """As `Gemini.observe`. Every pass begins here, so here a server that ended from idleness is started again."""
        try:
            api = await self._api(afresh=True)
        except ControllerError as error:
            return ObservedProvider(key=self.key, complete=False, error=error.message, hint=error.hint)
        return await api.observe(want)

    async def create(self, request: CreateRequest) -> RemoteModel:
        """As `Gemini.create`."""
        return await (await self._api()).create(request)

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        """As `Gemini.update`."""
        return await (await self._api()).update(model, change)

    async def cancel(self, model: str, operation: str) -> None:
        """As `Gemini.cancel`."""
        await (await self._api()).cancel(model, operation)

    async def delete(self, model: str) -> None:
        """As `Gemini.delete`."""
        await (await self._api()).delete(model)

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        """As `Gemini.generate`."""
        return await (await self._api()).generate(model, prompt)

    async def check(self) -> tuple[CheckResult, ...]:
        """As `Gemini.check`, after the server was found or started."""
        try:
            api = await self._api(afresh=True)
        except ControllerError as error:
            return (CheckResult(f"{self.key}: the embedded server", well=False, message=error.message, fix=error.hint),)
        return await api.check()

    async def close(self) -> None:
        """Let go of connections; the server goes on, and ends by itself when it has nothing to do."""
        if self._open is not None:
            await self._open[1].close()
            self._open = None

    async def _api(self, *, afresh: bool = False) -> Gemini:
        async with self._turn:
            if self._open is not None and not afresh:
                return self._open[1]
            try:
                address = await self._server.address()
            except ProviderError as error:
                error.provider = self.key
                raise
            if self._open is None or self._open[0].url != address.url:
                await self.close()
                self._open = address, self._connect(address)
            return self._open[1]
