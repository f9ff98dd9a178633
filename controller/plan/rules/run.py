"""A spec for which a run of its inputs is known: what becomes of that run, by the slot it stands in."""

from __future__ import annotations

from dataclasses import dataclass

from controller.plan.actions import Action, Hold, Promote, Reuse, Update
from controller.plan.evaluation import known_score, passes, too_low
from controller.plan.fields import hyperparameters_differ, place_update, spec_moved
from controller.plan.matching import Fit, SlotKind, bad_end
from controller.plan.rules.agreement import in_order
from controller.plan.rules.case import Case, again, foreign
from controller.plan.rules.table import Table, row
from controller.plan.world import names_of, slot_provider
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import RunOutcome, Slot

_IS_THERE = "the provider shows it"
_ENDED_WELL = "it has not ended badly"


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A spec, the slot of the run that has its inputs, whether the model is there, and the model where it is ours."""

    case: Case
    slot: Slot
    presence: Presence
    remote: RemoteModel | None

    @property
    def seen(self) -> RemoteModel:
        """The model as it was observed; the rows that need it stand behind those for a model that is not there."""
        if self.remote is None:
            raise AssertionError("a row above holds what is not there, or is not ours")
        return self.remote

    def held(self, reason: Reason, message: str) -> tuple[Action, ...]:
        """Nothing is done about the run; what tunes beside it is stopped all the same."""
        return (*self.others_stopped(), self.case.hold(reason, message, self.slot))

    def others_stopped(self) -> tuple[Action, ...]:
        """The cancels of whatever else tunes for this spec: nothing asks for it any more."""
        return self.case.clear_the_way(except_for=self.slot)


def known_run(case: Case, fit: Fit) -> KnownRun:
    """The case with its run as the provider shows it."""
    slot, model, world = fit.slot, case.model, case.world
    remote = world.observed.model(model.provider, slot.model)
    ours = remote is not None and world.is_ours(remote, names_of(model), slot.fingerprint, slot.attempt)
    return KnownRun(case, slot, world.observed.presence(model.provider, slot.model), remote if ours else None)


# ── wherever it stands ───────────────────────────────────────────────────────────────────────────────────────────────


@row("hold", Reason.PROVIDER_UNREADABLE)
def run_unreadable(run: KnownRun) -> tuple[Action, ...] | str:
    """The provider cannot tell whether the run is there."""
    return (run.case.unreadable(run.slot),) if run.presence is Presence.UNSURE else "the provider could be read"


@row("hold", Reason.LOST)
def run_elsewhere(run: KnownRun) -> tuple[Action, ...] | str:
    """The run is on another provider key than the spec names."""
    key = _elsewhere(run) if run.presence is Presence.ABSENT else None
    if key is None:
        return "the run is not on another provider"
    again_here = f"raise `spec.attempt` to pay for it on {run.case.model.provider} too"
    message = f"the run of these inputs is on provider {key}: name that in the spec, or {again_here}"
    return run.held(Reason.LOST, message)


def _elsewhere(run: KnownRun) -> str | None:
    """The provider key that shows a model which the spec's own does not."""
    case = run.case
    key = slot_provider(run.slot, case.record) if case.record is not None else case.model.provider
    there = key != case.model.provider and case.world.observed.model(key, run.slot.model) is not None
    return key if there else None


@row("hold", Reason.VISIBILITY)
def run_not_shown_yet(run: KnownRun) -> tuple[Action, ...] | str:
    """The run was made a moment ago, and does not show yet."""
    if run.presence is not Presence.ABSENT:
        return _IS_THERE
    if run.slot.model not in run.case.world.recently_created:
        return "it was not made just now"
    return run.held(Reason.VISIBILITY, f"{run.slot.model} was just made and does not show yet")


@row("hold", Reason.LOST)
def run_gone(run: KnownRun) -> tuple[Action, ...] | str:
    """The run is gone."""
    if run.presence is not Presence.ABSENT:
        return _IS_THERE
    message = f"{run.slot.model} is gone: it is not paid for again unless `spec.attempt` rises"
    return run.held(Reason.LOST, message)


