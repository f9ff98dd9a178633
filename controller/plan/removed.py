"""A record whose spec is gone to its actions: cancel what tunes, then leave the rest alone."""

from __future__ import annotations

from controller.conditions import Reason
from controller.plan.actions import Action, Adopt, Cancel, Hold, Nothing, Orphan
from controller.plan.world import World, slot_provider
from controller.state.desired import DeletionPolicy
from controller.state.observed import Presence, RemoteState
from controller.state.recorded import Intent, Record, Slot

_TUNING = frozenset({RemoteState.CREATING, RemoteState.UNKNOWN})


def removed(record: Record, world: World, *, whole: bool) -> tuple[Action, ...]:
    """What becomes of a record without a spec. ``whole`` is False where the revision could not be read whole."""
    if record.orphaned and record.intent is None:
        return (_say(record, Nothing, Reason.ORPHANED, "left alone since its spec was removed"),)
    if not whole:
        message = "no spec of this name, but not everything could be read: nothing counts as removed"
        return (_say(record, Hold, Reason.TREE_INCOMPLETE, message),)
    if record.intent is not None:
        settled = _settle(record, record.intent, world)
        if settled is not None:
            return (settled,)
    if record.pending is not None:
        stopped = _stop(record, record.pending, world)
        if stopped is not None:
            return stopped
    return (_leave(record),)


def _settle(record: Record, intent: Intent, world: World) -> Action | None:
    provider = intent.provider or record.provider
    remote = world.observed.model(provider, intent.model)
    match world.observed.presence(provider, intent.model):
        case Presence.UNSURE:
            message = f"a create of {intent.model} was sent and nobody can tell whether it happened"
            return _say(record, Hold, Reason.OUTCOME_UNKNOWN, message)
        case Presence.ABSENT:
            return None
        case Presence.FOUND:
            if remote is None or not world.is_ours(remote, (record.name,), intent.fingerprint, intent.attempt):
                return None
            return Adopt(
                name=record.name,
                provider=provider,
                reason=Reason.INTENT_FOUND,
                message=f"{intent.model} was made by a create whose answer was lost: recorded first, then stopped",
                model=intent.model,
                fingerprint=intent.fingerprint,
                attempt=intent.attempt,
            )


def _stop(record: Record, pending: Slot, world: World) -> tuple[Action, ...] | None:
    """The actions for a run that may still be tuning; None where it is not."""
    provider = slot_provider(pending, record)
    if world.observed.presence(provider, pending.model) is Presence.UNSURE:
        message = f"{pending.model} cannot be read: it is neither stopped nor left"
        return (_say(record, Hold, Reason.PROVIDER_UNREADABLE, message),)
    remote = world.observed.model(provider, pending.model)
    ours = remote is not None and world.is_ours(remote, (record.name,), pending.fingerprint, pending.attempt)
    if remote is None or not ours or remote.state not in _TUNING:
        return None
    if not record.missing:
        # One look can be wrong (a half-written tree, a mirror that lags); a cancel cannot be taken back.
        message = f"its spec is gone: {pending.model} is stopped if a second look agrees"
        return (_say(record, Hold, Reason.SPEC_MISSING, message),)
    cancel = Cancel(
        name=record.name,
        provider=provider,
        reason=Reason.SPEC_REMOVED,
        message=f"its spec was removed: {pending.model} is stopped; what it cost is spent",
        model=pending.model,
        fingerprint=pending.fingerprint,
        attempt=pending.attempt,
        operation=pending.operation,
    )
    return cancel, _leave(record)


def _leave(record: Record) -> Action:
    if record.deletion_policy is DeletionPolicy.DELETE:
        message = "its spec was removed and deletionPolicy is Delete, which is not built yet: left alone"
        return _say(record, Hold, Reason.DELETE_NOT_BUILT, message)
    return _say(record, Orphan, Reason.SPEC_REMOVED, "its spec was removed: the remote model stays and is left alone")


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
