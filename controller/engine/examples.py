"""A spec and its tree to its datasets: read at the same commit, checked, every problem with its place."""

from __future__ import annotations

from dataclasses import dataclass

from controller import dataset
from controller.conditions import Reason
from controller.dataset import Layout, Loaded, Rules
from controller.errors import Problem, Unreadable
from controller.ports import Capabilities, Tree
from controller.source.paths import resolve
from controller.specs.loaded import LoadedSpec
from controller.specs.models import DatasetFile
from controller.state.desired import Dataset, Evaluation
from controller.state.identity import Hyperparameters

DATASET_LIMIT = 256 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Examples:
    """What a spec's files hold. ``training`` is None where they cannot be used; then ``reason`` says why."""

    training: Dataset | None
    evaluation: Evaluation | None
    problems: tuple[Problem, ...]
    reason: Reason = Reason.INVALID_DATASET


async def read_examples(spec: LoadedSpec, tree: Tree, capabilities: Capabilities) -> Examples:
    """The training and evaluation sets of one spec, as they are sent."""
    said = spec.model.spec
    asked = said.evaluation
    rows = None
    problems: list[Problem] = []
    try:
        if asked is not None:
            examination = _Asked(spec, asked.dataset, ("spec", "evaluation", "dataset"))
            rows = await _load(examination, tree, Rules(said.task_type, is_evaluation=True))
            problems += rows.problems
        rules = Rules(said.task_type, capabilities.inline_bytes, rows.read if rows else None)
        training = await _load(_Asked(spec, said.dataset, ("spec", "dataset")), tree, rules)
    except _NotRead as error:
        return Examples(None, None, (*problems, error.problem), Reason.DATASET_UNREACHABLE)
    problems += (*training.problems, *_advice(spec, training))
    if asked is None or rows is None or rows.dataset is None:
        usable = training.dataset if asked is None else None
        return Examples(usable, None, tuple(problems))
    return Examples(training.dataset, Evaluation(rows.dataset, asked.metric, asked.min_score), tuple(problems))


class _NotRead(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Asked:
    """One dataset of a spec: what the spec says of it, and where."""

    spec: LoadedSpec
    file: DatasetFile
    where: tuple[str, ...]


async def _load(asked: _Asked, tree: Tree, rules: Rules) -> Loaded:
    spec, file = asked.spec, asked.file
    place = spec.spot((*asked.where, "path"))
    try:
        path = resolve(spec.file, file.path or "")
        data = await tree.read(path, DATASET_LIMIT)
    except Unreadable as error:
        problem = Problem(place.file, place.line, place.column, error.code, error.message, hint=error.hint)
        raise _NotRead(problem) from error
    # Evaluation rows are asked as callers ask: with the prefix that was trained in.
    prefix = spec.model.spec.dataset.prefix
    layout = Layout(file.format, file.columns.input, file.columns.output, prefix)
    return dataset.load(data, path, layout, rules)


def _advice(spec: LoadedSpec, training: Loaded) -> list[Problem]:
    said = spec.model.spec
    given = hyperparameters(spec)
    found = dataset.advise_hyperparameters(len(training.read.rows), given, said.task_type)
    problems = []
    for advice in found:
        place = spec.spot(("spec", "hyperparameters", advice.field))
        problems.append(
            Problem(place.file, place.line, place.column, advice.code, advice.message, advice.severity, advice.hint)
        )
    return problems


def hyperparameters(spec: LoadedSpec) -> Hyperparameters:
    """The hyperparameters as the spec writes them."""
    said = spec.model.spec.hyperparameters
    return Hyperparameters(said.epoch_count, said.batch_size, said.learning_rate, said.learning_rate_multiplier)
