"""Records to the README.md of the ledger: what a forge shows to whoever opens the status branch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.report.formatting import cell, code, counted, first_to_last, scored, short
from controller.report.model_state import STATE_LOOKS, latest_run, state_of
from controller.state.conditions import Truth
from controller.state.identity import NAME
from controller.state.recorded import Record, Run

_HEAD = """\
# Tuned models

Written by Gitune after each pass that changed something. Edits made here are written over: what is desired stands in
the specs. `status/` holds all that is known of each model, `curves/` the numbers behind the pictures.
"""
_LARGEST = 400_000  # characters: GitHub shows half a megabyte of a README
_COLUMNS = ("| model | state | serving | latest run | loss | score | curve |", "|---|---|---|---|---|---|---|")


def readme(rows: Sequence[str], sections: Iterable[str]) -> str:
    """The page of these rows and sections, one of each for a record, in their order.

    The same records give the same bytes: no time is written but those of the records. Of the sections, which are
    taken one by one, there are as many as forges show.
    """
    if not rows:
        return f"{_HEAD}\nNo model is recorded yet.\n"
    table = "\n".join((*_COLUMNS, *rows))
    below: list[str] = []
    size = len(table)
    for told in sections:
        size += len(told)
        if size > _LARGEST:
            left = counted(len(rows) - len(below), "more model")
            below.append(f"What is known of {left} stands in `status/`.\n")
            break
        below.append(told)
    return f"{_HEAD}\n{table}\n\n" + "\n".join(below)


def row(record: Record) -> str:
    """One model's line of the table."""
    now, run = state_of(record), latest_run(record)
    state = f"{STATE_LOOKS[now.word].circle} {now.word}"
    if now.reason and now.reason != now.word:
        state += f" ({now.reason})"
    columns = (
        cell(record.name),
        state,
        cell(record.active.model) if record.active else "–",
        _progress(record, run) if run else "–",
        first_to_last(run) if run else "–",
        scored(run.score) if run and run.score else "–",
        f"[curve]({_curve(record)})" if _curve(record) else "–",
    )
    return f"| {' | '.join(columns)} |"


def _progress(record: Record, run: Run) -> str:
    if record.pending and record.pending.model == run.model:
        return f"{run.outcome}, {record.tenths * 10} %"
    return str(run.outcome)


def _curve(record: Record) -> str:
    """The path of the curve's picture; "" where there is none. A name that is no name becomes no link."""
    drawn = any(run.losses for run in record.runs)
    return f"curves/{record.name}.svg" if drawn and NAME.fullmatch(record.name) else ""


def section(record: Record) -> str:
    """One model's conditions, facts and curve."""
    lines = [f"## {code(record.name)}", ""]
    lines.extend(
        f"- **{c.type}** {c.status}: {c.reason}" + (f", {code(c.message)}" if c.message else "")
        for c in record.conditions
        if c.status is not Truth.UNKNOWN or c.message
    )
    lines.extend(_facts(record))
    if curve := _curve(record):
        lines.extend(("", f"![loss curve]({curve})"))
    return "\n".join(lines) + "\n"


def _facts(record: Record) -> list[str]:
    run = latest_run(record)
    facts = [f"- applied from {code(short(record.applied))}"] if record.applied else []
    if record.prefix:
        facts.append(f"- callers send this before each input: {code(record.prefix)}")
    if run is not None:
        facts.append(
            f"- latest run {code(run.model)}: attempt {run.attempt}, inputs {code(short(run.fingerprint))}"
            + (f", {run.completed_steps:,} of {counted(run.total_steps, 'step')}" if run.total_steps else "")
        )
    if run is not None and run.advice is not None:
        facts.append(f"- advice: {code(run.advice.because)}")
    return facts
