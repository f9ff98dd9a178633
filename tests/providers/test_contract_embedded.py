"""The Gemini client and the embedded server, over real sockets, keep the contract of every provider."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from controller.providers import Doors, open_provider
from controller.settings import ProviderSettings
from controller.testing import Subject, check_provider, closing


@pytest.mark.slow
async def test_the_embedded_server_keeps_the_contract(home: Path, environ: dict[str, str], doors: Doors) -> None:
    # One server for all checks: each makes models of its own.
    providers = [await open_provider(ProviderSettings("local", "local"), environ, home, doors) for _ in range(20)]

    async def settle() -> None:
        await asyncio.sleep(0.05)

    def make() -> AbstractAsyncContextManager[Subject]:
        return closing(Subject(providers.pop(), "models/tiny", settle))

    await check_provider(make)
    assert len(providers) == 11
