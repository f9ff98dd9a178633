"""What is looked at first of every spec: can it be used, may it be acted on, is a create of it still open."""

from __future__ import annotations

from controller.plan.actions import Action, Hold
from controller.plan.rules.case import SHOWS_LATE, TUNING, Case, adopt, cancel_double, foreign, may_yet_show, unknown
from controller.plan.rules.table import Table, row
from controller.plan.world import World, names_of
from controller.state.desired import InvalidModel
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Slot

_NO_INTENT = "no create is open"


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


@row("adopt", Reason.INTENT_FOUND)
def create_found(case: Case) -> tuple[Action, ...] | str:
    """A create was sent and its answer is not known: its model is there, and is ours."""
    intent = _intent(case)
    if intent is None:
        return _NO_INTENT
    name, provider = case.model.name, _provider(case, intent)
    found = _made(case, intent)
    if not found:
        return "no model of that create is there"
    first, *doubles = found
    stops = [cancel_double(name, provider, double) for double in doubles if double.state in TUNING]
    return (*stops, adopt(name, provider, intent, first))


@row("hold", Reason.VISIBILITY)
def create_may_yet_show(case: Case) -> tuple[Action, ...] | str:
    """A create was sent a moment ago, and a provider may be slow to show what it made."""
    intent = _intent(case)
    if intent is None:
        return _NO_INTENT
    if intent.model:
        # Other inputs have another id, and nobody would know of the first model any more.
        absent = _presence(case, intent) is Presence.ABSENT
        late = (
            absent and _superseded(case, intent) and case.record is not None and may_yet_show(case.record, case.world)
        )
    else:
        late = intent in case.world.recent_intents
    return (case.hold(Reason.VISIBILITY, SHOWS_LATE, _slot(case, intent)),) if late else "it was not sent just now"


@row("hold", Reason.OUTCOME_UNKNOWN)
def create_unknown(case: Case) -> tuple[Action, ...] | str:
    """A create was sent, and nobody can tell whether its model is there."""
    intent = _intent(case)
    if intent is None:
        return _NO_INTENT
    if intent.model and _presence(case, intent) is not Presence.UNSURE:
        # The id is ours to choose, so the server is the lock: asking again cannot make a second one.
        return "the provider tells whether its id is taken"
    what = intent.model or "a model"
    return (case.hold(Reason.OUTCOME_UNKNOWN, unknown(case.model.name, what), _slot(case, intent)),)


@row("hold", Reason.FOREIGN_MODEL)
def create_id_taken(case: Case) -> tuple[Action, ...] | str:
    """A create was sent, and a model that is not ours has its id."""
    intent = _intent(case)
    if intent is None:
        return _NO_INTENT
    if _presence(case, intent) is not Presence.FOUND or _superseded(case, intent):
        return "no other model has its id, or its inputs are not asked for any more"
    remote = case.world.observed.model(_provider(case, intent), intent.model)
    message = foreign(intent.model, remote, case.world.instance)
    return (case.hold(Reason.FOREIGN_MODEL, message, _slot(case, intent)),)


def _intent(case: Case) -> Intent | None:
    return case.record.intent if case.record is not None else None


def _provider(case: Case, intent: Intent) -> str:
    return intent.provider or case.model.provider


def _presence(case: Case, intent: Intent) -> Presence:
    return case.world.observed.presence(_provider(case, intent), intent.model)


def _slot(case: Case, intent: Intent) -> Slot:
    provider = _provider(case, intent)
    return Slot(intent.model, intent.fingerprint, intent.attempt, RemoteState.UNKNOWN, provider=provider)


def _superseded(case: Case, intent: Intent) -> bool:
    model = case.model
    wanted = (model.fingerprint, model.attempt, model.provider)
    return (intent.fingerprint, intent.attempt, _provider(case, intent)) != wanted


def _made(case: Case, intent: Intent) -> tuple[RemoteModel, ...]:
    """What the create made: by its id, or, where the provider chose that, by the mark in the request alone."""
    names, provider, world = names_of(case.model), _provider(case, intent), case.world
    if not intent.model:
        return world.marked(provider, names, intent.fingerprint, intent.attempt)
    remote = world.observed.model(provider, intent.model)
    there = remote is not None and world.is_ours(remote, names, intent.fingerprint, intent.attempt)
    return (remote,) if remote is not None and there and _presence(case, intent) is Presence.FOUND else ()


NOT_USABLE: Table[tuple[InvalidModel, World]] = (not_usable,)
EVERY_SPEC: Table[Case] = (suspended, taking_over, create_found, create_may_yet_show, create_unknown, create_id_taken)
