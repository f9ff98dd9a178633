"""Rows of a decision table: the first that fits gives the actions, and every one before it says why it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controller.plan.actions import Action
from controller.state.reasons import Reason

T = TypeVar("T")
Rule = Callable[[T], "tuple[Action, ...] | str"]


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One row: the situation in a sentence, the action it gives with its reasons, and the rule.

    ``rule`` gives the actions, or, where the row does not fit, says why not.
    """

    name: str
    situation: str
    action: str
    reasons: tuple[Reason, ...]
    rule: Rule[T]


@dataclass(frozen=True, slots=True)
class Tried:
    """One row that was tried. ``why_not`` is "" for the one that fits."""

    row: str
    situation: str
    why_not: str = ""


Table = tuple[Row[T], ...]


def row(action: str, *reasons: Reason) -> Callable[[Rule[T]], Row[T]]:
    """A rule as a row: its name and docstring are the row's name and situation."""

    def made(rule: Rule[T]) -> Row[T]:
        situation = (rule.__doc__ or "").strip().removesuffix(".")
        return Row(rule.__name__, situation, action, reasons, rule)

    return made


def first(table: Table[T], case: T) -> tuple[Action, ...] | None:
    """The actions of the first row that fits; None where none does."""
    for one in table:
        found = one.rule(case)
        if not isinstance(found, str):
            return found
    return None


def tried(table: Table[T], case: T) -> tuple[Tried, ...]:
    """Every row up to the first that fits, each with why it does not."""
    rows = []
    for one in table:
        found = one.rule(case)
        why_not = found if isinstance(found, str) else ""
        rows.append(Tried(one.name, one.situation, why_not))
        if not why_not:
            break
    return tuple(rows)
