"""Outcomes and observations to the next record, and intents to the record that goes before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controller.conditions import Reason
from controller.plan.actions import (
    Action,
    Adopt,
    Cancel,
    Create,
    Delete,
    Hold,
    Nothing,
    Orphan,
    Promote,
    Retune,
    Reuse,
    Update,
    Wait,
)
from controller.plan.outcomes import Done, Held, Outcome
from controller.plan.runs import advanced, forward, new_run, stopped, tenths
from controller.plan.status import conditions
from controller.plan.world import World, names_of, slot_provider
from controller.state.desired import DesiredModel
from controller.state.identity import without_mark
from controller.state.observed import RemoteModel, RemoteState
from controller.state.recorded import Intent, Record, Run, RunOutcome, Score, Slot

# After these a create is asked for again with the same intent; after any other the intent is settled.
_KEEPS_INTENT = frozenset(
    {Reason.OUTCOME_UNKNOWN, Reason.QUOTA_EXCEEDED, Reason.PROVIDER_UNREADABLE, Reason.PROVIDER_REJECTED}
)


def with_intents(world: World, actions: Sequence[Action], nonces: Mapping[str, str]) -> dict[str, Record]:
    """The records with an intent for every create: made durable before a request leaves. ``nonces`` by spec name."""
    records = dict(world.recorded.records)
    for action in actions:
        if not isinstance(action, Create | Retune):
            continue
        record = _record_for(action.desired, world, records)
        open_one = record.intent
        if open_one is not None and (open_one.model, open_one.attempt) == (action.model, action.attempt):
            continue
        intent = Intent(
            action.model,
            action.fingerprint,
            action.attempt,
            nonces[action.name],
            world.desired.revision or "",
            action.provider,
        )
        records[action.name] = replace(record, intent=intent)
    return records


def next_records(world: World, outcomes: Sequence[Outcome], now: str) -> dict[str, Record]:
    """The whole record after a pass. ``now`` is RFC 3339 UTC. Records nothing was decided for stay as they are."""
    records = dict(world.recorded.records)
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.action.name, []).append(outcome)
    specs = {model.name: model for model in world.desired.models}
    for name, came in by_name.items():
        model = specs.get(name)
        record = _start(name, model, came, world, records)
        if record is None:
            continue
        record = refreshed(record, world, now, names_of(model) if model else (name,))
        for outcome in came:
            record = _after(record, outcome, world.desired.revision or "", now)
        record = _superseded_settled(record, came)
        records[name] = _finished(record, model, came, world)
    return records


def _start(
    name: str, model: DesiredModel | None, came: Sequence[Outcome], world: World, records: dict[str, Record]
) -> Record | None:
    if model is not None:
        return _record_for(model, world, records)
    if name in records:
        return records[name]
    # A spec that was never valid has a record too, so that its status can be read.
    return Record(name=name, provider=came[0].action.provider)


def _record_for(model: DesiredModel, world: World, records: dict[str, Record]) -> Record:
    """The record of a spec under its present name; a former name's record moves over."""
    found = world.record_of(model)
    if found is None:
        return Record(name=model.name, provider=model.provider)
    if found.name != model.name:
        records.pop(found.name, None)
    return replace(found, name=model.name)


def refreshed(record: Record, world: World, now: str, names: tuple[str, ...]) -> Record:
    """The record with its slots and runs as they were just observed; ``names`` are those our marks may carry."""

    def seen(slot: Slot) -> RemoteModel | None:
        remote = world.observed.model(slot_provider(slot, record), slot.model)
        return remote if remote and world.is_ours(remote, names, slot.fingerprint, slot.attempt) else None

    def look(slot: Slot | None) -> Slot | None:
        remote = seen(slot) if slot else None
        return forward(slot, remote) if slot and remote else slot

    remotes = {slot.model: remote for slot in record.slots if (remote := seen(slot))}
    runs = tuple(advanced(run, remotes[run.model], now) if run.model in remotes else run for run in record.runs)
    return replace(
        record,
        active=look(record.active),
        pending=look(record.pending),
        retired=tuple(kept for slot in record.retired if (kept := look(slot))),
        runs=runs,
    )


def _after(record: Record, outcome: Outcome, revision: str, now: str) -> Record:
    if isinstance(outcome, Held):
        return _after_held(record, outcome)
    action = outcome.action
    match action:
        case Create() | Retune():
            return _after_create(record, action, outcome.remote, revision, now)
        case Adopt():
            return _after_adopt(record, action, outcome.remote, now)
        case Promote() | Reuse():
            return _after_serving(record, action, outcome, revision, now)
        case Update():
            return replace(record, applied=revision, attempted=revision)
        case Cancel():
            return _after_cancel(record, action, now)
        case Orphan():
            return _after_orphan(record, action)
        case Hold():
            return replace(record, missing=record.missing or action.reason is Reason.SPEC_MISSING)
        case Delete() | Wait() | Nothing():
            return record


def _after_held(record: Record, outcome: Held) -> Record:
    if isinstance(outcome.action, Create | Retune) and outcome.reason not in _KEEPS_INTENT:
        return replace(record, intent=None)
    if outcome.score is not None:
        return _scored(record, outcome.action.model, outcome.score)
    return record


