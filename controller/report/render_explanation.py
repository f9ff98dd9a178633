"""Why one name gets what it gets: every row that was tried, to styled lines and to JSON values (docs/commands.md)."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from controller.plan.planner import Explanation
from controller.report.escape import terminal
from controller.report.render_plan import LOOKS, SCHEMA_VERSION, JsonObject


def explanation_text(why: Explanation) -> RenderableType:
    """The actions, then the rows in the order they were tried: what decided, and why the others did not."""
    return Group(*_lines(why))


def explanation_json(why: Explanation) -> JsonObject:
    """``{schemaVersion, name, actions, tried}``; ``whyNot`` is null for a row that decided."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "name": why.name,
        "actions": [
            {"action": action.word, "reason": action.reason, "message": action.message, "model": action.model}
            for action in why.actions
        ],
        "tried": [
            {"row": tried.row, "situation": tried.situation, "whyNot": tried.why_not or None} for tried in why.tried
        ],
    }


def _lines(why: Explanation) -> Iterator[RenderableType]:
    for action in why.actions:
        look = LOOKS[action.word]
        head = Text.assemble((f"{look.sign} {action.word:<7} ", look.style), (terminal(action.name), "bold"))
        yield head.append(f"  {action.reason}", "dim").append(f"  {terminal(action.message)}")
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