@row("hold", Reason.FOREIGN_MODEL)
def run_is_another_ones(run: KnownRun) -> tuple[Action, ...] | str:
    """The run's id is taken by a model of another account, which may not be read."""
    case, slot = run.case, run.slot
    if case.world.observed.model(case.model.provider, slot.model) is not None:
        return "it can be read"
    return run.held(Reason.FOREIGN_MODEL, foreign(slot.model, None, case.world.instance))


@row("hold", Reason.DRIFTED)
def mark_changed(run: KnownRun) -> tuple[Action, ...] | str:
    """Its owner mark was changed or removed."""
    if run.remote is not None:
        return "its owner mark is ours"
    message = f"the owner mark of {run.slot.model} was changed or removed: it is no longer managed"
    return run.held(Reason.DRIFTED, message)


# ── pending ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@row("hold", Reason.RUN_FAILED, Reason.RUN_CANCELLED, Reason.DEADLINE_EXCEEDED)
def pending_ended_badly(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run failed, was cancelled, or was stopped at its limit."""
    held = _ended_badly(run)
    return (*run.others_stopped(), held) if held is not None else _ENDED_WELL


@row("cancel", Reason.DEADLINE_EXCEEDED)
def pending_overdue(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run tunes, and is past `limits.maxDuration`: seen twice."""
    if run.seen.state is RemoteState.ACTIVE or not run.case.world.is_overdue(run.slot, run.case.record):
        return "it is not past limits.maxDuration, or was found past it by this pass alone"
    return (*run.others_stopped(), run.case.stop_late(run.slot))


@row("wait", Reason.TUNING)
def pending_tunes(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run is tuning."""
    if run.seen.state is RemoteState.ACTIVE:
        return "it has finished"
    return (*run.others_stopped(), run.case.wait(run.slot, run.seen))


@row("hold", Reason.EVALUATION_FAILED)
def pending_below_its_bar(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run finished well and did not pass its evaluation."""
    held = _failed_evaluation(run)
    return (*run.others_stopped(), held) if held is not None else "no evaluation has failed"


@row("promote", Reason.RUN_SUCCEEDED)
def pending_finished(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run finished well."""
    model, slot = run.case.model, run.slot
    message = f"{slot.model} is tuned" + (": evaluated first" if model.evaluation else "")
    promote = Promote(**run.case.about(slot), reason=Reason.RUN_SUCCEEDED, message=message, desired=model)
    return (*run.others_stopped(), promote)


# ── active ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@row("hold", Reason.LOST)
def active_serves_no_more(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run served, and its state at the provider is an end."""
    state = run.seen.state
    if state not in {RemoteState.FAILED, RemoteState.CANCELLED}:
        return "the provider does not call it failed or cancelled"
    return run.held(Reason.LOST, f"{run.slot.model} serves no more: its state is {state}")


@row("hold", Reason.DRIFTED)
def active_facts_changed(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run serves, and reports other training facts than it was tuned with."""
    known = run.case.record.run(run.slot.model) if run.case.record else None
    if known is None or not hyperparameters_differ(known, run.seen):
        return "it reports the training facts it was tuned with"
    return run.held(Reason.DRIFTED, f"{run.slot.model} reports other training facts than it was tuned with")


@row("update", Reason.FIELDS_CHANGED, Reason.FIELDS_DRIFTED)
def active_fields_differ(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run serves, and fields that cost nothing differ: the spec moved, or somebody changed the model."""
    case, slot, remote = run.case, run.slot, run.seen
    wanted = place_update(case.model, remote, slot, case.world, case.record.stored if case.record else ())
    if wanted is None:
        return "all fields that are updated in place are equal, or stored as the provider stores what was sent"
    moved = case.record is not None and spec_moved(case.model, case.record)
    names = ", ".join(c.field for c in wanted.changes) or "owner mark"
    update = Update(
        **case.about(slot),
        reason=Reason.FIELDS_CHANGED if moved else Reason.FIELDS_DRIFTED,
        message=f"{names}: in place, free",
        changes=wanted.changes,
        desired=case.model,
        description=wanted.description,
    )
    return (*run.others_stopped(), update)


@row("cancel", Reason.SUPERSEDED)
def active_beside_another(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run serves, and another one is tuning that nothing asks for."""
    return run.others_stopped() or "no other run is tuning"


@row("none", Reason.UP_TO_DATE)
def active_agrees(run: KnownRun) -> tuple[Action, ...] | str:
    """The desired run serves and all is equal."""
    return (in_order(run.case.model, run.slot),)


# ── retired, orphaned, or found under our mark ───────────────────────────────────────────────────────────────────────


@row("hold", Reason.RUN_FAILED, Reason.RUN_CANCELLED, Reason.DEADLINE_EXCEEDED, Reason.EVALUATION_FAILED)
def retired_is_no_good(run: KnownRun) -> tuple[Action, ...] | str:
    """A run of these inputs is there already, and ended badly or did not pass its evaluation."""
    held = _ended_badly(run) or _failed_evaluation(run)
    return (*run.others_stopped(), held) if held is not None else _ENDED_WELL


@row("reuse", Reason.RUN_EXISTS)
def retired_is_reused(run: KnownRun) -> tuple[Action, ...] | str:
    """A run of these inputs is there already: retired, orphaned, or found by its owner mark."""
    model, slot = run.case.model, run.slot
    message = f"{slot.model} was tuned from these inputs already: it serves again at no cost"
    reuse = Reuse(**run.case.about(slot), reason=Reason.RUN_EXISTS, message=message, desired=model)
    return (*run.others_stopped(), reuse)


def _ended_badly(run: KnownRun) -> Hold | None:
    case, slot, remote = run.case, run.slot, run.seen
    stopped = bad_end(case.record, slot)
    tunes = ", and still tunes" if remote.state is RemoteState.CREATING else ""
    if stopped is RunOutcome.DEADLINE_EXCEEDED:
        return case.hold(Reason.DEADLINE_EXCEEDED, again(f"the run was stopped at limits.maxDuration{tunes}"), slot)
    if stopped is RunOutcome.CANCELLED or remote.state is RemoteState.CANCELLED:
        return case.hold(Reason.RUN_CANCELLED, again(f"the run was cancelled{tunes}"), slot)
    if remote.state is RemoteState.FAILED or stopped is RunOutcome.FAILED:
        why = f"the run failed: {remote.error}" if remote.error else "the run failed; the provider gives no reason"
        return case.hold(Reason.RUN_FAILED, again(why), slot)
    return None


def _failed_evaluation(run: KnownRun) -> Hold | None:
    case = run.case
    asked = case.model.evaluation
    score = known_score(case.record.run(run.slot.model) if case.record else None, asked)
    if asked is None or score is None or passes(score, asked):
        return None
    return case.hold(Reason.EVALUATION_FAILED, too_low(score, asked, case.record), run.slot)


ANYWHERE: Table[KnownRun] = (
    run_unreadable,
    run_elsewhere,
    run_not_shown_yet,
    run_gone,
    run_is_another_ones,
    mark_changed,
)
PENDING: Table[KnownRun] = (
    pending_ended_badly,
    pending_overdue,
    pending_tunes,
    pending_below_its_bar,
    pending_finished,
)
ACTIVE: Table[KnownRun] = (
    active_serves_no_more,
    active_facts_changed,
    active_fields_differ,
    active_beside_another,
    active_agrees,
)
RETIRED: Table[KnownRun] = (retired_is_no_good, retired_is_reused)
BY_SLOT: dict[SlotKind, Table[KnownRun]] = {
    SlotKind.PENDING: (*ANYWHERE, *PENDING),
    SlotKind.ACTIVE: (*ANYWHERE, *ACTIVE),
    SlotKind.RETIRED: (*ANYWHERE, *RETIRED),
}
