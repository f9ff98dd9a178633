"""A plan, what became of it and why it is so, to styled lines for a terminal, Markdown and JSON (docs/commands.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from controller.plan.actions import (
    Action,
    Change,
    ChangeClass,
    Done,
    Guard,
    Held,
    Hold,
    Nothing,
    Outcome,
    Plan,
    Tune,
    Wait,
)
from controller.plan.evaluation import told
from controller.plan.planner import Explanation
from controller.report import phrases
from controller.report.formatting import JsonObject, cell, code, counted, fields_of, listed, percent, short, terminal
from controller.report.phrases import estimate
from controller.report.render_status import condition_json, score_json
from controller.state.reasons import Reason
from controller.state.recorded import Record, Score

_COST_STYLES = {ChangeClass.RETUNE: "yellow", ChangeClass.UPDATE: "cyan", ChangeClass.LOCAL: "dim"}


def plan_text(plan: Plan) -> RenderableType:
    """Every action with what it rests on, the guards, the counts and the digest to approve."""
    return Group(*_lines(plan))


def _lines(plan: Plan) -> Iterator[RenderableType]:
    shown, quiet = phrases.named(plan.actions)
    for action in shown:
        yield _title(action)
        yield from (_indented(fact) for fact in _facts(action))
    if quiet:
        yield headline(Nothing.word, _quiet(quiet))
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


def headline(word: str, name: str, *more: str | Text | tuple[str, str]) -> Text:
    """The sign and the word of an action, its name, and ``more`` behind it."""
    look = phrases.LOOKS[word]
    return Text.assemble((f"{look.sign} {word:<7} ", look.style), (terminal(name), "bold"), *more)


def _quiet(number: int) -> str:
    return f"{counted(number, 'model')}, named by `gitune plan -o json`"


def _title(action: Action) -> Text:
    where = f" on {terminal(action.provider)}" if action.provider else ""
    return headline(action.word, action.name, where, (f"  {action.reason}", "dim"))


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
    guards = [f"{_guard_line(guard)}\n\n" for guard in plan.guards]
    head = "".join([f"### Gitune plan\n\n**{phrases.summary(plan)}**\n\n", *guards])
    foot = _foot(plan)
    room = budget - len(head) - len(foot) - 400  # the two notes on what was left out
    shown, quiet = phrases.named(plan.actions)
    rows, hidden = phrases.within([_row(a) for a in shown], room * 2 // 3)
    if quiet:
        rows = [*rows, f"| {phrases.signed(Nothing.word)} | {_quiet(quiet)} | – | – |\n"]
    told = [a for a in plan.actions if not isinstance(a, Nothing)]
    details, folded = phrases.within([_details(a) for a in told], room - sum(map(len, rows)))
    where = "`gitune plan -o json` has all"
    hiding = f"_{counted(hidden, 'more model')} did not fit into this table: {where}._\n" if hidden else ""
    folding = f"_The details of {counted(folded, 'model')} did not fit: {where}._\n" if folded else ""
    table = ["| action | model | why | training |\n|---|---|---|---|\n", *rows, "\n"] if rows else []
    return "".join([head, *table, hiding, *details, folding, foot])


def _guard_line(guard: Guard) -> str:
    allow = phrases.permission(guard)
    way = f" unless it is given {code(allow, 2000)}" if allow else ""
    return f"> ⛔ **{guard.code}**: {code(guard.message)}. Apply refuses this plan{way}."


def _foot(plan: Plan) -> str:
    revision = f"revision {code(short(plan.revision))}, " if plan.revision else ""
    return f"\n<sub>{revision}plan digest {code(plan.digest)}</sub>\n" if plan.digest else ""


def _row(action: Action) -> str:
    why = f"{action.reason}: {cell(action.message, 200)}" if action.message else str(action.reason)
    training = phrases.training(action)
    return f"| {phrases.signed(action.word)} | {cell(action.name)} | {why} | {training or '–'} |\n"


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


def as_json(plan: Plan) -> JsonObject:
    """``{schemaVersion, digest, revision, actions, guards, summary}``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "digest": plan.digest,
        "revision": plan.revision,
        "actions": [_action(action) for action in plan.actions],
        "guards": [fields_of(guard, "code", "message", "names", "allow") for guard in plan.guards],
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
    counts = ("examples", "added", "removed", "edited", "duplicates", "characters")
    return {
        "name": action.name,
        "action": action.word,
        **fields_of(action, "digest", "reason", "message", "provider", "model", "fingerprint", "attempt"),
        "changes": [
            {"field": c.field, "class": c.change_class, "from": c.before, "to": c.after} for c in action.changes
        ],
        "dataset": fields_of(action.dataset, *counts) if action.dataset else None,
        "estimate": _estimate(action),
    }


def _estimate(action: Action) -> JsonObject | None:
    if not isinstance(action, Tune):
        return None
    guess = estimate(action)
    cost = fields_of(action.cost, "low", "high", "currency", "as_of") if action.cost else None
    return {"steps": guess.steps, "characters": guess.characters, "assumed": list(guess.assumed), "cost": cost}


