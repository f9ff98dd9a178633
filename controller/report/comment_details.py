"""One action and the notes on it to a folded block of Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from controller.errors import Problem
from controller.plan.actions import Action, Change, ChangeClass, Tune
from controller.plan.cost import DEFAULT_EPOCHS
from controller.report import comment_words as words
from controller.report import phrases
from controller.report.comment_notes import Note
from controller.report.escape import cell, code
from controller.report.wording import counted, short

_MOST_PROBLEMS = 10
_CLASSES = {
    ChangeClass.RETUNE: "re-tune",
    ChangeClass.UPDATE: "in place, free",
    ChangeClass.LOCAL: "local, free",
}


def details(action: Action, note: Note, sign: str) -> str:
    """A ``<details>`` block, closed, that ends in a line feed."""
    summary = f"<summary>{sign} {action.word} <code>{plain(action.name)}</code></summary>"
    body = "\n".join([*_changes(action), *(f"- {line}" for line in _facts(action, note))])
    return f"<details>{summary}\n\n{body}\n\n</details>\n"


def plain(name: str) -> str:
    """A name inside HTML, where code spans do not work: whatever could not be in a valid name becomes a dot."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else "·" for c in name[:80])


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
        yield from (f"data: {line}" for line in words.data_lines(note.data))
    if note.reusable:
        yield f"way back: reverting this change takes {code(note.reusable)} up again, for nothing"
    if note.advice:
        yield f"advice from the last run: {code(note.advice, 400)}"
    yield from _problems(note.problems)


def _estimate(action: Tune, note: Note) -> Iterator[str]:
    yield f"training: {phrases.training(action)}, {_tokens(action)}"
    yield f"cost: {words.price(action, note)}"
    if note.time is not None:
        runs = counted(note.time.runs, "earlier run")
        yield f"time: {words.time(note.time)}, from {runs} on this base model"


def _tokens(action: Tune) -> str:
    """A token is 2 to 6 bytes of UTF-8 with the large vocabularies: a range, never a point."""
    epochs = action.desired.hyperparameters.epoch_count or DEFAULT_EPOCHS
    trained = action.desired.dataset.bytes * epochs
    return f"about {trained // 6:,} to {trained // 2:,} tokens"


def _problems(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems[:_MOST_PROBLEMS]:
        hint = f" ({code(problem.hint, 160)})" if problem.hint else ""
        yield f"{problem.severity}: {code(str(problem), 300)}{hint}"
    if len(problems) > _MOST_PROBLEMS:
        yield f"and {len(problems) - _MOST_PROBLEMS:,} more: `gitune validate` shows all"
