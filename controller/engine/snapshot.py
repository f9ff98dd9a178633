"""Specs, ledger and providers to the world that a pass decides on, with the facts that only a clock can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from controller.engine.desire import desired_of
from controller.plan.matching import with_former_names
from controller.plan.runs import STOPPED
from controller.plan.world import RevisionHistory, When, World, slot_provider, tombstone_of
from controller.ports import ObserveRequest, Ports, Relation
from controller.settings import Settings
from controller.state.desired import BaseModel
from controller.state.observed import Observed, ObservedProvider
from controller.state.recorded import Awaited, Intent, Record, RunOutcome, Slot
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
    desired = await desired_of(ports, tree, settings)
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
    for key in _stopped_at(world):
        models.setdefault(key, set())
    for key, base in _serving_bases(world):
        bases.setdefault(key, set()).add(base)
    ended = frozenset(_ended(world))
    return {
        key: ObserveRequest(names := frozenset(models.get(key, ())), frozenset(bases.get(key, ())), names & ended)
        for key in models | bases
    }


def _ended(world: World) -> Iterator[str]:
    """The models whose run is on record as finished well: its course is known."""
    for record in world.recorded.records.values():
        yield from (run.model for run in record.runs if run.outcome is RunOutcome.SUCCEEDED)


def _recorded_models(world: World) -> Iterator[tuple[str, str]]:
    desired = {model.name: model.provider for model in world.desired.models}
    present = world.desired.names
    for record in world.recorded.records.values():
        left_alone = record.orphaned and record.name not in present
        for slot in record.slots if not left_alone else ():
            # What is only kept for a revert is not asked for at a provider that gitune.yaml has no more.
            if slot not in record.retired or slot_provider(slot, record) in world.facts:
                yield slot_provider(slot, record), slot.model
            # A provider renamed in gitune.yaml holds the same models under its new key.
            yield desired.get(record.name, slot_provider(slot, record)), slot.model
        if record.intent is not None:
            yield record.intent.provider or record.provider, record.intent.model


def _stopped_at(world: World) -> Iterator[str]:
    """The providers that were asked to stop a run: whether they did is seen in their listing."""
    for record in world.recorded.records.values():
        asked = any(run.outcome in STOPPED and not run.deleted for run in record.runs)
        if asked and not record.orphaned and record.provider in world.facts:
            yield record.provider


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
# By how much what one of two right clocks wrote may be ahead of the other.
CLOCKS_DIFFER = timedelta(minutes=1)
# A price table older than this is refused: prices of tuning have moved within a quarter.
PRICES_GOOD_FOR = timedelta(days=90)


def with_times(world: World, now: datetime) -> World:
    """The world with its facts of time. ``now`` is UTC, from before the providers were asked.

    Where something waits, it waits by both clocks, ours and the provider's: one that is wrong ends no wait.
    """
    told = {key: then for key, seen in world.observed.providers.items() if (then := _moment(seen.time)) is not None}
    ages = _Ages(world, now, told)
    return replace(
        world,
        month=min(now, *told.values()).strftime("%Y-%m") if told else now.strftime("%Y-%m"),
        overdue=frozenset(_overdue(ages)),
        recently_created=frozenset(_recently_created(ages)),
        recent_intents=frozenset(_recent_intents(ages)),
        young=frozenset(_young(ages)),
        quiet=frozenset(_quiet(ages)),
        due=frozenset(_due(ages)),
        told=MappingProxyType({key: world.observed.providers[key].time for key in told}),
        untimely=frozenset(_untimely(ages)),
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


@dataclass(frozen=True, slots=True)
class _Ages:
    """How long ago something was, by our clock (``now``) and by those of the providers that ``told`` the time."""

    world: World
    now: datetime
    told: Mapping[str, datetime]

    def of(self, provider: str, then: When) -> float | None:
        """Seconds, the fewest of those that can be right; None where there are none: what is ahead of a clock is not.

        Each clock is held against what it said itself then, so that two that differ for good count the same. None too
        where a provider that was asked said the time only then, or only now: our clock alone ends no wait.
        """
        if bool(then.told) != (provider in self.told) and provider in self.world.observed.providers:
            return None
        return self._fewest(provider, then)

    def of_run(self, provider: str, started: str) -> float | None:
        """The same of a run, whose beginning is told by either clock."""
        return self._fewest(provider, When(started, started))

    def _fewest(self, provider: str, then: When) -> float | None:
        by_ours = _seconds(then.ours, self.now)
        by_theirs = _seconds(then.told, self.told[provider]) if provider in self.told else None
        return min((age for age in (by_ours, by_theirs) if age is not None), default=None)

    def provider_of(self, record: Record) -> str:
        """The key of the provider that a record's spec asks now, where there is a spec."""
        asks = self.world.spec(record.name)
        return asks.provider if asks is not None else record.provider


