"""Specs, ledger and providers to the world that a pass decides on, with the facts that only a clock can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from controller.engine.desire import read_desired
from controller.plan.matching import with_former_names
from controller.plan.world import RevisionHistory, World, slot_provider
from controller.ports import ObserveRequest, Ports, Relation
from controller.settings import Settings
from controller.state.desired import BaseModel
from controller.state.observed import Observed, ObservedProvider
from controller.state.recorded import Awaited, Intent, Record
from controller.state.reviews import Decision


async def snapshot(ports: Ports, settings: Settings, revision: str | None = None) -> World:
    """Read the three sides. Raises `SourceError` or `LedgerError`; a provider that cannot be read is in the answer."""
    world = await offline_snapshot(ports, settings, revision)
    before = ports.clock.now()
    return with_times(replace(world, observed=await observe(ports, wanted(world))), before)


async def offline_snapshot(ports: Ports, settings: Settings, revision: str | None = None) -> World:
    """What git and the ledger say; nothing is observed. Raises `SourceError` or `LedgerError`."""
    facts = ports.facts
    tree = await ports.source.tree(revision)
    desired = await (ports.reading or read_desired)(tree, settings, facts)
    recorded = await ports.ledger.load()
    limits = {key: cap for key, p in settings.providers.items() if (cap := p.max_concurrent_runs) is not None}
    world = World(
        desired=with_former_names(desired, recorded),
        recorded=recorded,
        observed=Observed(),
        instance=ports.instance,
        policy=settings.policy,
        facts=MappingProxyType(facts),
        concurrency=MappingProxyType(limits),
        prices=MappingProxyType({key: p.prices for key, p in settings.providers.items() if p.prices is not None}),
    )
    return await with_history(with_times(world, ports.clock.now()), ports)


async def with_history(world: World, ports: Ports) -> World:
    """The world with what only the history of commits can tell of its records. Raises `SourceError`."""
    here = world.desired.revision
    records = world.recorded.records.values()
    acted = {record.attempted for record in records if record.attempted}
    tombstoned = {slot.tombstone_revision for record in records for slot in record.slots if slot.tombstone_revision}
    granted = {r.commit for record in records for r in record.reviews if r.verdict is Decision.GRANTED and not r.spent}
    others = frozenset((acted | tombstoned) - {here})
    asked = frozenset((others | granted) - {here, ""})
    if here is None or not asked:
        return replace(world, history=RevisionHistory(forgiven=world.history.forgiven))
    relations = await ports.source.relations(here, asked)
    behind = any(relations[other] is Relation.BEHIND for other in acted - {here})
    lost = frozenset(other for other in others if relations[other] is Relation.UNKNOWN) - world.history.forgiven
    rewritten = frozenset(other for other in tombstoned - lost - {here} if relations[other] is not Relation.AHEAD)
    ahead = frozenset(other for other in granted & asked if relations[other] is not Relation.AHEAD)
    return replace(world, history=RevisionHistory(behind, lost, world.history.forgiven, rewritten, ahead))


def wanted(world: World) -> dict[str, ObserveRequest]:
    """By provider key: the models that slots, intents and specs name, and the base models of specs.

    A provider that chooses ids is listed for an open intent, which names no model: the mark alone tells what it made.
    """
    models: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for key, name in (*_recorded_models(world), *_desired_models(world)):
        models.setdefault(key, set()).update({name} - {""})
    for model in world.desired.models:
        if isinstance(model.base, BaseModel):
            bases.setdefault(model.provider, set()).add(model.base.name)
    for key, base in _serving_bases(world):
        bases.setdefault(key, set()).add(base)
    return {
        key: ObserveRequest(frozenset(models.get(key, ())), frozenset(bases.get(key, ()))) for key in models | bases
    }


def _recorded_models(world: World) -> Iterator[tuple[str, str]]:
    desired = {model.name: model.provider for model in world.desired.models}
    present = world.desired.names
    for record in world.recorded.records.values():
        if record.orphaned and record.name not in present:
            continue
        for slot in record.slots:
            # What is only kept for a revert is not asked for at a provider that gitune.yaml has no more.
            if slot not in record.retired or slot_provider(slot, record) in world.facts:
                yield slot_provider(slot, record), slot.model
            # A provider renamed in gitune.yaml holds the same models under its new key.
            yield desired.get(record.name, slot_provider(slot, record)), slot.model
        if record.intent is not None:
            yield record.intent.provider or record.provider, record.intent.model


def _serving_bases(world: World) -> Iterator[tuple[str, str]]:
    """The base models of what serves: one that is retired takes it along."""
    for record in world.recorded.records.values():
        run = record.run(record.active.model) if record.active is not None else None
        if record.active is not None and run is not None and not record.orphaned and run.base.startswith("models/"):
            yield slot_provider(record.active, record), run.base


def _desired_models(world: World) -> Iterator[tuple[str, str]]:
    for model in world.desired.models:
        name = world.full_name(model)
        if name:
            yield model.provider, name


async def observe(ports: Ports, wants: Mapping[str, ObserveRequest]) -> Observed:
    """Ask every provider that something is wanted of, side by side."""
    known = {key: want for key, want in wants.items() if key in ports.providers}
    answers = await asyncio.gather(*(ports.providers[key].observe(want) for key, want in known.items()))
    seen: dict[str, ObservedProvider] = dict(zip(known, answers, strict=True))
    for key in wants.keys() - known.keys():
        error = f"no provider {key!r} in gitune.yaml any more"
        seen[key] = ObservedProvider(key, complete=False, error=error)
    return Observed(MappingProxyType(seen))


# How long a provider may take to show what it has made (its list and its reads may be answered by replicas that lag).
VISIBILITY_WINDOW = timedelta(minutes=10)
# By how much two clocks may differ that are both right.
CLOCKS_DIFFER = timedelta(minutes=1)
# A price table older than this is refused: prices of tuning have moved within a quarter.
PRICES_GOOD_FOR = timedelta(days=90)


def with_times(world: World, now: datetime) -> World:
    """The world with its facts of time. ``now`` is UTC, from before the providers were asked.

    Where something waits, it waits by both clocks, ours and the provider's: one that is wrong ends no wait.
    """
    return replace(
        world,
        month=now.strftime("%Y-%m"),
        overdue=frozenset(_overdue(world, now)),
        recently_created=frozenset(_recently_created(world, now)),
        recent_intents=frozenset(_recent_intents(world, now)),
        young=frozenset(_young(world, now)),
        quiet=frozenset(_quiet(world, now)),
        due=frozenset(_due(world, now)),
        clocks_ahead=MappingProxyType(dict(_clocks_ahead(world, now))),
        untimely=frozenset(_untimely(world, now)),
        stale_prices=frozenset(_stale(world, now)),
    )


def seconds_since(text: str, now: datetime) -> float:
    """Seconds from an RFC 3339 time to ``now``; a text that is no time lies infinitely far back."""
    then = _moment(text)
    return (now - then).total_seconds() if then is not None else float("inf")


@lru_cache(maxsize=1 << 15)  # every run that is on record is asked for its age by every pass
def _moment(text: str) -> datetime | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    return then if then.tzinfo else None


def _told(world: World, provider: str) -> datetime | None:
    """What time it is by a provider's own clock; None where it did not say."""
    seen = world.observed.providers.get(provider)
    return _moment(seen.time) if seen is not None else None


