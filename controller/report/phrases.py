"""What every renderer of a plan says of an action in the same words, how much training it asks for included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from controller.plan.actions import Action, ChangeClass, DatasetChange, Guard, Nothing, Plan, Tune
from controller.plan.admission import BudgetUse
from controller.report.formatting import amount, counted, html_name, listed, short


@dataclass(frozen=True, slots=True)
class Estimate:
    """Optimizer steps, and the characters of all epochs together.

    ``assumed`` names the hyperparameters that the spec does not set, with the provider's defaults.
    """

    steps: int
    characters: int
    epochs: int
    assumed: Mapping[str, int]


def estimate(action: Tune) -> Estimate:
    """What the action would train."""
    given, dataset = action.desired.hyperparameters, action.desired.dataset
    epochs, batch = action.desired.epochs, action.desired.batch
    assumed = {} if given.epoch_count else {"epochCount": epochs}
    if not given.batch_size:
        assumed["batchSize"] = batch
    return Estimate(-(-dataset.count * epochs // batch), dataset.characters * epochs, epochs, assumed)


@dataclass(frozen=True, slots=True)
class Look:
    """How an action word is shown: sign and style in a terminal, sign in Markdown, what a count of it is called in a
    plan, and once it was done.
    """

    sign: str
    style: str
    emoji: str
    count: str
    done: str


LOOKS: Mapping[str, Look] = {
    "create": Look("+", "green", "🆕", "to create", "created"),
    "retune": Look("±", "yellow", "🔁", "to re-tune", "re-tuned"),
    "wait": Look("…", "blue", "⏳", "tuning", "tuning"),
    "promote": Look("^", "green", "⬆️", "to promote", "promoted"),
    "update": Look("~", "cyan", "✏️", "to update in place", "updated in place"),
    "reuse": Look("=", "cyan", "♻️", "to reuse", "reused"),
    "adopt": Look("<", "cyan", "📥", "to adopt", "adopted"),
    "cancel": Look("x", "red", "✖️", "to cancel", "cancelled"),
    "delete": Look("-", "red", "🗑️", "to delete", "deleted"),
    "orphan": Look("o", "magenta", "🔗", "to orphan", "orphaned"),
    "hold": Look("!", "bold yellow", "✋", "held", "held"),
    "none": Look(" ", "dim", "✔️", "unchanged", "unchanged"),
}
COSTS: Mapping[ChangeClass, str] = {
    ChangeClass.RETUNE: "re-tune",
    ChangeClass.UPDATE: "in place",
    ChangeClass.LOCAL: "local",
}


def summary(plan: Plan) -> str:
    """``1 to create, 2 unchanged``; ``no actions`` where there is none."""
    parts = [f"{count} {LOOKS[word].count}" for word, count in plan.summary.items()]
    return ", ".join(parts) or "no actions"


_NAMED = 20  # models in order that are named one by one: of more, nobody would find the others between them


def named(actions: Sequence[Action]) -> tuple[Sequence[Action], int]:
    """The actions to show one by one, and of how many models that are in order only the number is told."""
    quiet = sum(isinstance(action, Nothing) for action in actions)
    if quiet <= _NAMED:
        return actions, 0
    return [action for action in actions if not isinstance(action, Nothing)], quiet


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
    if not isinstance(action, Tune):
        return ""
    guess = estimate(action)
    taken = listed([f"{name} {value}" for name, value in guess.assumed.items()])
    note = f" (by default {taken})" if taken else ""
    steps, characters = counted(guess.steps, "step"), counted(guess.characters, "character")
    return f"{steps}, {characters} in {counted(guess.epochs, 'epoch')}{note}"


def price(action: Action) -> str:
    """``0.02 to 0.06 USD, at the prices of 2026-01-31``; "" where nobody gave a price."""
    if not isinstance(action, Tune) or action.cost is None:
        return ""
    cost = action.cost
    return f"{amount(cost.low)} to {amount(cost.high)} {cost.currency}, at the prices of {cost.as_of}"


def budget(use: BudgetUse) -> str:
    """``up to 12.40 of 200.00 USD spent this month``: an outcome that is not known counts as spent."""
    return (
        f"up to {amount(use.used)} of {amount(use.budget.per_month)} {currency(use.budget.currency)} spent this month"
    )


def currency(word: str) -> str:
    """Letters alone: it stands in no code span."""
    return "".join(c for c in word if c.isascii() and c.isalpha())[:8]


def facts(action: Action, shown: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """What an action is about, label by label; ``shown`` is how words of files and providers are written."""
    if action.model:
        yield "model", shown(action.model)
    if action.fingerprint:
        yield "inputs", f"{shown(short(action.fingerprint))}, attempt {action.attempt}"
    if action.dataset:
        yield "dataset", dataset(action.dataset)
    if steps := training(action):
        yield "training", steps
    if cost := price(action):
        yield "price", shown(cost)


def within(parts: Sequence[str], room: int, size: Callable[[str], int] = len) -> tuple[Sequence[str], int]:
    """The parts that fit, in order, and how many do not."""
    kept = sum(total <= room for total in accumulate(map(size, parts)))
    return parts[:kept], len(parts) - kept


def permission(guard: Guard) -> str:
    """The options that let a guarded plan through; "" where nothing does."""
    return " ".join(f"--allow {word}" for word in guard.allow)


def signed(word: str) -> str:
    """``🆕 create``."""
    return f"{LOOKS[word].emoji} {word}"


def folded(word: str, name: str, body: str) -> str:
    """A ``<details>`` block of Markdown about an action, closed; ``body`` ends in a line feed."""
    return f"<details><summary>{signed(word)} <code>{html_name(name)}</code></summary>\n\n{body}\n</details>\n"
