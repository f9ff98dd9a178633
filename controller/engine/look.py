"""Ports and settings to the world of one pass: what is desired, recorded and observed now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from controller.engine.desire import read_desired
from controller.plan.world import World, slot_provider
from controller.ports import Capabilities, Ports, Want
from controller.settings import Settings
from controller.state.desired import BaseModel, Desired
from controller.state.observed import Observed, ObservedProvider
from controller.state.recorded import Recorded


async def look(ports: Ports, settings: Settings, revision: str | None = None) -> World:
    """Read the three sides. Raises `SourceError` or `LedgerError`; a provider that cannot be read is in the answer."""
    capabilities = {key: provider.capabilities for key, provider in ports.providers.items()}
    tree = await ports.source.tree(revision)
    desired = await read_desired(tree, settings, capabilities)
    recorded = await ports.ledger.load()
    world = world_of(desired, recorded, Observed(), settings, ports.instance, capabilities)
    observed = await observe(ports, wanted(world))
    return world_of(
        desired,
        recorded,
        observed,
        settings,
        ports.instance,
        capabilities,
        overdue=_overdue(desired, recorded, ports.clock.now()),
    )


def world_of(  # noqa: PLR0917 - the one place where a world is put together
    desired: Desired,
    recorded: Recorded,
    observed: Observed,
    settings: Settings,
    instance: str,
    capabilities: Mapping[str, Capabilities],
    *,
    overdue: frozenset[str] = frozenset(),
) -> World:
    """The facts and the settings that decide, as one value."""
    caps = {key: cap for key, p in settings.providers.items() if (cap := p.max_concurrent_runs) is not None}
    return World(
        desired=desired,
        recorded=recorded,
        observed=observed,
        instance=instance,
        policy=settings.policy,
        capabilities=MappingProxyType(dict(capabilities)),
        concurrency=MappingProxyType(caps),
        overdue=overdue,
    )


def wanted(world: World) -> dict[str, Want]:
    """By provider key: the models that slots, intents and specs name, and the base models of specs."""
    models: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for key, name in (*_recorded_models(world), *_desired_models(world)):
        models.setdefault(key, set()).add(name)
    for model in world.desired.models:
        if isinstance(model.base, BaseModel):
            bases.setdefault(model.provider, set()).add(model.base.name)
    return {key: Want(frozenset(models.get(key, ())), frozenset(bases.get(key, ()))) for key in models | bases}


def _recorded_models(world: World) -> Iterator[tuple[str, str]]:
    desired = {model.name: model.provider for model in world.desired.models}
    for record in world.recorded.records.values():
        if record.orphaned and record.name not in world.desired.names:
            continue
        for slot in record.slots:
            yield slot_provider(slot, record), slot.model
            # A provider renamed in gitune.yaml holds the same models under its new key.
            yield desired.get(record.name, slot_provider(slot, record)), slot.model
        if record.intent is not None:
            yield record.intent.provider or record.provider, record.intent.model


def _desired_models(world: World) -> Iterator[tuple[str, str]]:
    for model in world.desired.models:
        yield model.provider, world.full_name(model)


async def observe(ports: Ports, wants: Mapping[str, Want]) -> Observed:
    """Ask every provider that something is wanted of, side by side."""
    known = {key: want for key, want in wants.items() if key in ports.providers}
    answers = await asyncio.gather(*(ports.providers[key].observe(want) for key, want in known.items()))
    seen: dict[str, ObservedProvider] = dict(zip(known, answers, strict=True))
    for key in wants.keys() - known.keys():
        error = f"no provider {key!r} in gitune.yaml any more"
        seen[key] = ObservedProvider(key, complete=False, error=error)
    return Observed(MappingProxyType(seen))


def _overdue(desired: Desired, recorded: Recorded, now: datetime) -> frozenset[str]:
    """The pending runs that are past their spec's limits.maxDuration."""
    late: set[str] = set()
    for model in desired.models:
        record = recorded.records.get(model.name)
        pending = record.pending if record else None
        run = record.run(pending.model) if record and pending else None
        if model.max_duration is None or run is None or not run.started:
            continue
        if (now - datetime.fromisoformat(run.started)).total_seconds() > model.max_duration:
            late.add(run.model)
    return frozenset(late)
