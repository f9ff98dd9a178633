"""One pass, whole (reconcile) or up to its plan (preview)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controller.engine.apply import apply
from controller.engine.desire import desired_of
from controller.engine.downloads import kept_only
from controller.engine.effects import Execution
from controller.engine.score import Evaluations
from controller.engine.snapshot import offline_snapshot, snapshot, with_history
from controller.errors import LedgerError, RevisionConflict, SourceError, UnsafePlan
from controller.failpoints import point
from controller.plan.actions import (
    Action,
    Cancel,
    Delete,
    Done,
    Held,
    Hold,
    Orphan,
    Outcome,
    Plan,
    Promote,
    Reuse,
    Tune,
)
from controller.plan.approval import ALLOW_BEHIND, allowed_reviews, standing, uncommitted, withhold
from controller.plan.grants import with_allowed
from controller.plan.planner import make_plan, ungranted
from controller.plan.record import next_records, with_intents
from controller.plan.world import ReviewRule, World, as_recorded, slot_provider
from controller.ports import Ports, written_now
from controller.settings import Settings
from controller.spans import span
from controller.state.desired import Desired
from controller.state.reasons import Reason
from controller.state.recorded import Record, Recorded

_SAVE_TRIES = 5
_NAMED = 20  # in the message of a commit


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan, and the world it was made from."""

    world: World
    plan: Plan


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person allowed: a plan's digest (None: whatever git says), guards by their word, the revision meant.

    ``only``, where given, are the digests of the actions that may pay, cancel what is superseded, or delete.
    ``review`` is what of people's reviews counts, ``by`` who allows.
    """

    digest: str | None = None
    allow: frozenset[str] = field(default_factory=frozenset)
    revision: str | None = None
    review: ReviewRule = ReviewRule.REFUSALS
    by: str = ""
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """One whole pass: its world, plan and outcomes, and the record as it was saved."""

    world: World
    plan: Plan
    outcomes: tuple[Outcome, ...]
    records: Mapping[str, Record]


class Refused(UnsafePlan):
    """The plan was not applied: a guard stands, or it is not the plan that was approved. ``preview`` holds it."""

    def __init__(self, message: str, preview: Preview, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.preview = preview


async def preview(
    ports: Ports, settings: Settings, revision: str | None = None, review: ReviewRule = ReviewRule.REFUSALS
) -> Preview:
    """The pass that stops at the plan."""
    world = replace(await snapshot(ports, settings, revision), review=review)
    return Preview(world, make_plan(world))


async def preview_offline(
    ports: Ports, settings: Settings, revision: str | None = None, review: ReviewRule = ReviewRule.REFUSALS
) -> Preview:
    """A plan from git and the ledger alone: what is recorded is taken for what the providers would say.

    Of data outside of the commit what is kept is read, and nothing fetched.
    """
    ports = replace(ports, downloads=kept_only(ports.downloads))
    world = await offline_snapshot(ports, settings, revision)
    world = replace(world, observed=as_recorded(world), review=review)
    return Preview(world, make_plan(world))


async def reconcile(
    ports: Ports, settings: Settings, approval: Approval, evaluations: Evaluations | None = None
) -> Pass:
    """Bring the providers to what git asks for, as far as one pass can.

    With ``evaluations`` it waits for no evaluation: a later pass takes up its score.

    Raises `Refused` where a guard stands or the plan is another than the approved one, `RevisionConflict` where
    somebody else wrote the ledger before our intents were in it, `SourceError` and `LedgerError`; nothing has been
    sent then.
    """
    with span("look"):
        world = await snapshot(ports, settings, approval.revision)
        world = world.forgiving() if ALLOW_BEHIND in approval.allow else world
        world = replace(world, review=approval.review, allowed=allowed_reviews(approval.allow))
    with span("plan", models=len(world.desired.models)):
        plan = make_plan(world)
        plan = withhold(plan, _beyond(plan, approval), world)
    _check(Preview(world, plan), approval)
    _tell(world, ports)
    if any(action.acts for action in plan.actions):
        await ports.ledger.check()
    point("decided")
    world = await _with_intents(await _with_allowed(world, approval, ports), plan, ports)
    execution = Execution(ports, _second_look(ports, settings), evaluations, _paced(settings))
    outcomes = await apply(plan, world, execution)
    records = await _save(world, outcomes, ports)
    point("status.saved")
    return Pass(world, plan, outcomes, records)


async def follow(ports: Ports, settings: Settings, approval: Approval, interval: float) -> AsyncIterator[Pass]:
    """Passes on one revision, ``interval`` seconds apart, until nothing tunes any more."""
    while True:
        done = await reconcile(ports, settings, approval)
        yield done
        if not _goes_on(done):
            return
        approval = going_on(approval, done)
        await ports.clock.sleep(interval)


def going_on(approval: Approval, done: Pass) -> Approval:
    """What was allowed to the passes that follow: the same revision, and of a plan that was approved nothing beyond."""
    only = approval.only
    if approval.digest is not None:
        only = frozenset(action.digest for action in done.plan.actions)
    return replace(approval, digest=None, only=only, revision=approval.revision or done.plan.revision)


def _beyond(plan: Plan, approval: Approval) -> dict[str, str]:
    """The names for which a plan would do what costs or cannot be undone, and was not in the one that was approved."""
    if approval.only is None:
        return {}
    message = "this was not in the plan that was approved: look at the plan as it is now, and approve that one"
    return {a.name: message for a in plan.actions if _weighs(a) and a.digest not in approval.only}


def _weighs(action: Action) -> bool:
    superseded = isinstance(action, Cancel) and action.reason is Reason.SUPERSEDED
    return superseded or isinstance(action, Tune | Delete)


def _check(shown: Preview, approval: Approval) -> None:
    plan = shown.plan
    if approval.digest is not None and approval.digest != plan.digest:
        hint = "Look at the plan as it is now, and approve that one."
        raise Refused(f"the plan is {plan.digest}, not {approval.digest}: something moved", shown, hint=hint)
    stands = standing((*plan.guards, *uncommitted(plan.actions, shown.world)), approval.allow)
    if stands:
        words = " ".join(f"--allow {word}" for guard in stands for word in guard.allow)
        hints = [guard.hint for guard in stands if guard.hint] + ([f"If that is meant: {words}"] if words else [])
        raise Refused("; ".join(g.message for g in stands), shown, hint=" ".join(hints))


async def _with_allowed(world: World, approval: Approval, ports: Ports) -> World:
    """The world after what a person lets pass without a review is on record as granted: later passes go on from it."""
    if not world.allowed:
        return world
    missing = ungranted(replace(world, allowed=frozenset(), review=ReviewRule.GRANTS))
    wanted = {name: bases for name, bases in missing.items() if name in world.allowed}
    records = with_allowed(world, wanted, approval.by, written_now(ports.clock))
    if records == world.recorded.records:
        return world
    tip = await ports.ledger.save(records, world.recorded.tip, f"Allow without a review: {_named(world.allowed)}")
    return replace(world, recorded=Recorded(records, tip))


async def _with_intents(world: World, plan: Plan, ports: Ports) -> World:
    """The world after every create of the plan has a durable intent."""
    nonces = {a.name: ports.chance.nonce() for a in plan.actions if isinstance(a, Tune)}
    if not nonces:
        return world
    records = with_intents(world, plan.actions, nonces, written_now(ports.clock))
    tip = await ports.ledger.save(records, world.recorded.tip, f"Intend to create: {_named(nonces)}")
    point("intent.saved")
    return replace(world, recorded=Recorded(records, tip))


async def _save(world: World, outcomes: Sequence[Outcome], ports: Ports) -> Mapping[str, Record]:
    """Record what happened. Effects are done, so a lost race is rebuilt on what the other one wrote."""
    now = written_now(ports.clock)
    for _ in range(_SAVE_TRIES):
        records = next_records(world, outcomes, now)
        try:
            await ports.ledger.save(records, world.recorded.tip, _message(world.recorded, records))
        except RevisionConflict:
            await ports.clock.sleep(ports.chance.uniform(0.05, 0.5))
            recorded = await ports.ledger.load()
            outcomes = [outcome for outcome in outcomes if not _is_overtaken(outcome, world.recorded, recorded)]
            world = replace(world, recorded=recorded)
            world = await _where_that_stands(world, ports)
        else:
            return records
    raise LedgerError(
        f"the record of this pass lost {_SAVE_TRIES} races in a row; the next pass finds what it did",
        hint="Another controller writes the same ledger very often: see that only one follows this branch.",
    )


async def _where_that_stands(world: World, ports: Ports) -> World:
    """The world with how its commit stands to what another controller acted on; behind, where that is not known."""
    try:
        return await with_history(world, ports)
    except SourceError:
        return replace(world, history=replace(world.history, behind=True))


def _is_overtaken(outcome: Outcome, before: Recorded, now: Recorded) -> bool:
    """Whether an outcome has nothing more to say where another controller wrote first.

    So it is with a create that made nothing, where the open intent is another one, or none; and with what was let go as
    its record was: a run may have begun that has to be stopped, or another deletion policy been recorded.
    """
    action = outcome.action
    if isinstance(action, Orphan):
        return before.records.get(action.name) != now.records.get(action.name)
    if not isinstance(outcome, Held) or not isinstance(action, Tune):
        return False
    return before.nonce(action.name) != now.nonce(action.name)


def _second_look(ports: Ports, settings: Settings) -> Callable[[], Awaitable[Desired]]:
    """What git asks for at the moment of asking: the branch may have moved since the plan was made, or fixed on."""

    async def again() -> Desired:
        return await desired_of(ports, await ports.source.tree(), settings)

    return again


def _paced(settings: Settings) -> frozenset[str]:
    return frozenset(key for key, one in settings.providers.items() if one.requests_per_minute is not None)


def _message(before: Recorded, after: Mapping[str, Record]) -> str:
    changed = sorted(name for name in after if before.records.get(name) != after[name])
    gone = sorted(before.records.keys() - after.keys())
    return f"Status of {_named(changed + gone)}" if changed or gone else "Status"


def _named(names: Collection[str]) -> str:
    """The first of the names: all of them stand in what is written."""
    left = len(names) - _NAMED
    return ", ".join(sorted(names)[:_NAMED]) + (f" and {left:,} more" if left > 0 else "")


def _tell(world: World, ports: Ports) -> None:
    """Show the reporter every pending run as it was just seen."""
    for record in world.recorded.records.values():
        if record.pending is not None:
            remote = world.observed.model(slot_provider(record.pending, record), record.pending.model)
            if remote is not None:
                ports.reporter.observed(remote)


def _goes_on(done: Pass) -> bool:
    """Whether a later pass will find something new by itself: a run that tunes or was just settled, a second look."""
    return any(_is_on_the_way(outcome) for outcome in done.outcomes)


def _is_on_the_way(outcome: Outcome) -> bool:
    action = outcome.action
    if isinstance(action, Hold):
        return action.reason in {Reason.SPEC_MISSING, Reason.VISIBILITY, Reason.SETTLING}
    return isinstance(outcome, Done) and (action.on_the_way or isinstance(action, Promote | Reuse | Delete))
