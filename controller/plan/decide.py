"""One valid spec to its actions: the decision table, first row that fits."""

from __future__ import annotations

from controller.plan.actions import (
    Action,
    Change,
    Hold,
    Nothing,
    Promote,
    Reuse,
    Update,
)
from controller.plan.case import (
    SHOWS_LATE,
    TUNING,
    Case,
    adopt,
    again,
    cancel_double,
    foreign,
    may_yet_show,
    unknown,
)
from controller.plan.fields import described, hyperparameters_differ, place_changes, spec_moved
from controller.plan.fit import Fit, Where, bad_end, find_fit
from controller.plan.pay import base_of, forbidden, pay
from controller.plan.world import World, names_of, slot_provider
from controller.state.capabilities import Capabilities
from controller.state.desired import DesiredModel
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, RunOutcome, Slot


def decide(model: DesiredModel, world: World) -> tuple[Action, ...]:
    """What to do for one spec; a cancel may stand before the create that it makes way for."""
    case = Case(model, world.record_of(model), world)
    if model.suspend:
        return (case.hold(Reason.SUSPENDED, "suspend is true: observed and reported, nothing is changed"),)
    if case.record is not None and case.record.intent is not None:
        settled = _settle(case, case.record.intent)
        if settled:
            return settled
    fit = find_fit(model, case.record, world)
    return _without_run(case) if fit is None else _with_run(case, fit)


def _settle(case: Case, intent: Intent) -> tuple[Action, ...]:
    """An open intent is known first: adopt what it made, go on (nothing here) where it made nothing, else hold."""
    world, model = case.world, case.model
    provider = intent.provider or model.provider
    if not intent.model:
        return _settle_by_mark(case, intent, provider)
    slot = Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)
    wanted = (model.fingerprint, model.attempt, model.provider)
    superseded = (intent.fingerprint, intent.attempt, provider) != wanted
    match world.observed.presence(provider, intent.model):
        case Presence.UNSURE:
            return (case.hold(Reason.OUTCOME_UNKNOWN, unknown(model.name, intent.model), slot),)
        case Presence.ABSENT if superseded and case.record is not None and may_yet_show(case.record, world):
            # Other inputs have another id, and nobody would know of the first model any more.
            return (case.hold(Reason.VISIBILITY, SHOWS_LATE, slot),)
        case Presence.ABSENT:
            # The id is ours to choose, so the server is the lock: asking again cannot make a second one.
            return ()
        case Presence.FOUND:
            remote = world.observed.model(provider, intent.model)
            if remote and world.is_ours(remote, names_of(model), intent.fingerprint, intent.attempt):
                return (adopt(model.name, provider, intent, remote),)
            if superseded:
                # Its id is taken and its inputs are not asked for any more: there is nothing left to know of it.
                return ()
            return (case.hold(Reason.FOREIGN_MODEL, foreign(intent.model, remote, world.instance), slot),)


def _settle_by_mark(case: Case, intent: Intent, provider: str) -> tuple[Action, ...]:
    """The provider chose the id, so only the mark in the request tells what the create made."""
    found = case.world.marked(provider, names_of(case.model), intent.fingerprint, intent.attempt)
    if found:
        first, *doubles = found
        stops = [cancel_double(case.model.name, provider, double) for double in doubles if double.state in TUNING]
        return (*stops, adopt(case.model.name, provider, intent, first))
    slot = Slot("", intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)
    if intent in case.world.young:
        return (case.hold(Reason.VISIBILITY, SHOWS_LATE, slot),)
    return (case.hold(Reason.OUTCOME_UNKNOWN, unknown(case.model.name, "a model"), slot),)


