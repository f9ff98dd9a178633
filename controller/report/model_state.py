"""A record to the one word that says how its model stands, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.recorded import Record, Run


class StateWord(StrEnum):
    """How a model stands, worst first."""

    STALLED = "Stalled"  # a person has to act
    ORPHANED = "Orphaned"  # no longer managed
    RECONCILING = "Reconciling"  # on the way
    NOT_READY = "Not ready"
    READY = "Ready"
    UNKNOWN = "Unknown"  # nothing was recorded yet


@dataclass(frozen=True, slots=True)
class StateLook:
    """How a state is shown: style in a terminal, sign in a comment, circle in the ledger's README, plain words."""

    style: str
    sign: str
    circle: str
    words: str


STATE_LOOKS: Mapping[StateWord, StateLook] = {
    StateWord.STALLED: StateLook("bold red", "⛔", "🔴", "a person has to act"),
    StateWord.ORPHANED: StateLook("dim", "🔗", "⚪", "no longer managed"),
    StateWord.RECONCILING: StateLook("blue", "⏳", "🔵", "on its way"),
    StateWord.NOT_READY: StateLook("yellow", "⚠️", "🟠", "not what git asks for"),
    StateWord.READY: StateLook("green", "✅", "🟢", "serves what git asks for"),
    StateWord.UNKNOWN: StateLook("dim", "❔", "⚪", "not known"),
}


@dataclass(frozen=True, slots=True)
class StateSummary:
    """The word, and the reason and message of the condition it comes from ("" where none says more)."""

    word: StateWord
    reason: str = ""
    message: str = ""


def state_of(record: Record) -> StateSummary:
    """How a model stands, from its conditions alone."""
    if record.orphaned:
        return StateSummary(StateWord.ORPHANED)
    for kind, word in ((ConditionType.STALLED, StateWord.STALLED), (ConditionType.RECONCILING, StateWord.RECONCILING)):
        found = condition(record, kind)
        if found and found.status is Truth.TRUE:
            return StateSummary(word, found.reason, found.message)
    ready = condition(record, ConditionType.READY)
    if ready is None or ready.status is Truth.UNKNOWN:
        return StateSummary(StateWord.UNKNOWN, ready.reason if ready else "", ready.message if ready else "")
    word = StateWord.READY if ready.status is Truth.TRUE else StateWord.NOT_READY
    return StateSummary(word, ready.reason, ready.message)


def condition(record: Record, kind: ConditionType) -> Condition | None:
    """The condition of that type, where the record has one."""
    return next((c for c in record.conditions if c.type is kind), None)


def latest_run(record: Record) -> Run | None:
    """The run a reader looks for first: the pending one, else the active one, else the last that was paid for."""
    for slot in (record.pending, record.active):
        run = record.run(slot.model) if slot else None
        if run:
            return run
    return record.runs[-1] if record.runs else None
