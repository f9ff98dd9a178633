"""A record, a world and what became of the actions to the next record, with its conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from controller.plan.actions import (
    Action,
    Done,
    Held,
    Hold,
    Nothing,
    Orphan,
    Outcome,
    Promote,
    Reuse,
    Tune,
    Update,
    Wait,
)
from controller.plan.grants import after_action, asked_for
from controller.plan.intents import opened, sent_again
from controller.plan.rules.agreement import serving, stays
from controller.plan.rules.removal import never_ran
from controller.plan.runs import advanced, beyond_limit, each_slot, forward, retire_finished, tenths
from controller.plan.transitions import acted_on, after
from controller.plan.world import World, names_of, slot_provider
from controller.state.changing import changed
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import DeletionPolicy, DesiredModel, Sampling
from controller.state.identity import without_mark
from controller.state.observed import Observed, Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Record, RunOutcome, Slot
from controller.state.reviews import Decision

_BESIDE = frozenset({Reason.HISTORY_LIMIT, Reason.STILL_TUNING})  # about another run than the one that is asked for
_NUMBER = re.compile(r"\d+(\.\d+)?")


def conditions(record: Record, outcome: Outcome) -> tuple[Condition, ...]:
    """Available and Ready always; Reconciling and Stalled only while they are true."""
    reason, message = why(outcome, record)
    message = _said_before(record, reason, message)
    found = [_available(record, reason, message), _ready(record, outcome, reason, message)]
    if _is_on_the_way(outcome, reason):
        found.append(Condition(ConditionType.RECONCILING, Truth.TRUE, reason, message))
    if _is_held(outcome) and reason.traits.needs_person:
        found.append(Condition(ConditionType.STALLED, Truth.TRUE, reason, message))
    return tuple(found)


def why(outcome: Outcome, record: Record) -> tuple[Reason, str]:
    """The reason and message of an outcome, progress by tenths."""
    action = outcome.action
    if isinstance(outcome, Held):
        return outcome.reason, outcome.message
    if isinstance(action, Wait) and record.pending is not None:
        return action.reason, f"{record.pending.model} is tuning: {record.tenths * 10} %"
    return action.reason, action.message


def _said_before(record: Record, reason: Reason, message: str) -> str:
    """The message of last time where only numbers differ and it clears by itself: a countdown is no news to write."""
    if not reason.traits.counts:
        return message
    same = (c.message for c in record.conditions if c.reason == reason and _worded(c.message) == _worded(message))
    return next(same, message)


def _worded(message: str) -> str:
    return _NUMBER.sub("0", message)


def _available(record: Record, reason: Reason, message: str) -> Condition:
    active = record.active
    if active is None:
        return Condition(ConditionType.AVAILABLE, Truth.FALSE, reason, "no run serves yet")
    if active.state != RemoteState.ACTIVE:
        return Condition(ConditionType.AVAILABLE, Truth.FALSE, reason, message)
    if unreliable := _without_its_base(record):
        return Condition(ConditionType.AVAILABLE, Truth.FALSE, Reason.BASE_MODEL_GONE, unreliable)
    return serving(active.model)[0]


def _ready(record: Record, outcome: Outcome, reason: Reason, message: str) -> Condition:
    if reason.traits.unknown:
        return Condition(ConditionType.READY, Truth.UNKNOWN, reason, message)
    on_the_way = outcome.action.on_the_way
    if (
        record.orphaned
        or _is_held(outcome)
        or on_the_way
        or record.active is None
        or isinstance(outcome.action, Orphan)
    ):
        return Condition(ConditionType.READY, Truth.FALSE, reason, message)
    if unreliable := _without_its_base(record):
        return Condition(ConditionType.READY, Truth.FALSE, Reason.BASE_MODEL_GONE, unreliable)
    return serving(record.active.model)[1]


def _without_its_base(record: Record) -> str:
    """What is said of a model that serves, however it is listed, when its base is gone; "" while the base is there."""
    run = record.run(record.active.model) if record.active is not None else None
    if run is None or not run.base_gone:
        return ""
    what = f"{run.model} cannot be relied on: the provider does not know its base model {run.base}"
    return f"{what}, since {run.base_gone}"


def _is_held(outcome: Outcome) -> bool:
    return isinstance(outcome, Held) or isinstance(outcome.action, Hold)


def _is_on_the_way(outcome: Outcome, reason: Reason) -> bool:
    if _is_held(outcome):
        return not reason.traits.needs_person and reason is not Reason.SUSPENDED
    return isinstance(outcome, Done) and outcome.action.on_the_way


def with_intents(world: World, actions: Sequence[Action], nonces: Mapping[str, str], now: str) -> dict[str, Record]:
    """The records with an intent for every create: made durable before a request leaves. ``nonces`` by spec name."""
    records = dict(world.recorded.records)
    for action in actions:
        if not isinstance(action, Tune):
            continue
        record = _record_for(action.desired, world, records)
        at = world.at(action.provider, now)
        new = opened(action, world.desired.revision or "", nonces[action.name], at)
        intent = sent_again(record.intent, new)
        if intent is new:
            # Acted on from here: whoever sees an older commit later must not pay for what that one asks.
            record = _with_policy(changed(record, attempted=new.revision or record.attempted), action.desired, world)
            record = changed(record, asked=asked_for(action.desired))
        records[action.name] = changed(record, intent=intent)
    return records


def next_records(world: World, outcomes: Sequence[Outcome], now: str) -> dict[str, Record]:
    """The whole record after a pass. ``now`` is RFC 3339 UTC. Records nothing was decided for stay as they are."""
    records = dict(world.recorded.records)
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.action.name, []).append(outcome)
    for name, came in by_name.items():
        model = world.spec(name)
        if model is not None and _stays(records.get(name), model, came, world):
            continue
        record = _start(name, model, came, world, records)
        if record is None:
            continue
        record = _at_its_provider(record, model, world) if model else record
        record = refreshed(record, world, now, names_of(model) if model else ())
        for outcome in came:
            record = after(record, outcome, world, now)
            if isinstance(outcome, Done):
                record = after_action(record, outcome.action, model, world)
        record = _superseded_settled(record, came)
        records[name] = _finished(record, model, came, world, now)
        if _is_void(records[name], came):
            del records[name]
    return {name: _forgiven(record, world) for name, record in records.items()}


def _stays(record: Record | None, model: DesiredModel, came: Sequence[Outcome], world: World) -> bool:
    """Whether all is in order and recorded so, as for most specs of most passes."""
    only = came[0].action if len(came) == 1 and isinstance(came[0], Done) else None
    if record is None or not isinstance(only, Nothing) or not stays(record, model, world):
        return False
    return only.reason is Reason.UP_TO_DATE and (not record.asked or record.asked == asked_for(model))


def _is_void(record: Record, came: Sequence[Outcome]) -> bool:
    """Whether a removed spec leaves nothing behind; what was refused or taken of it is kept until it is forgotten."""
    let_go = any(isinstance(o, Done) and isinstance(o.action, Orphan) for o in came) and record.orphaned
    told = bool(record.commands) or any(r.verdict is Decision.REFUSED for r in record.reviews)
    return let_go and never_ran(record) and not told


def _forgiven(record: Record, world: World) -> Record:
    """Acted on at this revision where the one before is gone for good: no later pass can be behind that."""
    return (
        changed(record, attempted=world.desired.revision or "")
        if record.attempted in world.history.forgiven
        else record
    )


def _start(
    name: str, model: DesiredModel | None, came: Sequence[Outcome], world: World, records: dict[str, Record]
) -> Record | None:
    if model is not None:
        return None if _renames_back(model, came, world, records) else _record_for(model, world, records)
    if name in records:
        return records[name]
    # A spec that was never valid has a record too, so that its status can be read.
    return Record(name=name, provider=came[0].action.provider)


def _renames_back(model: DesiredModel, came: Sequence[Outcome], world: World, records: Mapping[str, Record]) -> bool:
    """Whether a commit that may be older would take the record along under another name: that is for the newer one.

    Not where a person let the older one act.
    """
    found = world.record_of(model)
    moves = found is not None and (found.name != model.name or any(name in records for name in model.former_names))
    acts = any(isinstance(one, Done) and one.action.acts and not one.action.is_progress for one in came)
    return world.history.may_be_old and moves and not acts


def _record_for(model: DesiredModel, world: World, records: dict[str, Record]) -> Record:
    """The record of a spec under its present name; a former name's record moves over."""
    found = world.record_of(model)
    if found is None:
        return Record(name=model.name, provider=model.provider, former_names=model.former_names)
    found = changed(found, former_names=model.former_names)
    taken = [(name, record) for name in model.former_names if (record := records.pop(name, None)) is not None]
    records |= {name: _still_open(record) for name, record in taken if _may_have_made_more(record, found)}
    if found.name == model.name and not taken:
        return found
    # A rename is acted on when it is recorded: a mirror that lags would find the former name without a record, and pay.
    here = world.desired.revision or ""
    intent = found.intent
    if intent is not None and (intent.fingerprint, intent.attempt) == (model.fingerprint, model.attempt):
        intent = changed(intent, revision=here or intent.revision)
    return acted_on(changed(found, name=model.name, intent=intent), world)


