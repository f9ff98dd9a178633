"""A spec to the record, the run and the base run that answer it, under any name that it had."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from controller.plan.world import World, names_of
from controller.state.desired import Desired, DesiredModel, FromSpec
from controller.state.identity import Hyperparameters
from controller.state.observed import RemoteModel
from controller.state.recorded import Record, Recorded, Run, RunOutcome, Slot

_CLOSE = 1e-6  # learning rates travel as 32-bit floats


class SlotKind(Enum):
    """In which slot the fitting run stands."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"  # retired, of an orphaned record, or found under our mark


@dataclass(frozen=True, slots=True)
class Fit:
    """The run that has the desired inputs and attempt, and where it stands."""

    where: SlotKind
    slot: Slot


def find_fit(model: DesiredModel, record: Record | None, world: World) -> Fit | None:
    """The first of pending, active, retired and marked remote models that was tuned from what the spec asks."""
    if record is not None:
        for where, slot in _slots(record):
            if slot.attempt == model.attempt and _same_inputs(model, slot, record):
                return Fit(where, slot)
    return _found_under_our_mark(model, record, world)


def spent_run(model: DesiredModel, record: Record | None) -> Run | None:
    """A run of this fingerprint and attempt that was paid for, stands in no slot any more and was not deleted by us."""
    if record is None:
        return None
    return next(_paid_runs(model, record), None)


def latest_attempt(model: DesiredModel, record: Record | None) -> int:
    """The highest attempt of the spec's inputs that was paid for and not deleted by us; 0 where none was."""
    runs = record.runs if record else ()
    same = (r for r in runs if r.fingerprint == model.fingerprint or _same_by_effect(model, r))
    return max((r.attempt for r in same if not r.deleted), default=0)


def _paid_runs(model: DesiredModel, record: Record) -> Iterator[Run]:
    """The runs paid for what the spec asks, those of the very same text first; none that we deleted."""
    paid = [r for r in record.runs if r.attempt == model.attempt and not r.deleted]
    yield from (r for r in paid if r.fingerprint == model.fingerprint)
    yield from (r for r in paid if r.fingerprint != model.fingerprint and _same_by_effect(model, r))


def bad_end(record: Record | None, slot: Slot) -> RunOutcome | None:
    """How the slot's run came to a bad end, where it did: it is never promoted, whatever its provider says later."""
    run = record.run(slot.model) if record else None
    bad = {RunOutcome.CANCELLED, RunOutcome.DEADLINE_EXCEEDED, RunOutcome.FAILED}
    return run.outcome if run is not None and run.outcome in bad else None


def _slots(record: Record) -> list[tuple[SlotKind, Slot]]:
    pending, active = (SlotKind.RETIRED, SlotKind.RETIRED) if record.orphaned else (SlotKind.PENDING, SlotKind.ACTIVE)
    first = [(pending, record.pending), (active, record.active)]
    return [(w, s) for w, s in first if s is not None] + [(SlotKind.RETIRED, s) for s in record.retired]


def _same_inputs(model: DesiredModel, slot: Slot, record: Record) -> bool:
    if slot.fingerprint == model.fingerprint:
        return True
    run = record.run(slot.model)
    return run is not None and _same_by_effect(model, run)


def _same_by_effect(model: DesiredModel, run: Run) -> bool:
    """Whether only hyperparameters differ in text, and the spec now writes out what the run had resolved to itself."""
    asked = model.training
    if (asked.provider_type, asked.base, asked.dataset_digest) != (run.provider_type, run.base, run.dataset_digest):
        return False
    return all(
        _agrees(want, wrote, got)
        for want, wrote, got in zip(_pairs(asked.hyperparameters), _pairs(run.written), _resolved(run), strict=True)
    )


def _pairs(values: Hyperparameters) -> tuple[float | None, ...]:
    return values.epoch_count, values.batch_size, values.learning_rate, values.learning_rate_multiplier


def _resolved(run: Run) -> tuple[float | None, ...]:
    # A rate that came out of a multiplier is not one that was resolved by itself: the multiplier was written.
    free = run.written.learning_rate is None and run.written.learning_rate_multiplier is None
    got = run.resolved
    return got.epoch_count, got.batch_size, got.learning_rate if free else None, None


def _agrees(want: float | None, wrote: float | None, got: float | None) -> bool:
    if want is None or wrote is not None:
        return want == wrote
    return got is not None and math.isclose(want, got, rel_tol=_CLOSE)


