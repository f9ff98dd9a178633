"""A plan to styled lines for a terminal. Data is escaped and never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from controller.plan.actions import Action, Change, ChangeClass, Guard, Nothing, Plan
from controller.report import phrases
from controller.report.escape import terminal
from controller.report.wording import short


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
        yield _head(action)
        yield from (_indented(fact) for fact in _facts(action))
    if plan.actions:
        yield Text()
    for guard in plan.guards:
        yield Text.assemble(("! guard ", "bold red"), terminal(guard.code), ": ", terminal(guard.message))
        yield from (_indented(fact) for fact in _guard(guard))
    yield Text.assemble(("Plan: ", "bold"), phrases.summary(plan), ".")
    if plan.revision:
        yield _fact("revision", plan.revision)
    if plan.digest:
        yield _fact("digest", plan.digest)


def _head(action: Action) -> Text:
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
    if action.model:
        yield _fact("model", action.model)
    if action.fingerprint:
        yield _fact("inputs", f"{short(action.fingerprint)}, attempt {action.attempt}")
    if action.dataset:
        yield _fact("dataset", phrases.dataset(action.dataset))
    if training := phrases.training(action):
        yield _fact("training", training)
    if price := phrases.price(action):
        yield _fact("price", price)


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


def _guard(guard: Guard) -> Iterator[Text]:
    if guard.names:
        yield _fact("models", ", ".join(guard.names))
    allow = phrases.permission(guard)
    yield _fact("apply", f"refuses this plan without {allow}" if allow else "refuses this plan")
