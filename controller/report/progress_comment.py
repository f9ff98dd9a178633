"""A merged pull request's records to the comment that tells how its tuning went, turning point by turning point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.plan.evaluation import told
from controller.plan.grants import is_removal_of, is_run_of, payments
from controller.report.charts import epoch_means
from controller.report.formatting import amount, cell, code, counted, figure, html_name, share, short
from controller.report.model_state import STATE_LOOKS, StateWord, latest_run, state_of
from controller.report.phrases import currency, within
from controller.report.quality import Quality, figures, standing
from controller.state.desired import Evaluation
from controller.state.observed import LossPoint
from controller.state.reasons import Reason, traits_of
from controller.state.recorded import Record, Run, RunOutcome
from controller.state.reviews import Decision

_CHART_POINTS = 40
_TOLD = 3  # so many commands or models are named in one sentence
_TOP = "| | model | state | quality | result |\n|---|---|---|---|---|\n"
_SETTLED = frozenset({StateWord.READY, StateWord.STALLED, StateWord.ORPHANED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What pull request ``pull`` merged and what became of it.

    ``refusal`` says why nothing at all was applied, "" where something was. ``refused`` are the models that were not
    reviewed as they are, each with the reason. ``curves_url`` is the folder of
    the loss curves on the ledger's branch as the code host shows it, "" where unknown. ``asked`` are the evaluations
    that the specs ask for, ``currency`` is what the costs of runs are in ("" where that is not known), ``allow`` the
    words that let pass the guards which refused the plan, ``is_held_up`` whether something else than the plan did.
    """

    pull: int
    commit: str
    names: Sequence[str]
    records: Mapping[str, Record]
    refused: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    curves_url: str = ""
    asked: Mapping[str, Evaluation] = field(default_factory=dict)
    currency: str = ""
    allow: tuple[str, ...] = ()
    is_held_up: bool = False


def is_settled(story: Story) -> bool:
    """Whether nothing more will happen by itself."""
    return all(_settled(story, name) for name in story.names)


def _settled(story: Story, name: str) -> bool:
    """At an end, gone from the record after a pass, or told to stand still."""
    record = story.records.get(name)
    return record is None or _word(story, name) in _SETTLED or state_of(record).reason == Reason.SUSPENDED


def progress_comment(story: Story, limit: int) -> str:
    """A text of at most ``limit`` bytes; it changes only where a model reaches another state, never with progress."""
    head = "\n".join([*_head(story), ""])
    rows = "".join(_row(story, name) for name in story.names)
    foot = _foot(story)
    body = f"{head}{_TOP}{rows}\n"
    for name in story.names:
        part = "".join(f"{line}\n" for line in _details(story, name))
        if part and len(f"{body}{part}{foot}".encode()) <= limit:
            body += part
    whole = f"{body}{foot}"
    return whole if len(whole.encode()) <= limit else _cut(head, story, foot, limit)


def _cut(head: str, story: Story, foot: str, limit: int) -> str:
    """Rows without results, as many as fit: only hundreds of models come to this."""
    body = f"{head}| | model | state |\n|---|---|---|\n"
    words = [(name, _word(story, name)) for name in story.names]
    rows = [f"| {STATE_LOOKS[word].sign} | {cell(name, 40)} | {word} |\n" for name, word in words]
    kept, hidden = within(rows, limit - 200 - len(f"{body}{foot}".encode()), lambda row: len(row.encode()))
    more = f"\n_{counted(hidden, 'more model')}: `gitune status` shows all._\n" if hidden else ""
    return "".join([body, *kept, more, foot])


def _head(story: Story) -> Iterator[str]:
    yield f"### {_title(story)}"
    yield ""
    yield " · ".join(_first_line(story))
    yield ""
    if story.refusal:
        yield f"> ⛔ {code(story.refusal, 1000)}"
        yield ""
    for name, why in sorted(story.refused.items()):
        yield f"> ⛔ {code(name)}: {code(why, 500)}"
        yield ""
    if story.refusal or story.refused:
        yield "> Nothing was paid for these."
        yield ""


