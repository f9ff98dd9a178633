"""One outcome of an action to the record that follows it."""

from __future__ import annotations

from controller.plan.actions import (
    Action,
    Adopt,
    Cancel,
    Create,
    Delete,
    Done,
    Held,
    Hold,
    Nothing,
    Orphan,
    Outcome,
    Promote,
    Retune,
    Reuse,
    Tune,
    Update,
    Wait,
)
from controller.plan.cost import cost
from controller.plan.fields import stored_otherwise
from controller.plan.intents import answered, closed, not_sent, waited_for
from controller.plan.runs import advanced, each_slot, new_run, retire_finished, stopped
from controller.plan.world import When, World, is_out_of_reach, slot_provider, tombstone_of
from controller.state.changing import changed
from controller.state.desired import DeletionPolicy, DesiredModel
from controller.state.identity import Hyperparameters, Training, fingerprint
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Awaited, Intent, Record, Run, RunOutcome, Score, Slot


def after(record: Record, outcome: Outcome, world: World, now: str) -> Record:
    """The record after one outcome. ``now`` is RFC 3339 UTC."""
    revision = world.desired.revision or ""
    if isinstance(outcome, Held):
        return _after_held(record, outcome, world, now)
    action = outcome.action
    match action:
        case Create() | Retune():
            return _after_create(_let_go(record, world), action, outcome.remote, revision, now)
        case Adopt():
            return _after_adopt(record, action, outcome.remote, world, now)
        case Promote() | Reuse():
            return _after_serving(record, action, outcome, world, now)
        case Update():
            record = _with_stored(record, action, outcome.remote, world)
            return changed(record, applied=revision, attempted=revision)
        case Cancel():
            return _after_cancel(record, action, revision, now)
        case Orphan():
            return changed(_after_orphan(record, action), attempted=revision)
        case Hold():
            return _after_hold(record, action, world, now)
        case Delete():
            # Acted on: a mirror that lags must not bring back, for money, what this revision took away.
            return changed(_after_delete(record, action), attempted=revision)
        case Wait() | Nothing():
            return record


def acted_on(record: Record, world: World) -> Record:
    """Acted on at this revision; what is older than a commit that was acted on, or may be, does not take its place."""
    here = world.desired.revision
    return record if here is None or world.history.may_be_old else changed(record, attempted=here)


def _after_held(record: Record, outcome: Held, world: World, now: str) -> Record:
    intent = record.intent
    if intent is not None and isinstance(outcome.action, Tune):
        return changed(record, intent=answered(intent, outcome.reason, world.at(outcome.action.provider, now)))
    if intent is not None and any(isinstance(action, Tune) for action in outcome.skipped):
        return changed(record, intent=not_sent(intent))
    if outcome.score is not None:
        return scored(_with_judged_run(record, outcome.action, world, now), outcome.action.model, outcome.score)
    return record


def _with_judged_run(record: Record, action: Action, world: World, now: str) -> Record:
    """A run that was only found by its mark is known once its rows were asked: it was paid for, and so were they."""
    remote = world.observed.model(action.provider, action.model)
    if not isinstance(action, Promote | Reuse) or remote is None or record.run(action.model) is not None:
        return record
    return changed(record, runs=(*record.runs, _paid_run(action, action.desired, remote, world, now)))


def _after_hold(record: Record, action: Hold, world: World, now: str) -> Record:
    if action.reason is Reason.SPEC_MISSING:
        return changed(record, missing=True)
    if action.reason is Reason.DELETE_PENDING:
        return _with_tombstones(record, {slot.model for slot in record.slots}, world, now)
    if action.reason is Reason.HISTORY_LIMIT:
        return _with_tombstones(record, {action.model}, world, now)
    if action.reason is Reason.SETTLING:
        return changed(record, awaited=_awaited(record, action, world, now))
    if action.reason is Reason.VISIBILITY:
        return _waiting_to_be_shown(record, world, now)
    return _with_found_run(record, action, world, now)