def _outcome(outcome: Outcome) -> JsonObject:
    shared: JsonObject = {"name": outcome.action.name, "action": outcome.action.word}
    score = score_json(outcome.score)
    match outcome:
        case Done(action=action):
            said = {"result": "done", **fields_of(action, "reason", "message"), "hint": "", "model": _model(outcome)}
        case Held(action=action):
            said = {"result": "held", **fields_of(outcome, "reason", "message", "hint"), "model": action.model}
    return {**shared, **said, "score": score}


def outcome_text(outcome: Outcome) -> Text:
    """One line, and below it the hint of what was held back."""
    match outcome:
        case Done(action=Hold() as action):
            return _held(action.name, action.reason, action.message, "")
        case Done(action=action, score=score):
            facts = f"  {terminal(_model(outcome))}{_scored(score)}", (f"  {action.reason}", "dim")
            return headline(action.word, action.name, *facts)
        case Held(action=action, reason=reason, message=message, hint=hint):
            return _held(action.name, reason, message, hint)


def _model(done: Done) -> str:
    """The remote model it was about, by the provider's own answer where there is one."""
    return done.remote.name if done.remote else done.action.model


def applied_text(plan: Plan, outcomes: Sequence[Outcome], told: Sequence[Outcome] = ()) -> Text:
    """A line for each outcome that did something or is held, then the counts, with those of what was told before."""
    lines = [outcome_text(o) for o in outcomes if not isinstance(o.action, Nothing)]
    said = applied_summary(plan, (*told, *outcomes))
    return Text("\n").join([*lines, Text.assemble(("Applied: ", "bold"), said, ".")])


def applied_summary(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """``1 created, 1 updated in place; 2 held; 3 unchanged``, or that there was nothing to do.

    What something was done to does not count as unchanged.
    """
    acted = [o.action for o in outcomes if isinstance(o, Done) and (o.action.acts or isinstance(o.action, Wait))]
    done, touched = [action.word for action in acted], {action.name for action in acted}
    held = sum(isinstance(o, Held) or isinstance(o.action, Hold) for o in outcomes)
    same = sum(isinstance(o.action, Nothing) and o.action.name not in touched for o in outcomes)
    parts = [", ".join(f"{done.count(word)} {phrases.LOOKS[word].done}" for word in dict.fromkeys(done))]
    parts.extend([f"{held} held" if held else "", f"{same} unchanged" if same else ""])
    said = "; ".join(part for part in parts if part) or "nothing is declared"
    return f"{said}, at revision {short(plan.revision)}" if plan.revision else said


def waiting_on_people(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The names of the models that go on only when a person acts."""
    return tuple(dict.fromkeys(o.action.name for o in outcomes if reason_of(o).traits.needs_person))


def applied_markdown(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """Counts, then a table of everything that did something or is held."""
    told = [o for o in outcomes if not isinstance(o.action, Nothing)]
    rows = [f"| {o.action.word} | {cell(o.action.name)} | {_result(o)} |" for o in told]
    table = ["", "| action | model | result |", "|---|---|---|", *rows] if rows else []
    return "\n".join(["### Gitune apply", "", f"**{applied_summary(plan, outcomes)}**", *table, ""])


def people_text(names: Sequence[str]) -> str:
    """The sentence that explains exit code 3."""
    verb = "waits" if len(names) == 1 else "wait"
    return f"{counted(len(names), 'model')} {verb} on a person: {listed([terminal(n, 60) for n in names])}"


def _result(outcome: Outcome) -> str:
    match outcome:
        case Done(action=action, score=score):
            return code(_model(outcome) or action.message) + _scored(score)
        case Held(reason=reason, message=message):
            return f"✋ {reason}: {cell(message)}"


def reason_of(outcome: Outcome) -> Reason:
    """Why it was held, or done."""
    return outcome.reason if isinstance(outcome, Held) else outcome.action.reason


def _held(name: str, reason: str, message: str, hint: str) -> Text:
    below = ("\n    ", ("hint: ", "dim"), terminal(hint)) if hint and hint not in message else ()
    return headline("hold", name, f"  {reason}: {terminal(message)}", *below)


def _scored(score: Score | None) -> str:
    if score is None:
        return ""
    return f" ({score.metric} {percent(score.value)}: {told(score)})"


def explanation_text(why: Explanation) -> RenderableType:
    """The actions, then the rows in the order they were tried: what decided, and why the others did not."""
    return Group(*_why_lines(why))


def explanation_json(why: Explanation) -> JsonObject:
    """``{schemaVersion, name, actions, tried}``; ``whyNot`` is null for a row that decided."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "name": why.name,
        "actions": [
            {"action": action.word, **fields_of(action, "reason", "message", "model")} for action in why.actions
        ],
        "tried": [
            {"row": tried.row, "situation": tried.situation, "whyNot": tried.why_not or None} for tried in why.tried
        ],
    }


def _why_lines(why: Explanation) -> Iterator[RenderableType]:
    for action in why.actions:
        yield headline(action.word, action.name, (f"  {action.reason}", "dim"), f"  {terminal(action.message)}")
    if not why.actions:
        yield Text(f"{terminal(why.name)}: nothing")
    yield Text()
    rows = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("rule", "why not", "situation"):
        rows.add_column(title, overflow="fold")
    for tried in why.tried:
        situation = tried.situation.replace("`", "")
        style, said = ("dim", terminal(tried.why_not)) if tried.why_not else ("bold", "decides")
        rows.add_row(tried.row, said, terminal(situation), style=style)
    yield rows
