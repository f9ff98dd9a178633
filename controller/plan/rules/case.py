"""One spec with its record in its world, and the actions that more than one row of the decision table gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.plan.actions import Action, Adopt, Cancel, Hold, Target, Wait, about
from controller.plan.world import World, is_out_of_reach, names_of, slot_provider
from controller.state.desired import DesiredModel, WhenSuperseded
from controller.state.identity import find_mark
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Record, RunOutcome, Slot

TUNING = frozenset({RemoteState.CREATING, RemoteState.UNKNOWN})
SHOWS_LATE = "a create was sent; its model may take minutes to show"


@dataclass(frozen=True, slots=True)
class Case:
    """One spec with its record, in its world."""

    model: DesiredModel
    record: Record | None
    world: World

    def hold(self, reason: Reason, message: str, slot: Slot | None = None) -> Hold:
        """Do nothing, about the desired run or the one in a slot."""
        return Hold(**(self.about(slot) if slot else self.desired()), reason=reason, message=message)

    def about(self, slot: Slot) -> Target:
        """The run in a slot, on the provider that the spec names."""
        return about(self.model.name, self.model.provider, slot)

    def desired(self, model: str = "") -> Target:
        """The run that the spec asks for; ``model`` is the full name it would get."""
        asked = self.model
        return Target(
            name=asked.name, provider=asked.provider, model=model, fingerprint=asked.fingerprint, attempt=asked.attempt
        )

    def unreadable(self, slot: Slot | None = None) -> Hold:
        """The provider could not be read, so nothing can be told of this model."""
        return self.hold(Reason.PROVIDER_UNREADABLE, self.world.why_unread(self.model.provider), slot)

    def wait(self, slot: Slot, remote: RemoteModel, reason: Reason = Reason.TUNING) -> Wait:
        """The slot's run is tuning."""
        done = remote.progress
        steps = f"step {done.completed_steps} of {done.total_steps}" if done.total_steps else "no progress told yet"
        return Wait(
            **self.about(slot),
            reason=reason,
            message=f"{slot.model} is tuning: {steps}",
            completed_steps=done.completed_steps,
            total_steps=done.total_steps,
        )

    def cancel(self, slot: Slot, reason: Reason, why: str) -> Cancel:
        """Stop the slot's run."""
        provider = slot_provider(slot, self.record) if self.record else self.model.provider
        return Cancel(
            **about(self.model.name, provider, slot),
            reason=reason,
            message=f"{why}: {slot.model} is stopped; what it cost is spent",
            operation=slot.operation,
        )

    def tuning(self, slot: Slot) -> RemoteModel | None:
        """The slot's remote model, where it is ours and tunes; one seen to succeed may still be listed so."""
        if self.record is None:
            return None
        run = self.record.run(slot.model)
        if run is not None and run.outcome is RunOutcome.SUCCEEDED:
            return None
        remote = self.world.observed.model(slot_provider(slot, self.record), slot.model)
        names = (*names_of(self.model), self.record.name)
        if remote is None or not self.world.is_ours(remote, names, slot.fingerprint, slot.attempt):
            return None
        return remote if remote.state in TUNING else None

    def may_finish(self, slot: Slot) -> bool:
        """Whether a superseded run is let finish: no longer than limits.maxDuration, since it may never end."""
        return self.model.when_superseded is WhenSuperseded.FINISH and not self.world.is_overdue(slot, self.record)

    def clear_the_way(self, except_for: Slot | None) -> tuple[Action, ...]:
        """The cancels of what tunes for this spec and is no longer wanted."""
        kept = except_for.model if except_for is not None else ""
        return tuple(
            self.stop_late(slot) if self.world.is_overdue(slot, self.record) else self._supersede(slot)
            for slot in self._running()
            if slot.model != kept and self.tuning(slot) is not None and not self.may_finish(slot)
        )

    def stop_late(self, slot: Slot) -> Cancel:
        """Stop a run at its limit: whatever is to follow it, it is the spec itself that asks for no more of it."""
        return self.cancel(slot, Reason.DEADLINE_EXCEEDED, "the run is past limits.maxDuration")

    def late_stopped(self) -> tuple[Action, ...]:
        """The cancel of a pending run that is past its limit while its successor is held before it is asked for."""
        slot, record = self.record.pending if self.record else None, self.record
        if slot is None or record is None or not self.world.is_overdue(slot, record) or self.tuning(slot) is None:
            return ()
        return (self.stop_late(slot),) if self.world.is_whole(slot_provider(slot, record)) else ()

    def _supersede(self, slot: Slot) -> Cancel:
        return self.cancel(slot, Reason.SUPERSEDED, "the spec has moved on")

    def _running(self) -> tuple[Slot, ...]:
        """The pending run, and those that were pending under a name which the spec has taken over."""
        record = self.record
        if record is None:
            return ()
        strays = [s for s in record.retired if (run := record.run(s.model)) and run.outcome is RunOutcome.TUNING]
        return (*((record.pending,) if record.pending else ()), *strays)


