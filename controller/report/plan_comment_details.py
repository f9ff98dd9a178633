"""One action and all that a reviewer wants to know beside it: to words of the table and to a folded block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.errors import Problem
from controller.plan.actions import Action, Change, ChangeClass, Plan, Tune
from controller.plan.cost import Cost
from controller.report import phrases
from controller.report.escape import cell, code
from controller.report.formatting import amount, counted, duration, short
from controller.report.phrases import estimate


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


_NAMED = 8  # so many example numbers are named, the rest is counted


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
    guess = estimate(action)
    steps = counted(guess.steps, "step") if guess else ""
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


_MOST_PROBLEMS = 10
_CLASSES = {
    ChangeClass.RETUNE: "re-tune",
    ChangeClass.UPDATE: "in place, free",
    ChangeClass.LOCAL: "local, free",
}


def details(action: Action, note: Note) -> str:
    """A ``<details>`` block, closed, that ends in a line feed."""
    lines = [*_changes(action), *(f"- {line}" for line in _facts(action, note))]
    return phrases.folded(action.word, action.name, "\n".join([*lines, ""]))


def _changes(action: Action) -> Iterator[str]:
    if not action.changes:
        return
    yield "| field | from | to | what it takes |"
    yield "|---|---|---|---|"
    for change in action.changes:
        yield _change(change)
    yield ""


def _change(change: Change) -> str:
    before, after = cell(change.before, 120) or "–", cell(change.after, 120) or "–"
    return f"| {cell(change.field, 80)} | {before} | {after} | {_CLASSES[change.change_class]} |"


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
