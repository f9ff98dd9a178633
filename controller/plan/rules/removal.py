"""A record whose spec is gone, and runs that nothing asks for: what tunes is cancelled, the rest is left or deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.plan.actions import Action, Cancel, Delete, Hold, Nothing, Orphan, Target, about
from controller.plan.rules.case import SHOWS_LATE, TUNING, adopt, left_behind, may_yet_show, unknown, unlisted
from controller.plan.rules.table import Table, row
from controller.plan.runs import STOPPED, beyond_limit
from controller.plan.world import World, is_out_of_reach, names_of, slot_provider
from controller.state.desired import DeletionPolicy, DesiredModel
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Record, Run, Slot

_NO_INTENT = "no create is open"
_NOTHING_PENDING = "no run is pending"


@dataclass(frozen=True, slots=True)
class Removal:
    """A record without a spec, in its world. ``whole`` is False where the revision could not be read whole."""

    record: Record
    world: World
    whole: bool

    def say(self, kind: type[Hold | Orphan | Nothing], reason: Reason, message: str) -> tuple[Action, ...]:
        """One action about the record as a whole."""
        record = self.record
        whole = about(record.name, record.provider, record.active or record.pending)
        return (kind(**whole, reason=reason, message=message),)

    def of(self, slot: Slot) -> Target:
        """One of its runs."""
        return about(self.record.name, slot_provider(slot, self.record), slot)

    def pending(self) -> RemoteModel | None:
        """The pending run's model, where it is ours and may still be tuning."""
        slot = self.record.pending
        if slot is None:
            return None
        remote = self.world.observed.model(slot_provider(slot, self.record), slot.model)
        names = self.world.marks_of(self.record, slot)
        ours = remote is not None and self.world.is_ours(remote, names, slot.fingerprint, slot.attempt)
        return remote if remote is not None and ours and remote.state in TUNING else None


def never_ran(record: Record) -> bool:
    """Whether nothing was ever paid for under this name, nor may have been: its record speaks of no model."""
    return not (record.slots or record.runs or record.intent)


