"""Hyperparameters, with the number of examples in mind, to advice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.dataset.problems import CODES
from controller.dataset.rows import TaskType
from controller.errors import Severity
from controller.state.facts import StartingPoint
from controller.state.identity import Hyperparameters

_SMALL_SET = 100
_MANY_EPOCHS = 50
_MANY_STEPS = 20_000
_FEW_STEPS = 10
_HIGH_RATE, _LOW_RATE = 0.01, 0.000_01
_HIGH_MULTIPLIER, _LOW_MULTIPLIER = 10.0, 0.01


@dataclass(frozen=True, slots=True)
class HyperparameterAdvice:
    """Advice on one field, as it is called in a spec. It has no place of its own: the spec knows the field's."""

    field: str
    code: str
    message: str
    hint: str

    @property
    def severity(self) -> Severity:
        """The default severity of the code."""
        return CODES[self.code].severity


def advise_hyperparameters(
    examples: int, hyperparameters: Hyperparameters, task_type: TaskType, start: StartingPoint
) -> tuple[HyperparameterAdvice, ...]:
    """What stands out beside what the provider's guide starts with, field by field.

    A field that is not written is the provider's to choose and gets no advice.
    """
    if examples < 1:
        return ()
    return (
        *_epochs(hyperparameters, task_type, start),
        *_batch(examples, hyperparameters, start),
        *_rate(examples, hyperparameters, start),
        *_steps(examples, hyperparameters, start),
    )


def steps(examples: int, epochs: int, batch: int) -> int:
    """How many steps a run takes: ``ceil(examples × epochs / batch)``, exact on every published sample."""
    return -(-examples * epochs // batch)


def _epochs(given: Hyperparameters, task_type: TaskType, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    if given.epoch_count is None or given.epoch_count <= _MANY_EPOCHS:
        return
    tail = "; a classification rarely needs them" if task_type == "classification" else ""
    message = f"{given.epoch_count:,} epochs; the guide starts with {start.epoch_count}{tail}"
    hint = "try fewer first: the loss curve of the run says how many were needed"
    yield HyperparameterAdvice("epochCount", "GT231", message, hint)


def _batch(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    batch = given.batch_size
    if batch is not None and batch > start.batch_size and batch * 10 > examples:
        message = f"batch size {batch:,} for {examples:,} examples: an epoch is {steps(examples, 1, batch):,} steps"
        yield HyperparameterAdvice("batchSize", "GT232", message, f"start with the guide's {start.batch_size}")


def _rate(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    rate, factor = given.learning_rate, given.learning_rate_multiplier
    if rate is not None:
        if examples < _SMALL_SET and rate > start.learning_rate:
            usual = f"the guide starts with {start.learning_rate:g}, smaller for few"
            message = f"learning rate {rate:g} for {examples} examples; {usual}"
            hint = f"try {start.learning_rate / 5:g} to {start.learning_rate:g}"
            yield HyperparameterAdvice("learningRate", "GT233", message, hint)
        elif not _LOW_RATE <= rate <= _HIGH_RATE:
            message = f"learning rate {rate:g}; the guide starts with {start.learning_rate:g}"
            yield HyperparameterAdvice("learningRate", "GT234", message, "change it by small factors from there")
    if factor is not None and not _LOW_MULTIPLIER <= factor <= _HIGH_MULTIPLIER:
        message = f"learning rate multiplier {factor:g}; 1 is the base model's own rate"
        yield HyperparameterAdvice("learningRateMultiplier", "GT234", message, "stay between 0.1 and 10")


def _steps(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    epochs, batch = given.epoch_count or start.epoch_count, given.batch_size or start.batch_size
    total = steps(examples, epochs, batch)
    message = f"{examples:,} examples, {epochs:,} epochs and batches of {batch:,} make {total:,} steps"
    if total > _MANY_STEPS and given.epoch_count is not None:
        yield HyperparameterAdvice("epochCount", "GT235", message, "fewer epochs cost less and seldom learn less")
    elif total < _FEW_STEPS:
        field = "batchSize" if batch > start.batch_size else "epochCount"
        yield HyperparameterAdvice(field, "GT236", message, "more epochs or smaller batches give it time to learn")
