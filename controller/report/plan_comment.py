"""A plan for review to the one comment a pull request gets, a fork's own plan to one that grants nothing; in a limit.

All data stands in code spans: nothing that a spec, a dataset or a provider says can mention, link, show or command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from controller.plan.actions import Action, Guard, Hold, Tune
from controller.report import phrases
from controller.report.escape import cell, code
from controller.report.formatting import amount, counted, listed, short
from controller.report.plan_comment_details import Note, PlanView, currency_of, data, details, effort

JOB_LINK = "whole plan"
_NOTHING = Note()
_SPARE = 400  # bytes for the remarks on what was folded away
_HEAD_ROOM = 12_000  # bytes that guards and remarks above the table may take
# How valuable details are to a reviewer: what is paid for or cannot be undone first.
_VALUE = {"delete": 0, "retune": 1, "create": 2, "hold": 3, "update": 4, "cancel": 5, "orphan": 6}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text, whether anything was left out of it, and whether every action stands in its table."""

    body: str
    whole: bool
    all_rows: bool


def plan_comment(view: PlanView, limit: int) -> Rendered:
    """A text of at most ``limit`` bytes. Where it is too long, details are folded away, then words of the table."""
    head = _head(view)
    room = limit - _size(head) - _size(_foot(view)) - _SPARE
    table, all_rows = _table(view, room)
    folded, left_out = _details(view, room - _size(table))
    body = "".join([head, table, *_remarks(view, left_out, all_rows=all_rows), folded, _foot(view)])
    return Rendered(body, whole=all_rows and not left_out, all_rows=all_rows)


def _head(view: PlanView) -> str:
    lines = ["### Gitune plan", "", f"**{_sentence(view)}**", ""]
    if view.offline:
        lines += ["> 📝 Planned from the ledger alone: no provider was asked, and no secret was in reach.", ""]
    if view.applied_branch:
        lines += [f"> 📝 This is merged into another branch than {code(view.applied_branch)}: nothing is applied.", ""]
    if view.config_changed:
        lines += ["> 📝 `gitune.yaml` changes here. This plan is made with the one of the base branch.", ""]
    if view.unreadable:
        lines += [f"> ⚠️ Not everything could be read: {code(listed(view.unreadable), 1000)}.", ""]
    lines += [line for guard in view.plan.guards for line in (_guard(guard), "")]
    lines += [line for problem in view.loose[:20] for line in (f"- {code(str(problem), 300)}", "")]
    text = "\n".join([*lines, ""])
    return text if _size(text) <= _HEAD_ROOM else _within(lines, _HEAD_ROOM)[0]


def _sentence(view: PlanView) -> str:
    """Counts, and what all of it together may cost."""
    said = phrases.summary(view.plan) if view.plan.actions else "No model changes"
    rest = f"; {view.unchanged:,} unchanged" if view.unchanged else ""
    return f"{said}{rest}.{_total(view)}"


def _total(view: PlanView) -> str:
    costs = [
        action.cost
        for action in view.plan.actions
        if isinstance(action, Tune) and not view.notes.get(action.name, _NOTHING).free
    ]
    known = [cost for cost in costs if cost is not None]
    unknown = len(costs) - len(known)
    if not known:
        return f" No price is known for {counted(unknown, 'run')}." if unknown else " Merging costs nothing."
    if len({cost.currency for cost in known}) > 1:
        return ""
    low, high = amount(sum(c.low for c in known)), amount(sum(c.high for c in known))
    more = f", and {counted(unknown, 'run')} without a known price" if unknown else ""
    return f" Merging costs {low} to {high} {currency_of(known[0])}{more}."


def _guard(guard: Guard) -> str:
    allow = " ".join(guard.allow)
    way = f" A person who may write allows it with {code(f'/gitune apply {allow}', 2000)}." if allow else ""
    return f"> ⛔ **{code(guard.code)}**: {code(guard.message)}. Apply refuses this plan as it is.{way}"


def _foot(view: PlanView) -> str:
    where = f" · [{JOB_LINK}]({view.summary_url})" if view.summary_url else ""
    digest = f" · plan {code(short(view.plan.digest))}" if view.plan.digest else ""
    return f"\n<sub>commit {code(short(view.head))}{digest}{where} · `/gitune help` lists what can be said here</sub>\n"


_TOP = "| | model | why | cost and time | data |\n|---|---|---|---|---|\n"
Row = Callable[[Action, Note], str]


