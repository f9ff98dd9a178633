"""A plan to Markdown for a pull request or a job summary, within a budget of characters."""

from __future__ import annotations

from collections.abc import Iterable

from controller.plan.actions import Action, Guard, Nothing, Plan
from controller.report import phrases
from controller.report.escape import cell, code
from controller.report.wording import counted, short

BUDGET = 60_000  # GitHub refuses a comment of more than 65,536 characters; the rest is for a caller's own lines
_SIGNS = {
    "create": "🆕",
    "retune": "🔁",
    "wait": "⏳",
    "promote": "⬆️",
    "update": "✏️",
    "reuse": "♻️",
    "adopt": "📥",
    "cancel": "✖️",
    "delete": "🗑️",
    "orphan": "🔗",
    "hold": "✋",
    "none": "✔️",
}


def plan_markdown(plan: Plan, budget: int = BUDGET) -> str:
    """Counts and guards first, then a table, then the details of each action, folded; what is too long is counted.

    All data stands in code spans: nothing in a spec can mention anybody, link anywhere or break out of its cell.
    """
    head = "\n".join([*_head(plan), ""])
    foot = _foot(plan)
    room = budget - len(head) - len(foot) - 400  # the two notes on what was left out
    rows, hidden = _within([_row(a) for a in plan.actions], room * 2 // 3)
    told = [a for a in plan.actions if not isinstance(a, Nothing)]
    details, folded = _within([_details(a) for a in told], room - sum(map(len, rows)))
    notes = [
        f"_{counted(hidden, 'more model')} did not fit into this table: `gitune plan -o json` has all._\n"
        * bool(hidden),
        f"_The details of {counted(folded, 'model')} did not fit: `gitune plan -o json` has all._\n" * bool(folded),
    ]
    table = ["| action | model | why | training |\n|---|---|---|---|\n", *rows, "\n"] if rows else []
    return "".join([head, *table, notes[0], *details, notes[1], foot])


def _head(plan: Plan) -> list[str]:
    lines = ["### Gitune plan", "", f"**{phrases.summary(plan)}**", ""]
    for guard in plan.guards:
        lines.extend((_guard(guard), ""))
    return lines


def _guard(guard: Guard) -> str:
    allow = phrases.permission(guard)
    way = f" unless it is given {code(allow, 2000)}" if allow else ""
    return f"> ⛔ **{guard.code}**: {code(guard.message)}. Apply refuses this plan{way}."


def _foot(plan: Plan) -> str:
    revision = f"revision {code(short(plan.revision))}, " if plan.revision else ""
    return f"\n<sub>{revision}plan digest {code(plan.digest)}</sub>\n" if plan.digest else ""


def _within(parts: list[str], room: int) -> tuple[list[str], int]:
    """The parts that fit, in order, and how many do not."""
    kept: list[str] = []
    for part in parts:
        room -= len(part)
        if room < 0:
            break
        kept.append(part)
    return kept, len(parts) - len(kept)


def _row(action: Action) -> str:
    why = f"{action.reason}: {cell(action.message, 200)}" if action.message else str(action.reason)
    training = phrases.training(action)
    return f"| {_SIGNS[action.word]} {action.word} | {cell(action.name)} | {why} | {training or '–'} |\n"


def _details(action: Action) -> str:
    changes = [
        f"| {cell(c.field, 80)} | {phrases.COSTS[c.change_class]} | {cell(c.before, 120) or '–'} "
        f"| {cell(c.after, 120) or '–'} |"
        for c in action.changes
    ]
    table = ["| field | cost | from | to |", "|---|---|---|---|", *changes, ""] if changes else []
    body = "\n".join([*table, *(f"- {label}: {value}" for label, value in _facts(action))])
    summary = f"<summary>{_SIGNS[action.word]} {action.word} <code>{_name(action.name)}</code></summary>"
    return f"<details>{summary}\n\n{body}\n\n</details>\n"


def _name(name: str) -> str:
    """A name inside HTML, where code spans do not work: whatever could not be in a valid name becomes a dot."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else "·" for c in name[:80])


def _facts(action: Action) -> Iterable[tuple[str, str]]:
    if action.provider:
        yield "provider", code(action.provider)
    if action.model:
        yield "model", code(action.model)
    if action.fingerprint:
        yield "inputs", f"{code(short(action.fingerprint))}, attempt {action.attempt}"
    if action.dataset:
        yield "dataset", phrases.dataset(action.dataset)
    if training := phrases.training(action):
        yield "training", training
    if price := phrases.price(action):
        yield "price", code(price)
    if action.digest:
        yield "digest", code(short(action.digest))
