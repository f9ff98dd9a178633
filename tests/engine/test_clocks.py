"""Waits are measured by two clocks, ours and the provider's: one that is wrong ends none, and none lasts for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.engine.reconcile import Approval, reconcile
from controller.plan.actions import Create
from controller.providers.gemini.facts import FACTS
from controller.settings import Policy, ProviderSettings, Settings
from controller.state.reasons import Reason
from controller.testing import FakeClock, MemoryProvider
from controller.testing.provider import lost_answer
from tests.engine.stage import Stage, priced, spec_text

DAY = 86_400
HOUR = 3_600
YEAR = 365 * DAY
MOVED = spec_text(hyperparameters="{epochCount: 9}")


def true(stage: Stage) -> datetime:
    """What time it is, whatever our clock says."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=stage.clock.monotonic())


def tell(stage: Stage, off: float = 0.0) -> None:
    """Let the provider's answers carry its time, which is so many seconds off."""
    stage.provider.time = (true(stage) + timedelta(seconds=off)).isoformat()


async def begin(stage: Stage) -> None:
    """Let the run on record have begun now, by the provider's clock."""
    (record,) = [record for record in stage.ledger.records.values() if record.runs]
    run = replace(record.runs[0], started=stage.provider.time)
    records = {**stage.ledger.records, record.name: replace(record, runs=(run,))}
    await stage.ledger.save(records, stage.ledger.version, "as old as it is")


