"""What a loop needs to an open session: its ports behind guards, its lease, its fence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from controller.daemon.lease import Fence, Lease
from controller.daemon.provider_guard import ProviderGuard, RecentFailures
from controller.daemon.schedule import Rhythm
from controller.daemon.web.metrics import Metrics
from controller.engine.desire import Readings
from controller.ports import Chance, Clock, Opened, Ports, Reporter
from controller.settings import Settings
from controller.state.recorded import Record


class Opening(Protocol):
    """How the ports come to be open."""

    def open(self, reporter: Reporter) -> AbstractAsyncContextManager[Opened]:
        """The ports, and the settings as they are now. Raises `ControllerError`."""
        ...

    def lease(self, settings: Settings) -> AbstractAsyncContextManager[Lease]:
        """The lease that goes with the ledger of these settings. Raises `ControllerError`."""
        ...

    def location(self) -> str:
        """Which folder and repository the name of what is followed leads to at this moment."""
        ...

    async def is_current(self, opened: Opened) -> bool:
        """Whether opening again would give the same. Raises `ControllerError`."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a loop is made of. ``recorded`` is told of the ledger before and after each pass."""

    opening: Opening
    clock: Clock
    chance: Chance
    rhythm: Rhythm
    metrics: Metrics
    recorded: Callable[[Mapping[str, Record], Mapping[str, Record]], None]


@dataclass(frozen=True, slots=True)
class Session:
    """Open ports with their guards, lease and fence. ``where`` is what the name led to when it was opened."""

    opened: Opened
    ports: Ports
    lease: Lease
    fence: Fence
    stack: AsyncExitStack
    where: str


async def open_session(means: Means, reporter: Reporter, failures: RecentFailures) -> Session:
    """The ports as the settings now ask for them. What cannot be opened leaves none open. Raises `ControllerError`."""
    stack, where = AsyncExitStack(), means.opening.location()
    try:
        opened = await stack.enter_async_context(means.opening.open(reporter))
        lease = await stack.enter_async_context(means.opening.lease(opened.settings))
    except BaseException:
        await stack.aclose()
        raise
    fence = Fence(lease)
    guards = {
        key: ProviderGuard(provider, fence, means.metrics, failures) for key, provider in opened.ports.providers.items()
    }
    ports = replace(opened.ports, providers=guards, reading=Readings().read)
    return Session(opened, ports, lease, fence, stack, where)
