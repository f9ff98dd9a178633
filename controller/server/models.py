"""The values that pass between the wire, the store and the training: tuned models, examples, snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ModelState(StrEnum):
    """The states of a tuned model. A queued one is CREATING without a start time; a cancelled one is FAILED."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One training row."""

    text_input: str
    output: str


@dataclass(frozen=True, slots=True)
class RunHyperparameters:
    """What a run trains with, all resolved: a multiplier has become the learning rate it stands for."""

    epoch_count: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How answers are drawn; None means as the base model does."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One step of a run. ``step`` counts from 1; ``mean_loss`` is in nats per output byte; times are RFC 3339, UTC."""

    step: int
    epoch: int
    mean_loss: float
    compute_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A tuned model and the operation that makes it. ``seq`` orders models by creation and is never used twice."""

    seq: int
    id: str
    display_name: str
    description: str
    base_model: str
    source: str | None
    sampling: SamplingDefaults
    readers: tuple[int, ...]
    hyperparameters: RunHyperparameters
    examples: int
    state: ModelState
    create_time: str
    update_time: str
    start_time: str | None
    complete_time: str | None
    operation: str
    error_code: int | None
    error_message: str | None = field(repr=False)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"tunedModels/{self.id}"

    @property
    def operation_name(self) -> str:
        """The resource name of the operation."""
        return f"{self.name}/operations/{self.operation}"

    @property
    def total_steps(self) -> int:
        """How many steps the run has in all."""
        return total_steps(self.examples, self.hyperparameters)


def total_steps(examples: int, asked: RunHyperparameters) -> int:
    """Steps of a run; batches go on over the end of an epoch, so only the last one of all may be short.

    The rule is read off Google's published samples, where it is exact: 15 examples at batch 4 are 19 steps in 5 epochs.
    """
    return -(-examples * asked.epoch_count // asked.batch_size)


def epoch_of(step: int, examples: int, batch_size: int) -> int:
    """Whole epochs behind a step, as Google's published snapshots count them."""
    return step * batch_size // examples