@row("none", Reason.ORPHANED)
def let_go_before(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone since an earlier pass, and its model was left alone."""
    if not gone.record.orphaned or gone.record.intent is not None:
        return "it was not let go of before"
    return gone.say(Nothing, Reason.ORPHANED, "left alone since its spec was removed")


@row("hold", Reason.TREE_INCOMPLETE)
def not_read_whole(gone: Removal) -> tuple[Action, ...] | str:
    """No spec of this name was found, but not everything could be read."""
    if gone.whole:
        return "everything could be read"
    message = "no spec of this name, but not everything could be read: nothing counts as removed"
    return gone.say(Hold, Reason.TREE_INCOMPLETE, message)


@row("orphan", Reason.SPEC_REMOVED)
def removed_before_a_run(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and nothing was ever paid for: its record is dropped, unless a refusal stands in it."""
    if not never_ran(gone.record):
        return "something was paid for, or may have been"
    return gone.say(Orphan, Reason.SPEC_REMOVED, "its spec was removed before a run was paid for: nothing remains")


@row("adopt", Reason.INTENT_FOUND)
def removed_create_found(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and a create of it whose answer was lost is found: first known, then superseded."""
    intent = gone.record.intent
    if intent is None:
        return _NO_INTENT
    provider = _provider(gone, intent)
    made = Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)
    names = gone.world.marks_of(gone.record, made)
    marked = gone.world.marked(provider, names, intent.fingerprint, intent.attempt)
    found = [remote for remote in marked if intent.model in {"", remote.name}]
    return (adopt(gone.record.name, provider, intent, found[0]),) if found else "no model of that create is there"


@row("hold", Reason.OUTCOME_UNKNOWN, Reason.VISIBILITY, Reason.PROVIDER_UNREADABLE)
def removed_create_unknown(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and nobody can tell yet whether a create of it made something."""
    intent, world = gone.record.intent, gone.world
    if intent is None:
        return _NO_INTENT
    if intent.model and world.observed.presence(_provider(gone, intent), intent.model) is Presence.UNSURE:
        return gone.say(Hold, Reason.OUTCOME_UNKNOWN, unknown(gone.record.name, intent.model))
    provider = _provider(gone, intent)
    made = Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)
    names = world.marks_of(gone.record, made)
    claimed = world.is_claimed(provider, intent.model, names, intent.fingerprint, intent.attempt)
    if claimed and not world.is_whole(provider):
        return gone.say(Hold, Reason.PROVIDER_UNREADABLE, unlisted(provider, intent.model, world))
    if may_yet_show(gone.record, world):
        return gone.say(Hold, Reason.VISIBILITY, SHOWS_LATE)
    if intent.model:
        return "its id is free: the create made nothing"
    return gone.say(Hold, Reason.OUTCOME_UNKNOWN, unknown(gone.record.name, "a model"))


@row("hold", Reason.PROVIDER_UNREADABLE, Reason.VISIBILITY)
def removed_run_unseen(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and whether its pending run tunes cannot be told yet."""
    slot = gone.record.pending
    if slot is None:
        return _NOTHING_PENDING
    presence = gone.world.observed.presence(slot_provider(slot, gone.record), slot.model)
    if is_out_of_reach(slot, gone.record, gone.world):
        return "its provider is not in gitune.yaml any more: nobody can stop it"
    if presence is Presence.UNSURE:
        message = f"{slot.model} cannot be read: it is neither stopped nor left"
        return gone.say(Hold, Reason.PROVIDER_UNREADABLE, message)
    if presence is Presence.ABSENT and slot.model in gone.world.recently_created:
        return gone.say(Hold, Reason.VISIBILITY, f"{slot.model} was just made and does not show yet")
    return "the pending run can be seen, or is gone"


@row("hold", Reason.SPEC_MISSING)
def removed_once(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and its run is tuning: seen once."""
    slot = gone.record.pending
    if slot is None or gone.pending() is None:
        return "no run of it is tuning"
    if gone.record.missing:
        return "an earlier pass did not find the spec either"
    # One look can be wrong (a half-written tree, a mirror that lags); a cancel cannot be taken back.
    message = f"its spec is gone: {slot.model} is stopped if a second look agrees"
    return gone.say(Hold, Reason.SPEC_MISSING, message)


@row("cancel", Reason.SPEC_REMOVED)
def removed_twice(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and its run is tuning: seen twice."""
    slot, remote = gone.record.pending, gone.pending()
    if slot is None or remote is None:
        return "no run of it is tuning"
    stop = Cancel(
        **gone.of(slot),
        reason=Reason.SPEC_REMOVED,
        message=f"its spec was removed: {slot.model} is stopped; what it cost is spent",
        operation=remote.operation or slot.operation,
    )
    return (stop,)


@row("cancel", Reason.STILL_TUNING)
def removed_and_tunes_on(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and its run was cancelled and still tunes: it is not let go of before it has stopped."""
    if gone.record.slots and gone.record.deletion_policy is DeletionPolicy.DELETE:
        return "deletionPolicy is Delete"
    found = tuning_on(gone.record.name, gone.record, gone.world, frozenset())
    return tuple(_stop_again(run) for run in found) or "no run of it that was cancelled still tunes"


@row("orphan", Reason.SPEC_REMOVED)
def removed_and_left(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone: its model is left alone."""
    if gone.record.deletion_policy is DeletionPolicy.DELETE and gone.record.slots:
        return "deletionPolicy is Delete"
    left = "its models are deleted" if gone.record.deletion_policy is DeletionPolicy.DELETE else ""
    message = f"its spec was removed and {left}" if left else "its spec was removed: the remote model stays, left alone"
    return gone.say(Orphan, Reason.SPEC_REMOVED, message + left_behind(gone.record, gone.world))


@row("hold", Reason.DELETE_PENDING)
def removed_with_tombstone(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, with `deletionPolicy: Delete`: a tombstone is written, and the grace period runs."""
    record = gone.record
    if all(is_due(slot, record, gone.world) for slot in record.slots):
        return "the grace period is over, or was ended"
    count = len(record.slots)
    what = "its model is" if count == 1 else f"its {count} models are"
    message = f"its spec was removed: {what} deleted when the grace period is over"
    return gone.say(Hold, Reason.DELETE_PENDING, f"{message}; `gitune approve-delete {record.name}` ends it")


@row("delete", Reason.SPEC_REMOVED)
def removed_and_deleted(gone: Removal) -> tuple[Action, ...] | str:
    """The spec is gone, and the grace period is over, or was ended by `gitune approve-delete`."""
    why = "its spec was removed: {} is deleted for good"
    return tuple(
        Delete(**gone.of(slot), reason=Reason.SPEC_REMOVED, message=why.format(slot.model))
        for slot in gone.record.slots
    )


def _provider(gone: Removal, intent: Intent) -> str:
    return intent.provider or gone.record.provider


# ── runs beyond the history ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Beyond:
    """A retired run over the limit of its spec."""

    model: DesiredModel
    record: Record
    slot: Slot
    world: World

    def say(self, kind: type[Hold | Orphan | Delete], what: str) -> tuple[Action, ...]:
        """One action about the run."""
        message = f"{self.slot.model} is beyond runHistoryLimit {self.model.run_history_limit}: {what}"
        run = about(self.record.name, slot_provider(self.slot, self.record), self.slot)
        return (kind(**run, reason=Reason.HISTORY_LIMIT, message=message),)


@row("orphan", Reason.HISTORY_LIMIT)
def beyond_and_left(run: Beyond) -> tuple[Action, ...] | str:
    """A retired run is beyond `runHistoryLimit`."""
    if run.model.deletion_policy is DeletionPolicy.DELETE:
        return "deletionPolicy is Delete"
    return run.say(Orphan, "left alone from now on")


@row("delete", Reason.HISTORY_LIMIT)
def beyond_and_deleted(run: Beyond) -> tuple[Action, ...] | str:
    """A retired run is beyond `runHistoryLimit`, with `deletionPolicy: Delete`, and its grace period is over."""
    if not is_due(run.slot, run.record, run.world):
        return "the grace period is not over"
    return run.say(Delete, "deleted for good")


@row("hold", Reason.HISTORY_LIMIT)
def beyond_with_tombstone(run: Beyond) -> tuple[Action, ...] | str:
    """A retired run is beyond `runHistoryLimit`, with `deletionPolicy: Delete`: a tombstone is written first."""
    return run.say(Hold, "deleted when the grace period is over")


def beyond_history(model: DesiredModel, world: World, used: frozenset[str]) -> tuple[Beyond, ...]:
    """The retired runs over the limit of a spec, without those that were just taken up again."""
    record = world.record_of(model)
    if record is None or model.suspend:
        return ()
    record = replace(record, name=model.name)
    used |= {slot.model for slot in (record.active, record.pending) if slot is not None}
    over = beyond_limit(record, model.run_history_limit)
    return tuple(Beyond(model, record, slot, world) for slot in over if slot.model not in used)


def is_due(slot: Slot, record: Record, world: World) -> bool:
    """Whether a tombstone stands, its grace period is over (or was ended by a person) and history holds it."""
    if not world.history.has_tombstone(slot) or slot.tombstone_revision in world.history.lost:
        return False
    return record.delete_approved or slot.model in world.due


# ── runs that were stopped, and tune on ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Stopped:
    """A run that is on record as stopped, on the provider that shows its model as tuning."""

    name: str
    provider: str
    run: Run
    remote: RemoteModel


@row("cancel", Reason.STILL_TUNING)
def stopped_and_tunes_on(stopped: Stopped) -> tuple[Action, ...] | str:
    """A run was cancelled, and its provider still shows it as tuning: a cancel is only a request, and is sent again."""
    return (_stop_again(stopped),)


def _stop_again(stopped: Stopped) -> Cancel:
    run, remote = stopped.run, stopped.remote
    return Cancel(
        name=stopped.name,
        provider=stopped.provider,
        reason=Reason.STILL_TUNING,
        message=f"{run.model} was asked to stop and still tunes: it is asked again",
        model=run.model,
        fingerprint=run.fingerprint,
        attempt=run.attempt,
        operation=remote.operation,
    )


def tuning_on(name: str, record: Record, world: World, used: frozenset[str]) -> tuple[Stopped, ...]:
    """The runs of a record that were stopped and still tune, without those that something is done about anyway.

    A run may stand in no slot any more: its model is looked for wherever it shows.
    """
    model = world.spec(name)
    if not world.desired.complete or (model is not None and model.suspend):
        return ()
    spoken = (*names_of(model), record.name) if model is not None else None
    ended = [run for run in record.runs if run.outcome in STOPPED and not run.deleted and run.model not in used]
    found: list[Stopped] = []
    for run in ended:
        names = spoken or world.marks_of(record, Slot(run.model, run.fingerprint, run.attempt, RemoteState.UNKNOWN))
        for key in world.facts:
            remote = world.observed.model(key, run.model)
            ours = remote is not None and world.is_ours(remote, names, run.fingerprint, run.attempt)
            if remote is not None and ours and remote.state is RemoteState.CREATING:
                found.append(Stopped(name, key, run, remote))
                break
    return tuple(found)


REMOVED: Table[Removal] = (
    let_go_before,
    not_read_whole,
    removed_before_a_run,
    removed_create_found,
    removed_create_unknown,
    removed_run_unseen,
    removed_once,
    removed_twice,
    removed_and_tunes_on,
    removed_and_left,
    removed_with_tombstone,
    removed_and_deleted,
)
TUNING_ON: Table[Stopped] = (stopped_and_tunes_on,)
BEYOND_HISTORY: Table[Beyond] = (beyond_and_left, beyond_and_deleted, beyond_with_tombstone)