def may_yet_show(record: Record, world: World) -> bool:
    """Whether the create of an open intent, whose model is not there, was sent so lately that it may still turn up.

    Not where the provider has refused it: then it made nothing, and nobody has to wait. One that was sent again may
    have been sent just now.
    """
    intent = record.intent
    if intent is None or intent.answer is Answer.REFUSED:
        return False
    return intent.answer is Answer.REPEATED or intent in world.recent_intents


def left_behind(record: Record, world: World) -> str:
    """What is said of a pending run that nobody can reach; "" where it can be."""
    pending = record.pending
    if pending is None or not is_out_of_reach(pending, record, world):
        return ""
    what = f"{pending.model} may still tune on provider {slot_provider(pending, record)}"
    return f"; {what}, which is not in gitune.yaml any more: look there"


def foreign(name: str, remote: RemoteModel | None, instance: str) -> str:
    """Why a model that stands where ours should is left alone, and what a person may do. ``instance`` is who we are."""
    mark = find_mark(remote.description) if remote else None
    if remote is None:
        why, way = "another account has it, and it may not be read", "rename the spec"
    elif not remote.owned:
        why, way = "another account shares it, whatever its mark says", "rename the spec"
    elif mark is None:
        why, way = "it carries no owner mark", "rename the spec, or adopt the model"
    else:
        was = f", or, if that was you, say `instance: {mark.instance}` in gitune.yaml"
        why = f"it is marked as {mark.instance}/{mark.name}"
        way = "rename the spec" + (was if mark.instance != instance else "")
    return f"{name} is there and is not ours ({why}): nothing of it is touched; {way}"


def unlisted(provider: str, model: str, world: World) -> str:
    """Why nobody can tell whether a model is our account's."""
    return f"{world.why_unread(provider)}: whether {model} is this account's is not known"


def again(what: str) -> str:
    """How a run ended, and what a person can do about it."""
    return f"{what}; change the training inputs or raise spec.attempt to pay for another"


def unknown(name: str, what: str) -> str:
    """What a person has to do where nobody can tell whether a create happened."""
    look = f"a create of {what} was sent, and nobody can tell whether it happened: look at the provider, then"
    return f"{look} `gitune adopt {name} MODEL` or, if there is none, `gitune forget {name} --intent`"


def adopt(name: str, provider: str, intent: Intent, remote: RemoteModel) -> Adopt:
    """Record the model that an open intent made."""
    message = f"{remote.name} was made by a create whose answer was lost: recorded as pending"
    made = about(name, provider, replace(intent, model=remote.name))
    return Adopt(**made, reason=Reason.INTENT_FOUND, message=message)


def cancel_double(name: str, provider: str, remote: RemoteModel) -> Cancel:
    """Stop the younger of two runs that one create made: somebody on the way sent it twice."""
    mark = remote.mark
    return Cancel(
        name=name,
        provider=provider,
        reason=Reason.SUPERSEDED,
        message=f"{remote.name} is a second run of one create: stopped; report it to the provider",
        model=remote.name,
        fingerprint=mark.fingerprint if mark else "",
        attempt=mark.attempt if mark else 0,
        operation=remote.operation,
    )
