"""A spec without a run to the create that pays for one, or to the reason why not."""

from __future__ import annotations

from controller.plan.actions import Create, DatasetChange, Hold, Retune
from controller.plan.case import Case, again
from controller.plan.cost import cost
from controller.plan.fields import training_changes
from controller.plan.fit import latest_attempt, spent_run
from controller.plan.world import slot_provider
from controller.state.desired import BaseModel, FromSpec
from controller.state.observed import Presence
from controller.state.reasons import Reason
from controller.state.recorded import RunOutcome


def forbidden(case: Case) -> Hold | None:
    """Why this fingerprint and attempt must not be paid for now, where something forbids it."""
    return _spent(case) or _lowered(case) or _unsure_pending(case)


def _spent(case: Case) -> Hold | None:
    run = spent_run(case.model, case.record)
    if run is None:
        return None
    match run.outcome:
        case RunOutcome.CANCELLED:
            return case.hold(Reason.RUN_CANCELLED, again("a run of these inputs was cancelled"))
        case RunOutcome.DEADLINE_EXCEEDED:
            return case.hold(Reason.DEADLINE_EXCEEDED, again("a run of these inputs was stopped at its limit"))
        case RunOutcome.FAILED:
            return case.hold(Reason.RUN_FAILED, again(f"a run of these inputs failed: {run.error or 'no reason'}"))
        case RunOutcome.TUNING | RunOutcome.SUCCEEDED:
            return case.hold(Reason.LOST, again(f"{run.model} was paid for and is gone"))


def _lowered(case: Case) -> Hold | None:
    """P2: a new run takes a higher attempt; one below an attempt that was paid for is a slip, not an order."""
    later = latest_attempt(case.model, case.record)
    if later <= case.model.attempt:
        return None
    message = f"attempt {later} of these inputs was paid for: a lower one pays for nothing"
    return case.hold(Reason.ATTEMPT_LOWERED, f"{message}; set spec.attempt to {later}, or above it to pay for another")


def _unsure_pending(case: Case) -> Hold | None:
    """A pending run that cannot be seen is neither cancelled nor built upon."""
    pending = case.record.pending if case.record else None
    if pending is None or case.record is None:
        return None
    provider = slot_provider(pending, case.record)
    if provider in case.world.observed.providers and (
        case.world.observed.presence(provider, pending.model) is Presence.UNSURE
    ):
        return case.unreadable(pending)
    return None


def base_of(case: Case) -> str | Hold:
    """The remote name of the base model, or why it cannot be tuned on."""
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
            return case.hold(Reason.BASE_MODEL_NOT_TUNABLE, f"{name} cannot be tuned: {why}")
        case FromSpec(name, fingerprint, attempt):
            source = case.world.recorded.records.get(name)
            slot = source.active if source else None
            if slot is None or (slot.fingerprint, slot.attempt) != (fingerprint, attempt):
                return case.hold(Reason.BASE_MODEL_NOT_READY, f"waits for the run that {name} asks for to serve")
            return slot.model


def pay(case: Case, wanted: str, base: str) -> Create | Retune:
    """The create of the desired run: the first of its spec, or one beside an earlier run."""
    model, record = case.model, case.record
    earlier = next(iter(record.slots), None) if record else None
    run = record.run(earlier.model) if record and earlier else None
    changes = training_changes(model, run)
    price = cost(model, case.world.prices.get(model.provider))
    steps = f"{len(model.dataset.examples)} examples"
    dataset = DatasetChange(
        examples=len(model.dataset.examples),
        characters=model.dataset.characters,
        duplicates=model.dataset.duplicates,
    )
    if earlier is None:
        return Create(
            name=model.name,
            provider=model.provider,
            reason=Reason.NEW_SPEC,
            message=f"a first run on {steps}",
            model=wanted,
            fingerprint=model.fingerprint,
            attempt=model.attempt,
            dataset=dataset,
            desired=model,
            base=base,
            cost=price,
        )
    raised = bool(changes) and all(c.field == "attempt" for c in changes)
    names = ", ".join(c.field for c in changes) or "training inputs"
    return Retune(
        name=model.name,
        provider=model.provider,
        reason=Reason.ATTEMPT_RAISED if raised else Reason.INPUTS_CHANGED,
        message=f"{names} changed: a new run on {steps}; the old one serves until it is done",
        model=wanted,
        fingerprint=model.fingerprint,
        attempt=model.attempt,
        changes=changes,
        dataset=dataset,
        desired=model,
        base=base,
        cost=price,
    )
