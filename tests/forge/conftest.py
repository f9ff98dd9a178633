"""A code host that judges what it is asked, and a client of it whose waiting takes no time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from controller.forges.github.client import GitHub
from controller.rest import Secret, Timing
from tests.forge.stand_in import REPOSITORY, StandIn


@dataclass
class Waits:
    """A clock that a sleep moves on."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def timing(self) -> Timing:
        now = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
        return Timing(lambda: now, lambda: self.at, self.sleep, min)


@pytest.fixture
def stand() -> Iterator[StandIn]:
    with StandIn().running() as stand:
        yield stand
        assert stand.refused == []


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def github(stand: StandIn, waits: Waits) -> AsyncIterator[GitHub]:
    client = GitHub(REPOSITORY, Secret("made-up-token-of-a-test"), waits.timing(), endpoint=stand.url)
    yield client
    await client.close()