def _may_have_made_more(taken: Record, by: Record) -> bool:
    """Whether a record that is taken over has an open create of its own, which the one that goes on cannot hold too."""
    intent = taken.intent
    return intent is not None and intent.answer is not Answer.REFUSED and intent != by.intent


def _still_open(record: Record) -> Record:
    """What stays under a name that is given up, until the create of who took it over is settled: its own comes next."""
    return changed(record, active=None, pending=None, retired=(), runs=(), reviews=(), commands=())


def _at_its_provider(record: Record, model: DesiredModel, world: World) -> Record:
    """The slots under the key that gitune.yaml has for their provider now, where it was renamed."""

    def move(slot: Slot | None) -> Slot | None:
        if slot is None or slot_provider(slot, record) in world.facts:
            return slot
        remote = world.observed.model(model.provider, slot.model)
        ours = remote is not None and world.is_ours(remote, names_of(model), slot.fingerprint, slot.attempt)
        return changed(slot, provider=model.provider) if ours else slot

    moved = each_slot(record, move)
    return moved if moved == record or record.provider in world.facts else changed(moved, provider=model.provider)


def refreshed(record: Record, world: World, now: str, names: tuple[str, ...]) -> Record:
    """The record with its slots and runs as they were just observed.

    ``names`` are those our marks may carry; without any, where there is no spec, those that the record may have had.
    """

    def seen(slot: Slot) -> RemoteModel | None:
        remote = world.observed.model(slot_provider(slot, record), slot.model)
        if remote is None:
            return None
        ours = names or world.marks_of(record, slot)
        return remote if world.is_ours(remote, ours, slot.fingerprint, slot.attempt) else None

    gone = _deleted(record, world)
    remotes = {slot: remote for slot in record.slots if (remote := seen(slot)) is not None}

    def look(slot: Slot | None) -> Slot | None:
        if slot is None or slot.model in gone:
            return None
        remote = remotes.get(slot)
        return forward(slot, remote) if remote is not None else _unseen(slot, record, world)

    found = {slot.model: remote for slot, remote in remotes.items()}
    runs = tuple(advanced(run, found[run.model], now) if run.model in found else run for run in record.runs)
    runs = tuple(changed(run, deleted=True) if run.model in gone else run for run in runs)
    late = record.pending.model if record.pending is not None and record.pending.model in world.overdue else ""
    return changed(each_slot(record, look), runs=runs, overdue=late)


