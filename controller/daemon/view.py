"""What the daemon knows at this moment, as one frozen value, for those who look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from controller.errors import Problem
from controller.plan.actions import Held, Hold, Outcome, Plan
from controller.state.reasons import Reason
from controller.state.recorded import Record

_UNREADY_AFTER = 3  # failed passes in a row


@dataclass(frozen=True, slots=True)
class StatusView:
    """``following`` is fit to show; ``name`` is what the repository is called where there are several, else "".

    ``failure`` is why the last pass failed or was refused, "" where it did not.

    ``standby`` names the daemon that holds the lease instead of us, "" where none does. ``looked`` is when everything
    was last looked at, ``passed`` when a whole pass last came to its end.
    """

    following: str
    name: str = ""
    revision: str = ""
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    plan: Plan | None = None
    outcomes: tuple[Outcome, ...] = ()
    problems: tuple[Problem, ...] = ()
    failure: str = ""
    hint: str = ""
    failures: int = 0
    standby: str = ""
    looked: datetime | None = None
    passed: datetime | None = None

    @property
    def base(self) -> str:
        """What the paths of its pages begin with."""
        return f"/repositories/{self.name}" if self.name else ""

    @property
    def is_ready(self) -> bool:
        """Whether a whole pass was made, and the last few did not all fail."""
        return (self.passed is not None or bool(self.standby)) and self.failures < _UNREADY_AFTER


def hold_of(outcome: Outcome) -> Reason | None:
    """Why it is held; None where it is not."""
    if isinstance(outcome, Held):
        return outcome.reason
    return outcome.action.reason if isinstance(outcome.action, Hold) else None