def _waiting_to_be_shown(record: Record, world: World, now: str) -> Record:
    """What does not show yet is waited for from when it was sent, and from now on where that cannot have been then."""
    intent = record.intent
    if intent is None:
        return record
    provider = intent.provider or record.provider
    since = world.since(provider, When(intent.since, intent.told), now)
    return changed(record, intent=waited_for(intent, world.at(provider, now), since))


def _awaited(record: Record, action: Hold, world: World, now: str) -> Awaited:
    """The inputs that wait, since a pass first saw them."""
    waits = record.awaited
    same = waits is not None and (waits.fingerprint, waits.attempt) == (action.fingerprint, action.attempt)
    known = When(waits.since, waits.told) if waits is not None and same else When("")
    return Awaited(action.fingerprint, action.attempt, *world.since(action.provider, known, now))


def _with_found_run(record: Record, action: Hold, world: World, now: str) -> Record:
    """A run that is held for how it ended is known, also where it was only found by its mark: it was paid for."""
    remote = world.observed.model(action.provider, action.model)
    asks = world.spec(action.name)
    if not action.reason.traits.ends_run or remote is None or asks is None or record.run(action.model) is not None:
        return record
    return changed(record, runs=(*record.runs, _paid_run(action, asks, remote, world, now)))


def _paid_run(action: Hold | Promote | Reuse, model: DesiredModel, remote: RemoteModel, world: World, now: str) -> Run:
    """Paid for, and its record lost: a budget goes on from what it may have come to at the prices of today."""
    price = cost(model, world.prices.get(action.provider))
    found = new_run(model.training, model.attempt, remote, world.desired.revision or "", now)
    return advanced(changed(found, fingerprint=action.fingerprint, cost=price.high if price else None), remote, now)


def _with_tombstones(record: Record, models: set[str], world: World, now: str) -> Record:
    """A tombstone on each of these models; one whose commit is gone from history is set anew, and waits anew."""

    def mark(slot: Slot | None) -> Slot | None:
        if slot is None or slot.model not in models:
            return slot
        stands, provider = world.history.has_tombstone(slot), slot_provider(slot, record)
        revision = slot.tombstone_revision if stands else world.desired.revision or ""
        since = world.since(provider, tombstone_of(slot) if stands else When(""), now)
        return changed(slot, tombstone=since.ours, tombstone_told=since.told, tombstone_revision=revision)

    anew = any(s.model in models and not world.history.has_tombstone(s) for s in record.slots)
    record = changed(record, delete_approved=record.delete_approved and not anew)
    return each_slot(record, mark)


def _after_delete(record: Record, action: Delete) -> Record:
    def drop(slot: Slot | None) -> Slot | None:
        return None if slot is not None and slot.model == action.model else slot

    runs = tuple(changed(r, deleted=True) if r.model == action.model else r for r in record.runs)
    return changed(each_slot(record, drop), runs=runs)


def _let_go(record: Record, world: World) -> Record:
    """A pending run on a provider that has left gitune.yaml makes way for the next one, and is not lost sight of."""
    pending = record.pending
    if pending is None or not is_out_of_reach(pending, record, world):
        return record
    kept = changed(pending, provider=slot_provider(pending, record))
    return changed(record, pending=None, retired=(kept, *record.retired))


def _after_create(record: Record, action: Tune, remote: RemoteModel | None, revision: str, now: str) -> Record:
    if remote is None:
        return record
    record = changed(record, intent=closed(record.intent, action))
    if _is_known(record, remote):
        return record
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    began = new_run(action.desired.training, action.attempt, remote, revision, now)
    run = changed(began, cost=action.cost.high if action.cost else None)
    record = retire_finished(record)
    return changed(
        record,
        provider=action.provider,
        attempted=revision,
        pending=slot,
        orphaned=False,
        runs=(*(r for r in record.runs if r.model != run.model), run),
    )


