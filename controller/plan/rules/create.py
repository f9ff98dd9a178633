"""A spec for which no run of its inputs is there: the create that pays for one, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.plan.actions import Action, Create, DatasetChange, Hold, Retune
from controller.plan.cost import cost
from controller.plan.fields import training_changes
from controller.plan.matching import found_by_mark_alone, latest_attempt, spent_run
from controller.plan.rules.case import Case, again, foreign, left_behind
from controller.plan.rules.table import Table, row
from controller.plan.world import is_out_of_reach, names_of, slot_provider
from controller.state.desired import BaseModel, FromSpec
from controller.state.observed import Presence
from controller.state.reasons import Reason
from controller.state.recorded import Record, RunOutcome, Slot


@dataclass(frozen=True, slots=True)
class NewRun:
    """A spec without a run: the full name that one would have ("" where the provider chooses), and what stands there.

    ``base`` is the remote name of the base model, or why it cannot be tuned on.
    """

    case: Case
    wanted: str
    presence: Presence
    base: str | Hold = field(repr=False)

    def held(self, hold: Hold) -> tuple[Action, ...]:
        """No run is paid for; one that is past its limit is stopped all the same."""
        return (*self.case.late_stopped(), hold)


def new_run(case: Case) -> NewRun:
    """The case with all that decides whether a run may be paid for."""
    wanted = case.world.full_name(case.model)
    return NewRun(case, wanted, _proven(case, wanted), _base_of(case))


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


def _base_of(case: Case) -> str | Hold:
    base = case.model.base
    match base:
        case BaseModel(name):
            seen = case.world.observed.providers.get(case.model.provider)
            facts = seen.base_models.get(name) if seen else None
            if facts is None:
                return case.unreadable()
            if facts.tunable:
                return name
            why = "it does not list createTunedModel" if facts.exists else "the provider does not know it"
            noted = f"; {facts.note}" if facts.note else ""
            return case.hold(Reason.BASE_MODEL_NOT_TUNABLE, f"{name} cannot be tuned: {why}{noted}")
        case FromSpec(name, fingerprint, attempt):
            source = case.world.recorded.records.get(name)
            slot = source.active if source else None
            if slot is None or (slot.fingerprint, slot.attempt) != (fingerprint, attempt):
                return case.hold(Reason.BASE_MODEL_NOT_READY, f"waits for the run that {name} asks for to serve")
            return slot.model


@row("hold", Reason.FOREIGN_MODEL)
def marked_under_another_id(new: NewRun) -> tuple[Action, ...] | str:
    """A model bears our mark for these inputs under an id that we did not choose, and no run of them is recorded."""
    case = new.case
    found = found_by_mark_alone(case.model, case.record, case.world)
    if found is None:
        return "no model bears our mark for these inputs under an id that we did not choose"
    why = f"{found.name} bears our mark for these inputs, and its id is not one that we choose"
    way = f"`gitune adopt {case.model.name} {found.name}` if it is to serve; to pay for a new run take the mark off it"
    message = f"{why} (a copy, or adopted before): nothing of it is touched; {way}"
    return new.held(case.hold(Reason.FOREIGN_MODEL, message))


@row("hold", Reason.PROVIDER_UNREADABLE)
def listing_needed(new: NewRun) -> tuple[Action, ...] | str:
    """The provider cannot tell whether a run of these inputs is there."""
    return new.held(new.case.unreadable()) if new.presence is Presence.UNSURE else "no run of these inputs is there"


@row("hold", Reason.FOREIGN_MODEL, Reason.PROVIDER_UNREADABLE)
def id_taken(new: NewRun) -> tuple[Action, ...] | str:
    """The model id that would be used is taken by a model that is not ours, or not known to be."""
    if new.presence is not Presence.FOUND:
        return "the id is free"
    world, model = new.case.world, new.case.model
    remote = world.observed.model(model.provider, new.wanted)
    claimed = world.is_claimed(model.provider, new.wanted, names_of(model), model.fingerprint, model.attempt)
    if claimed and not world.is_whole(model.provider):
        return new.held(new.case.unreadable())
    return new.held(new.case.hold(Reason.FOREIGN_MODEL, foreign(new.wanted, remote, world.instance)))


@row("hold", Reason.RUN_FAILED, Reason.RUN_CANCELLED, Reason.DEADLINE_EXCEEDED, Reason.LOST)
def paid_for_before(new: NewRun) -> tuple[Action, ...] | str:
    """A run of these inputs was paid for, and is no more: it is not paid for again by itself."""
    case = new.case
    run = spent_run(case.model, case.record)
    if run is None:
        return "these inputs were never paid for"
    match run.outcome:
        case RunOutcome.CANCELLED:
            held = case.hold(Reason.RUN_CANCELLED, again("a run of these inputs was cancelled"))
        case RunOutcome.DEADLINE_EXCEEDED:
            held = case.hold(Reason.DEADLINE_EXCEEDED, again("a run of these inputs was stopped at its limit"))
        case RunOutcome.FAILED:
            held = case.hold(Reason.RUN_FAILED, again(f"a run of these inputs failed: {run.error or 'no reason'}"))
        case RunOutcome.TUNING | RunOutcome.SUCCEEDED:
            held = case.hold(Reason.LOST, again(f"{run.model} was paid for and is gone"))
    return (*case.clear_the_way(except_for=None), held)


@row("hold", Reason.ATTEMPT_LOWERED)
def attempt_lowered(new: NewRun) -> tuple[Action, ...] | str:
    """`spec.attempt` is lower than one that was paid for."""
    case = new.case
    later = latest_attempt(case.model, case.record)
    if later <= case.model.attempt:
        return "no higher attempt was paid for"
    message = f"attempt {later} of these inputs was paid for: a lower one pays for nothing"
    way = f"set spec.attempt to {later}, or above it to pay for another"
    return new.held(case.hold(Reason.ATTEMPT_LOWERED, f"{message}; {way}"))


@row("hold", Reason.PROVIDER_UNREADABLE)
def pending_unreadable(new: NewRun) -> tuple[Action, ...] | str:
    """Another run is pending, and cannot be seen: it is neither cancelled nor built upon."""
    record, pending = new.case.record, _pending(new.case)
    if pending is None or record is None:
        return "no other run is pending"
    provider, world = slot_provider(pending, record), new.case.world
    if is_out_of_reach(pending, record, world):
        return "its provider is not in gitune.yaml any more: nobody can stop it"
    if provider in world.observed.providers and world.observed.presence(provider, pending.model) is Presence.UNSURE:
        return (new.case.hold(Reason.PROVIDER_UNREADABLE, world.why_unread(provider), pending),)
    return "the pending run can be seen"


@row("hold", Reason.VISIBILITY)
def pending_not_shown_yet(new: NewRun) -> tuple[Action, ...] | str:
    """Another run is pending that was made a moment ago and does not show yet: nobody could cancel it."""
    case, pending = new.case, _pending(new.case)
    if pending is None or case.record is None or pending.model not in case.world.recently_created:
        return "no other run is pending that was made just now"
    presence = case.world.observed.presence(slot_provider(pending, case.record), pending.model)
    if presence is not Presence.ABSENT:
        return "the pending run can be seen"
    return (case.hold(Reason.VISIBILITY, f"{pending.model} was just made and does not show yet", pending),)


@row("hold", Reason.BASE_MODEL_NOT_TUNABLE, Reason.BASE_MODEL_NOT_READY, Reason.PROVIDER_UNREADABLE)
def base_not_usable(new: NewRun) -> tuple[Action, ...] | str:
    """The base model cannot be tuned, is the run of another spec that does not serve yet, or could not be looked up."""
    return new.held(new.base) if isinstance(new.base, Hold) else "the base model can be tuned on"


@row("wait", Reason.FINISHING)
def pending_finishes(new: NewRun) -> tuple[Action, ...] | str:
    """Another run is tuning, and `whenSuperseded` is `Finish`."""
    pending = _pending(new.case)
    remote = new.case.tuning(pending) if pending is not None and new.case.may_finish(pending) else None
    if pending is None or remote is None:
        return "no other run is tuning that may finish"
    return (new.case.wait(pending, remote, Reason.FINISHING),)


@row("retune", Reason.INPUTS_CHANGED, Reason.ATTEMPT_RAISED)
def another_run_is_there(new: NewRun) -> tuple[Action, ...] | str:
    """Another run is there: it serves until the new one is promoted, and what still tunes is cancelled first."""
    record = new.case.record
    earlier = next(iter(record.slots), None) if record else None
    if record is None or earlier is None:
        return "no run of this spec is there"
    return (*new.case.clear_the_way(except_for=None), _retune(new, record, earlier))


@row("create", Reason.NEW_SPEC)
def nothing_is_there(new: NewRun) -> tuple[Action, ...] | str:
    """No run is there at all."""
    model = new.case.model
    create = Create(
        **new.case.desired(new.wanted),
        reason=Reason.NEW_SPEC,
        message=f"a first run on {model.dataset.count} examples",
        dataset=_dataset(new),
        desired=model,
        base=_usable(new),
        cost=cost(model, new.case.world.prices.get(model.provider)),
    )
    return (*new.case.clear_the_way(except_for=None), create)


def _retune(new: NewRun, record: Record, earlier: Slot) -> Retune:
    model = new.case.model
    changes = training_changes(model, record.run(earlier.model))
    raised = bool(changes) and all(c.field == "attempt" for c in changes)
    names = ", ".join(c.field for c in changes) or "training inputs"
    steps = f"{model.dataset.count} examples"
    serves = "; the old one serves until it is done" if record.active is not None else ""
    return Retune(
        **new.case.desired(new.wanted),
        reason=Reason.ATTEMPT_RAISED if raised else Reason.INPUTS_CHANGED,
        message=f"{names} changed: a new run on {steps}{serves}{left_behind(record, new.case.world)}",
        changes=changes,
        dataset=_dataset(new),
        desired=model,
        base=_usable(new),
        cost=cost(model, new.case.world.prices.get(model.provider)),
    )


def _dataset(new: NewRun) -> DatasetChange:
    dataset = new.case.model.dataset
    return DatasetChange(examples=dataset.count, characters=dataset.characters, duplicates=dataset.duplicates)


def _usable(new: NewRun) -> str:
    if isinstance(new.base, Hold):
        raise AssertionError("the row for a base that is not usable stands above")  # noqa: TRY004 - not an argument
    return new.base


def _pending(case: Case) -> Slot | None:
    return case.record.pending if case.record else None


NO_RUN: Table[NewRun] = (
    marked_under_another_id,
    listing_needed,
    id_taken,
    paid_for_before,
    attempt_lowered,
    pending_unreadable,
    pending_not_shown_yet,
    base_not_usable,
    pending_finishes,
    another_run_is_there,
    nothing_is_there,
)