def _earlier(world: World, provider: str, now: datetime) -> datetime:
    """The earlier one of our time and the provider's: what is over by then is over by both clocks."""
    told = _told(world, provider)
    return min(now, told) if told is not None else now


def _clocks_ahead(world: World, now: datetime) -> Iterator[tuple[str, str]]:
    for key, seen in world.observed.providers.items():
        told = _moment(seen.time)
        if told is not None and told > now:
            yield key, seen.time


def _untimely(world: World, now: datetime) -> Iterator[tuple[str, str]]:
    for record in world.recorded.records.values():
        for provider, text in _waits(record):
            told, then = _told(world, provider), _moment(text)
            latest = max(now, told) if told is not None else now
            if then is None or then > latest + CLOCKS_DIFFER:
                yield provider, text


def _waits(record: Record) -> Iterator[tuple[str, str]]:
    """The times on record that something waits from, each with the key of its provider."""
    yield from ((slot_provider(slot, record), slot.tombstone) for slot in record.slots if slot.tombstone)
    yield from ((record.provider, run.started) for run in record.runs if run.started)
    if record.intent is not None:
        yield record.intent.provider or record.provider, record.intent.since
    if record.awaited is not None:
        yield record.provider, record.awaited.since


def _overdue(world: World, now: datetime) -> Iterator[str]:
    for model in world.desired.models:
        record = world.record_of(model)
        pending = record.pending if record else None
        run = record.run(pending.model) if record and pending else None
        if record is None or pending is None or run is None or model.max_duration is None:
            continue
        by_now = _earlier(world, slot_provider(pending, record), now)
        remote = world.observed.model(slot_provider(pending, record), pending.model)
        began = (remote.created if remote is not None else "") or run.started
        # A start that cannot be read is no age: a paid run is not stopped for it.
        if model.max_duration < seconds_since(began, by_now) < float("inf"):
            yield run.model


def _recently_created(world: World, now: datetime) -> Iterator[str]:
    for record in world.recorded.records.values():
        by_now = _earlier(world, record.provider, now)
        for run in record.runs:
            if run.started and seconds_since(run.started, by_now) < VISIBILITY_WINDOW.total_seconds():
                yield run.model


def _recent_intents(world: World, now: datetime) -> Iterator[Intent]:
    for record in world.recorded.records.values():
        intent = record.intent
        if intent is None:
            continue
        by_now = _earlier(world, intent.provider or record.provider, now)
        if seconds_since(intent.since, by_now) < VISIBILITY_WINDOW.total_seconds():
            yield intent


def _young(world: World, now: datetime) -> Iterator[str]:
    for record in world.recorded.records.values():
        run = record.run(record.pending.model) if record.pending is not None else None
        by_now = _earlier(world, record.provider, now)
        if run is not None and seconds_since(run.started, by_now) < (world.policy.settle or 0.0):
            yield run.model


def _quiet(world: World, now: datetime) -> Iterator[Awaited]:
    for record in world.recorded.records.values():
        waits, by_now = record.awaited, _earlier(world, record.provider, now)
        if waits is not None and seconds_since(waits.since, by_now) >= (world.policy.settle or 0.0):
            yield waits


def _due(world: World, now: datetime) -> Iterator[str]:
    for record in world.recorded.records.values():
        for slot in record.slots:
            waited = seconds_since(slot.tombstone, _earlier(world, slot_provider(slot, record), now))
            # Where there is no tombstone, or one that is no time, nothing is over.
            if world.policy.delete_grace <= waited < float("inf"):
                yield slot.model


def _stale(world: World, now: datetime) -> Iterator[str]:
    for key, prices in world.prices.items():
        if seconds_since(f"{prices.as_of}T00:00:00+00:00", now) > PRICES_GOOD_FOR.total_seconds():
            yield key