def as_seen(records: Mapping[str, Record], observed: Observed) -> Mapping[str, Record]:
    """The records with the runs that tune as they were just seen; the ledger is written by tenths of progress."""
    return MappingProxyType({name: _as_seen(record, observed) for name, record in records.items()})


def _as_seen(record: Record, observed: Observed) -> Record:
    pending = record.pending
    remote = observed.model(slot_provider(pending, record), pending.model) if pending else None
    if pending is None or remote is None:
        return record
    runs = tuple(
        changed(run, completed_steps=remote.progress.completed_steps).with_losses(remote.losses or run.losses)
        if run.model == pending.model and remote.progress.completed_steps > run.completed_steps
        else run
        for run in record.runs
    )
    return changed(record, runs=runs)


def _deleted(record: Record, world: World) -> frozenset[str]:
    """The models whose deletion was due and that are gone: it was done, and a crash came before its record."""

    def is_done(slot: Slot) -> bool:
        due = bool(slot.tombstone) and (slot.model in world.due or record.delete_approved)
        was_there = slot.state != RemoteState.UNKNOWN  # else it went before its deletion was due, by another hand
        return due and was_there and world.observed.presence(slot_provider(slot, record), slot.model) is Presence.ABSENT

    return frozenset(slot.model for slot in record.slots if is_done(slot))


def _unseen(slot: Slot, record: Record, world: World) -> Slot:
    """P7: a model that is proven to be gone does not stand as what it was last seen as."""
    presence = world.observed.presence(slot_provider(slot, record), slot.model)
    gone = presence is Presence.ABSENT and slot.model not in world.recently_created
    return changed(slot, state=RemoteState.UNKNOWN) if gone else slot


def _superseded_settled(record: Record, came: Sequence[Outcome]) -> Record:
    """A pending run that ended while another one serves as desired gives up its slot."""
    pending = record.pending
    run = record.run(pending.model) if pending else None
    if run is None or run.outcome is RunOutcome.TUNING:
        return record
    desired_serves = any(isinstance(o, Done) and isinstance(o.action, Nothing | Update | Reuse) for o in came)
    return retire_finished(record) if desired_serves else record


