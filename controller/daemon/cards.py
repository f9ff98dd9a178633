"""Records, their specs and a pass's outcomes to what a page says of each model, and which of them a reader wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from controller.daemon.view import StatusView, hold_of
from controller.engine.pace import remaining
from controller.ports import Landing
from controller.report.formatting import (
    amount,
    counted,
    duration,
    fields_of,
    figure,
    first_to_last,
    roughly,
    short,
    terminal,
)
from controller.report.model_state import STATE_LOOKS, StateSummary, StateWord, latest_run, state_of
from controller.report.phrases import currency
from controller.report.quality import figures, standing
from controller.state.desired import BaseModel, DesiredModel
from controller.state.identity import NAME, Hyperparameters
from controller.state.observed import Progress
from controller.state.reasons import traits_of
from controller.state.recorded import Record, Run, RunOutcome

ORDER: Final = {word: place for place, word in enumerate(StateWord)}
_LONGEST_WISH: Final = 200  # characters of a search, and of each filter
_HOSTS: Final = {  # where each of them shows a commit
    "github.com": "commit",
    "gitlab.com": "-/commit",
    "codeberg.org": "commit",
    "bitbucket.org": "commits",
}
_DAY: Final = 86_400
_SHORTEST_ID: Final = 4  # digits of a commit or digest that are looked for


@dataclass(frozen=True, slots=True)
class CommitLine:
    """The commit that asked for a run. All but ``revision`` are "" where they are not known."""

    revision: str
    subject: str = ""
    author: str = ""
    age: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """One model with all that is looked through when models are counted, sorted and searched.

    ``spec`` is None where git asks for none or no pass has read it; ``landing`` is the commit that asked for its run.
    """

    record: Record
    stands: StateSummary
    reason: str
    run: Run | None
    spec: DesiredModel | None
    landing: Landing | None

    @property
    def provider(self) -> str:
        """The key of its provider, fit to show."""
        return terminal(self.record.provider)

    @property
    def labels(self) -> tuple[str, ...]:
        """``key=value``, fit to show."""
        return tuple(terminal(f"{key}={value}") for key, value in self.spec.labels.items()) if self.spec else ()

    @property
    def revision(self) -> str:
        """The commit that asked for its run, else the one that was applied last; "" where there is none."""
        return (self.run.revision if self.run is not None else "") or self.record.applied

    @property
    def base(self) -> str:
        """The base model of its run, else that of its spec; "" where that is another spec's."""
        if self.run is not None:
            return self.run.base
        return self.spec.base.name if self.spec is not None and isinstance(self.spec.base, BaseModel) else ""

    def has(self, words: Sequence[str]) -> bool:
        """Whether a search for these lower-case words finds it: in what is said of it, or as the start of an id."""
        text = self._text
        return all(word in text or self._is_id(word) for word in words)

    @property
    def _text(self) -> str:
        there, landing = self.record, self.landing or Landing("", "")
        said = (there.name, there.display_name, self.stands.word, self.reason, there.provider, self.base, *self.labels)
        places = (slot.model for slot in there.slots)
        data = self.spec.dataset.path if self.spec is not None else ""
        return "\n".join((*said, *places, data, landing.message, landing.author)).lower()

    def _is_id(self, word: str) -> bool:
        """Whether the commit, the data or the inputs of its run begin so."""
        ids = (self.run.dataset_digest, self.run.fingerprint) if self.run is not None else ()
        return len(word) >= _SHORTEST_ID and any(one.startswith(word) for one in (self.revision, *ids))


@dataclass(frozen=True, slots=True)
class Card:
    """One model as the page shows it.

    ``share`` is progress in percent and ``left`` how long the rest may take, None and "" where nothing tunes or that
    is not known. ``scores`` are the score, the bar and what they compare with, in words, ``unscored`` why there is no
    score. ``labels`` are ``key=value``, fit to show; ``curve`` tells what the picture of the losses shows.
    """

    record: Record
    word: StateWord
    reason: str
    message: str
    way_out: str
    run: Run | None
    share: int | None
    left: str = ""
    provider: str = ""
    base: str = ""
    scores: tuple[str, ...] = ()
    unscored: str = ""
    commit: CommitLine | None = None
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    dataset: tuple[str, ...] = ()
    cost: str = ""
    labels: tuple[str, ...] = ()
    curve: str = ""

    @property
    def words(self) -> str:
        """What its state means."""
        return STATE_LOOKS[self.word].words


@dataclass(frozen=True, slots=True)
class CardFilter:
    """What a reader wants to see: words that a model has to have, its state, its provider, a label ``key=value``."""

    q: str = ""
    state: str = ""
    provider: str = ""
    label: str = ""

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> CardFilter:
        """What the query of an address asks for; what it says else is left out."""
        return cls(**{one.name: query.get(one.name, "")[:_LONGEST_WISH].strip() for one in fields(cls)})

    def fits(self, row: CardFacts) -> bool:
        """Whether a model is what is wanted."""
        if self.state and self.state != row.stands.word:
            return False
        if self.provider and self.provider != row.provider:
            return False
        if self.label and self.label not in row.labels:
            return False
        return row.has(self.q.lower().split()) if self.q else True

    def query(self, **changes: str) -> str:
        """The same as the query of an address, with these changes; "" where nothing is asked."""
        said = {one.name: changes.get(one.name, getattr(self, one.name)) for one in fields(self)}
        written = urlencode({key: value for key, value in said.items() if value})
        return f"?{written}" if written else ""

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any((self.q, self.state, self.provider, self.label))