def _after_adopt(record: Record, action: Adopt, remote: RemoteModel | None, world: World, now: str) -> Record:
    if remote is None:
        return record
    found = _found_run(record, action, remote, world, now)
    record = changed(record, intent=closed(record.intent, action))
    if _is_known(record, remote):
        return record
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    record = retire_finished(_set_aside(record, remote))
    runs = (*(r for r in record.runs if r.model != remote.name), found)
    return changed(record, pending=slot, runs=runs, orphaned=False)


def _set_aside(record: Record, found: RemoteModel) -> Record:
    """The record without its pending run where another one takes its place: it may tune on, and is stopped next."""
    pending = record.pending
    run = record.run(pending.model) if pending is not None else None
    if pending is None or pending.model == found.name or run is None or run.outcome is not RunOutcome.TUNING:
        return record
    kept = changed(pending, provider=slot_provider(pending, record))
    return changed(record, pending=None, retired=(kept, *record.retired))


def _found_run(record: Record, action: Adopt, remote: RemoteModel, world: World, now: str) -> Run:
    """The run of an open intent, which may no longer be what the spec asks."""
    intent = record.intent
    revision, cost = (intent.revision, intent.cost) if intent else ("", None)
    asks = world.spec(action.name)
    told = (intent.training if intent else None, asks.training if asks else None)
    # A ledger can be written by hand, and an older Gitune kept no inputs: only those of the mark count as known.
    known = next((t for t in told if t is not None and fingerprint(t) == action.fingerprint), None)
    training = known or Training("", remote.base_model, Hyperparameters(), "")
    began = new_run(training, action.attempt, remote, revision, now)
    return changed(began, fingerprint=action.fingerprint, cost=cost)


def _is_known(record: Record, remote: RemoteModel) -> bool:
    """Whether another controller has recorded the model while our answer was on its way; it may have gone on since."""
    known = record.run(remote.name)
    return known is not None and not known.deleted


def _after_serving(record: Record, action: Promote | Reuse, outcome: Done, world: World, now: str) -> Record:
    remote, revision = outcome.remote, world.desired.revision or ""
    if remote is None:
        return record
    slot = Slot(
        remote.name, action.fingerprint, action.attempt, remote.state, remote.operation, provider=action.provider
    )
    if record.run(slot.model) is None:
        record = changed(record, runs=(*record.runs, _paid_run(action, action.desired, remote, world, now)))
    retired = tuple(s for s in record.retired if s.model != slot.model)
    # Taken also on an older commit, since it costs nothing: that one does not count as the newest for it.
    record = acted_on(changed(record, retired=retired, provider=action.provider, orphaned=False), world)
    if record.pending is not None and record.pending.model == slot.model:
        record = changed(record, pending=None)
    if remote.state is not RemoteState.ACTIVE:
        return changed(_retire_active_twin(_set_aside(record, remote), slot), pending=slot)
    record = changed(_with_active(record, slot), prefix=action.desired.dataset.prefix)
    record = record if world.history.may_be_old else changed(record, applied=revision)
    return scored(record, slot.model, outcome.score) if outcome.score else record


def _with_stored(record: Record, action: Update, remote: RemoteModel | None, world: World) -> Record:
    """The record with what of the update the provider has stored differently; what was known of the rest stays."""
    if remote is None or record.active is None or record.active.model != remote.name:
        return record
    now = stored_otherwise(action.desired, remote, record.active, world)
    sent = {change.field for change in action.changes} | {"description"} | {one.field for one in now}
    return changed(record, stored=(*(one for one in record.stored if one.field not in sent), *now))


def _retire_active_twin(record: Record, slot: Slot) -> Record:
    twin = record.active is not None and record.active.model == slot.model
    return changed(record, active=None) if twin else record


