"""What a loop is made of to an open workplace: its ports behind gates, its lease, its fence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from controller.daemon.fence import Fence
from controller.daemon.gate import Doors, Gate, Spared
from controller.daemon.lease import Lease
from controller.daemon.metrics import Metrics
from controller.daemon.schedule import Rhythm
from controller.daemon.timed import TimedLedger
from controller.engine.desire import Readings
from controller.ports import Chance, Clock, Ports, Reporter
from controller.settings import Settings
from controller.state.recorded import Record


class Workplace(Protocol):
    """Open ports, and the settings they were made from."""

    @property
    def ports(self) -> Ports:
        """The doors."""
        ...

    @property
    def settings(self) -> Settings:
        """What gitune.yaml said."""
        ...


class Opening(Protocol):
    """How a workplace comes to be."""

    def open(self, reporter: Reporter) -> AbstractAsyncContextManager[Workplace]:
        """The ports, and the settings as they are now. Raises `ControllerError`."""
        ...

    def lease(self, settings: Settings) -> AbstractAsyncContextManager[Lease]:
        """The lease that goes with the ledger of these settings. Raises `ControllerError`."""
        ...

    def place(self) -> str:
        """Which folder and repository the name of what is followed leads to at this moment."""
        ...

    async def is_current(self, opened: Workplace) -> bool:
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
class Place:
    """An open workplace with its gates, lease and fence. ``where`` is what its name led to when it was opened."""

    opened: Workplace
    ports: Ports
    lease: Lease
    fence: Fence
    stack: AsyncExitStack
    where: str


async def open_place(means: Means, reporter: Reporter, spared: Spared) -> Place:
    """The ports as the settings now ask for them. What cannot be opened leaves none open. Raises `ControllerError`."""
    stack, where = AsyncExitStack(), means.opening.place()
    try:
        opened = await stack.enter_async_context(means.opening.open(reporter))
        lease = await stack.enter_async_context(means.opening.lease(opened.settings))
    except BaseException:
        await stack.aclose()
        raise
    fence = Fence(lease)
    doors = Doors(fence, means.metrics, means.clock, means.chance, means.rhythm)
    gates = {key: Gate(provider, doors, spared) for key, provider in opened.ports.providers.items()}
    ledger = TimedLedger(opened.ports.ledger)
    ports = replace(opened.ports, providers=gates, ledger=ledger, reading=Readings().read)
    return Place(opened, ports, lease, fence, stack, where)