def _with_run(case: Case, fit: Fit) -> tuple[Action, ...]:
    slot, model, world = fit.slot, case.model, case.world
    match world.observed.presence(model.provider, slot.model):
        case Presence.UNSURE:
            return (case.unreadable(slot),)
        case Presence.ABSENT if (key := _elsewhere(case, slot)) is not None:
            again_here = f"raise `spec.attempt` to pay for it on {model.provider} too"
            message = f"the run of these inputs is on provider {key}: name that in the spec, or {again_here}"
            return (case.hold(Reason.LOST, message, slot),)
        case Presence.ABSENT if slot.model in world.fresh:
            message = f"{slot.model} was just made and does not show yet"
            return (case.hold(Reason.VISIBILITY, message, slot),)
        case Presence.ABSENT:
            message = f"{slot.model} is gone: it is not paid for again unless `spec.attempt` rises"
            return (case.hold(Reason.LOST, message, slot),)
        case Presence.FOUND:
            pass
    remote = world.observed.model(model.provider, slot.model)
    if remote is None or not world.is_ours(remote, names_of(model), slot.fingerprint, slot.attempt):
        message = f"the owner mark of {slot.model} was changed or removed: it is no longer managed"
        return (case.hold(Reason.DRIFTED, message, slot),)
    match fit.where:
        case Where.PENDING:
            return (*case.clear_the_way(except_for=slot), _pending(case, slot, remote))
        case Where.ACTIVE:
            return _active(case, slot, remote)
        case Where.KEPT:
            return _kept(case, slot, remote)


def _elsewhere(case: Case, slot: Slot) -> str | None:
    """The provider key that shows a model which the spec's own does not."""
    key = slot_provider(slot, case.record) if case.record is not None else case.model.provider
    there = key != case.model.provider and case.world.observed.model(key, slot.model) is not None
    return key if there else None


def _pending(case: Case, slot: Slot, remote: RemoteModel) -> Action:
    """The desired run is the pending one."""
    ended = _ended_badly(case, slot, remote)
    if ended is not None:
        return ended
    model = case.model
    if remote.state is not RemoteState.ACTIVE:
        if slot.model in case.world.overdue:
            return case.cancel(slot, Reason.DEADLINE_EXCEEDED, "the run is past limits.maxDuration")
        return case.wait(slot, remote)
    failed = _failed_evaluation(case, slot)
    if failed is not None:
        return failed
    return Promote(
        name=model.name,
        provider=model.provider,
        reason=Reason.RUN_SUCCEEDED,
        message=f"{slot.model} is tuned" + (": evaluated first" if model.evaluation else ""),
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
        desired=model,
    )


def _ended_badly(case: Case, slot: Slot, remote: RemoteModel) -> Hold | None:
    stopped = bad_end(case.record, slot)
    if stopped is RunOutcome.DEADLINE_EXCEEDED:
        return case.hold(Reason.DEADLINE_EXCEEDED, again("the run was stopped at limits.maxDuration"), slot)
    if stopped is RunOutcome.CANCELLED or remote.state is RemoteState.CANCELLED:
        return case.hold(Reason.RUN_CANCELLED, again("the run was cancelled"), slot)
    if remote.state is RemoteState.FAILED or stopped is RunOutcome.FAILED:
        why = f"the run failed: {remote.error}" if remote.error else "the run failed; the provider gives no reason"
        return case.hold(Reason.RUN_FAILED, again(why), slot)
    return None


def _failed_evaluation(case: Case, slot: Slot) -> Hold | None:
    asked = case.model.evaluation
    run = case.record.run(slot.model) if case.record else None
    score = run.score if run else None
    if asked is None or score is None or score.digest != asked.dataset.digest or score.value >= asked.min_score:
        return None
    message = f"{score.right} of {score.asked} right ({score.value:.3f}), {asked.min_score:g} asked"
    return case.hold(Reason.EVALUATION_FAILED, f"{message}: the earlier run goes on serving", slot)