def _after_cancel(record: Record, action: Cancel, revision: str, now: str) -> Record:
    if action.reason is Reason.STILL_TUNING:
        return record
    record = changed(record, attempted=revision)
    late = action.reason is Reason.DEADLINE_EXCEEDED
    outcome = RunOutcome.DEADLINE_EXCEEDED if late else RunOutcome.CANCELLED
    # Another controller may have seen its end before our cancel came too late: that end stands.
    runs = tuple(
        stopped(r, outcome, now) if r.model == action.model and r.outcome is RunOutcome.TUNING else r
        for r in record.runs
    )
    pending = record.pending
    if late or pending is None or pending.model != action.model:
        return changed(record, runs=runs)
    # What is left of a cancelled run stays remotely; where models are to be deleted it must not be lost sight of.
    kept = (pending, *record.retired) if record.deletion_policy is DeletionPolicy.DELETE else record.retired
    return changed(record, runs=runs, pending=None, retired=kept)


def _after_orphan(record: Record, action: Orphan) -> Record:
    if action.reason is Reason.HISTORY_LIMIT:
        return changed(record, retired=tuple(s for s in record.retired if s.model != action.model))
    return changed(record, orphaned=True, intent=None, delete_approved=False)


def scored(record: Record, model: str, score: Score) -> Record:
    """The record with the score of one run."""
    return changed(record, runs=tuple(changed(r, score=score) if r.model == model else r for r in record.runs))


# ── what a person asks for ───────────────────────────────────────────────────────────────────────────────────────────


def promoted(record: Record, slot: Slot) -> Record:
    """The record with a slot's run serving. Another run that tunes stays pending: the next pass sees to it."""
    pending = record.pending
    run = record.run(pending.model) if pending else None
    tunes = pending is not None and pending.model != slot.model and (run is None or run.outcome is RunOutcome.TUNING)
    return _with_active(
        record if tunes else retire_finished(record),
        changed(slot, tombstone="", tombstone_told="", tombstone_revision=""),
    )


def cancelled(record: Record, model: str, now: str) -> Record:
    """The record of a run that a person stopped. It stays pending: its spec holds until it asks for something else."""
    runs = tuple(stopped(r, RunOutcome.CANCELLED, now) if r.model == model else r for r in record.runs)
    return changed(record, runs=runs)


def adopted(record: Record, model: DesiredModel, remotes: tuple[RemoteModel, RemoteModel], world: World) -> Record:
    """The record with a model that a person took under a spec's name; ``remotes``: before and after it got our mark.

    An open intent is settled where the model answers it: one for other inputs may have made a run nobody knows yet.
    """
    remote, marked = remotes
    slot = Slot(remote.name, model.fingerprint, model.attempt, marked.state, marked.operation, model.provider)
    run, intent = _adopted_run(record, model, remote, world), record.intent
    if intent is not None and _is_closed_by(slot, intent, record, world):
        run, intent = changed(run, cost=intent.cost if run.cost is None else run.cost), None
    runs = (*(r for r in record.runs if r.model != remote.name), run)
    record = changed(record, runs=runs, intent=intent, orphaned=False, prefix=model.dataset.prefix)
    return _with_active(record, slot)


def _with_active(record: Record, slot: Slot) -> Record:
    others = (record.active, *record.retired) if record.active else record.retired
    return changed(record, active=slot, retired=tuple(kept for kept in others if kept.model != slot.model))


def _is_closed_by(adopted: Slot, intent: Intent, record: Record, world: World) -> bool:
    provider = intent.provider or record.provider
    if provider != adopted.provider and provider in world.facts:
        return False
    inputs = (intent.fingerprint, intent.attempt)
    return inputs == (adopted.fingerprint, adopted.attempt) or intent.model == adopted.model


def _adopted_run(record: Record, model: DesiredModel, remote: RemoteModel, world: World) -> Run:
    """The run of an adopted model. What one that is on record cost, when it began and how it scored stays so."""
    known = record.run(remote.name)
    began = new_run(model.training, model.attempt, remote, world.desired.revision or "", "")
    return changed(
        began.with_losses(remote.losses or (known.losses if known else ())),
        fingerprint=model.fingerprint,
        started=(known.started if known else "") or began.started,
        ended=remote.completed or remote.updated,
        outcome=RunOutcome.SUCCEEDED,
        completed_steps=max(remote.progress.completed_steps, known.completed_steps if known else 0),
        score=known.score if known else None,
        cost=known.cost if known else None,
    )
