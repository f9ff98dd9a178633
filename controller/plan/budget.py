"""Actions and what was spent this month to actions that stay within the budget."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from controller.plan.actions import Action, Hold, Tune
from controller.plan.world import World
from controller.settings import Budget
from controller.state.capabilities import Capabilities
from controller.state.reasons import Reason
from controller.state.recorded import Answer, Intent, Recorded

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
    return world.capabilities.get(action.provider, Capabilities()).free


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
    return Hold(
        name=action.name,
        provider=action.provider,
        reason=reason,
        message=message,
        fingerprint=action.fingerprint,
        attempt=action.attempt,
    )
