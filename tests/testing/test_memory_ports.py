"""The in-memory ports keep the promises of the real ones."""

from __future__ import annotations

import pytest

from controller.errors import OutcomeUnknown, Rejected, RejectedKind, RevisionConflict, SourceError, Unreadable
from controller.ports import (
    Chance,
    Clock,
    CreateRequest,
    EntryKind,
    Ledger,
    ModelPatch,
    ObserveRequest,
    Provider,
    Source,
)
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import Presence, RemoteState
from controller.state.recorded import Record
from controller.testing import (
    FakeClock,
    MemoryLedger,
    MemoryProvider,
    MemorySource,
    SeededChance,
    lost_answer,
)

REQUEST = CreateRequest(
    model="tunedModels/one",
    base="models/tiny",
    display_name="One",
    description="",
    hyperparameters=Hyperparameters(epoch_count=2, batch_size=4),
    sampling=Sampling(),
    examples=tuple(Example(str(n), str(n + 1)) for n in range(20)),
)


def test_the_memory_ports_have_the_shape_of_the_real_ones() -> None:
    provider: Provider = MemoryProvider()
    ledger: Ledger = MemoryLedger()
    source: Source = MemorySource()
    clock: Clock = FakeClock()
    chance: Chance = SeededChance()
    assert [provider.key, clock.monotonic()] == ["memory", 0.0]
    assert (type(ledger), type(source)) == (MemoryLedger, MemorySource)
    assert len(chance.nonce()) == 16


async def test_a_run_advances_by_ticks_and_answers_what_it_was_taught() -> None:
    provider = MemoryProvider()
    made = await provider.create(REQUEST)
    assert (made.state, made.progress.total_steps) == (RemoteState.CREATING, 10)
    provider.tick(3)
    assert provider.models[made.name].progress.completed_steps == 3
    provider.finish()
    assert provider.models[made.name].state is RemoteState.ACTIVE
    assert (await provider.generate(made.name, "4")).text == "5"


async def test_a_create_whose_answer_is_lost_is_paid_and_found() -> None:
    provider = MemoryProvider()
    provider.fail("create", lost_answer(), after=True)
    with pytest.raises(OutcomeUnknown):
        await provider.create(REQUEST)
    with pytest.raises(Rejected) as second:
        await provider.create(REQUEST)
    assert second.value.kind is RejectedKind.EXISTS
    assert provider.paid == {"tunedModels/one": 1}


async def test_a_broken_listing_still_proves_what_was_asked_by_id() -> None:
    provider = MemoryProvider()
    await provider.create(REQUEST)
    provider.fail("observe", lost_answer("the listing broke off"))
    seen = await provider.observe(ObserveRequest(models=frozenset({"tunedModels/one", "tunedModels/two"})))
    assert not seen.complete
    assert seen.error == "the listing broke off"
    assert seen.presence("tunedModels/one") is Presence.FOUND
    assert seen.presence("tunedModels/two") is Presence.ABSENT
    assert seen.presence("tunedModels/three") is Presence.UNSURE


async def test_a_cancelled_run_stays_and_a_deleted_one_is_gone() -> None:
    provider = MemoryProvider()
    made = await provider.create(REQUEST)
    await provider.cancel(made.name, made.operation)
    assert provider.models[made.name].state is RemoteState.CANCELLED
    updated = await provider.update(made.name, ModelPatch(display_name="Two", sampling=Sampling(top_k=3)))
    assert (updated.display_name, updated.sampling.top_k) == ("Two", 3)
    await provider.delete(made.name)
    await provider.delete(made.name)
    assert provider.models == {}
    assert [call.operation for call in provider.mutations] == ["create", "cancel", "update", "delete", "delete"]


async def test_the_ledger_refuses_a_write_on_top_of_an_old_tip() -> None:
    ledger = MemoryLedger()
    start = await ledger.load()
    tip = await ledger.save({"a": Record(name="a", provider="memory")}, start.tip, "first")
    with pytest.raises(RevisionConflict):
        await ledger.save({}, start.tip, "second")
    assert await ledger.save(dict(ledger.records), tip, "nothing new") == tip
    assert ledger.messages == ["first"]


async def test_a_source_keeps_every_revision() -> None:
    source = MemorySource({"specs/a.yaml": "a"})
    first = source.head
    second = source.edit({"specs/b.yaml": "b", "specs/a.yaml": None})
    old, new = await source.tree(first), await source.tree()
    assert [entry.path for entry in old.entries()] == ["specs/a.yaml"]
    assert new.revision == second
    assert new.read("specs/b.yaml", 10) == b"b"
    with pytest.raises(Unreadable):
        new.read("specs/a.yaml", 10)
    with pytest.raises(SourceError):
        await source.tree("0" * 40)


async def test_a_source_reads_neither_links_nor_more_than_the_limit() -> None:
    source = MemorySource()
    source.commit({"link": "x", "long": "xxxx"}, kinds={"link": EntryKind.SYMLINK})
    tree = await source.tree()
    for path in ("link", "long"):
        with pytest.raises(Unreadable):
            tree.read(path, 3)


async def test_time_passes_only_by_sleeping_and_chance_repeats_itself() -> None:
    clock = FakeClock()
    before = clock.now()
    await clock.sleep(90)
    assert (clock.now() - before).total_seconds() == clock.monotonic() == 90.0
    one, other = SeededChance(7), SeededChance(7)
    drawn = [one.uniform(2, 3) for _ in range(100)]
    assert drawn == [other.uniform(2, 3) for _ in range(100)]
    assert all(2 <= x <= 3 for x in drawn)
    assert len({one.nonce() for _ in range(100)}) == 100
