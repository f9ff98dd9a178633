"""Views to the pages people look at: HTML with every piece of data escaped, and nothing in it that runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from controller.daemon.cards import ORDER, CardFilter, card_of, labels_of, row_of, rows_of
from controller.daemon.view import StatusView
from controller.errors import Severity
from controller.plan.actions import Action, Hold, Nothing
from controller.plan.evaluation import told
from controller.report.formatting import duration, fields_of, figure, short, terminal
from controller.report.model_state import StateWord, state_of
from controller.report.phrases import budget, permission, price, summary, training
from controller.report.quality import figures, quality_of
from controller.state.recorded import Run

MOST_MODELS: Final = 200  # on one page; what needs a person comes first
_MOST_ACTIONS: Final = 50
_MOST_PROBLEMS: Final = 50
_MOST_CHOICES: Final = 200  # of a filter
_EVERYTHING: Final = CardFilter()


def _minute(time: str) -> str:
    """An RFC 3339 time without what is below a minute."""
    return terminal(time, 64)[:16].replace("T", " ")


def _scores(run: Run) -> str:
    """``0.94 exactMatch, most frequent answer 0.33``; "" of a run without a score."""
    return ", ".join(figures(quality_of(run, None, None), str))


_templates = Environment(
    loader=PackageLoader("controller.daemon.web", "page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "line": terminal,
    "short": short,
    "figure": figure,
    "minute": _minute,
    "told": told,
    "scores": _scores,
}


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """One repository as the page of all shows it, with the number of its models by how they stand."""

    view: StatusView
    word: StateWord
    counts: Mapping[str, int]
    looked: str


def index_html(view: StatusView, now: datetime, wish: CardFilter = _EVERYTHING) -> str:
    """The page of the models that are wanted, at most `MOST_MODELS` of them."""
    rows = rows_of(view)
    found = [row for row in rows if wish.fits(row)] if wish else rows
    counts = Counter(row.stands.word for row in rows)
    return _templates.get_template("index.html").render(
        view=view,
        wish=wish,
        cards=[card_of(row, view, now) for row in found[:MOST_MODELS]],
        found=len(found),
        total=len(rows),
        left_out=max(0, len(found) - MOST_MODELS),
        counts={word: counts[word] for word in StateWord if counts[word]},
        providers=sorted({row.provider for row in rows})[:_MOST_CHOICES],
        labels=labels_of(rows)[:_MOST_CHOICES],
        plan=_plan(view),
        budget=budget(view.budget) if view.budget is not None else "",
        problems=[p for p in view.problems if p.severity is not Severity.ADVICE][:_MOST_PROBLEMS],
        looked=_ago(view.looked, now),
        passed=_ago(view.passed, now),
    )


def overview_html(views: Sequence[StatusView], now: datetime) -> str:
    """The page of several repositories, those that wait on a person first."""
    rows = sorted((_row_of(view, now) for view in views), key=lambda row: (ORDER[row.word], row.view.name))
    return _templates.get_template("overview.html").render(view=StatusView(f"{len(views)} repositories"), rows=rows)


def _row_of(view: StatusView, now: datetime) -> RepositoryRow:
    words = [state_of(record).word for record in view.records.values()]
    counts = {str(word): words.count(word) for word in StateWord if word in words}
    worst = min(
        (word for word in words if word is not StateWord.ORPHANED), key=ORDER.__getitem__, default=StateWord.READY
    )
    if not view.is_ready or view.failures:
        worst = StateWord.UNKNOWN if view.looked is None else StateWord.NOT_READY
    elif view.failure:
        worst = StateWord.STALLED  # a guard stands: a person has to look
    return RepositoryRow(view, worst, counts, _ago(view.looked, now))


def model_html(view: StatusView, name: str, now: datetime) -> str | None:
    """The page of one model: its runs, the newest first. None where the ledger knows no such name."""
    record = view.records.get(name)
    if record is None:
        return None
    card = card_of(row_of(record, view), view, now)
    runs = tuple(reversed(record.runs))
    return _templates.get_template("model.html").render(view=view, card=card, wish=_EVERYTHING, runs=runs)


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
