"""A record whose spec is gone to its actions: cancel what tunes, then leave or delete the rest."""

from __future__ import annotations

from collections.abc import Iterator

from controller.plan.actions import Action, Cancel, Delete, Hold, Nothing, Orphan
from controller.plan.case import SHOWS_LATE, TUNING, adopt, may_yet_show, unknown
from controller.plan.world import World, slot_provider
from controller.state.desired import DeletionPolicy
from controller.state.observed import Presence, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Record, Slot


def removed(record: Record, world: World, *, whole: bool) -> tuple[Action, ...]:
    """What becomes of a record without a spec. ``whole`` is False where the revision could not be read whole."""
    if record.orphaned and record.intent is None:
        return (_say(record, Nothing, Reason.ORPHANED, "left alone since its spec was removed"),)
    if not whole:
        message = "no spec of this name, but not everything could be read: nothing counts as removed"
        return (_say(record, Hold, Reason.TREE_INCOMPLETE, message),)
    if never_ran(record):
        message = "its spec was removed before a run was paid for: nothing is left of it"
        return (_say(record, Orphan, Reason.SPEC_REMOVED, message),)
    if record.intent is not None:
        settled = _settle(record, record.intent, world)
        if settled is not None:
            return (settled,)
    if record.pending is not None:
        stopped = _stop(record, record.pending, world)
        if stopped is not None:
            return (stopped,)
    if record.deletion_policy is DeletionPolicy.DELETE:
        return tuple(_delete(record, world))
    return (_say(record, Orphan, Reason.SPEC_REMOVED, "its spec was removed: the remote model stays, left alone"),)


def never_ran(record: Record) -> bool:
    """Whether nothing was ever paid for under this name, nor may have been: its record speaks of no model."""
    return not (record.slots or record.runs or record.intent)


def _settle(record: Record, intent: Intent, world: World) -> Action | None:
    """First known, then superseded: an intent is settled also where nobody wants its model any more."""
    provider = intent.provider or record.provider
    made = Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)
    found = world.marked(provider, world.marks_of(record, made), intent.fingerprint, intent.attempt)
    if found:
        return adopt(record.name, provider, intent, found[0])
    if intent.model and world.observed.presence(provider, intent.model) is Presence.UNSURE:
        return _say(record, Hold, Reason.OUTCOME_UNKNOWN, unknown(record.name, intent.model))
    if may_yet_show(record, world):
        return _say(record, Hold, Reason.VISIBILITY, SHOWS_LATE)
    if intent.model:
        return None
    return _say(record, Hold, Reason.OUTCOME_UNKNOWN, unknown(record.name, "a model"))


def _stop(record: Record, pending: Slot, world: World) -> Action | None:
    """The action for a run that may still be tuning; None where it is not."""
    provider = slot_provider(pending, record)
    presence = world.observed.presence(provider, pending.model)
    if presence is Presence.UNSURE:
        message = f"{pending.model} cannot be read: it is neither stopped nor left"
        return _say(record, Hold, Reason.PROVIDER_UNREADABLE, message)
    if presence is Presence.ABSENT and pending.model in world.fresh:
        message = f"{pending.model} was just made and does not show yet"
        return _say(record, Hold, Reason.VISIBILITY, message)
    remote = world.observed.model(provider, pending.model)
    ours = remote is not None and world.is_ours(
        remote, world.marks_of(record, pending), pending.fingerprint, pending.attempt
    )
    if remote is None or not ours or remote.state not in TUNING:
        return None
    if not record.missing:
        # One look can be wrong (a half-written tree, a mirror that lags); a cancel cannot be taken back.
        message = f"its spec is gone: {pending.model} is stopped if a second look agrees"
        return _say(record, Hold, Reason.SPEC_MISSING, message)
    return Cancel(
        name=record.name,
        provider=provider,
        reason=Reason.SPEC_REMOVED,
        message=f"its spec was removed: {pending.model} is stopped; what it cost is spent",
        model=pending.model,
        fingerprint=pending.fingerprint,
        attempt=pending.attempt,
        operation=remote.operation or pending.operation,
    )


def _delete(record: Record, world: World) -> Iterator[Action]:
    """The two steps of a deletion: a tombstone on every model, and after the grace period the deletion itself."""
    if not record.slots:
        yield _say(record, Orphan, Reason.SPEC_REMOVED, "its spec was removed and its models are deleted")
        return
    waits = [slot for slot in record.slots if not is_due(slot, record, world)]
    if waits:
        message = f"its spec was removed: {len(record.slots)} models are deleted when the grace period is over"
        yield _say(record, Hold, Reason.DELETE_PENDING, f"{message}; `gitune approve-delete {record.name}` ends it")
        return
    for slot in record.slots:
        yield delete(record, slot, Reason.SPEC_REMOVED, f"its spec was removed: {slot.model} is deleted for good")


def is_due(slot: Slot, record: Record, world: World) -> bool:
    """Whether a tombstone stands, its grace period is over (or was ended by a person) and history holds it."""
    if not slot.doomed or slot.doomed_at in world.rewritten:
        return False
    return slot.doomed_at not in world.lost and (record.delete_approved or slot.model in world.due)


def delete(record: Record, slot: Slot, reason: Reason, message: str) -> Delete:
    """The second step for one model."""
    return Delete(
        name=record.name,
        provider=slot_provider(slot, record),
        reason=reason,
        message=message,
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
    )


def _say(record: Record, kind: type[Hold | Orphan | Nothing], reason: Reason, message: str) -> Action:
    slot = record.active or record.pending
    return kind(
        name=record.name,
        provider=record.provider,
        reason=reason,
        message=message,
        model=slot.model if slot else "",
        fingerprint=slot.fingerprint if slot else "",
        attempt=slot.attempt if slot else 0,
    )
