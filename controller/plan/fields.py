"""A spec against its run and its remote model to changed fields, each with what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from controller.plan.actions import Change, ChangeClass
from controller.plan.world import World
from controller.state.desired import DesiredModel
from controller.state.identity import Hyperparameters, Mark, with_mark, without_mark
from controller.state.observed import RemoteModel
from controller.state.recorded import Record, Run, Slot, Stored

_UNSAID = "(unset)"
_CLOSE = 1e-6  # sampling values travel as 32-bit floats


def training_changes(model: DesiredModel, run: Run | None) -> tuple[Change, ...]:
    """The training inputs in which a spec differs from a run that was paid for."""
    if run is None:
        return ()
    pairs = [
        ("provider", run.provider_type, model.provider_type),
        ("baseModel", run.base, model.training.base),
        *_hyperparameters(run.written, model.hyperparameters),
        ("dataset", _short(run.dataset_digest), _short(model.dataset.digest)),
        ("attempt", str(run.attempt), str(model.attempt)),
    ]
    return tuple(Change(name, ChangeClass.RETUNE, old, new) for name, old, new in pairs if old != new)


def place_changes(model: DesiredModel, remote: RemoteModel, updates: frozenset[str]) -> tuple[Change, ...]:
    """The fields a spec says, the provider can update in place, and the remote model has otherwise."""
    return tuple(change for change in _place(model, remote) if change.field in updates)


def described(model: DesiredModel, remote: RemoteModel, slot: Slot, instance: str) -> str:
    """The description the remote model should carry: the spec's text, or whatever stands there, and our mark."""
    text = without_mark(remote.description) if model.description is None else model.description
    return with_mark(text, Mark(instance, model.name, slot.attempt, slot.fingerprint))


@dataclass(frozen=True, slots=True)
class PlaceUpdate:
    """The changes that an update in place sends, and the whole description that the model should carry."""

    changes: tuple[Change, ...]
    description: str


def place_update(
    model: DesiredModel, remote: RemoteModel, slot: Slot, world: World, stored: tuple[Stored, ...] = ()
) -> PlaceUpdate | None:
    """What a model that serves is to get in place; None where it has all of it.

    What the provider is known to have ``stored`` differently counts as had: it would store it so again.
    """
    updates = world.facts[model.provider].updates
    changes = place_changes(model, remote, updates)
    wanted = described(model, remote, slot, world.instance) if "description" in updates else remote.description
    if Stored("description", wanted, remote.description) in stored:
        wanted = remote.description
        changes = tuple(change for change in changes if change.field != "description")
    changes = tuple(c for c in changes if Stored(c.field, c.after, c.before) not in stored)
    return PlaceUpdate(changes, wanted) if changes or wanted != remote.description else None


def stored_otherwise(model: DesiredModel, remote: RemoteModel, slot: Slot, world: World) -> tuple[Stored, ...]:
    """What the answer to an update in place shows to differ from what was sent."""
    left = place_update(model, remote, slot, world)
    if left is None:
        return ()
    kept = tuple(Stored(c.field, c.after, c.before) for c in left.changes if c.field != "description")
    if left.description == remote.description:
        return kept
    return (*kept, Stored("description", left.description, remote.description))


def spec_moved(model: DesiredModel, record: Record) -> bool:
    """Whether the spec's own in-place fields are not the ones last applied: a change, else it is drift."""
    said = [
        (model.display_name, record.display_name),
        (model.description, record.description),
        (model.sampling.temperature, record.sampling.temperature),
        (model.sampling.top_p, record.sampling.top_p),
        (model.sampling.top_k, record.sampling.top_k),
    ]
    return any(want is not None and want != had for want, had in said)


def hyperparameters_differ(run: Run, remote: RemoteModel) -> bool:
    """Whether the remote reports other training facts than the run was recorded with."""
    before, now = run.resolved, remote.hyperparameters
    pairs = [
        (before.epoch_count, now.epoch_count),
        (before.batch_size, now.batch_size),
        (before.learning_rate, now.learning_rate),
    ]
    return any(a is not None and b is not None and not math.isclose(a, b, rel_tol=_CLOSE) for a, b in pairs)


def _hyperparameters(old: Hyperparameters, new: Hyperparameters) -> Iterator[tuple[str, str, str]]:
    yield "hyperparameters.epochCount", _text(old.epoch_count), _text(new.epoch_count)
    yield "hyperparameters.batchSize", _text(old.batch_size), _text(new.batch_size)
    yield "hyperparameters.learningRate", _text(old.learning_rate), _text(new.learning_rate)
    yield (
        "hyperparameters.learningRateMultiplier",
        _text(old.learning_rate_multiplier),
        _text(new.learning_rate_multiplier),
    )


def _place(model: DesiredModel, remote: RemoteModel) -> Iterator[Change]:
    if model.display_name is not None and model.display_name != remote.display_name:
        yield Change("displayName", ChangeClass.UPDATE, remote.display_name, model.display_name)
    text = without_mark(remote.description)
    # Compared as it is written: line ends and marks in it would else differ from what was sent, for ever.
    if model.description is not None and (asked := without_mark(model.description)) != text:
        yield Change("description", ChangeClass.UPDATE, text, asked)
    want, has = model.sampling, remote.sampling
    numbers = [
        ("temperature", want.temperature, has.temperature),
        ("topP", want.top_p, has.top_p),
        ("topK", want.top_k, has.top_k),
    ]
    for name, new, old in numbers:
        if not is_close(new, old):
            yield Change(name, ChangeClass.UPDATE, _text(old), _text(new))


def is_close(want: float | None, has: float | None) -> bool:
    """Whether a number is as the spec says it, or the spec says nothing of it."""
    return want is None or (has is not None and math.isclose(want, has, rel_tol=_CLOSE))


def _text(value: float | None) -> str:
    return _UNSAID if value is None else repr(value)


def _short(digest: str) -> str:
    return f"sha256:{digest[:12]}"