def _after_create(
    record: Record, action: Create | Retune, remote: RemoteModel | None, revision: str, now: str
) -> Record:
    if remote is None:
        return record
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    run = new_run(action.desired, remote, revision, now)
    record = _retire_finished(record)
    return replace(
        record,
        provider=action.provider,
        attempted=revision,
        pending=slot,
        intent=None,
        orphaned=False,
        runs=(*(r for r in record.runs if r.model != run.model), run),
    )


def _retire_finished(record: Record) -> Record:
    """The pending slot emptied: a run that finished well is kept for a free revert, any other is only remembered."""
    old = record.pending
    if old is None:
        return record
    run = record.run(old.model)
    kept = (old, *record.retired) if run is not None and run.outcome is RunOutcome.SUCCEEDED else record.retired
    return replace(record, pending=None, retired=kept)


def _after_adopt(record: Record, action: Adopt, remote: RemoteModel | None, now: str) -> Record:
    if remote is None:
        return record
    intent = record.intent
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    known = record.run(remote.name) or Run(
        model=remote.name,
        provider_type="",
        base=remote.base_model,
        fingerprint=action.fingerprint,
        attempt=action.attempt,
        dataset_digest="",
        resolved=remote.hyperparameters,
        revision=intent.revision if intent else "",
        started=remote.created or now,
    )
    record = _retire_finished(record)
    runs = (*(r for r in record.runs if r.model != remote.name), known)
    return replace(record, pending=slot, intent=None, runs=runs)


def _after_serving(record: Record, action: Promote | Reuse, outcome: Done, revision: str, now: str) -> Record:
    remote = outcome.remote
    if remote is None:
        return record
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    if record.run(slot.model) is None:
        found = replace(new_run(action.desired, remote, revision, now), fingerprint=slot.fingerprint)
        record = replace(record, runs=(*record.runs, found))
    others = tuple(s for s in record.retired if s.model != slot.model)
    record = replace(record, retired=others, provider=action.provider, attempted=revision, orphaned=False)
    if record.pending is not None and record.pending.model == slot.model:
        record = replace(record, pending=None)
    if remote.state is not RemoteState.ACTIVE:
        return replace(_retire_active_twin(record, slot), pending=slot)
    old = record.active
    if old is not None and old.model != slot.model:
        record = replace(record, retired=(old, *record.retired))
    record = replace(record, active=slot, applied=revision, prefix=action.desired.dataset.prefix)
    return _scored(record, slot.model, outcome.score) if outcome.score else record


def _retire_active_twin(record: Record, slot: Slot) -> Record:
    twin = record.active is not None and record.active.model == slot.model
    return replace(record, active=None) if twin else record


def _after_cancel(record: Record, action: Cancel, now: str) -> Record:
    late = action.reason is Reason.DEADLINE_EXCEEDED
    outcome = RunOutcome.DEADLINE_EXCEEDED if late else RunOutcome.CANCELLED
    runs = tuple(stopped(r, outcome, now) if r.model == action.model else r for r in record.runs)
    keep = late or record.pending is None or record.pending.model != action.model
    return replace(record, runs=runs, pending=record.pending if keep else None)


def _after_orphan(record: Record, action: Orphan) -> Record:
    if action.reason is Reason.HISTORY_LIMIT:
        return replace(record, retired=tuple(s for s in record.retired if s.model != action.model))
    return replace(record, orphaned=True, intent=None)


def _scored(record: Record, model: str, score: Score) -> Record:
    return replace(record, runs=tuple(replace(r, score=score) if r.model == model else r for r in record.runs))


def _superseded_settled(record: Record, came: Sequence[Outcome]) -> Record:
    """A pending run that ended while another one serves as desired gives up its slot."""
    pending = record.pending
    run = record.run(pending.model) if pending else None
    if run is None or run.outcome is RunOutcome.TUNING:
        return record
    desired_serves = any(isinstance(o, Done) and isinstance(o.action, Nothing | Update | Reuse) for o in came)
    return _retire_finished(record) if desired_serves else record


def _finished(record: Record, model: DesiredModel | None, came: Sequence[Outcome], world: World) -> Record:
    """What follows from the spec and from the slots as they now are, and the conditions."""
    if model is not None:
        record = replace(record, missing=False, deletion_policy=model.deletion_policy)
        if record.active is not None and _serves(came):
            record = _in_place(record, model, world)
    run = record.run(record.pending.model) if record.pending else None
    record = replace(record, tenths=tenths(run) if run and run.outcome is RunOutcome.TUNING else 0)
    last = next((o for o in reversed(came) if o.action.reason is not Reason.HISTORY_LIMIT), came[-1])
    return replace(record, conditions=conditions(record, last))


def _serves(came: Sequence[Outcome]) -> bool:
    kinds = Nothing | Update | Promote | Reuse
    return any(isinstance(o, Done) and isinstance(o.action, kinds) for o in came)


def _in_place(record: Record, model: DesiredModel, world: World) -> Record:
    """The in-place fields as last applied, so that the next difference can be told a change or drift."""
    active = record.active
    remote = world.observed.model(slot_provider(active, record), active.model) if active else None
    text = without_mark(remote.description) if remote else ""
    return replace(
        record,
        prefix=model.dataset.prefix,
        display_name=model.display_name or record.display_name,
        description=text if model.description is None else model.description,
        sampling=model.sampling,
    )