def _first_line(story: Story) -> Iterator[str]:
    """How the models stand, what their runs cost, and how good they are."""
    words = [_word(story, name) for name in story.names]
    counts = [f"{words.count(word)} {str(word).lower()}" for word in StateWord if word in words]
    yield f"**{', '.join(counts) or 'No model'}**"
    if (costs := list(_costs(story))) and story.currency:
        yield f"costs up to {amount(sum(costs))} {currency(story.currency)}"
    scored = [name for name in story.names if _quality(story, name).metric]
    if len(scored) == 1:
        whose = f"{cell(scored[0], 60)} " if len(story.names) > 1 else ""
        yield f"{whose}{', '.join(_grades(story, scored[0]))}"
    elif scored:
        reached = sum(_reaches(_quality(story, name)) for name in scored)
        yield f"{reached} of {len(scored)} evaluated models reach their bar"


def _costs(story: Story) -> Iterator[float]:
    """The highest that each run may come to which this pull request has paid for."""
    for name in story.names:
        record, run = story.records.get(name), _run_of(story, name)
        if record is None or run is None or run.cost is None:
            continue
        if any(review.pull == story.pull for review in payments(record, run)):
            yield run.cost


def _run_of(story: Story, name: str) -> Run | None:
    """The run that this pull request is about; none of a model that was refused."""
    record = story.records.get(name)
    return latest_run(record) if record is not None and name not in story.refused else None


def _quality(story: Story, name: str) -> Quality:
    """The newest run beside the one that serves, or that served before it."""
    record = story.records.get(name) if name not in story.refused else None
    return standing(record, story.asked.get(name)) if record is not None else Quality()


def _grades(story: Story, name: str) -> Iterator[str]:
    return figures(_quality(story, name), lambda text: cell(text, 40))


def _reaches(quality: Quality) -> bool:
    return quality.score is not None and quality.score.value >= (quality.bar or 0.0)


def _foot(story: Story) -> str:
    *others, last = list(_next_steps(story)) or [_rest(story)]
    steps = "".join(f"- {step}\n" for step in (*others, f"{last} `/gitune help` lists all commands."))
    return f"\n<sub>applied at {code(short(story.commit))}</sub>\n\n**Next**\n\n{steps}"


def _next_steps(story: Story) -> Iterator[str]:
    """What a person can do or say now: only what works in this state."""
    if story.refusal or story.refused:
        yield _order(story)
    yield from _ways_out(story)
    if cancels := [code(f"/gitune cancel {name}", 100) for name in story.names if _can_be_stopped(story, name)]:
        yield f"{_some(cancels)} stops a run; what it has cost is not given back."
    deletes = [code(f"/gitune approve-delete {name}", 100) for name in story.names if _can_be_deleted(story, name)]
    if deletes:
        yield f"{_some(deletes)} ends the grace period: the next apply deletes the model for good."


def _rest(story: Story) -> str:
    return "Nothing is left to do." if is_settled(story) else "Nothing has to be done: this comment tells how it ends."


def _order(story: Story) -> str:
    """The command that applies what was refused."""
    said = code(" ".join(("/gitune apply", *story.allow)), 2000)
    first = "Once that is fixed, somebody" if story.is_held_up else "Somebody"
    return f"{first} who may write says {said}: it applies what this pull request asks for as it is now."


def _some(commands: Sequence[str]) -> str:
    """The first few, and that there are more."""
    more = f" (and so on for {len(commands) - _TOLD:,} more)" if len(commands) > _TOLD else ""
    return f"{', '.join(commands[:_TOLD])}{more}"


def _ways_out(story: Story) -> Iterator[str]:
    """What ends the stalled models, a reason once."""
    held: dict[str, list[str]] = {}
    for name, record in story.records.items():
        if name in story.names and name not in story.refused and _word(story, name) is StateWord.STALLED:
            held.setdefault(state_of(record).reason, []).append(name)
    for reason, names in list(held.items())[:_TOLD]:
        if way_out := traits_of(reason).way_out:
            yield f"{_some([cell(name, 60) for name in names])}: {way_out}"


def _can_be_stopped(story: Story, name: str) -> bool:
    record = story.records.get(name)
    if record is None or record.pending is None or not is_run_of(record, story.pull):
        return False
    run = record.run(record.pending.model)
    return run is not None and run.outcome is RunOutcome.TUNING


def _can_be_deleted(story: Story, name: str) -> bool:
    record = story.records.get(name)
    marked = record is not None and any(slot.tombstone for slot in record.slots) and not record.delete_approved
    return marked and record is not None and is_removal_of(record, story.pull)


def _title(story: Story) -> str:
    if story.refusal or story.refused:
        return "Gitune did not apply this"
    words = [_word(story, name) for name in story.names]
    if any(word is StateWord.STALLED for word in words):
        return "Gitune: a model waits on a person"
    if is_settled(story):
        return "Gitune: all is as merged"
    return "Gitune is tuning"


