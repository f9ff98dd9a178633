"""What the daemon knows at this moment, as one frozen value, for those who look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from controller.errors import Problem
from controller.plan.actions import Held, Hold, Outcome, Plan
from controller.plan.admission import BudgetUse, budget_use
from controller.plan.world import World
from controller.ports import Landing
from controller.report.model_state import latest_run
from controller.state.reasons import Reason
from controller.state.recorded import Record, Recorded

_UNREADY_AFTER = 3  # failed passes in a row


def revisions_of(records: Mapping[str, Record]) -> Iterator[str]:
    """The commits that a page names: those that asked for the run it shows, and those that were applied last."""
    for record in records.values():
        run = latest_run(record)
        yield from filter(None, (record.applied, run.revision if run else ""))


@dataclass(frozen=True, slots=True)
class StatusView:
    """``following`` is fit to show; ``name`` is what the repository is called where there are several, else "".

    ``instance`` is who the owner marks say we are where gitune.yaml names it, ``remote`` the repository as
    ``host/path``, "" where unknown. ``world`` is what the last pass has read, None before the first; ``commits`` are
    those that are known of `revisions_of`. ``currency`` is what costs on record are in, ``free`` the keys of the
    providers that cost nothing.

    ``failure`` is why the last pass failed or was refused, "" where it did not.

    ``standby`` names the daemon that holds the lease instead of us, "" where none does. ``looked`` is when everything
    was last looked at, ``passed`` when a whole pass last came to its end.
    """

    following: str
    name: str = ""
    instance: str = ""
    remote: str = ""
    revision: str = ""
    world: World | None = field(default=None, repr=False)
    commits: Mapping[str, Landing] = field(default_factory=lambda: MappingProxyType({}))
    currency: str = ""
    free: frozenset[str] = frozenset()
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
    def title(self) -> str:
        """What the repository is called: its name among several, its instance, its address, or its folder."""
        known = self.name or self.instance or self.remote
        folder = self.following.removesuffix("/").rpartition("/")[2].removesuffix(".git")
        return known or folder or self.following

    @property
    def budget(self) -> BudgetUse | None:
        """What of this month's budget may be spent; None where none is set, or before the first pass."""
        return budget_use(self.world, Recorded(self.records)) if self.world is not None else None

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
