"""What specs are tuned on to the runs that serve there: a base written out in other words is the same base."""

from __future__ import annotations

from dataclasses import replace

from controller.plan.fit import find_fit
from controller.plan.world import World
from controller.state.desired import DesiredModel, FromSpec


def settle_bases(world: World) -> World:
    """The world with every ``from:`` naming the fingerprint of the run that answers its base spec, if there is one.

    That run may have been made from another text of the same effect; its fingerprint then entered ours.
    """
    models = {model.name: model for model in world.desired.models}
    settled: dict[str, str] = {}
    for name in [name for name, model in models.items() if isinstance(model.base, FromSpec)]:
        for link in reversed(_chain(name, models, settled)):
            models[link] = _on_what_serves(models[link], settled)
            settled[link] = _fingerprint(models[link], world)
    if not settled:
        return world
    return replace(world, desired=replace(world.desired, models=tuple(models.values())))


def _chain(name: str, models: dict[str, DesiredModel], settled: dict[str, str]) -> list[str]:
    """A spec, its base, the base of that one, up to one that is settled or stands on a model of the provider."""
    chain: dict[str, None] = {}
    while name in models and name not in settled and name not in chain:
        chain[name] = None
        base = models[name].base
        name = base.name if isinstance(base, FromSpec) else ""
    return list(chain)


def _on_what_serves(model: DesiredModel, settled: dict[str, str]) -> DesiredModel:
    base = model.base
    if not isinstance(base, FromSpec) or base.name not in settled:
        return model
    return replace(model, base=replace(base, fingerprint=settled[base.name]))


def _fingerprint(model: DesiredModel, world: World) -> str:
    fit = find_fit(model, world.record_of(model), world)
    return fit.slot.fingerprint if fit else model.fingerprint
