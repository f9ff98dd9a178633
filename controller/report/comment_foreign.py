"""A plan that a fork's own job made, a stranger's word, to a comment that shows it as data and grants nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from controller.report.comment import SIGNS
from controller.report.comment_details import plain
from controller.report.escape import cell, code
from controller.report.wording import counted, short


@dataclass(frozen=True, slots=True)
class ForeignChange:
    """One field that differs, as texts."""

    field: str
    takes: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ForeignAction:
    """One action, as texts; ``word`` alone is one of ours."""

    name: str
    word: str
    reason: str
    message: str
    effort: str
    data: str
    changes: tuple[ForeignChange, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignPlan:
    """All that a fork's job says. ``pull`` and ``head`` are held against what the code host says."""

    pull: int
    head: str
    actions: tuple[ForeignAction, ...]
    problems: tuple[str, ...] = ()


def foreign_comment(plan: ForeignPlan, limit: int) -> str:
    """A text of at most ``limit`` bytes."""
    foot = f"\n<sub>commit {code(short(plan.head))} · `/gitune help` lists what can be said here</sub>\n"
    body = _head(plan)
    parts = [_row(a) for a in plan.actions] if plan.actions else []
    if parts:
        body += "| | model | why | cost and time | data |\n|---|---|---|---|---|\n"
    for group in (parts, ["\n"], [f"- {code(p, 300)}\n" for p in plan.problems], [_details(a) for a in plan.actions]):
        for number, part in enumerate(group):
            if len(f"{body}{part}{foot}".encode()) > limit - 200:
                body += f"\n_{counted(len(group) - number, 'more line')} did not fit._\n"
                return body + foot
            body += part
    return body + foot


def _head(plan: ForeignPlan) -> str:
    counts = Counter(action.word for action in plan.actions)
    said = ", ".join(f"{number} {word}" for word, number in counts.items()) or "No model changes"
    return (
        f"### Gitune plan\n\n**{said}**\n\n"
        "> 📝 From a fork: its own job made this plan from the ledger alone, with no secret and no provider in reach. "
        "It grants nothing. Somebody who may write says `/gitune plan` for a plan that can be merged and applied.\n\n"
    )


def _row(action: ForeignAction) -> str:
    why = f"{cell(action.reason, 40)} {cell(action.message, 200)}".strip()
    said = (cell(action.effort, 120) or "–", cell(action.data, 120) or "–")
    return f"| {SIGNS[action.word]} {action.word} | {cell(action.name, 60)} | {why} | {said[0]} | {said[1]} |\n"


def _details(action: ForeignAction) -> str:
    if not action.changes:
        return ""
    rows = "".join(
        f"| {cell(c.field, 80) or '–'} | {cell(c.before, 120) or '–'} | {cell(c.after, 120) or '–'} "
        f"| {cell(c.takes, 40) or '–'} |\n"
        for c in action.changes
    )
    summary = f"<summary>{SIGNS[action.word]} {action.word} <code>{plain(action.name)}</code></summary>"
    return f"<details>{summary}\n\n| field | from | to | what it takes |\n|---|---|---|---|\n{rows}\n</details>\n"
