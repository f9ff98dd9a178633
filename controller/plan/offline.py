"""A world without answers to the observation its own record implies: for plans that ask no provider."""

from __future__ import annotations

from types import MappingProxyType

from controller.plan.world import World, slot_provider
from controller.state.desired import BaseModel
from controller.state.identity import Mark, with_mark
from controller.state.observed import BaseModelFacts, Observed, ObservedProvider, RemoteModel, remote_state
from controller.state.recorded import Record, Slot


def as_recorded(world: World) -> Observed:
    """Every recorded model as it was last seen, every base model taken for tunable, nothing else there."""
    found: dict[str, dict[str, RemoteModel]] = {model.provider: {} for model in world.desired.models}
    for record in world.recorded.records.values():
        for slot in record.slots:
            found.setdefault(slot_provider(slot, record), {})[slot.model] = _remote(slot, record, world.instance)
    bases = {
        m.base.name: BaseModelFacts(m.base.name, exists=True, tunable=True)
        for m in world.desired.models
        if isinstance(m.base, BaseModel)
    }
    return Observed(
        MappingProxyType(
            {
                key: ObservedProvider(key, MappingProxyType(models), MappingProxyType(bases))
                for key, models in found.items()
            }
        )
    )


def _remote(slot: Slot, record: Record, instance: str) -> RemoteModel:
    run = record.run(slot.model)
    mark = Mark(instance, record.name, slot.attempt, slot.fingerprint)
    remote = RemoteModel(
        name=slot.model,
        state=remote_state(slot.state),
        display_name=record.display_name,
        description=with_mark(record.description, mark),
        sampling=record.sampling,
        operation=slot.operation,
    )
    if run is None:
        return remote
    return RemoteModel(
        name=remote.name,
        state=remote.state,
        base_model=run.base,
        display_name=remote.display_name,
        description=remote.description,
        sampling=remote.sampling,
        hyperparameters=run.resolved,
        operation=remote.operation,
        losses=run.losses,
        error=run.error,
    )
