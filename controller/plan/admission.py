"""Decided actions to those that may go on: a whole listing, a place in the queue and the budget come first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from controller.plan.actions import Action, Cancel, Hold, Target, Tune
from controller.plan.grants import reviewed
from controller.plan.world import World
from controller.settings import Budget
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Recorded, RunOutcome


def seen_whole(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """After a broken listing nothing is cancelled, deleted or let go, and nothing is put in the place of such a run."""
    for _, group in groupby(actions, key=lambda action: action.name):
        for action in group:
            if not action.takes_away or not _is_in_doubt(action.provider, world):
                yield action
            elif action.reason is not Reason.HISTORY_LIMIT:
                yield _unseen(action, world)
                break


def worth_it(actions: Iterable[Action]) -> Iterator[Action]:
    """The same actions; superseded runs go on where the budget does not cover the one that was to follow them."""
    for _, group in groupby(actions, key=lambda action: action.name):
        decided = tuple(group)
        unpaid = any(isinstance(action, Hold) and action.reason.traits.unpaid for action in decided)
        yield from (action for action in decided if not (unpaid and _is_superseded(action)))


def _is_in_doubt(provider: str, world: World) -> bool:
    """Whether a provider was read in part; one that gitune.yaml has no more stays so, and nothing is sent to it."""
    seen = world.observed.providers.get(provider)
    return seen is not None and not seen.complete and provider in world.facts


def _is_superseded(action: Action) -> bool:
    return isinstance(action, Cancel) and action.reason is Reason.SUPERSEDED


def _unseen(action: Action, world: World) -> Hold:
    message = f"{world.why_unread(action.provider)}: {action.model or action.name} stays as it is"
    return action.held(Reason.PROVIDER_UNREADABLE, message)


_TIME = re.compile(r"\d{4}-\d{2}-(?P<day>\d{2})T[\d:.]+(?P<offset>Z|[+-]\d{2}:\d{2})")


def spent(recorded: Recorded, month: str) -> float:
    """What the runs begun in a month (``YYYY-MM``, UTC) may have come to.

    An open intent counts, since it may have been paid, and so does a run whose beginning cannot be read.
    """
    total = 0.0
    for record in recorded.records.values():
        total += sum(run.cost or 0.0 for run in record.runs if _may_be_of(run.started, month))
        if record.intent is not None and _may_be_spent(record.intent, month):
            total += record.intent.cost or 0.0
    return total


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What of a month's budget may be spent already, in its currency."""

    used: float
    budget: Budget


def budget_use(world: World, recorded: Recorded) -> BudgetUse | None:
    """How a ledger stands to the budget of this month; None where no budget is set."""
    budget = world.policy.budget
    return BudgetUse(spent(recorded, world.month), budget) if budget is not None else None


def _may_be_spent(intent: Intent, month: str) -> bool:
    """What was sent at times that are not recorded may have been sent in any month."""
    return intent.answer is Answer.REPEATED or _may_be_of(intent.since, month)


def _may_be_of(time: str, month: str) -> bool:
    """A time in UTC is of its month; one with another offset, at the edge of a month, may be of the next one too.

    One of a later month may be of this one: the clock that tells this month is behind.
    """
    read = _TIME.fullmatch(time)
    if read is None or time[: len(month)] >= month:
        return True
    if read["offset"] in {"Z", "+00:00"} or read["day"] not in {"01", "28", "29", "30", "31"}:
        return False
    return abs(_months(time) - _months(month)) == 1


def _months(time: str) -> int:
    return int(time[:4]) * 12 + int(time[5:7])


