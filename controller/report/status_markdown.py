"""Records to a Markdown table, for a job summary or a page."""

from __future__ import annotations

from collections.abc import Mapping

from controller.report.escape import cell
from controller.report.standing import latest_run, standing
from controller.report.wording import figure
from controller.state.recorded import Record


def status_markdown(records: Mapping[str, Record]) -> str:
    """One row a model, by name; all data in code spans, no links."""
    if not records:
        return "No model is recorded yet.\n"
    rows = [_row(records[name]) for name in sorted(records)]
    return "\n".join(["| model | state | why | serving | loss | advice |", "|---|---|---|---|---|---|", *rows, ""])


def _row(record: Record) -> str:
    now, run = standing(record), latest_run(record)
    loss = figure(run.losses[-1].mean_loss) if run and run.losses else "–"
    advice = cell(run.advice.because) if run and run.advice else "–"
    serving = cell(record.active.model) if record.active else "–"
    why = f"{now.reason}: {cell(now.message)}" if now.message else now.reason or "–"
    return f"| {cell(record.name)} | {now.word} | {why} | {serving} | {loss} | {advice} |"