def _table(view: PlanView, room: int) -> tuple[str, bool]:
    """The table in as many words as there is room for, and whether every action is in it."""
    if not view.plan.actions:
        return "", True
    rows: list[str] = []
    for row in (_full_row, _short_row, _bare_row):
        rows = [row(a, view.notes.get(a.name, _NOTHING)) for a in view.plan.actions]
        table = _TOP + "".join(rows) + "\n"
        if _size(table) <= room:
            return table, True
    kept, _ = _within(rows, room - _size(_TOP) - 1)
    return f"{_TOP}{kept}\n", False


def _full_row(action: Action, note: Note) -> str:
    why = f"{action.reason}: {cell(action.message, 200)}" if action.message else str(action.reason)
    return _line(action.word, action.name, why, effort(action, note), data(note) or "–")


def _short_row(action: Action, note: Note) -> str:
    return _line(action.word, action.name, str(action.reason), effort(action, note), data(note) or "–")


def _line(word: str, name: str, why: str, cost: str, about: str) -> str:
    return f"| {phrases.SIGNS[word]} {word} | {cell(name, 60)} | {why} | {cost} | {about} |\n"


def _bare_row(action: Action, note: Note) -> str:  # noqa: ARG001 - one of the three rows
    return f"|{action.word}|{cell(action.name, 40)}|{action.reason}|||\n"


def _details(view: PlanView, room: int) -> tuple[str, int]:
    """The details of as many actions as there is room for, the most telling kept, in the order of the table."""
    told = [a for a in view.plan.actions if _is_told(a, view)]
    parts = {id(a): details(a, view.notes.get(a.name, _NOTHING)) for a in told}
    kept: set[int] = set()
    for action in sorted(told, key=lambda a: _VALUE.get(a.word, 9)):
        size = _size(parts[id(action)])
        if size <= room:
            kept.add(id(action))
            room -= size
    return "".join(parts[id(a)] for a in told if id(a) in kept), len(told) - len(kept)


def _is_told(action: Action, view: PlanView) -> bool:
    return bool(action.changes or action.message or view.notes.get(action.name)) or isinstance(action, Hold)


def _remarks(view: PlanView, left_out: int, *, all_rows: bool) -> Iterable[str]:
    where = "the job's summary has all" if view.summary_url else "`gitune plan -o json` has all"
    if not all_rows:
        yield f"_More models than this table can hold: {where} {len(view.plan.actions):,}._\n\n"
    if left_out:
        yield f"_The details of {counted(left_out, 'action')} did not fit: {where}._\n\n"


def _within(parts: Sequence[str], room: int) -> tuple[str, int]:
    kept = []
    for part in parts:
        room -= _size(part) + 1
        if room < 0:
            break
        kept.append(part)
    joined = "".join(part if part.endswith("\n") else f"{part}\n" for part in kept)
    return joined, len(parts) - len(kept)


def _size(text: str) -> int:
    return len(text.encode())


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
    body = _foreign_head(plan)
    parts = [_foreign_row(a) for a in plan.actions]
    if parts:
        body += _TOP
    problems = [f"- {code(p, 300)}\n" for p in plan.problems]
    for group in (parts, ["\n"], problems, [_foreign_details(a) for a in plan.actions]):
        for number, part in enumerate(group):
            if len(f"{body}{part}{foot}".encode()) > limit - 200:
                body += f"\n_{counted(len(group) - number, 'more line')} did not fit._\n"
                return body + foot
            body += part
    return body + foot


def _foreign_head(plan: ForeignPlan) -> str:
    counts = Counter(action.word for action in plan.actions)
    said = ", ".join(f"{number} {word}" for word, number in counts.items()) or "No model changes"
    return (
        f"### Gitune plan\n\n**{said}**\n\n"
        "> 📝 From a fork: its own job made this plan from the ledger alone, with no secret and no provider in reach. "
        "It grants nothing. Somebody who may write says `/gitune plan` for a plan that can be merged and applied.\n\n"
    )


def _foreign_row(action: ForeignAction) -> str:
    why = f"{cell(action.reason, 40)} {cell(action.message, 200)}".strip()
    return _line(action.word, action.name, why, cell(action.effort, 120) or "–", cell(action.data, 120) or "–")


def _foreign_details(action: ForeignAction) -> str:
    if not action.changes:
        return ""
    rows = "".join(
        f"| {cell(c.field, 80) or '–'} | {cell(c.before, 120) or '–'} | {cell(c.after, 120) or '–'} "
        f"| {cell(c.takes, 40) or '–'} |\n"
        for c in action.changes
    )
    return phrases.folded(action.word, action.name, f"| field | from | to | what it takes |\n|---|---|---|---|\n{rows}")
