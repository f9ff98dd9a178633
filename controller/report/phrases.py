"""The parts of an action that every plan renderer says in the same words."""

from __future__ import annotations

from collections.abc import Mapping

from controller.plan.actions import Action, ChangeClass, DatasetChange, Guard, Plan, Tune
from controller.plan.cost import DEFAULT_EPOCHS
from controller.report.estimate import DEFAULT_BATCH, estimate
from controller.report.wording import amount, counted, listed

_COUNTS: Mapping[str, str] = {
    "create": "to create",
    "retune": "to re-tune",
    "wait": "tuning",
    "promote": "to promote",
    "update": "to update in place",
    "reuse": "to reuse",
    "adopt": "to adopt",
    "cancel": "to cancel",
    "delete": "to delete",
    "orphan": "to orphan",
    "hold": "held",
    "none": "unchanged",
}
COSTS: Mapping[ChangeClass, str] = {
    ChangeClass.RETUNE: "re-tune",
    ChangeClass.UPDATE: "in place",
    ChangeClass.LOCAL: "local",
}


def summary(plan: Plan) -> str:
    """``1 to create, 2 unchanged``; ``no actions`` where there is none."""
    parts = [f"{count} {_COUNTS[word]}" for word, count in plan.summary.items()]
    return ", ".join(parts) or "no actions"


def dataset(change: DatasetChange) -> str:
    """``140 examples, 3,212 characters; 3 added, 1 edited``."""
    whole = f"{counted(change.examples, 'example')}, {counted(change.characters, 'character')}"
    kinds = {"added": change.added, "removed": change.removed, "edited": change.edited}
    moved = [f"{number:,} {kind}" for kind, number in kinds.items() if number]
    if change.duplicates:
        moved.append(counted(change.duplicates, "duplicate"))
    return f"{whole}; {', '.join(moved)}" if moved else whole


def training(action: Action) -> str:
    """``175 steps, 16,060 characters in 5 epochs (by default epochCount 5)``; "" where nothing is trained."""
    guess = estimate(action)
    if guess is None:
        return ""
    defaults = {"epochCount": DEFAULT_EPOCHS, "batchSize": DEFAULT_BATCH}
    taken = [f"{name} {defaults[name]}" for name in guess.assumed]
    note = f" (by default {listed(taken)})" if taken else ""
    steps, characters = counted(guess.steps, "step"), counted(guess.characters, "character")
    return f"{steps}, {characters} in {counted(guess.epochs, 'epoch')}{note}"


def price(action: Action) -> str:
    """``0.02 to 0.06 USD, at the prices of 2026-01-31``; "" where nobody gave a price."""
    if not isinstance(action, Tune) or action.cost is None:
        return ""
    cost = action.cost
    return f"{amount(cost.low)} to {amount(cost.high)} {cost.currency}, at the prices of {cost.as_of}"


def permission(guard: Guard) -> str:
    """The options that let a guarded plan through; "" where nothing does."""
    return " ".join(f"--allow {word}" for word in guard.allow)
