"""What the code declares to the tables of docs/lifecycle.md.

Run as `python -m script.pages` to write the page again; a test fails where it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from controller.plan.admission import STAGES
from controller.plan.rules import TABLES
from controller.state.reasons import Reason

PAGE = Path(__file__).resolve().parents[1] / "docs" / "lifecycle.md"
BEGIN, END = "<!-- generated: {name} -->\n", "<!-- end -->\n"


def generated(page: str) -> str:
    """The page with every generated part as the code has it now."""
    for name, lines in (("rows", _rows()), ("stages", _stages()), ("holds", _holds())):
        page = _with(page, name, "".join(f"{line}\n" for line in lines))
    return page


def _with(page: str, name: str, text: str) -> str:
    begin = BEGIN.format(name=name)
    before, _, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    return f"{before}{begin}{text}{end}{after}"


def _rows() -> Iterator[str]:
    """The decision table, in the order its rows are tried, under the question that leads to each part of it."""
    for question, rows in TABLES:
        yield f"**{question}**"
        yield ""
        yield "| situation | action | reason |"
        yield "|---|---|---|"
        yield from (_row(row.situation, row.action, row.reasons) for row in rows)
        yield ""


def _stages() -> Iterator[str]:
    yield "| situation | action | reason |"
    yield "|---|---|---|"
    yield from (_row(stage.situation, stage.action, stage.reasons) for stage in STAGES)


def _row(situation: str, action: str, reasons: tuple[Reason, ...]) -> str:
    return f"| {situation} | `{action}` | {', '.join(f'`{reason}`' for reason in reasons)} |"


def _holds() -> Iterator[str]:
    """A row for each reason that holds something; neighbours with the same way out share one."""
    yield "| reason | waits for | what to do |"
    yield "|---|---|---|"
    holds = [reason for reason in Reason if reason.traits.waits_for]
    for (waits_for, way_out), reasons in groupby(holds, key=lambda r: (r.traits.waits_for, r.traits.way_out)):
        names = ", ".join(f"`{reason}`" for reason in reasons)
        yield f"| {names} | {waits_for} | {way_out} |"


if __name__ == "__main__":
    PAGE.write_text(generated(PAGE.read_text("utf-8")), "utf-8")