def _finished(record: Record, model: DesiredModel | None, came: Sequence[Outcome], world: World, now: str) -> Record:
    """What follows from the spec and from the slots as they now are, and the conditions."""
    if model is not None:
        record = _taken_back(record, _wanted_again(changed(record, missing=False), model), world)
        record = _with_policy(record, model, world)
        if record.active is not None and _serves(came):
            record = _in_place(record, model, came, world)
    elif record.name in world.desired.names:
        record = _taken_back(record, _there_after_all(record), world)
    run = record.run(record.pending.model) if record.pending else None
    record = changed(record, tenths=tenths(run) if run and run.outcome is RunOutcome.TUNING else 0)
    if not any(o.action.reason is Reason.SETTLING for o in came):
        record = changed(record, awaited=None)
    last = next((o for o in reversed(came) if o.action.reason not in _BESIDE), came[-1])
    record = _with_its_base(record, world, now)
    told = conditions(record, last)
    return changed(record, conditions=(*told, *_still_tuning(told, came)))


def _still_tuning(told: Sequence[Condition], came: Sequence[Outcome]) -> tuple[Condition, ...]:
    """What is said of a run that was stopped and tunes on, where the conditions say nothing of what is under way."""
    again = next((o.action for o in came if o.action.reason is Reason.STILL_TUNING), None)
    if again is None or any(c.type in {ConditionType.RECONCILING, ConditionType.STALLED} for c in told):
        return ()
    return (Condition(ConditionType.RECONCILING, Truth.TRUE, again.reason, again.message),)


def _with_its_base(record: Record, world: World, now: str) -> Record:
    """Whether the base of what serves is there, as far as it was asked for; what was not stays as it was."""
    run = record.run(record.active.model) if record.active is not None else None
    if record.active is None or run is None:
        return record
    seen = world.observed.providers.get(slot_provider(record.active, record))
    facts = seen.base_models.get(run.base) if seen is not None else None
    if facts is None:
        return record
    since = "" if facts.exists else run.base_gone or now
    return changed(record, runs=tuple(changed(r, base_gone=since) if r is run else r for r in record.runs))


def _with_policy(record: Record, model: DesiredModel, world: World) -> Record:
    """The policy of the spec. To delete no more is an act: what is older, or may be, does not take it back."""
    if model.deletion_policy is record.deletion_policy:
        return record
    if model.deletion_policy is DeletionPolicy.DELETE:
        return record if world.history.may_be_old else changed(record, deletion_policy=DeletionPolicy.DELETE)
    return acted_on(changed(record, deletion_policy=model.deletion_policy), world)


def _taken_back(before: Record, record: Record, world: World) -> Record:
    """To take a removal back is an act too: who still sees the spec removed is behind, and deletes nothing."""
    spared = {slot.model for slot in before.slots if slot.tombstone} - {
        slot.model for slot in record.slots if slot.tombstone
    }
    return acted_on(record, world) if spared or before.missing else record


def _there_after_all(record: Record) -> Record:
    """A spec that came back broken came back: if it is removed again, everything is looked at anew."""

    def spare(slot: Slot | None) -> Slot | None:
        return changed(slot, tombstone="", tombstone_told="", tombstone_revision="") if slot is not None else None

    return changed(each_slot(record, spare), missing=False, delete_approved=False)


def _wanted_again(record: Record, model: DesiredModel) -> Record:
    """No tombstone stands on a run that its spec wants or keeps."""
    beyond = {slot.model for slot in beyond_limit(record, model.run_history_limit)}

    def spare(slot: Slot | None) -> Slot | None:
        kept = slot is None or slot.model in beyond
        return slot if kept or slot is None else changed(slot, tombstone="", tombstone_told="", tombstone_revision="")

    return changed(each_slot(record, spare), delete_approved=record.delete_approved and bool(beyond))


def _serves(came: Sequence[Outcome]) -> bool:
    return any(isinstance(o, Done) and o.action.serves for o in came)


def _in_place(record: Record, model: DesiredModel, came: Sequence[Outcome], world: World) -> Record:
    """The in-place fields that the spec says, as last applied, to tell a change of it from drift.

    A run that was just made the active one has what it was made with: the spec may have said something else meanwhile.
    """
    active = record.active
    remote = world.observed.model(slot_provider(active, record), active.model) if active else None
    just_made = any(isinstance(o, Done) and isinstance(o.action, Promote | Reuse) for o in came)
    has = remote if just_made else None
    text = without_mark(remote.description) if remote else ""
    said = model.sampling
    return changed(
        record,
        prefix=model.dataset.prefix,
        display_name=(has.display_name if has else model.display_name) if model.display_name else record.display_name,
        description=text if has or model.description is None else model.description,
        sampling=_where_said(said, has.sampling) if has else said,
    )


def _where_said(said: Sampling, has: Sampling) -> Sampling:
    """What a model has, in the fields that a spec says something of."""
    return Sampling(
        temperature=None if said.temperature is None else has.temperature,
        top_p=None if said.top_p is None else has.top_p,
        top_k=None if said.top_k is None else has.top_k,
    )