def _active(case: Case, slot: Slot, remote: RemoteModel) -> tuple[Action, ...]:
    """The desired run serves."""
    model, record, world = case.model, case.record, case.world
    assert record is not None, "an active slot stands in a record"  # noqa: S101 - narrows for the type checker
    if remote.state in {RemoteState.FAILED, RemoteState.CANCELLED}:
        return (case.hold(Reason.LOST, f"{slot.model} serves no more: its state is {remote.state}", slot),)
    run = record.run(slot.model)
    if run is not None and hyperparameters_differ(run, remote):
        message = f"{slot.model} reports other training facts than it was tuned with"
        return (case.hold(Reason.DRIFTED, message, slot),)
    way = case.clear_the_way(except_for=slot)
    updates = world.capabilities.get(model.provider, Capabilities()).updates
    changes = place_changes(model, remote, updates)
    description = remote.description
    if "description" in updates:
        description = described(model, remote, slot, world.instance)
    if changes or description != remote.description:
        reason = Reason.FIELDS_CHANGED if spec_moved(model, record) else Reason.FIELDS_DRIFTED
        return (*way, _update(case, slot, reason, changes, description))
    return way or (_agree(case, slot),)


def _update(case: Case, slot: Slot, reason: Reason, changes: tuple[Change, ...], description: str) -> Update:
    names = ", ".join(c.field for c in changes) or "owner mark"
    return Update(
        name=case.model.name,
        provider=case.model.provider,
        reason=reason,
        message=f"{names}: in place, free",
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
        changes=changes,
        desired=case.model,
        description=description,
    )


def _agree(case: Case, slot: Slot) -> Nothing:
    return Nothing(
        name=case.model.name,
        provider=case.model.provider,
        reason=Reason.UP_TO_DATE,
        message=f"{slot.model} serves what the spec asks",
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
    )


def _kept(case: Case, slot: Slot, remote: RemoteModel) -> tuple[Action, ...]:
    """A run of these inputs is kept, orphaned or was found under our mark."""
    held = _ended_badly(case, slot, remote) or _failed_evaluation(case, slot)
    if held is not None:
        return (held,)
    model = case.model
    reuse = Reuse(
        name=model.name,
        provider=model.provider,
        reason=Reason.RUN_EXISTS,
        message=f"{slot.model} was tuned from these inputs already: taken for nothing",
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
        desired=model,
    )
    return (*case.clear_the_way(except_for=slot), reuse)


def _proven(case: Case, wanted: str) -> Presence:
    """Whether a run of these inputs is there, by the id that it would have.

    Only a whole listing proves that there is none where the provider chooses ids, and where a renamed spec has a record
    that knows of no run: it may have been lost, and the run has a former name in its id.
    """
    found = case.world.observed.presence(case.model.provider, wanted)
    lost = bool(case.model.former_names) and not (case.record and case.record.runs)
    return _listed(case) if not wanted or (lost and found is Presence.ABSENT) else found


def _listed(case: Case) -> Presence:
    seen = case.world.observed.providers.get(case.model.provider)
    return Presence.ABSENT if seen is not None and seen.complete else Presence.UNSURE


def _without_run(case: Case) -> tuple[Action, ...]:
    """No run of these inputs is there: pay for one, unless something forbids it."""
    model, world = case.model, case.world
    wanted = world.full_name(model)
    match _proven(case, wanted):
        case Presence.UNSURE:
            return (case.unreadable(),)
        case Presence.FOUND:
            remote = world.observed.model(model.provider, wanted)
            return (case.hold(Reason.FOREIGN_MODEL, foreign(wanted, remote, world.instance)),)
        case Presence.ABSENT:
            pass
    held = forbidden(case)
    if held is not None:
        return (held,)
    base = base_of(case)
    if isinstance(base, Hold):
        return (base,)
    pending = case.record.pending if case.record else None
    if pending is not None and case.may_finish(pending):
        remote = case.tuning(pending)
        if remote is not None:
            return (case.wait(pending, remote, Reason.FINISHING),)
    return (*case.clear_the_way(except_for=None), pay(case, wanted, base))
