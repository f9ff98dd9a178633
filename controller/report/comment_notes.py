"""What a reader of a plan wants beside each action, as values: data, cost and time, advice, the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.errors import Problem
from controller.plan.actions import Plan


@dataclass(frozen=True, slots=True)
class DataNote:
    """What became of a dataset: counts and the numbers of examples (from 1), never a row.

    ``lengths`` are characters an example, input and output together: half, nineteen of twenty, and all have no more.
    """

    examples: int
    characters: int
    added: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    removed: int = 0
    duplicates: int = 0
    contradictions: int = 0
    reordered: bool = False
    known_before: bool = False
    lengths: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long a run may take, from ``runs`` earlier ones of the same base model."""

    low: float
    high: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """All about one model that its action does not say. ``reusable`` is the model that a revert would take up again."""

    data: DataNote | None = None
    time: Seconds | None = None
    free: bool = False
    stale_prices: bool = False
    problems: tuple[Problem, ...] = ()
    advice: str = ""
    reusable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A plan for review: ``plan`` holds what the pull request changes, ``unchanged`` counts the rest.

    ``loose`` are the problems that belong to no action; ``summary_url`` is where the whole of it stands, "" where
    there is no such place. ``applied_branch`` is the branch that is applied, where it is merged into another one.
    """

    plan: Plan
    head: str
    unchanged: int = 0
    notes: Mapping[str, Note] = field(default_factory=lambda: MappingProxyType({}))
    loose: tuple[Problem, ...] = ()
    unreadable: tuple[str, ...] = ()
    offline: bool = False
    config_changed: bool = False
    applied_branch: str = ""
    summary_url: str = ""
