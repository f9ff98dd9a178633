"""A plan to styled lines for a terminal, to Markdown within a budget of characters, and to JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from controller.plan.actions import (
    Action,
    Change,
    ChangeClass,
    DatasetChange,
    Done,
    Guard,
    Held,
    Nothing,
    Outcome,
    Plan,
    Tune,
)
from controller.report import phrases
from controller.report.escape import cell, code, terminal
from controller.report.formatting import counted, short
from controller.report.phrases import estimate
from controller.report.render_status import condition_json, score_json
from controller.state.recorded import Record


@dataclass(frozen=True, slots=True)
class Look:
    """The sign and the colour of an action word."""

    sign: str
    style: str


LOOKS: Mapping[str, Look] = {
    "create": Look("+", "green"),
    "retune": Look("±", "yellow"),
    "wait": Look("…", "blue"),
    "promote": Look("^", "green"),
    "update": Look("~", "cyan"),
    "reuse": Look("=", "cyan"),
    "adopt": Look("<", "cyan"),
    "cancel": Look("x", "red"),
    "delete": Look("-", "red"),
    "orphan": Look("o", "magenta"),
    "hold": Look("!", "bold yellow"),
    "none": Look(" ", "dim"),
}
_COST_STYLES = {ChangeClass.RETUNE: "yellow", ChangeClass.UPDATE: "cyan", ChangeClass.LOCAL: "dim"}


def plan_text(plan: Plan) -> RenderableType:
    """Every action with what it rests on, the guards, the counts and the digest to approve."""
    return Group(*_lines(plan))


def _lines(plan: Plan) -> Iterator[RenderableType]:
    for action in plan.actions:
        yield _title(action)
        yield from (_indented(fact) for fact in _facts(action))
    if plan.actions:
        yield Text()
    for guard in plan.guards:
        yield Text.assemble(("! guard ", "bold red"), terminal(guard.code), ": ", terminal(guard.message))
        yield from (_indented(fact) for fact in _guard_facts(guard))
    yield Text.assemble(("Plan: ", "bold"), phrases.summary(plan), ".")
    if plan.revision:
        yield _fact("revision", plan.revision)
    if plan.digest:
        yield _fact("digest", plan.digest)


def _title(action: Action) -> Text:
    look = LOOKS[action.word]
    where = f" on {terminal(action.provider)}" if action.provider else ""
    head = Text.assemble((f"{look.sign} {action.word:<7} ", look.style), (terminal(action.name), "bold"), where)
    return head.append(f"  {action.reason}", "dim")


def _facts(action: Action) -> Iterator[Text]:
    if action.message:
        yield Text(terminal(action.message))
    for change in action.changes:
        yield _change(change)
    if isinstance(action, Nothing):
        return
    for label, value in phrases.facts(action, str):
        yield _fact(label, value)


def _change(change: Change) -> Text:
    cost = phrases.COSTS[change.change_class]
    line = Text.assemble((f"{cost:<9}", _COST_STYLES[change.change_class]), terminal(change.field, 80))
    before, after = terminal(change.before, 120) or "(unset)", terminal(change.after, 120) or "(unset)"
    return line.append_text(Text.assemble(": ", (before, "red"), " → ", (after, "green")))


def _fact(label: str, value: str) -> Text:
    return Text.assemble((f"{label:<9}", "dim"), terminal(value))


def _indented(line: Text) -> Padding:
    """A line that keeps its indent where a narrow terminal folds it."""
    return Padding(line, (0, 0, 0, 4), expand=False)


def _guard_facts(guard: Guard) -> Iterator[Text]:
    if guard.names:
        yield _fact("models", ", ".join(guard.names))
    allow = phrases.permission(guard)
    yield _fact("apply", f"refuses this plan without {allow}" if allow else "refuses this plan")


BUDGET = 60_000  # GitHub refuses a comment of more than 65,536 characters; the rest is for a caller's own lines


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
        lines.extend((_guard_line(guard), ""))
    return lines


def _guard_line(guard: Guard) -> str:
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
    return f"| {phrases.SIGNS[action.word]} {action.word} | {cell(action.name)} | {why} | {training or '–'} |\n"


def _details(action: Action) -> str:
    changes = [
        f"| {cell(c.field, 80)} | {phrases.COSTS[c.change_class]} | {cell(c.before, 120) or '–'} "
        f"| {cell(c.after, 120) or '–'} |"
        for c in action.changes
    ]
    table = ["| field | cost | from | to |", "|---|---|---|---|", *changes, ""] if changes else []
    lines = [*table, *(f"- {label}: {value}" for label, value in _bullets(action))]
    return phrases.folded(action.word, action.name, "\n".join([*lines, ""]))


def _bullets(action: Action) -> Iterable[tuple[str, str]]:
    if action.provider:
        yield "provider", code(action.provider)
    yield from phrases.facts(action, code)
    if action.digest:
        yield "digest", code(short(action.digest))


SCHEMA_VERSION = 1
JsonObject = dict[str, object]


def as_json(plan: Plan) -> JsonObject:
    """``{schemaVersion, digest, revision, actions, guards, summary}``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "digest": plan.digest,
        "revision": plan.revision,
        "actions": [_action(action) for action in plan.actions],
        "guards": [
            {"code": g.code, "message": g.message, "names": list(g.names), "allow": list(g.allow)} for g in plan.guards
        ],
        "summary": plan.summary,
    }


def applied_json(plan: Plan, outcomes: Sequence[Outcome], records: Mapping[str, Record]) -> JsonObject:
    """The plan's own shape, with ``outcomes`` and, by model, the conditions they left behind."""
    return {
        **as_json(plan),
        "outcomes": [_outcome(outcome) for outcome in outcomes],
        "models": [
            {"name": name, "conditions": [condition_json(c) for c in records[name].conditions]}
            for name in sorted(records)
        ],
    }


def _action(action: Action) -> JsonObject:
    return {
        "name": action.name,
        "action": action.word,
        "digest": action.digest,
        "reason": action.reason,
        "message": action.message,
        "provider": action.provider,
        "model": action.model,
        "fingerprint": action.fingerprint,
        "attempt": action.attempt,
        "changes": [
            {"field": c.field, "class": c.change_class, "from": c.before, "to": c.after} for c in action.changes
        ],
        "dataset": _dataset(action.dataset),
        "estimate": _estimate(action),
    }


def _estimate(action: Action) -> JsonObject | None:
    guess = estimate(action)
    if guess is None or not isinstance(action, Tune):
        return None
    cost = action.cost and {
        "low": action.cost.low,
        "high": action.cost.high,
        "currency": action.cost.currency,
        "asOf": action.cost.as_of,
    }
    return {"steps": guess.steps, "characters": guess.characters, "assumed": list(guess.assumed), "cost": cost}


def _dataset(change: DatasetChange | None) -> JsonObject | None:
    if change is None:
        return None
    return {
        "examples": change.examples,
        "added": change.added,
        "removed": change.removed,
        "edited": change.edited,
        "duplicates": change.duplicates,
        "characters": change.characters,
    }


def _outcome(outcome: Outcome) -> JsonObject:
    shared: JsonObject = {"name": outcome.action.name, "action": outcome.action.word}
    score = score_json(outcome.score)
    match outcome:
        case Done(action=action, remote=remote):
            model = remote.name if remote else action.model
            said = {"result": "done", "reason": action.reason, "message": action.message, "hint": "", "model": model}
        case Held(action=action, reason=reason, message=message, hint=hint):
            said = {"result": "held", "reason": reason, "message": message, "hint": hint, "model": action.model}
    return {**shared, **said, "score": score}
