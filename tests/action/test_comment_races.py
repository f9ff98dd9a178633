"""Two jobs that plan one pull request at the same moment: one comment is left, whoever came first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from controller.forges.github.client import GitHub
from controller.ports.code_host import Comment, Said
from controller.rest import Secret, Timing
from controller.review.memory import Memory, StoryStage, written
from controller.review.sticky import find, publish
from tests.forge.stand_in import REPOSITORY, StandIn


@pytest.fixture
def stand() -> Iterator[StandIn]:
    with StandIn().running() as stand:
        yield stand
        assert stand.refused == []


@dataclass
class Gate:
    """Opens when so many have come."""

    wanted: int
    came: int = 0

    def __post_init__(self) -> None:
        self.event = asyncio.Event()

    async def passed(self) -> None:
        self.came += 1
        if self.came >= self.wanted:
            self.event.set()
        await self.event.wait()


class Racing(GitHub):
    """A job that has found no comment yet, and speaks only when all others have found none either."""

    def __init__(self, url: str, gate: Gate) -> None:
        timing = Timing(lambda: datetime(2026, 11, 3, 12, 0, tzinfo=UTC), lambda: 0.0, asyncio.sleep, min)
        super().__init__(REPOSITORY, Secret("made-up-token-of-a-test"), timing, endpoint=url)
        self.gate = gate

    async def create_comment(self, pull: int, said: Said) -> Comment:
        await self.gate.passed()
        return await super().create_comment(pull, said)


@pytest.mark.parametrize("jobs", [2, 4])
async def test_of_jobs_that_race_one_comment_is_left(stand: StandIn, jobs: int) -> None:
    gate = Gate(jobs)
    hosts = [Racing(stand.url, gate) for _ in range(jobs)]
    memory = written(Memory(StoryStage.PLANNED, "a" * 40, "main"))

    await asyncio.gather(*(publish(host, 1, Said("the plan\n", memory)) for host in hosts))

    assert gate.came == jobs
    [left] = stand.said
    assert left["id"] == 1000
    found = await find(hosts[0], 1)
    assert found is not None
    assert found.memory == memory
    for host in hosts:
        await host.close()
