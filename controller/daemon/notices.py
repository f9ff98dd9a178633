"""Two states of the ledger to what is worth telling somebody: ends, and what waits on a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.report.escape import terminal
from controller.report.model_state import condition
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.reasons import traits_of
from controller.state.recorded import Record, Run, RunOutcome

_LONGEST = 500


class Grade(StrEnum):
    """How much a notice matters."""

    PROBLEM = "problem"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Notice:
    """One change for the last time: a run ended, a model came to stall, or to serve what git asks for.

    ``repository`` is "" where one daemon follows one.
    """

    grade: Grade
    name: str
    event: str
    reason: str
    message: str
    model: str = ""
    revision: str = ""
    repository: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        todo = traits_of(self.reason).way_out
        where = f"{self.repository}/" if self.repository else ""
        return terminal(f"{where}{self.name}: {self.event} ({self.reason}). {self.message} {todo}".strip(), _LONGEST)


def notices(before: Mapping[str, Record], after: Mapping[str, Record], repository: str = "") -> tuple[Notice, ...]:
    """What became true between two records; a state that lasts is told once."""
    found = (notice for name in sorted(after) for notice in _of_one(before.get(name), after[name]))
    return tuple(replace(notice, repository=repository) for notice in found)


def _of_one(before: Record | None, after: Record) -> Iterator[Notice]:
    for run in after.runs:
        known = before.run(run.model) if before else None
        if run.outcome in {RunOutcome.TUNING, RunOutcome.SUCCEEDED} or (known and known.outcome is run.outcome):
            continue
        yield _ended(run, after)
    for kind, grade, event in (
        (ConditionType.STALLED, Grade.PROBLEM, "waits on a person"),
        (ConditionType.READY, Grade.GOOD, "serves what git asks for"),
    ):
        now = _true(after, kind)
        if now is not None and (before is None or _true(before, kind) is None or _moved(before, after, kind)):
            model = after.active.model if after.active else ""
            yield Notice(grade, after.name, event, now.reason, now.message, model, after.applied)


def _ended(run: Run, record: Record) -> Notice:
    message = terminal(run.error, _LONGEST)
    return Notice(Grade.PROBLEM, record.name, "a run ended badly", run.outcome, message, run.model, run.revision)


def _true(record: Record, kind: ConditionType) -> Condition | None:
    found = condition(record, kind)
    return found if found is not None and found.status is Truth.TRUE else None


def _moved(before: Record, after: Record, kind: ConditionType) -> bool:
    """Ready of another model is news; stalled for another reason too."""
    if kind is ConditionType.READY:
        return before.active is not None and after.active is not None and before.active.model != after.active.model
    first, second = _true(before, kind), _true(after, kind)
    return first is not None and second is not None and first.reason != second.reason