def _seconds(text: str, now: datetime) -> float | None:
    then = _moment(text)
    age = (now - then).total_seconds() if then is not None else None
    return None if age is None or age < -CLOCKS_DIFFER.total_seconds() else age


def _began(world: World, record: Record, pending: Slot) -> str:
    """When a run began, as its provider tells; "" where it does not. What is on record may be by our clock."""
    remote = world.observed.model(slot_provider(pending, record), pending.model)
    return remote.created if remote is not None else ""


def _overdue(ages: _Ages) -> Iterator[str]:
    for model in ages.world.desired.models:
        record = ages.world.record_of(model)
        pending = record.pending if record else None
        run = record.run(pending.model) if record and pending else None
        if record is None or pending is None or run is None or model.max_duration is None:
            continue
        age = ages.of_run(slot_provider(pending, record), _began(ages.world, record, pending) or run.started)
        # A start that cannot be read is no age: a paid run is not stopped for it.
        if age is not None and age > model.max_duration:
            yield run.model


def _recently_created(ages: _Ages) -> Iterator[str]:
    for record in ages.world.recorded.records.values():
        providers = {slot.model: slot_provider(slot, record) for slot in record.slots}
        for run in record.runs:
            age = ages.of_run(providers.get(run.model) or ages.provider_of(record), run.started)
            if age is not None and age < VISIBILITY_WINDOW.total_seconds():
                yield run.model


def _recent_intents(ages: _Ages) -> Iterator[Intent]:
    for record in ages.world.recorded.records.values():
        intent = record.intent
        if intent is None:
            continue
        age = ages.of(intent.provider or record.provider, When(intent.since, intent.told))
        if age is None or age < VISIBILITY_WINDOW.total_seconds():
            yield intent


def _young(ages: _Ages) -> Iterator[str]:
    for record in ages.world.recorded.records.values():
        pending = record.pending
        run = record.run(pending.model) if pending is not None else None
        if pending is None or run is None:
            continue
        age = ages.of_run(slot_provider(pending, record), _began(ages.world, record, pending) or run.started)
        if age is not None and age < (ages.world.policy.settle or 0.0):
            yield run.model


def _quiet(ages: _Ages) -> Iterator[Awaited]:
    for record in ages.world.recorded.records.values():
        waits = record.awaited
        age = ages.of(ages.provider_of(record), When(waits.since, waits.told)) if waits is not None else None
        if waits is not None and age is not None and age >= (ages.world.policy.settle or 0.0):
            yield waits


def _due(ages: _Ages) -> Iterator[str]:
    for record in ages.world.recorded.records.values():
        for slot in record.slots:
            age = ages.of(slot_provider(slot, record), tombstone_of(slot)) if slot.tombstone else None
            if age is not None and age >= ages.world.policy.delete_grace:
                yield slot.model


def _untimely(ages: _Ages) -> Iterator[tuple[str, When]]:
    for record in ages.world.recorded.records.values():
        for provider, then in _waits(record, ages):
            # Where the provider does not say the time now, nobody can tell which clock it was that was wrong.
            if ages.of(provider, then) is None and bool(then.told) == (provider in ages.told):
                yield provider, then


def _waits(record: Record, ages: _Ages) -> Iterator[tuple[str, When]]:
    """The moments on record that something waits from, each with the key of its provider."""
    yield from ((slot_provider(slot, record), tombstone_of(slot)) for slot in record.slots if slot.tombstone)
    if record.intent is not None:
        yield record.intent.provider or record.provider, When(record.intent.since, record.intent.told)
    if record.awaited is not None:
        yield ages.provider_of(record), When(record.awaited.since, record.awaited.told)


def _stale(world: World, now: datetime) -> Iterator[str]:
    for key, prices in world.prices.items():
        if seconds_since(f"{prices.as_of}T00:00:00+00:00", now) > PRICES_GOOD_FOR.total_seconds():
            yield key
