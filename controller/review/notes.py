"""The head's and the base's previews to what a reviewer wants beside each action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controller import dataset
from controller.engine.pace import pace
from controller.engine.reconcile import Preview
from controller.errors import Problem
from controller.plan.actions import Action, Nothing, Plan, Tune
from controller.plan.world import World
from controller.report.phrases import estimate
from controller.report.plan_comment import DataNote, Note, Seconds
from controller.report.quality import quality_of
from controller.state.desired import DesiredModel, Example
from controller.state.recorded import Record

_SPREAD = 1.3  # an estimate from one run alone still gets a range
_FEWEST_RUNS = 2
_LAST_RUNS = 10


def notes(plan: Plan, head: Preview, base: Preview | None) -> Mapping[str, Note]:
    """By the name of each action: its data, cost and time, the problems of its files, the way back."""
    before = {m.name: m for m in base.world.desired.models} if base else {}
    models = {m.name: m for m in head.world.desired.models}
    return {a.name: _note(a, models.get(a.name), before.get(a.name), head.world) for a in plan.actions}


def loose_problems(plan: Plan, world: World) -> tuple[Problem, ...]:
    """The errors of the tree that no action of the plan tells of."""
    told = {p for broken in world.desired.invalid for p in broken.problems if broken.name in _names(plan)}
    return tuple(p for p in world.desired.errors if p not in told)


def _names(plan: Plan) -> set[str]:
    return {action.name for action in plan.actions}


def _note(action: Action, model: DesiredModel | None, before: DesiredModel | None, world: World) -> Note:
    if model is None or isinstance(action, Nothing):
        broken = next((m for m in world.desired.invalid if m.name == action.name), None)
        return Note(problems=broken.problems if broken else ())
    record = world.record_of(model)
    paid = isinstance(action, Tune)
    serving = record.run(record.active.model) if record and record.active else None
    return Note(
        data=data_note(model, before),
        time=_time(action, world) if paid else None,
        free=world.is_free(model.provider),
        stale_prices=model.provider in world.stale_prices,
        problems=_problems(model, world),
        advice=_advice(record),
        reusable=record.active.model if paid and record and record.active else "",
        quality=quality_of(None, serving, model.evaluation),
    )


def data_note(now: DesiredModel, before: DesiredModel | None) -> DataNote:
    """What became of the examples, by their numbers."""
    found = dataset.difference(before.dataset.examples if before else (), now.dataset.examples)
    moves = dataset.moved(found, dataset.difference(_asked(before), _asked(now)))
    lengths = sorted(found.lengths)
    return DataNote(
        examples=now.dataset.count,
        characters=now.dataset.characters,
        shape=now.dataset.shape,
        added=found.added,
        edited=found.edited,
        removed=found.removed,
        to_evaluation=moves.to_evaluation,
        to_training=moves.to_training,
        shift=found.shift or 0,
        duplicates=found.duplicates,
        contradictions=found.contradictions,
        reordered=found.reordered,
        known_before=before is not None,
        lengths=(_rank(lengths, 0.5), _rank(lengths, 0.95), _rank(lengths, 1.0)),
    )


def _asked(model: DesiredModel | None) -> Iterable[Example]:
    """The examples that a run of a spec is judged by."""
    return model.evaluation.dataset.examples if model is not None and model.evaluation is not None else ()


def _rank(lengths: Sequence[int], share: float) -> int:
    return lengths[min(len(lengths) - 1, int(share * len(lengths)))] if lengths else 0


def _problems(model: DesiredModel, world: World) -> tuple[Problem, ...]:
    files = {model.place.file, model.dataset.path}
    if model.evaluation is not None:
        files.add(model.evaluation.dataset.path)
    return tuple(p for p in world.desired.problems if p.file in files)


def _advice(record: Record | None) -> str:
    advised = [run.advice for run in record.runs if run.advice] if record else []
    if not advised:
        return ""
    last = advised[-1]
    return f"{last.epochs} epochs: {last.because}" if last.epochs else last.because


def _time(action: Action, world: World) -> Seconds | None:
    """From the pace of the last runs on the same base model; None where there were none."""
    if not isinstance(action, Tune):
        return None
    guess = estimate(action)
    kind = (action.desired.provider_type, action.base)
    runs = [run for record in world.recorded.records.values() for run in record.runs]
    paces = [took for run in runs if (run.provider_type, run.base) == kind and (took := pace(run))][-_LAST_RUNS:]
    if not paces:
        return None
    low, high = min(paces), max(paces)
    if len(paces) < _FEWEST_RUNS:
        low, high = low / _SPREAD, high * _SPREAD
    return Seconds(low * guess.steps, high * guess.steps, len(paces))