def _found_under_our_mark(model: DesiredModel, record: Record | None, world: World) -> Fit | None:
    known = [run.fingerprint for run in _paid_runs(model, record)] if record else []
    wanted = world.full_name(model)
    for digest in dict.fromkeys((model.fingerprint, *known)):
        found = world.marked(model.provider, names_of(model), digest, model.attempt)
        made = {run.model for run in record.runs if _is_of(run, digest, model.attempt)} if record else set()
        # A mark can be copied by hand, our id cannot be taken: of two the one that bears it was made by our create.
        for remote in sorted(found, key=lambda seen: seen.name != wanted):
            # Where the ledger knows what was made of these inputs, deleted or not, all else with its mark is a copy.
            if not (remote.name in made if made else _may_be_ours(remote, model, digest, world)):
                continue
            slot = Slot(remote.name, digest, model.attempt, remote.state, remote.operation, model.provider)
            return Fit(SlotKind.RETIRED, slot)
    return None


def found_by_mark_alone(model: DesiredModel, record: Record | None, world: World) -> RemoteModel | None:
    """A model under our mark for what the spec asks, whose id we did not choose, where no run of that is on record.

    A copy by hand, or one that a person adopted and whose record was lost: nobody can tell from here.
    """
    if record is not None and any(_is_of(run, model.fingerprint, model.attempt) for run in record.runs):
        return None
    found = world.marked(model.provider, names_of(model), model.fingerprint, model.attempt)
    return next((seen for seen in found if not _may_be_ours(seen, model, model.fingerprint, world)), None)


def _may_be_ours(remote: RemoteModel, model: DesiredModel, digest: str, world: World) -> bool:
    return world.may_have_made(model.provider, remote.name, names_of(model), digest, model.attempt)


def _is_of(run: Run, digest: str, attempt: int) -> bool:
    return (run.fingerprint, run.attempt) == (digest, attempt)


def resolve_bases(world: World) -> World:
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


_MOST = 20  # names that are remembered; as many as a spec may list


def with_former_names(desired: Desired, recorded: Recorded) -> Desired:
    """The same specs, each with the names that its record had before and that nobody else bears now.

    While a spec may hide in what cannot be read, no record changes hands: who would take one is named as doubtful.
    """
    present = desired.names
    # One that holds no more than refusals or commands speaks of no model, so no mark is its own.
    taken = {name for name, record in recorded.records.items() if record.slots or record.runs or record.intent}
    free = [record for name, record in recorded.records.items() if record.former_names and name not in present]
    models: list[DesiredModel] = []
    doubtful: dict[str, str] = {}
    for model in desired.models:
        record = _giving(free, model, recorded)
        claimed = [name for name in model.former_names if name in recorded.records]
        mine = recorded.records.get(model.name)
        had = mine.former_names if mine is not None else ()
        names = [name for name in had if name not in present and name not in taken]
        called = model
        if not desired.complete and (record is not None or claimed):
            doubtful[model.name] = record.name if record is not None else claimed[0]
            called = replace(model, former_names=tuple(n for n in model.former_names if n not in claimed))
        elif record is not None:
            free.remove(record)
            names += [record.name, *(name for name in record.former_names if name not in present)]
        models.append(_called(called, names))
    return replace(desired, models=tuple(models), doubtful=doubtful)


def _giving(free: Iterable[Record], model: DesiredModel, recorded: Recorded) -> Record | None:
    """The first of these records that gives itself back to the spec."""
    # A spec without any record may bear its third name already: the second was given back while nobody looked.
    known = any(name in recorded.records for name in names_of(model))
    bears = (model.name,) if known else names_of(model)
    return next((record for record in free if _was(record, model, bears)), None)


def _was(record: Record, model: DesiredModel, names: tuple[str, ...]) -> bool:
    """Whether the spec bears one of these names that the record had, and asks for what was paid for there."""
    if not set(names).intersection(record.former_names):
        return False
    intent = record.intent
    open_one = intent is not None and (intent.fingerprint, intent.attempt) == (model.fingerprint, model.attempt)
    return open_one or spent_run(model, record) is not None


def _called(model: DesiredModel, names: Iterable[str]) -> DesiredModel:
    """The model with these former names behind its own; the same value where there is none to add."""
    known = dict.fromkeys((*model.former_names, *names))
    known.pop(model.name, None)
    return replace(model, former_names=tuple(known)[:_MOST]) if len(known) > len(model.former_names) else model
