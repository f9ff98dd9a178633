"""A plan for review to the one comment a pull request gets, a fork's own plan to one that grants nothing; in a limit.

All data stands in code spans: nothing that a spec, a dataset or a provider says can mention, link, show or command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

import msgspec

from controller.errors import Problem
from controller.plan.actions import Action, ChangeClass, Guard, Hold, Plan, Tune
from controller.plan.cost import Cost
from controller.report import phrases
from controller.report.formatting import amount, cell, code, counted, duration, listed, short
from controller.report.phrases import estimate

JOB_LINK = "whole plan"
_SPARE = 400  # bytes for the remarks on what was folded away
_HEAD_ROOM = 12_000  # bytes that guards and remarks above the table may take
# How valuable details are to a reviewer: what is paid for or cannot be undone first.
_VALUE = {"delete": 0, "retune": 1, "create": 2, "hold": 3, "update": 4, "cancel": 5, "orphan": 6}
_NAMED = 8  # so many example numbers are named, the rest is counted
_MOST_PROBLEMS = 10
_CLASSES = {ChangeClass.RETUNE: "re-tune", ChangeClass.UPDATE: "in place, free", ChangeClass.LOCAL: "local, free"}
_CHANGES = ("| field | from | to | what it takes |", "|---|---|---|---|")


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
class PlanView:
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
    return "".join(phrases.within([f"{line}\n" for line in lines], _HEAD_ROOM, _size)[0])


def _sentence(view: PlanView) -> str:
    """Counts, and what all of it together may cost."""
    said = phrases.summary(view.plan) if view.plan.actions else "No model changes"
    rest = f"; {view.unchanged:,} unchanged" if view.unchanged else ""
    return f"{said}{rest}.{_total(view)}"


def _total(view: PlanView) -> str:
    costs = [
        action.cost
        for action in view.plan.actions
        if isinstance(action, Tune) and not view.notes.get(action.name, Note()).free
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


def _table(view: PlanView, room: int) -> tuple[str, bool]:
    """The table in as many words as there is room for, and whether every action is in it."""
    if not view.plan.actions:
        return "", True
    rows: list[str] = []
    for row in (_full_row, _short_row, _bare_row):
        rows = [row(a, view.notes.get(a.name, Note())) for a in view.plan.actions]
        table = _TOP + "".join(rows) + "\n"
        if _size(table) <= room:
            return table, True
    kept, _ = phrases.within(rows, room - _size(_TOP) - 1, lambda row: _size(row) + 1)
    return f"{_TOP}{''.join(kept)}\n", False


def _full_row(action: Action, note: Note) -> str:
    why = f"{action.reason}: {cell(action.message, 200)}" if action.message else str(action.reason)
    return _line(action.word, action.name, why, effort(action, note), data(note) or "–")


def _short_row(action: Action, note: Note) -> str:
    return _line(action.word, action.name, str(action.reason), effort(action, note), data(note) or "–")


def _line(word: str, name: str, why: str, cost: str, about: str) -> str:
    return f"| {phrases.signed(word)} | {cell(name, 60)} | {why} | {cost} | {about} |\n"


def _bare_row(action: Action, note: Note) -> str:  # noqa: ARG001 - one of the three rows
    return f"|{action.word}|{cell(action.name, 40)}|{action.reason}|||\n"


def _details(view: PlanView, room: int) -> tuple[str, int]:
    """The details of as many actions as there is room for, the most telling kept, in the order of the table."""
    told = [a for a in view.plan.actions if _is_told(a, view)]
    parts = {id(a): details(a, view.notes.get(a.name, Note())) for a in told}
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


def _size(text: str) -> int:
    return len(text.encode())


def price(action: Action, note: Note) -> str:
    """``0.12 to 0.35 USD (prices of 2026-11-01)``, ``free``, or that no price is known."""
    if not isinstance(action, Tune) or note.free:
        return "free"
    if action.cost is None:
        return "price unknown"
    return _range(action.cost) + (", **stale prices**" if note.stale_prices else "")


def currency_of(cost: Cost) -> str:
    """Letters alone: it stands in no code span."""
    return "".join(c for c in cost.currency if c.isascii() and c.isalpha())[:8]


def _range(cost: Cost) -> str:
    low, high = amount(cost.low), amount(cost.high)
    span = high if low == high else f"{low} to {high}"
    day = "".join(c for c in cost.as_of if c.isdigit() or c == "-")[:10]
    return f"{span} {currency_of(cost)} (prices of {day})"


def time(seconds: Seconds | None) -> str:
    """``2 min 10 s to 3 min 00 s``; "" where nothing is known."""
    if seconds is None:
        return ""
    low, high = duration(seconds.low), duration(seconds.high)
    return high if low == high else f"{low} to {high}"


def effort(action: Action, note: Note) -> str:
    """Cost and time in a few words, for the table."""
    if not isinstance(action, Tune):
        return "free"
    steps = counted(estimate(action).steps, "step")
    return ", ".join(part for part in (price(action, note), time(note.time), steps) if part)


def data(note: Note) -> str:
    """``140 examples, 3 added, 1 edited``, for the table; "" where the action has no data of its own."""
    if note.data is None:
        return ""
    found = note.data
    kinds = {"added": len(found.added), "removed": found.removed, "edited": len(found.edited)}
    moved = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    whole = counted(found.examples, "example")
    if not found.known_before:
        return f"{whole}, new"
    return f"{whole}, {moved}" if moved else f"{whole}, {'reordered' if found.reordered else 'the same'}"


def data_lines(found: DataNote) -> list[str]:
    """The same at length, a line each."""
    lines = [f"{counted(found.examples, 'example')}, {counted(found.characters, 'character')}"]
    if found.known_before:
        moves = [
            f"{len(found.added):,} added{_numbers(found.added)}",
            f"{found.removed:,} removed",
            f"{len(found.edited):,} edited{_numbers(found.edited)}",
        ]
        lines.append("; ".join(moves) + ("; the rest in another order" if found.reordered else ""))
    if found.duplicates or found.contradictions:
        both = (counted(found.duplicates, "duplicate"), counted(found.contradictions, "contradiction"))
        lines.append(f"{both[0]}, {both[1]} (one input, several outputs)")
    half, most, longest = found.lengths
    lines.append(f"characters an example: half have at most {half:,}, 95 % at most {most:,}, the longest {longest:,}")
    return lines


def _numbers(examples: Sequence[int]) -> str:
    if not examples:
        return ""
    named = ", ".join(f"{number:,}" for number in examples[:_NAMED])
    more = f" and {len(examples) - _NAMED:,} more" if len(examples) > _NAMED else ""
    return f" (example {named}{more})" if len(examples) == 1 else f" (examples {named}{more})"


def details(action: Action, note: Note) -> str:
    """A ``<details>`` block, closed, that ends in a line feed."""
    changes = [_change(c.field, c.before, c.after, _CLASSES[c.change_class]) for c in action.changes]
    table = [*_CHANGES, *changes, ""] if changes else []
    lines = [*table, *(f"- {line}" for line in _facts(action, note)), ""]
    return phrases.folded(action.word, action.name, "\n".join(lines))


def _change(field: str, before: str, after: str, takes: str) -> str:
    """One row of `_CHANGES`; ``takes`` is fit to stand in it."""
    shown = (cell(field, 80), cell(before, 120), cell(after, 120), takes)
    return f"| {' | '.join(part or '–' for part in shown)} |"


def _facts(action: Action, note: Note) -> Iterator[str]:
    if action.message:
        yield f"why: {action.reason}, {code(action.message)}"
    if action.model:
        yield f"model: {code(action.model)}"
    if action.fingerprint:
        yield f"inputs: {code(short(action.fingerprint))}, attempt {action.attempt}"
    if isinstance(action, Tune):
        yield from _estimate(action, note)
    if note.data is not None:
        yield from (f"data: {line}" for line in data_lines(note.data))
    if note.reusable:
        yield f"way back: reverting this change takes {code(note.reusable)} up again, for nothing"
    if note.advice:
        yield f"advice from the last run: {code(note.advice, 400)}"
    yield from _problems(note.problems)


def _estimate(action: Tune, note: Note) -> Iterator[str]:
    yield f"training: {phrases.training(action)}, {_tokens(action)}"
    yield f"cost: {price(action, note)}"
    if note.time is not None:
        runs = counted(note.time.runs, "earlier run")
        yield f"time: {time(note.time)}, from {runs} on this base model"


def _tokens(action: Tune) -> str:
    """A token is 2 to 6 bytes of UTF-8 with the large vocabularies: a range, never a point."""
    trained = action.desired.dataset.bytes * action.desired.epochs
    return f"about {trained // 6:,} to {trained // 2:,} tokens"


def _problems(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems[:_MOST_PROBLEMS]:
        hint = f" ({code(problem.hint, 160)})" if problem.hint else ""
        yield f"{problem.severity}: {code(str(problem), 300)}{hint}"
    if len(problems) > _MOST_PROBLEMS:
        yield f"and {len(problems) - _MOST_PROBLEMS:,} more: `gitune validate` shows all"


_Foreign = Annotated[str, msgspec.Meta(max_length=300)]


class ForeignChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field that differs, as texts."""

    field: _Foreign
    takes: _Foreign
    before: _Foreign
    after: _Foreign


class ForeignAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action, as texts; ``word`` alone is one of ours."""

    name: _Foreign
    word: _Foreign
    reason: _Foreign
    message: _Foreign
    effort: _Foreign
    data: _Foreign
    changes: Annotated[tuple[ForeignChange, ...], msgspec.Meta(max_length=100)]


class ForeignPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a fork's job says. ``pull`` and ``head`` are held against what the code host says."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    pull: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
    head: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
    actions: Annotated[tuple[ForeignAction, ...], msgspec.Meta(max_length=1000)]
    problems: Annotated[tuple[_Foreign, ...], msgspec.Meta(max_length=200)]


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
    rows = [_change(c.field, c.before, c.after, cell(c.takes, 40)) for c in action.changes]
    return phrases.folded(action.word, action.name, "\n".join([*_CHANGES, *rows, ""]))
