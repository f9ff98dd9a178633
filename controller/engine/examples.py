"""A spec and its tree to its datasets: read at the same commit, checked, every problem with its place."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cachetools import LRUCache

from controller import dataset
from controller.dataset import Layout, Loaded, Rules
from controller.engine.files import Files, KnownContent, pinned
from controller.errors import Problem, Severity, Unreadable
from controller.ports import Facts
from controller.source.paths import NOT_THERE_HINT, resolve
from controller.specs.data_uri import DataPin
from controller.specs.loaded import LoadedSpec
from controller.specs.models import DatasetFileSection
from controller.state.desired import Dataset, Evaluation
from controller.state.identity import Hyperparameters
from controller.state.reasons import Reason

DATASET_LIMIT: Final = 2 << 30  # bytes; what has to be in memory whole has a lower one
_KEPT_BYTES: Final = 16 << 20  # of what is known of files that several specs may name
_SUMMARY: Final = 2000  # bytes, about
_ROW: Final = 100  # bytes of a row that others are held against, about


@dataclass(frozen=True, slots=True)
class Examples:
    """What a spec's files hold. ``training`` is None where they cannot be used; then ``reason`` says why."""

    training: Dataset | None
    evaluation: Evaluation | None
    problems: tuple[Problem, ...]
    reason: Reason = Reason.INVALID_DATASET


@dataclass(frozen=True, slots=True)
class _Load:
    """What the rows of a file came to, in about so many bytes."""

    rows: Loaded
    bytes: int


class _Key(NamedTuple):
    """What the rows of a file rest on; ``apart`` stands for the set they are to be apart from."""

    path: str
    content: str
    layout: Layout
    told: tuple[Hashable, ...]
    apart: _Key | None


Loads = LRUCache[_Key, _Load]


def recent_loads() -> Loads:
    """The files read lately, whoever names them."""
    return LRUCache(_KEPT_BYTES, getsizeof=lambda load: load.bytes)


def hold_sets(spec: LoadedSpec, files: Files) -> tuple[KnownContent | Unreadable, ...]:
    """The files of a spec's datasets, that of its training set last, each as far as it is known without reading it."""
    return tuple(_hold(spec, where, files) for where in spec.datasets)


def read_examples(
    spec: LoadedSpec, held: Sequence[KnownContent | Unreadable], files: Files, facts: Facts, loads: Loads
) -> Examples:
    """The training and evaluation sets of one spec, as they are sent."""
    return _examples(spec, dict(zip(_asked(spec), held, strict=True)), _Loading(files, loads), facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One dataset of a spec: what the spec says of it, and where."""

    spec: LoadedSpec
    file: DatasetFileSection
    where: tuple[str, ...]

    @property
    def layout(self) -> Layout:
        """Evaluation rows are asked as callers ask: with the prefix and the system message that were trained in."""
        file, training = self.file, self.spec.model.spec.dataset
        return Layout(
            format=file.format,
            columns_input=file.columns.input,
            columns_output=file.columns.output,
            prefix=training.prefix,
            shape=file.shape,
            delimiter=file.delimiter or "",
            sheet=file.sheet or "",
            system=training.system,
            learn=training.learn,
        )

    def problem(self, error: Unreadable) -> Problem:
        """Why its file cannot be read, at the place that names it; what nobody looked at is not wrong by that."""
        place = self.spec.spot((*self.where, "path" if self.file.uri is None else "uri"))
        severity = Severity.WARNING if error.unseen else Severity.ERROR
        return place.problem(error.code, error.message, error.hint, severity)


def _asked(spec: LoadedSpec) -> tuple[_Asked, ...]:
    """The training set, last; before it the evaluation set, where there is one."""
    said = spec.model.spec
    training = _Asked(spec, said.dataset, ("spec", "dataset"))
    if said.evaluation is None:
        return (training,)
    return _Asked(spec, said.evaluation.dataset, ("spec", "evaluation", "dataset")), training


def _hold(spec: LoadedSpec, where: str | DataPin, files: Files) -> KnownContent | Unreadable:
    if isinstance(where, DataPin):
        return pinned(where)
    try:
        return files.hold(resolve(spec.file, where), DATASET_LIMIT)
    except Unreadable as error:
        if error.meant and error.meant in _resolved(spec):  # training on what it is judged by is never meant
            error.hint = NOT_THERE_HINT
        return error


def _resolved(spec: LoadedSpec) -> list[str]:
    """The paths of the spec's sets, as far as they can be resolved."""
    paths = []
    for path in spec.datasets:
        with contextlib.suppress(Unreadable):
            paths += [] if isinstance(path, DataPin) else [resolve(spec.file, path)]
    return paths


def _examples(
    spec: LoadedSpec, held: Mapping[_Asked, KnownContent | Unreadable], loading: _Loading, facts: Facts
) -> Examples:
    said = spec.model.spec
    asked = said.evaluation
    *examinations, training_set = held.items()
    rows, apart = None, None
    problems: list[Problem] = []
    try:
        for one, file in examinations:
            rules = Rules(facts.examples, said.task_type, is_evaluation=True)
            rows, apart = loading.load(one, file, rules, None)
            problems += rows.problems
        rules = Rules(facts.examples, said.task_type, rows.tally if rows else None)
        training, _ = loading.load(*training_set, rules, apart)
    except _NotRead as error:
        return Examples(None, None, (*problems, error.problem), Reason.DATASET_UNREACHABLE)
    problems += (*training.problems, *_advice(spec, training, facts))
    if asked is None or rows is None or rows.dataset is None:
        usable = training.dataset if asked is None else None
        return Examples(usable, None, tuple(problems))
    return Examples(training.dataset, Evaluation(rows.dataset, asked.metric, asked.min_score), tuple(problems))


class _NotRead(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Loading:
    """Files to rows, each file in each of its readings once."""

    files: Files
    loads: Loads

    def load(
        self, asked: _Asked, held: KnownContent | Unreadable, rules: Rules, apart: _Key | None
    ) -> tuple[Loaded, _Key]:
        """The rows, and what stands for them. ``apart`` stands for the set in ``rules`` they are to be apart from."""
        try:
            if isinstance(held, Unreadable):
                raise held
            layout = asked.layout
            told = (rules.limits, rules.task_type, rules.is_evaluation)
            key = _Key(held.path, held.content, layout, told, apart)
            found = self.loads.get(key)
            if found is None:
                rows = dataset.load(self.files.data(held, DATASET_LIMIT), held.path, layout, rules)
                found = _Load(rows, _SUMMARY + (_ROW * rows.count if rows.tally else 0))
                if found.bytes <= _KEPT_BYTES:
                    self.loads[key] = found
        except Unreadable as error:
            raise _NotRead(asked.problem(error)) from error
        return found.rows, key


def _advice(spec: LoadedSpec, training: Loaded, facts: Facts) -> list[Problem]:
    said = spec.model.spec
    given = hyperparameters(spec)
    found = dataset.advise_hyperparameters(training.count, given, said.task_type, facts.start)
    return [
        spec.spot(("spec", "hyperparameters", one.field)).problem(one.code, one.message, one.hint, one.severity)
        for one in found
    ]


def hyperparameters(spec: LoadedSpec) -> Hyperparameters:
    """The hyperparameters as the spec writes them."""
    said = spec.model.spec.hyperparameters
    return Hyperparameters(said.epoch_count, said.batch_size, said.learning_rate, said.learning_rate_multiplier)
