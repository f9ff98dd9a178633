"""A daemon evaluates beside its passes: it goes on looking, takes up the score, and goes on where it was stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.daemon.lease import LASTS
from controller.daemon.schedule import Cause
from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.ledger.verdicts import FolderVerdicts
from controller.ports import ModelAnswer
from controller.state.conditions import ConditionType
from controller.testing import MemoryProvider, MemorySource
from tests.daemon.household import Household
from tests.engine.stage import INSTANCE, rows, spec_text

JUDGED = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.9}"


class SlowProvider(MemoryProvider):
    """Answers when it is let; ``most`` is how many it was asked at once."""

    def __init__(self) -> None:
        super().__init__("local")
        self.let = asyncio.Event()
        self.asked: list[str] = []
        self.now = self.most = 0

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        self.asked.append(prompt)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.let.wait()
            await asyncio.sleep(0)
            return await super().generate(model, prompt)
        finally:
            self.now -= 1


def household(provider: SlowProvider, folder: Path, source: MemorySource | None = None) -> Household:
    files = {"specs/numbers.yaml": spec_text(evaluation=JUDGED), "specs/rows.jsonl": rows(), "specs/held.jsonl": rows()}
    source = source or MemorySource(files, identity=INSTANCE)
    return Household(source=source, provider=provider, verdicts=FolderVerdicts(folder))


async def evaluating(folder: Path) -> tuple[Household, SlowProvider]:
    """The first run is tuned, and its evaluation has begun; nothing is answered yet."""
    provider = SlowProvider()
    home = household(provider, folder)
    await home.turn()
    provider.finish()
    await home.turn()
    await asyncio.sleep(0.01)
    return home, provider


def reason(home: Household) -> str:
    """Why the model is not ready."""
    (found,) = [c.reason for c in home.ledger.records["numbers"].conditions if c.type is ConditionType.READY]
    return found


async def rung(home: Household) -> frozenset[Cause]:
    async with asyncio.timeout(10):
        return await home.loop.triggers.wait(home.clock.monotonic() + 60)


async def test_a_pass_does_not_wait_for_an_evaluation_and_its_end_asks_for_the_next_one(tmp_path: Path) -> None:
    home, provider = await evaluating(tmp_path)
    record = home.ledger.records["numbers"]
    conditions = {c.type: c for c in record.conditions}
    assert conditions[ConditionType.RECONCILING].reason == "Evaluating"
    assert ConditionType.STALLED not in conditions
    assert "0 of 20 rows are judged" in conditions[ConditionType.READY].message
    home.source.edit({"specs/other.yaml": spec_text("other")})
    await home.turn()
    assert home.provider.paid.total() == 2, "what else is committed goes on meanwhile"
    provider.let.set()
    assert await rung(home) == {Cause.EVALUATION}
    await home.turn()
    record = home.ledger.records["numbers"]
    assert record.active is not None
    assert record.runs[0].score is not None
    assert (record.runs[0].score.right, len(provider.asked)) == (20, 20)
    assert provider.most == 4


async def test_who_evaluates_looks_often_enough_to_keep_its_lease(tmp_path: Path) -> None:
    home, provider = await evaluating(tmp_path)
    assert (await home.turn()).wait <= LASTS / 3
    home.clock.advance(LASTS / 3)
    replica = Household(home.source, provider, home.ledger, home.cell, home.clock, home.settings, who="two")
    assert (await replica.turn()).result == "standby"
    assert len(provider.asked) == 4


async def test_progress_alone_writes_nothing(tmp_path: Path) -> None:
    home, provider = await evaluating(tmp_path)
    tip = await home.ledger.tip()
    provider.let.set()
    await asyncio.sleep(0)
    provider.let.clear()
    await asyncio.sleep(0.01)
    await home.turn()
    assert 0 < len(provider.asked) < 20
    assert await home.ledger.tip() == tip


async def test_an_evaluation_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    home, provider = await evaluating(tmp_path)
    for _ in range(2):
        provider.let.set()
        await asyncio.sleep(0)
        provider.let.clear()
        await asyncio.sleep(0.01)
    await home.loop.close()
    assert provider.now == 0
    answered = len(set(provider.asked)) - 4
    assert answered >= 4
    provider.asked.clear()
    provider.let.set()
    after = household(provider, tmp_path, home.source)
    after.ledger = home.ledger
    await after.turn()
    assert await rung(after) == {Cause.EVALUATION}
    await after.turn()
    assert len(provider.asked) == 20 - answered
    assert after.ledger.records["numbers"].active is not None


async def test_an_evaluation_that_nobody_asks_for_any_more_stops(tmp_path: Path) -> None:
    home, provider = await evaluating(tmp_path)
    home.source.edit({"specs/numbers.yaml": spec_text(evaluation=JUDGED, suspend="true")})
    await home.turn()
    await asyncio.sleep(0.01)
    assert provider.now == 0
    assert len(provider.asked) == 4


@pytest.mark.parametrize("count", [1, 3])
async def test_a_failure_is_told_by_the_next_pass_and_only_the_rest_is_asked_again(tmp_path: Path, count: int) -> None:
    home, provider = await evaluating(tmp_path)
    provider.fail("generate", Transient("the quota is used up", quota=True), times=count)
    provider.let.set()
    assert await rung(home) == {Cause.EVALUATION}
    assert (await home.turn()).wait <= 2.0
    assert reason(home) == "QuotaExceeded"
    sent = len(provider.asked)
    await home.turn()
    await asyncio.sleep(0.01)
    assert len(provider.asked) == sent, "it waits first, however many passes are made"
    home.clock.advance(2.0)
    await home.turn()
    assert await rung(home) == {Cause.EVALUATION}
    await home.turn()
    assert home.ledger.records["numbers"].active is not None
    assert len(provider.asked) == 20 + count


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Transient("the quota is used up", quota=True), "QuotaExceeded"),
        (Rejected("the key is refused", kind=RejectedKind.UNAUTHENTICATED), "ProviderRejected"),
    ],
)
async def test_an_evaluation_that_fails_each_time_waits_longer_and_is_written_once(
    tmp_path: Path, error: ProviderError, word: str
) -> None:
    home, provider = await evaluating(tmp_path)
    provider.fail("generate", error, times=1000)
    provider.let.set()
    await rung(home)
    await home.turn()
    tip, before = await home.ledger.tip(), len(provider.asked)
    for _ in range(60):
        home.clock.advance(10.0)
        await home.turn()
        await asyncio.sleep(0.001)
        assert reason(home) == word
    assert await home.ledger.tip() == tip
    assert 4 <= len(provider.asked) - before <= 12 * 4
