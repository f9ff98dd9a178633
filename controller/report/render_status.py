"""Records to tables and loss curves for a terminal, to a Markdown table, and to JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from controller.report.charts import curve_text, sparkline
from controller.report.formatting import (
    JsonObject,
    cell,
    counted,
    fields_of,
    figure,
    first_to_last,
    percent,
    short,
    terminal,
)
from controller.report.model_state import STATE_LOOKS, latest_run, state_of
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint
from controller.state.recorded import Advice, Record, Run, Score, Slot

_WIDEST_CURVE = 100
_FRACTION = re.compile(r"\.\d+")  # of a second, as a provider tells the times of a run that was adopted
_NARROW = 72  # below it the table leaves out what `gitune status NAME` says too


def status_table(records: Mapping[str, Record], width: int = 100) -> RenderableType:
    """All models by name: state, why, what serves, how far the latest run is, its losses."""
    if not records:
        return Text("No model is recorded yet: `gitune apply` starts.", "dim")
    wide = width >= _NARROW
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("MODEL", "STATE", "RUN", "LOSS", *(("SERVING",) if wide else ())):
        table.add_column(title, overflow="fold")
    for name in sorted(records):
        table.add_row(*_row(records[name], wide=wide))
    return table


def status_detail(record: Record, width: int = 100) -> RenderableType:
    """One model: conditions, slots, runs, the loss curve of its latest run, and what that suggests."""
    word = state_of(record).word
    title = Text.assemble((terminal(record.name), "bold"), "  ", (word, STATE_LOOKS[word].style))
    parts: list[RenderableType] = [title, *_conditions(record), *_slots(record)]
    if record.prefix:
        parts.append(_pair("prefix", f'"{terminal(record.prefix)}"  (callers send it before each input)'))
    if record.applied:
        parts.append(_pair("applied", short(record.applied)))
    if record.runs:
        parts.extend((Text(), _runs(record)))
    run = latest_run(record)
    if run is not None:
        parts.extend(_curve(run, min(width, _WIDEST_CURVE)))
    return Group(*parts)


def _row(record: Record, *, wide: bool) -> list[Text]:
    now, run = state_of(record), latest_run(record)
    state = Text(now.word, STATE_LOOKS[now.word].style)
    if now.reason and now.reason not in (now.word, "UpToDate"):
        state.append(f" {now.reason}", "dim")
    serving = terminal(record.active.model) if record.active else "–"
    cells = [Text(terminal(record.name), "bold"), state, Text(_progress(record, run)), Text(_losses(run))]
    return [*cells, Text(serving)] if wide else cells


def _progress(record: Record, run: Run | None) -> str:
    if run is None:
        return "–"
    if record.pending and record.pending.model == run.model and run.total_steps:
        return f"{run.outcome} {run.completed_steps:,}/{run.total_steps:,}"
    return str(run.outcome)


def _losses(run: Run | None) -> str:
    if run is None or run.last_loss is None:
        return "–"
    return f"{sparkline(run.losses, 12)} {figure(run.last_loss)}".lstrip()


def _conditions(record: Record) -> Iterator[Table]:
    for condition in record.conditions:
        bad = condition.type is ConditionType.STALLED or condition.status is not Truth.TRUE
        said = Text.assemble((f"{condition.status:<8}", "yellow" if bad else "green"), str(condition.reason))
        yield _pair(condition.type, said.append(f"  {terminal(condition.message)}" if condition.message else "", "dim"))


def _slots(record: Record) -> Iterator[Table]:
    named: list[tuple[str, Slot | None]] = [("active", record.active), ("pending", record.pending)]
    named.extend(("retired", slot) for slot in record.retired)
    for label, slot in named:
        if slot is not None:
            facts = f"{terminal(slot.model)}  {terminal(slot.state)}, attempt {slot.attempt}, {short(slot.fingerprint)}"
            yield _pair(
                label, f"{facts}, to be deleted (decided {terminal(slot.tombstone)})" if slot.tombstone else facts
            )


def _pair(label: str, value: Text | str) -> Table:
    """A label, and what belongs to it beside it, however often that is folded."""
    pair = Table.grid(padding=(0, 1))
    pair.add_column(width=len(ConditionType.RECONCILING) + 3, no_wrap=True)
    pair.add_column(overflow="fold")
    pair.add_row(Text(f"  {label}", "dim"), value if isinstance(value, Text) else Text(value))
    return pair


def _runs(record: Record) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("RUN", "OUTCOME", "STEPS", "LOSS", "SCORE", "STARTED"):
        table.add_column(title, overflow="fold")
    for run in record.runs:
        score = _score(run.score) if run.score else "–"
        steps = f"{run.completed_steps:,}" + (f"/{run.total_steps:,}" if run.total_steps else "")
        cells = (
            terminal(run.model.rpartition("/")[2]),
            str(run.outcome),
            steps,
            first_to_last(run),
            score,
            terminal(_FRACTION.sub("", run.started)) or "–",
        )
        table.add_row(*(Text(c) for c in cells))
    return table


def _score(score: Score) -> str:
    """``95 % of 20``, and below it the baseline, where it was counted."""
    share = f"{percent(score.value)} of {score.asked:,}"
    return share if score.baseline is None else f"{share}\nbaseline {percent(score.baseline / max(1, score.asked))}"


def _curve(run: Run, width: int) -> Iterator[Text]:
    yield Text()
    yield Text.assemble("mean loss of ", (terminal(run.model), "bold"), f"  {_settings(run.resolved)}")
    lines = curve_text(run.losses, width, epochs=run.epochs)
    if not lines and run.diverged_at is None:
        yield Text("no losses reported yet", "dim")
    for line in lines:
        yield Text(line, "blue", no_wrap=True)
    if run.diverged_at is not None:
        yield Text.assemble(("diverged ", "bold red"), f"the loss is no number at step {run.diverged_at:,}")
    if run.error:
        yield Text.assemble(("error ", "bold red"), terminal(run.error))
    if run.advice is not None:
        epochs = f"{counted(run.advice.epochs, 'epoch')}: " if run.advice.epochs else ""
        yield Text.assemble(("advice ", "bold cyan"), epochs, terminal(run.advice.because))


def _settings(given: Hyperparameters) -> str:
    parts = [
        counted(given.epoch_count, "epoch") if given.epoch_count else "",
        f"batch {given.batch_size}" if given.batch_size else "",
        f"learning rate {given.learning_rate:g}" if given.learning_rate else "",
    ]
    return ", ".join(part for part in parts if part)


def status_markdown(records: Mapping[str, Record]) -> str:
    """One row a model, by name; all data in code spans, no links."""
    if not records:
        return "No model is recorded yet.\n"
    rows = [_markdown_row(records[name]) for name in sorted(records)]
    return "\n".join(["| model | state | why | serving | loss | advice |", "|---|---|---|---|---|---|", *rows, ""])


def _markdown_row(record: Record) -> str:
    now, run = state_of(record), latest_run(record)
    loss = figure(run.last_loss) if run and run.last_loss is not None else "–"
    advice = cell(run.advice.because) if run and run.advice else "–"
    serving = cell(record.active.model) if record.active else "–"
    why = f"{now.reason}: {cell(now.message)}" if now.message else now.reason or "–"
    return f"| {cell(record.name)} | {now.word} | {why} | {serving} | {loss} | {advice} |"


def status_json(records: Mapping[str, Record]) -> JsonObject:
    """``{schemaVersion, models: […]}``, by name."""
    return {"schemaVersion": 1, "models": [_model(records[name]) for name in sorted(records)]}


def condition_json(condition: Condition) -> JsonObject:
    """``{type, status, reason, message}``."""
    return fields_of(condition, "type", "status", "reason", "message")


def score_json(score: Score | None) -> JsonObject | None:
    """``{metric, digest, right, asked, unanswered, cut, baseline, value}``; null where nothing was evaluated."""
    names = ("metric", "digest", "right", "asked", "unanswered", "cut", "baseline", "value")
    return None if score is None else fields_of(score, *names)


def _model(record: Record) -> JsonObject:
    latest = latest_run(record)
    return {
        **fields_of(record, "name", "provider"),
        "conditions": [condition_json(c) for c in record.conditions],
        **fields_of(record, "attempted", "applied"),
        "active": _slot(record.active),
        "pending": _slot(record.pending),
        "retired": [_slot(slot) for slot in record.retired],
        "runs": [_run(run) for run in record.runs],
        "advice": _advice(latest.advice) if latest else None,
        **fields_of(record, "prefix", "orphaned", "deletion_policy"),
    }


def _slot(slot: Slot | None) -> JsonObject | None:
    names = ("model", "fingerprint", "attempt", "state", "provider")
    return None if slot is None else {**fields_of(slot, *names), "doomed": slot.tombstone}


def _run(run: Run) -> JsonObject:
    return {
        **fields_of(run, "model", "fingerprint", "attempt", "base", "revision", "started", "ended", "outcome", "error"),
        **fields_of(run, "total_steps", "completed_steps"),
        "hyperparameters": {"written": _hyperparameters(run.written), "resolved": _hyperparameters(run.resolved)},
        "losses": [_loss(point) for point in run.losses],
        "divergedAt": run.diverged_at,
        "advice": _advice(run.advice),
        "score": score_json(run.score),
    }


def _hyperparameters(given: Hyperparameters) -> JsonObject:
    return fields_of(given, "epoch_count", "batch_size", "learning_rate", "learning_rate_multiplier")


def _loss(point: LossPoint) -> JsonObject:
    # JSON has no NaN: a run that diverged says null there.
    mean = point.mean_loss if math.isfinite(point.mean_loss) else None
    return {"step": point.step, "epoch": point.epoch, "meanLoss": mean, "time": point.time}


def _advice(advice: Advice | None) -> JsonObject | None:
    return None if advice is None else fields_of(advice, "epochs", "because")