def _word(story: Story, name: str) -> StateWord:
    if name in story.refused:
        return StateWord.STALLED
    record = story.records.get(name)
    return state_of(record).word if record else StateWord.UNKNOWN


def _row(story: Story, name: str) -> str:
    word, record = _word(story, name), story.records.get(name)
    grades = ", ".join(_grades(story, name)) or "–"
    return f"| {STATE_LOOKS[word].sign} | {cell(name, 60)} | {word} | {grades} | {_result(record) or '–'} |\n"


def _result(record: Record | None) -> str:
    if record is None:
        return ""
    stands, run = state_of(record), latest_run(record)
    if stands.word is StateWord.READY and run is not None:
        return ", ".join(_facts(run))
    if stands.word is StateWord.RECONCILING:
        return f"{stands.reason}"
    return f"{stands.reason}: {cell(stands.message, 200)}" if stands.message else stands.reason


def _facts(run: Run) -> Iterator[str]:
    if run.last_loss is not None and run.outcome is not RunOutcome.TUNING:
        yield f"final loss {figure(run.last_loss)}"
    if run.advice is not None and run.advice.epochs is not None:
        yield f"{counted(run.advice.epochs, 'epoch')} advised"


def _details(story: Story, name: str) -> Iterator[str]:
    record = story.records.get(name)
    run = latest_run(record) if record else None
    granted = _granted(record, story.pull) if record else ""
    if record is None or run is None or run.outcome is RunOutcome.TUNING:
        return
    yield f"<details><summary>{STATE_LOOKS[_word(story, name)].sign} <code>{html_name(name)}</code></summary>"
    yield ""
    if granted:
        yield f"- granted: {granted}"
    if record.active:
        yield f"- serves: {code(record.active.model)}"
    yield f"- run: {code(run.model)}, {run.outcome}, inputs {code(short(run.fingerprint))}, attempt {run.attempt}"
    if run.error:
        yield f"- the provider says: {code(run.error, 300)}"
    if run.score is not None:
        yield f"- evaluation: {share(run.score.value)} {code(run.score.metric, 40)} ({told(run.score)})"
    if run.advice is not None:
        yield f"- advice: {code(run.advice.because, 400)}"
    stands = state_of(record)
    if stands.message:
        yield f"- {stands.reason}: {code(stands.message, 400)}"
    if story.curves_url and run.losses:
        yield f"- [loss curve]({story.curves_url}/{html_name(name)}.svg)"
    yield ""
    yield from loss_chart(run)
    yield "</details>"


def _granted(record: Record, pull: int) -> str:
    """Who let it be paid for, and when: the last grant of this pull request."""
    grants = [r for r in record.reviews if r.verdict is Decision.GRANTED and r.pull == pull]
    if not grants:
        return ""
    last = grants[-1]
    by = f" by {code(last.by, 100)}" if last.by else ""
    return f"{code(last.why, 200)}{by}, {code(last.at, 40)}"


def loss_chart(run: Run) -> Iterator[str]:
    """The loss by epoch as a Mermaid chart, which GitHub draws itself; nothing where there are fewer than two."""
    points = [p for p in epoch_means(run.losses, run.epochs) if math.isfinite(p.mean_loss)]
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return
    shown = _thin(points)
    top = max(p.mean_loss for p in shown)
    yield "```mermaid"
    yield "---"
    yield "config:"
    yield "  themeVariables:"
    yield "    xyChart:"
    yield '      plotColorPalette: "#1f77b4"'
    yield "---"
    yield "xychart-beta"
    yield '  title "mean loss by epoch"'
    yield f'  x-axis "epoch" [{", ".join(str(p.epoch) for p in shown)}]'
    yield f'  y-axis "loss" 0 --> {_decimal(top * 1.05 or 1.0)}'
    yield f"  line [{', '.join(_decimal(p.mean_loss) for p in shown)}]"
    yield "```"
    yield ""


def _thin(points: Sequence[LossPoint]) -> Sequence[LossPoint]:
    step = math.ceil(len(points) / _CHART_POINTS)
    return points if step == 1 else [*points[:-1:step], points[-1]]


def _decimal(value: float) -> str:
    """Mermaid reads no exponents."""
    return f"{value:.6f}".rstrip("0").rstrip(".") or "0"
