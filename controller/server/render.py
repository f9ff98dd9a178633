"""Tuned models and operations in, their JSON messages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.server.base_models import BASES, TunableModel
from controller.server.models import Model, ModelState, Snapshot
from controller.server.status import Json, status

_TYPES: Final = "type.googleapis.com/google.ai.generativelanguage.v1beta."


def render_model(model: Model, snapshots: Sequence[Snapshot]) -> dict[str, Json]:
    """The TunedModel message. Training data is never in it, as on Google's service."""
    base = BASES[model.base_model]
    message: dict[str, Json] = {"name": model.name, **_origin(model)}
    if model.display_name:
        message["displayName"] = model.display_name
    if model.description:
        message["description"] = model.description
    message |= {
        "state": model.state.value,
        "createTime": model.create_time,
        "updateTime": model.update_time,
        "tuningTask": _render_task(model, snapshots),
        **_render_sampling(model, base),
    }
    if model.readers:
        message["readerProjectNumbers"] = [str(number) for number in model.readers]
    return message


def _origin(model: Model) -> dict[str, Json]:
    if model.source is None:
        return {"baseModel": model.base_model}
    return {"tunedModelSource": {"tunedModel": model.source, "baseModel": model.base_model}}


def _render_sampling(model: Model, base: TunableModel) -> dict[str, Json]:
    asked = model.sampling
    return {
        "temperature": base.temperature if asked.temperature is None else asked.temperature,
        "topP": base.top_p if asked.top_p is None else asked.top_p,
        "topK": base.top_k if asked.top_k is None else asked.top_k,
    }


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
    message |= {"meanLoss": snapshot.mean_loss, "computeTime": snapshot.compute_time}
    return message


def render_operation(model: Model, snapshots: Sequence[Snapshot]) -> dict[str, Json]:
    """The google.longrunning.Operation that makes the model: running, done with the model, or done with an error."""
    message: dict[str, Json] = {"name": model.operation_name, "metadata": _render_metadata(model, snapshots)}
    match model.state:
        case ModelState.CREATING:
            return message
        case ModelState.ACTIVE:
            made = {"@type": f"{_TYPES}TunedModel", **render_model(model, snapshots)}
            return message | {"done": True, "response": made}
        case ModelState.FAILED:
            return message | {"done": True, "error": status(model.error_code or 13, model.error_message or "")}


def _render_metadata(model: Model, snapshots: Sequence[Snapshot]) -> dict[str, Json]:
    metadata: dict[str, Json] = {
        "@type": f"{_TYPES}CreateTunedModelMetadata",
        "tunedModel": model.name,
        "totalSteps": model.total_steps,
    }
    if snapshots:
        step = snapshots[-1].step
        metadata |= {
            "completedSteps": step,
            "completedPercent": 100 * step / model.total_steps,
            "snapshots": [_render_snapshot(snapshot) for snapshot in snapshots],
        }
    return metadata
