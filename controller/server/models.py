"""Base models and tuned models as values, and their JSON messages on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from controller.server.status import Json

_TYPES: Final = "type.googleapis.com/google.ai.generativelanguage.v1beta."


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How answers are drawn; None means as the base model does."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None

    def over(self, other: SamplingDefaults) -> SamplingDefaults:
        """These, and the other's where one is None."""
        return SamplingDefaults(
            other.temperature if self.temperature is None else self.temperature,
            other.top_p if self.top_p is None else self.top_p,
            other.top_k if self.top_k is None else self.top_k,
        )

    def render(self) -> dict[str, Json]:
        """The fields of a model's message."""
        return {"temperature": self.temperature, "topP": self.top_p, "topK": self.top_k}


@dataclass(frozen=True, slots=True, kw_only=True)
class TunableModel:
    """A base model: its wire description, what it tunes with when a request leaves that open, and what it can hold.

    ``digest`` is over all that its answers rest on: one that changed is another model.
    """

    name: str
    engine: str
    digest: str
    display_name: str
    description: str
    epoch_count: int
    batch_size: int
    learning_rate: float
    sampling: SamplingDefaults
    input_tokens: int
    output_tokens: int
    conversations: bool = False
    """Whether it takes a system message and several turns."""

    def render(self) -> dict[str, Json]:
        """The Model message of the wire."""
        return {
            "name": self.name,
            "baseModelId": self.name.removeprefix("models/"),
            "version": "001",
            "displayName": self.display_name,
            "description": self.description,
            "inputTokenLimit": self.input_tokens,
            "outputTokenLimit": self.output_tokens,
            # That a tuned model exists is what makes generateContent work, so the base model itself does not list it.
            "supportedGenerationMethods": ["createTunedModel"],
            **self.sampling.render(),
            "maxTemperature": 1,
        }


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
class Snapshot:
    """One step of a run. ``step`` counts from 1; ``mean_loss`` is in nats per token; times are RFC 3339, UTC."""

    step: int
    epoch: int
    mean_loss: float
    compute_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A tuned model and the operation that makes it. ``seq`` orders models by creation and is never used twice."""

    seq: int = 0
    id: str
    display_name: str
    description: str
    base_model: str
    digest: str = ""
    source: str | None
    sampling: SamplingDefaults
    readers: tuple[int, ...]
    hyperparameters: RunHyperparameters
    examples: int
    state: ModelState = ModelState.CREATING
    create_time: str
    update_time: str
    start_time: str | None = None
    complete_time: str | None = None
    operation: str
    error_code: int | None = None
    error_message: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"tunedModels/{self.id}"


def total_steps(examples: int, asked: RunHyperparameters) -> int:
    """Steps of a run; batches go on over the end of an epoch, so only the last one of all may be short.

    The rule is read off Google's published samples, where it is exact: 15 examples at batch 4 are 19 steps in 5 epochs.
    """
    return -(-examples * asked.epoch_count // asked.batch_size)


def epoch_of(step: int, examples: int, batch_size: int) -> int:
    """Whole epochs behind a step, as Google's published snapshots count them."""
    return step * batch_size // examples


def render_model(model: Model, snapshots: Sequence[Snapshot], base: SamplingDefaults) -> dict[str, Json]:
    """The TunedModel message, with what its base model samples with where it says nothing itself.

    Training data is never in it, as on Google's service.
    """
    message: dict[str, Json] = {"name": model.name}
    if model.source is None:
        message["baseModel"] = model.base_model
    else:
        message["tunedModelSource"] = {"tunedModel": model.source, "baseModel": model.base_model}
    if model.display_name:
        message["displayName"] = model.display_name
    if model.description:
        message["description"] = model.description
    message |= {
        "state": model.state.value,
        "createTime": model.create_time,
        "updateTime": model.update_time,
        "tuningTask": _render_task(model, snapshots),
        **model.sampling.over(base).render(),
    }
    if model.readers:
        message["readerProjectNumbers"] = [str(number) for number in model.readers]
    return message


def _render_task(model: Model, snapshots: Sequence[Snapshot]) -> dict[str, Json]:
    task: dict[str, Json] = {}
    if model.start_time:
        task["startTime"] = model.start_time
    if model.complete_time:
        task["completeTime"] = model.complete_time
    if snapshots:
        task["snapshots"] = [_render_snapshot(snapshot) for snapshot in snapshots]
    # learningRateMultiplier is never returned, only the rate it was resolved to: google-generativeai 0.8.6 raises
    # TypeError in decode_tuned_model when it meets that field.
    task["hyperparameters"] = {
        "epochCount": model.hyperparameters.epoch_count,
        "batchSize": model.hyperparameters.batch_size,
        "learningRate": model.hyperparameters.learning_rate,
    }
    return task


def _render_snapshot(snapshot: Snapshot) -> dict[str, Json]:
    message: dict[str, Json] = {"step": snapshot.step}
    if snapshot.epoch:  # proto3 JSON leaves out zeros
        message["epoch"] = snapshot.epoch
    return message | {"meanLoss": snapshot.mean_loss, "computeTime": snapshot.compute_time}


def render_operation(model: Model, snapshots: Sequence[Snapshot], base: SamplingDefaults) -> dict[str, Json]:
    """The google.longrunning.Operation that makes the model: running, done with the model, or done with an error."""
    total = total_steps(model.examples, model.hyperparameters)
    metadata: dict[str, Json] = {
        "@type": f"{_TYPES}CreateTunedModelMetadata",
        "tunedModel": model.name,
        "totalSteps": total,
    }
    if snapshots:
        metadata |= {
            "completedSteps": snapshots[-1].step,
            "completedPercent": 100 * snapshots[-1].step / total,
            "snapshots": [_render_snapshot(snapshot) for snapshot in snapshots],
        }
    message: dict[str, Json] = {"name": f"{model.name}/operations/{model.operation}", "metadata": metadata}
    match model.state:
        case ModelState.CREATING:
            return message
        case ModelState.ACTIVE:
            made = {"@type": f"{_TYPES}TunedModel", **render_model(model, snapshots, base)}
            return message | {"done": True, "response": made}
        case ModelState.FAILED:
            error: Json = {"code": model.error_code or 13, "message": model.error_message or ""}
            return message | {"done": True, "error": error}
