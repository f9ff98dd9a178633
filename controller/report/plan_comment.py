"""A plan for review to the one comment a pull request gets, a fork's own plan to one that grants nothing; in a limit.

All data stands in code spans: nothing that a spec, a dataset or a provider says can mention, link, show or command.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated

import msgspec

from controller.errors import Problem
from controller.plan.actions import Action, ChangeClass, Create, Guard, Hold, Plan, Promote, Retune, Reuse, Tune
from controller.plan.admission import BudgetUse
from controller.plan.cost import Cost
from controller.report import phrases
from controller.report.formatting import amount, cell, code, counted, duration, listed, share, short
from controller.report.phrases import estimate
from controller.report.quality import Quality, bar, figures
from controller.state.reasons import Reason

JOB_LINK = "whole plan"
_SPARE = 400  # bytes for the remarks on what was folded away
_HEAD_ROOM = 12_000  # bytes that guards and remarks above the table may take
# How valuable details are to a reviewer: what is paid for or cannot be undone first.
_VALUE = {"delete": 0, "retune": 1, "create": 2, "hold": 3, "update": 4, "cancel": 5, "orphan": 6}
_TOLD = 3  # so many models are named in one sentence
_TO_SERVE = (Create, Retune, Reuse, Promote)
_NAMED = 8  # so many example numbers are named, the rest is counted
_MOST_PROBLEMS = 10
_CLASSES = {ChangeClass.RETUNE: "re-tune", ChangeClass.UPDATE: "in place, free", ChangeClass.LOCAL: "local, free"}
_CHANGES = ("| field | from | to | what it takes |", "|---|---|---|---|")


@dataclass(frozen=True, slots=True)
class DataNote:
    """What became of a dataset: counts and the numbers of examples (from 1), never a row.

    ``lengths`` are characters an example, all its texts together: half, nineteen of twenty, and all have no more.
    ``to_evaluation`` and ``to_training`` count examples that went from one set of the spec to the other, ``shift`` the
    hundredths by which the shares of labels moved.
    """

    examples: int
    characters: int
    added: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    removed: int = 0
    shape: str = "pairs"
    to_evaluation: int = 0
    to_training: int = 0
    shift: int = 0
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
    """All about one model that its action does not say. ``reusable`` is the model that a revert would take up again.

    ``quality`` is what is asked of a run before it serves, beside the score of the run that serves now; None where no
    run is to come to serve.
    """

    data: DataNote | None = None
    time: Seconds | None = None
    free: bool = False
    stale_prices: bool = False
    problems: tuple[Problem, ...] = ()
    advice: str = ""
    reusable: str = ""
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan for review: ``plan`` holds what the pull request changes, ``unchanged`` counts the rest.

    ``loose`` are the problems that belong to no action; ``summary_url`` is where the whole of it stands, "" where
    there is no such place. ``applied_branch`` is the branch that is applied, where it is merged into another one.
    ``budget`` is what of this month's may be spent, None where none is set. ``in_pull`` says that it is shown on a pull
    request, where commands can be given.
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
    budget: BudgetUse | None = None
    in_pull: bool = True


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
    lines = ["### Gitune plan", "", " · ".join(_first_line(view)), ""]
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


def _first_line(view: PlanView) -> Iterator[str]:
    """What is done, what it costs, and how good what serves is."""
    said = phrases.summary(view.plan) if view.plan.actions else "No model changes"
    rest = f", {view.unchanged:,} unchanged" if view.unchanged else ""
    yield f"**{said}{rest}**"
    yield _costs(view)
    if view.budget is not None:
        yield phrases.budget(view.budget)
    if graded := _grades(view):
        yield graded


def _costs(view: PlanView) -> str:
    """The prices of all runs together, a sum for each currency."""
    costs = [a.cost for a in view.plan.actions if isinstance(a, Tune) and not _note(view, a).free]
    known = [cost for cost in costs if cost is not None]
    sums = [_sum([c for c in known if c.currency == currency]) for currency in sorted({c.currency for c in known})]
    if unknown := len(costs) - len(known):
        sums.append(f"no price is known for {counted(unknown, 'run')}")
    return f"costs {listed(sums)}" if known else listed(sums) or "costs nothing"


def _sum(costs: Sequence[Cost]) -> str:
    return _range(replace(costs[0], low=sum(c.low for c in costs), high=sum(c.high for c in costs)))


def _grades(view: PlanView) -> str:
    """What serves, by its score, and what is asked of the runs that are to serve; "" where none is to."""
    coming = {
        a.name: quality
        for a in view.plan.actions
        if isinstance(a, _TO_SERVE) and (quality := _note(view, a).quality) is not None
    }
    graded = {name: quality for name, quality in coming.items() if quality.metric}
    if not graded:
        return "not evaluated before it serves" if coming else ""
    told = []
    for name, quality in list(graded.items())[:_TOLD]:
        whose = f"{cell(name, 60)} " if len(coming) > 1 else ""
        told.append(f"{whose}{_grade(quality)}")
    more = len(graded) - len(told)
    return "; ".join(told) + (f"; {more:,} more are evaluated" if more else "")


def _grade(quality: Quality) -> str:
    """``serving scores 0.91, bar 0.80``."""
    if quality.other is not None:
        now = f"serving scores {share(quality.other.value)}"
    else:
        now = "serving is not scored on these rows" if quality.compared else "nothing serves yet"
    return f"{now}, bar {bar(quality.bar)}" if quality.bar is not None else now


def _note(view: PlanView, action: Action) -> Note:
    return view.notes.get(action.name, Note())


def _guard(guard: Guard) -> str:
    return f"> ⛔ **{code(guard.code)}**: {code(guard.message)}. Apply refuses this plan as it is."


def _foot(view: PlanView) -> str:
    where = f" · [{JOB_LINK}]({view.summary_url})" if view.summary_url else ""
    digest = f" · plan {code(short(view.plan.digest))}" if view.plan.digest else ""
    steps = "".join(f"- {step}\n" for step in _next_steps(view))
    said = f"\n**Next**\n\n{steps}" if steps else ""
    return f"\n<sub>commit {code(short(view.head))}{digest}{where}</sub>\n{said}"


def _next_steps(view: PlanView) -> Iterator[str]:
    """What a person can do or say now: only what works in this state."""
    if not view.in_pull:
        return
    if view.loose:
        yield "Fix the problems above and push: every push is planned again."
    yield from _ways_out(view)
    if view.offline:
        yield f"{_FOR_A_STRANGER} `/gitune help` lists all commands."
        return
    if not view.unreadable:
        yield from _after_the_merge(view)
    again = " once everything can be read" if view.unreadable else ""
    yield f"`/gitune plan` plans this pull request again{again}; `/gitune help` lists all commands."


_FOR_A_STRANGER = (
    "Somebody who may write says `/gitune plan` for a plan that a merge applies, or after the merge `/gitune apply`."
)


def _after_the_merge(view: PlanView) -> Iterator[str]:
    if view.applied_branch:
        yield f"Merging applies nothing yet: the plan counts when that is merged into {code(view.applied_branch)}."
    elif view.plan.guards:
        yield from _guarded(view.plan.guards)
    elif any(action.acts for action in view.plan.actions):
        yield "Merge to apply this plan; a push before that is planned again."


def _guarded(guards: Sequence[Guard]) -> Iterator[str]:
    yield from (code(guard.hint.replace("`", "")) for guard in guards if guard.hint and not guard.allow)
    if all(guard.allow for guard in guards):
        words = " ".join(word for guard in guards for word in guard.allow)
        command = code(f"/gitune apply {words}", 2000)
        yield f"If that is meant: merge, then somebody who may write says {command}."


def _ways_out(view: PlanView) -> Iterator[str]:
    """What ends the holds that need a person, a reason once."""
    held: dict[Reason, list[str]] = {}
    for action in view.plan.actions:
        if isinstance(action, Hold) and action.reason.traits.needs_person:
            held.setdefault(action.reason, []).append(action.name)
    for reason, names in list(held.items())[:_TOLD]:
        more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
        yield f"{', '.join(cell(name, 60) for name in names[:_TOLD])}{more}: {reason.traits.way_out}"


_TOP = "| | model | cost and time | quality | data | why |\n|---|---|---|---|---|---|\n"
_FOREIGN_TOP = "| | model | cost and time | data | why |\n|---|---|---|---|---|\n"


def _table(view: PlanView, room: int) -> tuple[str, bool]:
    """The table in as many words as there is room for, and whether every action is in it."""
    if not view.plan.actions:
        return "", True
    rows: list[str] = []
    for row in (_full_row, _short_row, _bare_row):
        rows = [row(a, _note(view, a)) for a in view.plan.actions]
        table = _TOP + "".join(rows) + "\n"
        if _size(table) <= room:
            return table, True
    kept, _ = phrases.within(rows, room - _size(_TOP) - 1, lambda row: _size(row) + 1)
    return f"{_TOP}{''.join(kept)}\n", False


def _full_row(action: Action, note: Note) -> str:
    said = _moved(action) or cell(action.message, 200)
    why = f"{action.reason}: {said}" if said else str(action.reason)
    return _line(
        action.word, action.name, effort(action, note) or "–", grade(action, note) or "–", data(note) or "–", why
    )


def _moved(action: Action) -> str:
    """The fields that make a new run necessary, ``hyperparameters.epochCount 5 → 8``; "" where none is known."""
    moved = [c for c in action.changes if c.change_class is ChangeClass.RETUNE] if isinstance(action, Retune) else []
    told = [f"{cell(c.field, 60)} {cell(c.before, 40) or '–'} → {cell(c.after, 40) or '–'}" for c in moved[:_TOLD]]
    more = f" and {len(moved) - _TOLD:,} more" if len(moved) > _TOLD else ""
    return f"{', '.join(told)}{more}"


def _short_row(action: Action, note: Note) -> str:
    about = (effort(action, note) or "–", grade(action, note) or "–", data(note) or "–", str(action.reason))
    return _line(action.word, action.name, *about)


def _line(word: str, name: str, *about: str) -> str:
    return f"| {phrases.signed(word)} | {cell(name, 60)} | {' | '.join(about)} |\n"


def _bare_row(action: Action, note: Note) -> str:  # noqa: ARG001 - one of the three rows
    return f"|{action.word}|{cell(action.name, 40)}||||{action.reason}|\n"


def _details(view: PlanView, room: int) -> tuple[str, int]:
    """The details of as many actions as there is room for, the most telling kept, in the order of the table."""
    told = [a for a in view.plan.actions if _is_told(a, view)]
    parts = {id(a): details(a, _note(view, a)) for a in told}
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
    return f"{_range(action.cost)} {_dated(action.cost)}{_staleness(note)}"


def _staleness(note: Note) -> str:
    return ", **stale prices**" if note.stale_prices else ""


def _range(cost: Cost) -> str:
    low, high = amount(cost.low), amount(cost.high)
    span = high if low == high else f"{low} to {high}"
    return f"{span} {phrases.currency(cost.currency)}"


def _dated(cost: Cost) -> str:
    day = "".join(c for c in cost.as_of if c.isdigit() or c == "-")[:10]
    return f"(prices of {day})"


def time(seconds: Seconds | None) -> str:
    """``2 min 10 s to 3 min 00 s``; "" where nothing is known."""
    if seconds is None:
        return ""
    low, high = duration(seconds.low), duration(seconds.high)
    return high if low == high else f"{low} to {high}"


def effort(action: Action, note: Note) -> str:
    """Cost and time in a few words, for the table; "" where nothing is done."""
    if not isinstance(action, Tune):
        return "free" if action.acts else ""
    steps = counted(estimate(action).steps, "step")
    span = price(action, note) if note.free or action.cost is None else f"{_range(action.cost)}{_staleness(note)}"
    return ", ".join(part for part in (span, time(note.time), steps) if part)


def grade(action: Action, note: Note) -> str:
    """``exactMatch, bar 0.80, serving 0.91``, for the table; "" where no run is to serve."""
    if note.quality is None or not isinstance(action, _TO_SERVE):
        return ""
    return ", ".join(figures(note.quality, lambda text: cell(text, 40))) or "not evaluated"


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
    shape = f", read as {found.shape}" if found.shape != "pairs" else ""
    lines = [f"{counted(found.examples, 'example')}, {counted(found.characters, 'character')}{shape}"]
    if found.known_before:
        moves = [
            f"{len(found.added):,} added{_numbers(found.added)}",
            f"{found.removed:,} removed",
            f"{len(found.edited):,} edited{_numbers(found.edited)}",
        ]
        lines.append("; ".join(moves) + ("; the rest in another order" if found.reordered else ""))
    if found.to_evaluation or found.to_training:
        lines.append(f"{found.to_evaluation:,} moved to the evaluation set, {found.to_training:,} out of it")
    if found.known_before and found.shift:
        lines.append(f"the shares of labels moved by {found.shift} %")
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
    foot = f"\n<sub>commit {code(short(plan.head))}</sub>\n\n**Next**\n\n- {_FOR_A_STRANGER}\n"
    body = _foreign_head(plan)
    parts = [_foreign_row(a) for a in plan.actions]
    if parts:
        body += _FOREIGN_TOP
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
    said = ", ".join(f"{number} {phrases.LOOKS[word].count}" for word, number in counts.items()) or "No model changes"
    return (
        f"### Gitune plan\n\n**{said}**\n\n"
        "> 📝 From a fork: its own job made this plan from the ledger alone, with no secret and no provider in reach. "
        "It grants nothing.\n\n"
    )


def _foreign_row(action: ForeignAction) -> str:
    why = f"{cell(action.reason, 40)} {cell(action.message, 200)}".strip()
    return _line(action.word, action.name, cell(action.effort, 120) or "–", cell(action.data, 120) or "–", why)


def _foreign_details(action: ForeignAction) -> str:
    if not action.changes:
        return ""
    rows = [_change(c.field, c.before, c.after, cell(c.takes, 40)) for c in action.changes]
    return phrases.folded(action.word, action.name, "\n".join([*_CHANGES, *rows, ""]))
