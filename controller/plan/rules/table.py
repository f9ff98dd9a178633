"""Rows of a decision table: the first that fits gives the actions, and every one before it says why it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """One row that was tried. ``why_not`` is "" for the one that fits, and ``actions`` are what that one gives."""

    row: str
    situation: str
    why_not: str = ""
    actions: tuple[Action, ...] = ()


Table = tuple[Row[T], ...]


def row(action: str, *reasons: Reason) -> Callable[[Rule[T]], Row[T]]:
    """A rule as a row: its name and docstring are the row's name and situation."""

    def made(rule: Rule[T]) -> Row[T]:
        situation = (rule.__doc__ or "").strip().removesuffix(".")
        return Row(rule.__name__, situation, action, reasons, rule)

    return made


def tried(table: Table[T], case: T) -> tuple[Tried, ...]:
    """Every row up to the first that fits, each with why it does not."""
    rows = []
    for one in table:
        found = one.rule(case)
        if not isinstance(found, str):
            rows.append(Tried(one.name, one.situation, actions=found))
            break
        rows.append(Tried(one.name, one.situation, found))
    return tuple(rows)


def given(rows: Iterable[Tried]) -> tuple[Action, ...]:
    """The actions of the rows that fit."""
    return tuple(action for row in rows for action in row.actions)
