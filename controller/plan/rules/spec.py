"""What is looked at first of every spec: can it be used, may it be acted on, is a create of it still open."""

from __future__ import annotations

from dataclasses import dataclass

from controller.plan.actions import Action, Hold
from controller.plan.rules.case import (
    SHOWS_LATE,
    TUNING,
    Case,
    adopt,
    cancel_double,
    foreign,
    may_yet_show,
    unknown,
    unlisted,
)
from controller.plan.rules.table import Table, row
from controller.plan.world import World, names_of
from controller.state.desired import InvalidModel
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Slot


@row("hold", Reason.INVALID_SPEC, Reason.INVALID_DATASET, Reason.DATASET_UNREACHABLE)
def not_usable(case: tuple[InvalidModel, World]) -> tuple[Action, ...] | str:
    """The spec or its dataset is wrong, or cannot be read."""
    broken, world = case
    record = world.recorded.records.get(broken.name)
    first = broken.problems[0]
    more = f" (and {len(broken.problems) - 1} more)" if len(broken.problems) > 1 else ""
    held = Hold(
        name=broken.name,
        provider=record.provider if record else "",
        reason=broken.reason,
        message=f"{first}{more}: nothing changes until it is fixed",
    )
    return (held,)


@row("hold", Reason.SUSPENDED)
def suspended(case: Case) -> tuple[Action, ...] | str:
    """`suspend: true`."""
    if not case.model.suspend:
        return "suspend is not true"
    return (case.hold(Reason.SUSPENDED, "suspend is true: observed and reported, nothing is changed"),)


@row("hold", Reason.TREE_INCOMPLETE)
def taking_over(case: Case) -> tuple[Action, ...] | str:
    """It would take over what is recorded under another name, whose spec may be in what could not be read."""
    other = case.world.desired.doubtful.get(case.model.name)
    if other is None:
        return "it takes over no name that may still have a spec"
    message = f"it would take over what is recorded as {other}, whose spec may be in a file that cannot be read"
    return (case.hold(Reason.TREE_INCOMPLETE, message),)


# ── a create of it is open ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OpenCreate:
    """A spec, a create of it whose outcome is not recorded, on which provider, and whether its id is taken there."""

    case: Case
    intent: Intent
    provider: str
    presence: Presence

    def hold(self, reason: Reason, message: str) -> tuple[Action, ...]:
        """Do nothing, about the run that was asked for."""
        intent = self.intent
        slot = Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=self.provider)
        return (*self.case.late_stopped(), self.case.hold(reason, message, slot))

    @property
    def is_superseded(self) -> bool:
        """Whether the spec asks for something else by now."""
        model, intent = self.case.model, self.intent
        wanted = (model.fingerprint, model.attempt, model.provider)
        return (intent.fingerprint, intent.attempt, self.provider) != wanted

    def made(self) -> tuple[RemoteModel, ...]:
        """What it made: by its id, or, where the provider chose that, by the mark in the request alone."""
        intent, world, names = self.intent, self.case.world, names_of(self.case.model)
        if not intent.model:
            return world.marked(self.provider, names, intent.fingerprint, intent.attempt)
        remote = world.observed.model(self.provider, intent.model)
        there = remote is not None and world.is_ours(remote, names, intent.fingerprint, intent.attempt)
        return (remote,) if remote is not None and there and remote.owned else ()

    @property
    def is_claimed(self) -> bool:
        """Whether what has its id bears our mark, and our account's own listing does not show it."""
        intent = self.intent
        names = names_of(self.case.model)
        inputs = intent.fingerprint, intent.attempt
        return self.case.world.is_claimed(self.provider, intent.model, names, *inputs)


def open_create(case: Case) -> OpenCreate | None:
    """The create of a spec that is still open."""
    intent = case.record.intent if case.record is not None else None
    if intent is None:
        return None
    provider = intent.provider or case.model.provider
    return OpenCreate(case, intent, provider, case.world.observed.presence(provider, intent.model))


@row("adopt", Reason.INTENT_FOUND)
def create_found(create: OpenCreate) -> tuple[Action, ...] | str:
    """A create was sent and its answer is not known: its model is there, and is ours."""
    found = create.made()
    if not found:
        return "no model of that create is there"
    name, (first, *doubles) = create.case.model.name, found
    stops = [cancel_double(name, create.provider, double) for double in doubles if double.state in TUNING]
    return (*stops, adopt(name, create.provider, create.intent, first))


@row("hold", Reason.PROVIDER_UNREADABLE, Reason.VISIBILITY)
def create_owner_unknown(create: OpenCreate) -> tuple[Action, ...] | str:
    """A create was sent, and whether the model that has its id is our account's is not known yet."""
    case, model = create.case, create.intent.model
    if not create.is_claimed:
        return "no model has its id and our mark, and is missing from the listing"
    if not case.world.is_whole(create.provider):
        return create.hold(Reason.PROVIDER_UNREADABLE, unlisted(create.provider, model, case.world))
    if case.record is not None and may_yet_show(case.record, case.world):
        return create.hold(Reason.VISIBILITY, f"{model} is there, and the listing of this account does not show it yet")
    return "the listing has had time to show it"


@row("hold", Reason.VISIBILITY)
def create_may_yet_show(create: OpenCreate) -> tuple[Action, ...] | str:
    """A create was sent a moment ago, and a provider may be slow to show what it made."""
    case = create.case
    late = create.intent in case.world.recent_intents
    if create.intent.model:
        # Other inputs have another id, and nobody would know of the first model any more.
        absent = create.presence is Presence.ABSENT and create.is_superseded
        late = absent and case.record is not None and may_yet_show(case.record, case.world)
    return create.hold(Reason.VISIBILITY, SHOWS_LATE) if late else "it was not sent just now"


@row("hold", Reason.OUTCOME_UNKNOWN)
def create_unknown(create: OpenCreate) -> tuple[Action, ...] | str:
    """A create was sent, and nobody can tell whether its model is there."""
    if create.intent.model and create.presence is not Presence.UNSURE:
        # The id is ours to choose, so the server is the lock: asking again cannot make a second one.
        return "the provider tells whether its id is taken"
    return create.hold(Reason.OUTCOME_UNKNOWN, unknown(create.case.model.name, create.intent.model or "a model"))


@row("hold", Reason.FOREIGN_MODEL)
def create_id_taken(create: OpenCreate) -> tuple[Action, ...] | str:
    """A create was sent, and a model that is not ours has its id."""
    if create.presence is not Presence.FOUND or create.is_superseded:
        return "no other model has its id, or its inputs are not asked for any more"
    world, wanted = create.case.world, create.intent.model
    remote = world.observed.model(create.provider, wanted)
    return create.hold(Reason.FOREIGN_MODEL, foreign(wanted, remote, world.instance))


NOT_USABLE: Table[tuple[InvalidModel, World]] = (not_usable,)
EVERY_SPEC: Table[Case] = (suspended, taking_over)
OPEN_CREATE: Table[OpenCreate] = (
    create_found,
    create_owner_unknown,
    create_may_yet_show,
    create_unknown,
    create_id_taken,
)
