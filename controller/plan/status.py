"""A record and what was last decided for it to its conditions."""

from __future__ import annotations

import re

from controller.plan.actions import Hold, Orphan, Wait
from controller.plan.outcomes import Done, Held, Outcome
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.observed import RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record

_NUMBER = re.compile(r"\d+(\.\d+)?")


def conditions(record: Record, outcome: Outcome) -> tuple[Condition, ...]:
    """Available and Ready always; Reconciling and Stalled only while they are true."""
    reason, message = why(outcome, record)
    message = _said_before(record, reason, message)
    found = [_available(record, reason, message), _ready(record, outcome, reason, message)]
    if _is_on_the_way(outcome, reason):
        found.append(Condition(ConditionType.RECONCILING, Truth.TRUE, reason, message))
    if _is_held(outcome) and reason.traits.needs_person:
        found.append(Condition(ConditionType.STALLED, Truth.TRUE, reason, message))
    return tuple(found)


def why(outcome: Outcome, record: Record) -> tuple[Reason, str]:
    """The reason and message of an outcome, progress by tenths."""
    action = outcome.action
    if isinstance(outcome, Held):
        return outcome.reason, outcome.message
    if isinstance(action, Wait) and record.pending is not None:
        return action.reason, f"{record.pending.model} is tuning: {record.tenths * 10} %"
    return action.reason, action.message


def _said_before(record: Record, reason: Reason, message: str) -> str:
    """The message of last time where only numbers differ and it clears by itself: a countdown is no news to write."""
    if not reason.traits.counts:
        return message
    same = (c.message for c in record.conditions if c.reason == reason and _worded(c.message) == _worded(message))
    return next(same, message)


def _worded(message: str) -> str:
    return _NUMBER.sub("0", message)


def _available(record: Record, reason: Reason, message: str) -> Condition:
    active = record.active
    if active is None:
        return Condition(ConditionType.AVAILABLE, Truth.FALSE, reason, "no run serves yet")
    lost = reason is Reason.LOST and active.model in message
    if lost or active.state != RemoteState.ACTIVE:
        return Condition(ConditionType.AVAILABLE, Truth.FALSE, reason, message)
    return Condition(ConditionType.AVAILABLE, Truth.TRUE, Reason.RUN_SUCCEEDED, f"{active.model} serves")


def _ready(record: Record, outcome: Outcome, reason: Reason, message: str) -> Condition:
    if reason.traits.unknown:
        return Condition(ConditionType.READY, Truth.UNKNOWN, reason, message)
    on_the_way = outcome.action.on_the_way
    if (
        record.orphaned
        or _is_held(outcome)
        or on_the_way
        or record.active is None
        or isinstance(outcome.action, Orphan)
    ):
        return Condition(ConditionType.READY, Truth.FALSE, reason, message)
    return Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE, f"{record.active.model} is the desired run")


def _is_held(outcome: Outcome) -> bool:
    return isinstance(outcome, Held) or isinstance(outcome.action, Hold)


def _is_on_the_way(outcome: Outcome, reason: Reason) -> bool:
    if _is_held(outcome):
        return not reason.traits.needs_person and reason is not Reason.SUSPENDED
    return isinstance(outcome, Done) and outcome.action.on_the_way