async def removed(stage: Stage) -> None:
    """A model that serves, with the Delete policy, whose spec is gone and whose tombstone stands."""
    doomed = {"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), "specs/other.yaml": spec_text("other")}
    stage.source.edit(doomed)
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    assert ("numbers", "hold") in await stage.step()


def is_there(stage: Stage) -> bool:
    return any("numbers" in name for name in stage.provider.models)


async def test_our_clock_alone_does_not_end_a_grace_period() -> None:
    stage = Stage()
    tell(stage)
    await removed(stage)
    stage.clock.set(2 * DAY)
    for _ in range(3):
        stage.clock.advance(600)
        tell(stage)
        await stage.step()
    assert is_there(stage), "half an hour has passed"
    stage.clock.advance(DAY)
    tell(stage)
    assert ("numbers", "delete") in await stage.step()


async def test_the_providers_clock_alone_does_not_end_a_grace_period() -> None:
    stage = Stage()
    tell(stage)
    await removed(stage)
    stage.clock.advance(600)
    tell(stage, 2 * DAY)
    await stage.step()
    assert is_there(stage)


@pytest.mark.parametrize("ahead", [-31 * DAY, 31 * DAY, 300 * DAY], ids=["behind", "ahead", "far ahead"])
async def test_a_tombstone_of_a_wrong_clock_waits_its_day_once_that_is_set_right(ahead: float) -> None:
    stage = Stage()
    stage.clock.set(ahead)
    tell(stage)
    await removed(stage)
    stage.clock.set(0)
    stage.clock.advance(DAY - 60)
    tell(stage)
    await stage.step()
    assert is_there(stage)
    stage.clock.advance(120)
    tell(stage)
    assert ("numbers", "delete") in await stage.step()


async def test_a_pass_without_the_providers_time_neither_ends_nor_rewrites_a_wait() -> None:
    stage = Stage()
    tell(stage)
    await removed(stage)
    before = stage.ledger.records["numbers"].active
    for ahead in (-HOUR, 2 * DAY):
        stage.clock.advance(60)
        stage.clock.set(ahead)
        stage.provider.time = ""
        await stage.step()
        assert stage.ledger.records["numbers"].active == before
    stage.clock.set(0)
    stage.clock.advance(DAY)
    tell(stage)
    assert ("numbers", "delete") in await stage.step()


async def test_a_wait_that_began_without_the_providers_time_counts_from_when_that_is_told() -> None:
    stage = Stage()
    await removed(stage)
    stage.clock.advance(60)
    stage.clock.set(2 * DAY)
    tell(stage)
    await stage.step()
    assert is_there(stage), "a minute has passed"
    stage.clock.advance(DAY + 60)
    tell(stage)
    assert ("numbers", "delete") in await stage.step()


async def test_a_tombstone_that_lies_ahead_of_the_only_clock_there_is_waits_a_day_from_now_on() -> None:
    stage = Stage()
    stage.clock.set(300 * DAY)
    await removed(stage)
    stage.clock.set(0)
    stage.clock.advance(60)
    await stage.step()
    stage.clock.advance(DAY - 120)
    await stage.step()
    assert is_there(stage)
    stage.clock.advance(240)
    assert ("numbers", "delete") in await stage.step()


async def test_a_clock_that_is_ahead_pays_nothing_from_the_next_months_budget() -> None:
    provider = MemoryProvider("local", facts=FACTS)
    stage = Stage(clock=FakeClock(datetime(2026, 1, 30, tzinfo=UTC)), settings=priced(), provider=provider)
    stage.provider.time = "2026-01-30T00:00:00+00:00"
    stage.source.edit({"specs/other.yaml": spec_text("other", hyperparameters="{epochCount: 6}")})
    costs = [action.cost for action in (await stage.plan()).actions if isinstance(action, Create)]
    cost = max(one.high for one in costs if one is not None)
    assert stage.settings.policy.budget is not None
    budget = replace(stage.settings.policy.budget, per_month=cost * 1.1)
    stage.settings = replace(stage.settings, policy=replace(stage.settings.policy, budget=budget))
    assert sorted(word for _, word in await stage.step()) == ["create", "hold"]
    await begin(stage)
    stage.clock.set(3 * DAY)
    stage.clock.advance(60)
    await stage.step()
    assert sum(stage.provider.paid.values()) == 1, "it is January still, as the provider says"
    stage.clock.advance(3 * DAY)
    stage.provider.time = "2026-02-02T00:01:00+00:00"
    await stage.step()
    assert sum(stage.provider.paid.values()) == 2


@pytest.mark.parametrize("ahead", [-2 * DAY, 0, 2 * DAY], ids=["behind", "right", "ahead"])
async def test_an_edit_waits_no_longer_where_two_clocks_differ_for_good(ahead: float) -> None:
    stage = Stage(settings=Settings(policy=Policy(settle=60.0)))
    stage.clock.set(ahead)
    tell(stage)
    assert await stage.step() == [("numbers", "create")]
    await begin(stage)
    stage.source.edit({"specs/numbers.yaml": MOVED})
    assert await stage.step() == [("numbers", "hold")]
    for _ in range(2):
        stage.clock.advance(45)
        tell(stage)
        last = await stage.step()
    assert last == [("numbers", "cancel"), ("numbers", "retune")]


async def test_a_run_is_as_young_as_its_provider_says_whatever_our_clock_wrote_down_at_its_start() -> None:
    stage = Stage(settings=Settings(policy=Policy(settle=600.0)))
    stage.clock.set(-8 * HOUR)
    tell(stage)
    await stage.step()
    stage.clock.set(0)
    ((name, model),) = stage.provider.models.items()
    stage.provider.models[name] = replace(model, created=stage.provider.time)
    stage.clock.advance(60)
    tell(stage)
    stage.source.edit({"specs/numbers.yaml": MOVED})
    assert await stage.step() == [("numbers", "hold")]


@pytest.mark.parametrize("ahead", [0, -10 * YEAR, 10 * YEAR], ids=["right", "years behind", "years ahead"])
async def test_a_run_that_is_gone_is_called_lost_whatever_our_own_clock(ahead: float) -> None:
    stage = Stage()
    stage.clock.set(ahead)
    tell(stage)
    await stage.step()
    stage.provider.finish()
    await stage.step()
    stage.provider.models.clear()
    stage.clock.advance(HOUR)
    tell(stage)
    (outcome,) = (await stage.run()).outcomes
    assert outcome.action.reason is Reason.LOST


@pytest.mark.parametrize("off", [0, -30 * DAY, 30 * DAY], ids=["right", "a month behind", "a month ahead"])
async def test_a_create_that_made_nothing_is_waited_for_for_minutes_whatever_the_providers_clock(off: float) -> None:
    stage = Stage()
    tell(stage, off)
    stage.provider.fail("create", lost_answer())
    await stage.step()
    stage.source.edit({"specs/numbers.yaml": MOVED})
    assert [o.action.reason for o in (await stage.run()).outcomes] == [Reason.VISIBILITY]
    stage.clock.advance(HOUR)
    tell(stage, off)
    assert await stage.step() == [("numbers", "create")]


async def test_an_edit_that_moves_a_spec_waits_by_the_clocks_of_one_provider() -> None:
    local = ProviderSettings("local", "local")
    policy = Policy(settle=60.0)
    settings = Settings(providers={"local": local, "second": replace(local, key="second")}, policy=policy)
    stage, second = Stage(settings=settings), MemoryProvider("second")

    async def words() -> list[str]:
        tell(stage)
        second.time = (true(stage) + timedelta(days=30)).isoformat()
        ports = replace(stage.ports, providers={"local": stage.provider, "second": second})
        return [outcome.action.word for outcome in (await reconcile(ports, settings, Approval())).outcomes]

    assert await words() == ["create"]
    await begin(stage)
    moved = spec_text(hyperparameters="{epochCount: 9}", provider="second")
    stage.source.edit({"specs/numbers.yaml": moved})
    assert await words() == ["hold"]
    stage.clock.advance(HOUR)
    assert await words() == ["cancel", "retune"]


@pytest.mark.parametrize("key", ["local", "renamed"])
async def test_our_clock_alone_pays_for_no_edit_after_a_provider_got_another_key(key: str) -> None:
    stage = Stage(settings=Settings(policy=Policy(settle=60.0)))
    provider = MemoryProvider(key)
    provider.models, provider.paid = stage.provider.models, stage.provider.paid
    settings = replace(stage.settings, providers={key: ProviderSettings(key, "local")}, default_provider=key)

    async def words() -> list[str]:
        provider.time = true(stage).isoformat()
        ports = replace(stage.ports, providers={key: provider})
        return [outcome.action.word for outcome in (await reconcile(ports, settings, Approval())).outcomes]

    tell(stage)
    await stage.step()
    await begin(stage)
    assert await words() == ["wait"]
    stage.source.edit({"specs/numbers.yaml": MOVED})
    assert await words() == ["hold"]
    stage.clock.set(DAY)
    stage.clock.advance(5)
    assert await words() == ["hold"], "five seconds have passed by the provider's clock"
