"""Several names at a time: how many, in which order they are told of, and what stays one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from controller.engine.apply import AT_ONCE
from controller.engine.effects import LastLook
from controller.errors import RevisionConflict
from controller.plan.actions import Held
from controller.plan.world import World
from controller.ports import CreateRequest
from controller.settings import Policy, ProviderSettings, Settings
from controller.state.desired import Desired
from controller.state.observed import Observed, RemoteModel
from controller.state.reasons import Reason
from controller.state.recorded import Record, Recorded
from controller.testing import MemoryLedger, MemoryProvider, MemorySource
from tests.engine.stage import INSTANCE, Stage, rows, spec_text

MANY = Settings(policy=Policy(max_creates=1000))


class SlowProvider(MemoryProvider):
    """Answers a create only after everybody else has had many a turn, and counts how many wait for it."""

    waiting: int = 0
    most: int = 0

    async def create(self, request: CreateRequest) -> RemoteModel:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        for _ in range(100):
            await asyncio.sleep(0)
        self.waiting -= 1
        return await super().create(request)


class CountingLedger(MemoryLedger):
    """Says how often it was asked for its tip, and how much was paid for by the time of each write.

    It ``forgets`` the open intents, as another controller that settles them would, once so much is paid for.
    """

    def __init__(self, provider: MemoryProvider) -> None:
        super().__init__()
        self.provider = provider
        self.looks = 0
        self.paid_at_save: list[int] = []
        self.forgets: int | None = None

    async def tip(self) -> str | None:
        self.looks += 1
        for _ in range(3):
            await asyncio.sleep(0)
        if self.forgets is not None and self.provider.paid.total() >= self.forgets:
            self.forgets = None
            records = {name: replace(record, intent=None) for name, record in self.records.items()}
            await super().save(records, self.version, "settled by another")
        return await super().tip()

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        self.paid_at_save.append(self.provider.paid.total())
        return await super().save(records, tip, message)


def stage(count: int, settings: Settings = MANY) -> tuple[Stage, SlowProvider, CountingLedger]:
    files = {f"specs/m-{n:03d}.yaml": spec_text(f"m-{n:03d}") for n in range(count)}
    provider = SlowProvider("local")
    ledger = CountingLedger(provider)
    source = MemorySource({**files, "specs/rows.jsonl": rows()}, identity=INSTANCE)
    return Stage(source, provider, ledger, settings=settings), provider, ledger


async def test_creates_go_side_by_side_after_one_write_and_are_told_in_order() -> None:
    scene, provider, ledger = stage(50)

    done = await scene.run()

    assert provider.most == AT_ONCE
    assert [outcome.action.name for outcome in done.outcomes] == [f"m-{n:03d}" for n in range(50)]
    assert set(provider.paid.values()) == {1}
    assert ledger.paid_at_save == [0, 50], "every intent is on record before the first request, all at once"
    assert ledger.messages[0].startswith("Intend to create: m-000, m-001, ")
    assert ledger.messages[0].endswith("m-019 and 30 more"), "a commit has to be readable"
    assert ledger.looks < 50, "who asks at the same moment shares a look"
    assert [outcome.action.word for outcome in (await scene.run()).outcomes] == ["wait"] * 50


async def test_what_is_in_order_between_them_keeps_no_creates_apart() -> None:
    scene, provider, _ = stage(40)
    scene.source.edit({f"specs/m-{n:03d}.yaml": spec_text(f"m-{n:03d}", suspend="true") for n in range(0, 40, 2)})

    await scene.run()

    assert provider.most == AT_ONCE


async def test_where_a_request_waits_for_its_turn_the_look_before_it_is_its_own() -> None:
    paced = {"local": ProviderSettings("local", "gemini", requests_per_minute=60)}
    scene, provider, ledger = stage(5, replace(MANY, providers=paced))

    await scene.run()

    assert provider.most == 1
    assert ledger.looks == 5


async def test_what_another_controller_has_settled_meanwhile_is_not_sent_by_any_of_those_that_wait() -> None:
    scene, provider, ledger = stage(AT_ONCE * 3)
    ledger.forgets = AT_ONCE

    done = await scene.run()

    held = [outcome for outcome in done.outcomes if isinstance(outcome, Held)]
    assert AT_ONCE <= provider.paid.total() <= AT_ONCE * 2, "those whose look had begun before"
    assert len(held) == AT_ONCE * 3 - provider.paid.total()
    assert {outcome.reason for outcome in held} == {Reason.SUPERSEDED}


async def test_a_look_is_shared_only_by_those_who_asked_before_it_began() -> None:
    scene, _, ledger = stage(1)
    world = World(Desired("c" * 40, ()), Recorded(tip="moved"), Observed(), INSTANCE)
    look = LastLook()
    tasks = [asyncio.ensure_future(look(world, scene.ports))]
    await asyncio.sleep(0)
    tasks += [asyncio.ensure_future(look(world, scene.ports)) for _ in range(5)]

    await asyncio.gather(*tasks)

    assert ledger.looks == 2


async def test_where_one_breaks_off_the_pass_the_others_are_broken_off_too() -> None:
    scene, provider, _ = stage(AT_ONCE)

    async def gone(request: CreateRequest) -> RemoteModel:
        if request.model.startswith("tunedModels/m-003"):
            raise RevisionConflict("as nothing in a provider does")
        await asyncio.sleep(3600)
        raise AssertionError

    provider.create = gone  # type: ignore[method-assign] # one that breaks

    with pytest.raises(RevisionConflict):
        await asyncio.wait_for(scene.run(), 20)

    assert all(record.intent is not None for record in scene.ledger.records.values())