def rows_of(view: StatusView) -> list[CardFacts]:
    """Every model of a repository, those that need a person first."""
    held = _held(view)
    rows = [_row(record, view, held) for record in view.records.values()]
    return sorted(rows, key=lambda row: (ORDER[row.stands.word], row.record.name))


def row_of(record: Record, view: StatusView) -> CardFacts:
    """One model."""
    return _row(record, view, _held(view))


def _row(record: Record, view: StatusView, held: Mapping[str, str]) -> CardFacts:
    stands, run = state_of(record), latest_run(record)
    spec = view.world.spec(record.name) if view.world is not None else None
    row = CardFacts(record, stands, stands.reason or held.get(record.name, ""), run, spec, None)
    return replace(row, landing=view.commits.get(row.revision))


def _held(view: StatusView) -> Mapping[str, str]:
    """By name, why it is held: the first reason that the pass gave."""
    found: dict[str, str] = {}
    for outcome in view.outcomes:
        if (reason := hold_of(outcome)) is not None:
            found.setdefault(outcome.action.name, str(reason))
    return found


def card_of(row: CardFacts, view: StatusView, now: datetime) -> Card:
    """What a page says of one model."""
    record, run, spec = row.record, row.run, row.spec
    tunes = run is not None and run.outcome is RunOutcome.TUNING
    rest = remaining(run) if run is not None else None
    return Card(
        record=record,
        word=row.stands.word,
        reason=row.reason,
        message=row.stands.message,
        way_out=_way_out(row.reason, record.name),
        run=run,
        share=int(100 * Progress(run.total_steps, run.completed_steps).share) if run is not None and tunes else None,
        left=roughly(rest) if rest is not None else "",
        provider=row.provider,
        base=row.base,
        scores=tuple(figures(standing(record, spec.evaluation if spec else None), str)),
        unscored=_unscored(run, spec),
        commit=_commit(row, view.remote, now) if row.revision else None,
        hyperparameters=_hyperparameters(run, spec),
        dataset=tuple(_dataset(run, spec)),
        cost=_cost(run, record, view),
        labels=row.labels,
        curve=_told_curve(run) if run is not None and run.losses else "",
    )


def _way_out(reason: str, name: str) -> str:
    """What a person can do, with the commands as they are to be typed."""
    said = traits_of(reason).way_out
    return re.sub(r"(?<=[ :])NAME\b", name, said) if NAME.fullmatch(name) else said


def _unscored(run: Run | None, spec: DesiredModel | None) -> str:
    """Why there is no score; "" where there is one, or nothing can be said."""
    if run is None or run.score is not None or spec is None:
        return ""
    if spec.evaluation is None:
        return "not evaluated: the spec asks for no evaluation"
    return "not scored yet"


def _commit(row: CardFacts, remote: str, now: datetime) -> CommitLine:
    host, _, path = remote.partition("/")
    known = host in _HOSTS and row.revision.isalnum()
    link = f"https://{host}/{path}/{_HOSTS[host]}/{row.revision}" if known else ""
    if row.landing is None:
        return CommitLine(row.revision, link=link)
    author = row.landing.author.rpartition(" <")[0] or row.landing.author
    return CommitLine(row.revision, row.landing.message, author, _age(row.landing.at, now), link)


def _age(time: str, now: datetime) -> str:
    """``3 d ago``, ``2 h 07 min ago``; "" of a time that cannot be read."""
    try:
        seconds = (now - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f"{int(seconds // _DAY)} d ago" if seconds >= 2 * _DAY else f"{duration(seconds)} ago"


def _hyperparameters(run: Run | None, spec: DesiredModel | None) -> Mapping[str, str]:
    """As the provider resolved them, else as they were written."""
    none = Hyperparameters()
    choices = (run.resolved, run.written) if run is not None else (spec.hyperparameters,) if spec is not None else ()
    known = next((chosen for chosen in choices if chosen != none), none)
    said = fields_of(known, *(one.name for one in fields(known)))
    return {
        name: figure(value) if isinstance(value, float) else str(value)
        for name, value in said.items()
        if value is not None
    }


def _dataset(run: Run | None, spec: DesiredModel | None) -> Iterator[str]:
    """Where it lies, how many rows it has, and what it is known by."""
    if spec is not None:
        yield spec.dataset.path
        yield counted(spec.dataset.count, "row")
    digest = run.dataset_digest if run is not None else spec.dataset.digest if spec is not None else ""
    if digest:
        yield short(digest)
    if run is not None and spec is not None and digest and digest != spec.dataset.digest:
        yield "changed since this run"


def _cost(run: Run | None, record: Record, view: StatusView) -> str:
    if run is None:
        return ""
    if run.cost is not None:
        return f"at most {amount(run.cost)} {currency(view.currency)}".strip()
    return "free" if record.provider in view.free else "not known"


def _told_curve(run: Run) -> str:
    """What the picture of a curve shows, for those who do not see it."""
    return f"{first_to_last(run)} over {counted(run.completed_steps or run.losses[-1].step, 'step')}"


def labels_of(rows: Sequence[CardFacts]) -> list[str]:
    """Every label that a model has, once, ``key=value``."""
    return sorted({label for row in rows for label in row.labels})
