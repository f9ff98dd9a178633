"""Views to the pages people look at: HTML with every piece of data escaped, and nothing in it that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from controller.daemon.view import StatusView, hold_of
from controller.errors import Severity
from controller.plan.actions import Action, Hold, Nothing, Outcome
from controller.plan.evaluation import told
from controller.report.formatting import duration, fields_of, figure, short, terminal
from controller.report.model_state import StateWord, latest_run, state_of
from controller.report.phrases import permission, price, summary, training
from controller.state.observed import Progress
from controller.state.reasons import traits_of
from controller.state.recorded import Record, Run, RunOutcome

MOST_MODELS: Final = 200  # on one page; what needs a person comes first
_MOST_ACTIONS: Final = 50
_MOST_PROBLEMS: Final = 50
_ORDER: Final = {word: place for place, word in enumerate(StateWord)}


def _minute(time: str) -> str:
    """An RFC 3339 time without what is below a minute."""
    return terminal(time, 64)[:16].replace("T", " ")


_templates = Environment(
    loader=PackageLoader("controller.daemon.web", "page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {"line": terminal, "short": short, "figure": figure, "minute": _minute, "told": told}


@dataclass(frozen=True, slots=True)
class Card:
    """One model as the page shows it. ``share`` is progress in percent, None where nothing tunes."""

    record: Record
    word: StateWord
    reason: str
    message: str
    way_out: str
    run: Run | None
    share: int | None


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """One repository as the page of all shows it, with the number of its models by how they stand."""

    view: StatusView
    word: StateWord
    counts: Mapping[str, int]
    looked: str


def index_html(view: StatusView, now: datetime) -> str:
    """The page of all models, at most `MOST_MODELS` of them."""
    cards = [_card(record, view.outcomes) for record in view.records.values()]
    cards.sort(key=lambda card: (_ORDER[card.word], card.record.name))
    counts = {word: sum(card.word == word for card in cards) for word in StateWord}
    return _templates.get_template("index.html").render(
        view=view,
        cards=cards[:MOST_MODELS],
        left_out=max(0, len(cards) - MOST_MODELS),
        counts={str(word): count for word, count in counts.items() if count},
        plan=_plan(view),
        problems=[p for p in view.problems if p.severity is not Severity.ADVICE][:_MOST_PROBLEMS],
        looked=_ago(view.looked, now),
        passed=_ago(view.passed, now),
    )


def overview_html(views: Sequence[StatusView], now: datetime) -> str:
    """The page of several repositories, those that wait on a person first."""
    rows = sorted((_row_of(view, now) for view in views), key=lambda row: (_ORDER[row.word], row.view.name))
    return _templates.get_template("overview.html").render(view=StatusView(f"{len(views)} repositories"), rows=rows)


def _row_of(view: StatusView, now: datetime) -> RepositoryRow:
    words = [state_of(record).word for record in view.records.values()]
    counts = {str(word): words.count(word) for word in StateWord if word in words}
    worst = min(
        (word for word in words if word is not StateWord.ORPHANED), key=_ORDER.__getitem__, default=StateWord.READY
    )
    if not view.is_ready or view.failures:
        worst = StateWord.UNKNOWN if view.looked is None else StateWord.NOT_READY
    elif view.failure:
        worst = StateWord.STALLED  # a guard stands: a person has to look
    return RepositoryRow(view, worst, counts, _ago(view.looked, now))


def model_html(view: StatusView, name: str) -> str | None:
    """The page of one model: its runs, the newest first. None where the ledger knows no such name."""
    record = view.records.get(name)
    if record is None:
        return None
    card = _card(record, view.outcomes)
    return _templates.get_template("model.html").render(view=view, card=card, runs=tuple(reversed(record.runs)))


def _card(record: Record, outcomes: Iterable[Outcome]) -> Card:
    stands, run = state_of(record), latest_run(record)
    hold = next((o for o in outcomes if o.action.name == record.name and hold_of(o) is not None), None)
    reason = stands.reason or (str(hold_of(hold)) if hold else "")
    share = None
    if run is not None and run.outcome is RunOutcome.TUNING:
        share = int(100 * Progress(run.total_steps, run.completed_steps).share)
    return Card(record, stands.word, reason, stands.message, traits_of(reason).way_out, run, share)


def _plan(view: StatusView) -> Mapping[str, object] | None:
    if view.plan is None:
        return None
    actions = [action for action in view.plan.actions if not isinstance(action, Nothing)]
    return {
        "digest": view.plan.digest,
        "summary": summary(view.plan),
        "actions": [_row(action) for action in actions[:_MOST_ACTIONS]],
        "left_out": max(0, len(actions) - _MOST_ACTIONS),
        "guards": [{"message": guard.message, "allow": permission(guard)} for guard in view.plan.guards],
    }


def _row(action: Action) -> Mapping[str, object]:
    says = " · ".join(part for part in (training(action), price(action)) if part)
    return {
        **fields_of(action, "word", "name", "reason", "message"),
        "says": says,
        "way_out": action.reason.traits.way_out if isinstance(action, Hold) else "",
        "person": isinstance(action, Hold) and action.reason.traits.needs_person,
    }


def _ago(when: datetime | None, now: datetime) -> str:
    return f"{duration((now - when).total_seconds())} ago" if when else "never"