def within_budget(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """The same actions, with every create that the budget does not cover held instead."""
    budget = world.policy.budget
    if budget is None:
        yield from actions
        return
    used = spent(world.recorded, world.month)
    for action in actions:
        if not isinstance(action, Tune) or _free(action, world):
            yield action
            continue
        held = _unpriced(action, budget, world)
        high = action.cost.high if action.cost else 0.0
        already = _intended(action, world)
        if held is None and used - already + high > budget.per_month:
            message = (
                f"up to {high:.2f} {budget.currency}, and {used:.2f} of {budget.per_month:.2f} may be spent this month"
            )
            held = _hold(action, Reason.BUDGET_EXCEEDED, message)
        if held is None:
            used += high - already
        yield held or action


def _free(action: Tune, world: World) -> bool:
    return world.is_free(action.provider)


def _intended(action: Tune, world: World) -> float:
    """What an open intent of this very create already counts for."""
    record = world.record_of(action.desired)
    intent = record.intent if record else None
    if intent is None or (intent.fingerprint, intent.attempt) != (action.fingerprint, action.attempt):
        return 0.0
    return (intent.cost or 0.0) if _may_be_spent(intent, world.month) else 0.0


def _unpriced(action: Tune, budget: Budget, world: World) -> Hold | None:
    if action.cost is None:
        message = f"a budget is set and no price of {action.base} is given"
        return _hold(action, Reason.PRICE_UNKNOWN, f"{message}: add it to the prices of {action.provider}")
    if action.cost.currency != budget.currency:
        message = f"the prices of {action.provider} are in {action.cost.currency}, the budget in {budget.currency}"
        return _hold(action, Reason.PRICE_UNKNOWN, message)
    if action.provider in world.stale_prices:
        message = f"the prices of {action.provider} are of {action.cost.as_of}: too old to keep a budget with"
        return _hold(action, Reason.PRICE_UNKNOWN, message)
    return None


def _hold(action: Tune, reason: Reason, message: str) -> Hold:
    """What is not sent yet has no model, and nothing of it changes."""
    return replace(action.held(reason, message), model="", changes=())


def _settled(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """The same actions, with a further edit of a spec whose run is young held until no other has come for a while."""
    for name, group in groupby(actions, key=lambda action: action.name):
        decided = tuple(group)
        held = _settling(name, decided, world)
        yield from decided if held is None else (*(a for a in decided if _is_late(a)), held)


def _settling(name: str, decided: tuple[Action, ...], world: World) -> Hold | None:
    model = world.spec(name)
    record = world.record_of(model) if model is not None else None
    run = record.run(record.pending.model) if record is not None and record.pending is not None else None
    if model is None or record is None or run is None or not world.policy.settle:
        return None
    if run.outcome is not RunOutcome.TUNING or not any(_moves_on(action, run.model) for action in decided):
        return None
    inputs, waits, intent = (model.fingerprint, model.attempt), record.awaited, record.intent
    if waits is None and run.model not in world.young:
        return None
    if waits is not None and waits in world.quiet and (waits.fingerprint, waits.attempt) == inputs:
        return None
    if intent is not None and (intent.fingerprint, intent.attempt) == inputs:
        return None  # it was let pass before
    message = f"it was edited while {run.model} had just begun: waits until no edit has come for a while"
    asked = Target(name=name, provider=model.provider, model="", fingerprint=inputs[0], attempt=inputs[1])
    return Hold(**asked, reason=Reason.SETTLING, message=f"{message} (policy.settle)")


def _moves_on(action: Action, pending: str) -> bool:
    """Whether an action takes the place of the pending run, or only stops it: the next edit may ask for it again."""
    return isinstance(action, Tune) or (_is_superseded(action) and action.model == pending)


def _is_late(action: Action) -> bool:
    """Whether an action stops a run at its limit, which waits for nothing."""
    return isinstance(action, Cancel) and action.reason is Reason.DEADLINE_EXCEEDED


def _queued(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """The same actions, with creates over a provider's concurrency held as Queued."""
    running = Counter({key: _tuning(key, world) for key in world.concurrency})
    for action in actions:
        if not isinstance(action, Tune) or action.provider not in world.concurrency:
            yield action
            continue
        cap = world.concurrency[action.provider]
        if running[action.provider] < cap:
            running[action.provider] += 1
            yield action
        else:
            message = f"{cap} runs tune on {action.provider} already (maxConcurrentRuns): starts when one ends"
            yield _hold(action, Reason.QUEUED, message)


def _tuning(key: str, world: World) -> int:
    seen = world.observed.providers.get(key)
    models = seen.models.values() if seen else ()
    return sum(m.state is RemoteState.CREATING and _of_this_instance(m, world) for m in models)


def _of_this_instance(remote: RemoteModel, world: World) -> bool:
    mark = remote.mark
    return mark is not None and mark.instance == world.instance


@dataclass(frozen=True, slots=True)
class Stage:
    """What may still hold, or hold back, an action that the table gives: in the order of these, for all names at once.

    ``as_committed``: it looks at the specs as they were committed, not with their bases settled.
    """

    name: str
    situation: str
    action: str
    reasons: tuple[Reason, ...]
    apply: Callable[[Iterable[Action], World], Iterable[Action]] = field(repr=False)
    as_committed: bool = False


STAGES: tuple[Stage, ...] = (
    Stage(
        "listed_whole",
        "A run would be cancelled, deleted or let go, and its provider could not be listed whole",
        "hold",
        (Reason.PROVIDER_UNREADABLE,),
        seen_whole,
    ),
    # Before the queue and the budget: what nobody has reviewed takes no other model's place.
    Stage(
        "reviewed",
        "It pays, stops, deletes or changes something because a spec asks for it, and no grant covers that, or it was"
        " refused",
        "hold",
        (Reason.NOT_REVIEWED,),
        reviewed,
        as_committed=True,
    ),
    Stage(
        "settled",
        "With `policy.settle`: its pending run is younger than that, and the spec was edited again; what tunes goes on",
        "hold",
        (Reason.SETTLING,),
        _settled,
    ),
    Stage("in_the_queue", "`maxConcurrentRuns` are tuning already", "hold", (Reason.QUEUED,), _queued),
    Stage(
        "within_budget",
        "With `policy.budget`: the run may come to more than is left of this month's, or nobody can say what it costs"
        " (no price, one in another currency, or one that is too old)",
        "hold",
        (Reason.BUDGET_EXCEEDED, Reason.PRICE_UNKNOWN),
        within_budget,
    ),
    Stage(
        "worth_a_cancel",
        "A superseded run would be cancelled, and the budget does not cover the one that was to follow it: it goes on",
        "none",
        (),
        lambda actions, _: worth_it(actions),
    ),
)
