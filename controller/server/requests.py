"""Parsed JSON of a tuned model in, typed and checked values out: what a create asks for, what a patch changes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from controller.server.models import Model, RunHyperparameters, SamplingDefaults, TrainingExample, TunableModel
from controller.server.payload import Node, camel
from controller.server.status import Json, Violation, invalid

MODEL_ID: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
DISPLAY_NAME_LIMIT: Final = 40
EXAMPLES: Final = "tuningTask.trainingData.examples.examples"
INPUT_LIMIT: Final = 40_000
OUTPUT_LIMIT: Final = 5_000
_MOST_EPOCHS: Final = 1_000_000  # on the smallest set hours of one core; more is a typing error
_MOST_BATCH: Final = 1_000_000  # more rows than a create can carry

MUTABLE: Final = ("displayName", "description", "temperature", "topP", "topK", "readerProjectNumbers")
_OUTPUT_ONLY: Final = ("name", "state", "createTime", "updateTime")
_IMMUTABLE: Final = ("baseModel", "tunedModelSource", "tuningTask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A TunedModel message as sent; None, or nothing in it, where a field was left out."""

    display_name: str
    description: str
    base_model: str | None
    source: str | None
    sampling: SamplingDefaults
    readers: tuple[int, ...]
    epoch_count: int | None
    batch_size: int | None
    learning_rate: float | None
    multiplier: float | None
    examples: tuple[TrainingExample, ...] = field(repr=False)


def read_creation(model_id: str | None, raw: Json) -> Draft:
    """The create request: it has examples, and one of ``base_model`` and ``source``.

    Raises `ApiError` naming every faulty field.
    """
    node = Node(raw)
    draft = _read_draft(node)
    if model_id is not None and not MODEL_ID.fullmatch(model_id):
        node.fault("tunedModelId", f"must match {MODEL_ID.pattern} and have at most {DISPLAY_NAME_LIMIT} characters")
    if draft.base_model is None and draft.source is None:
        node.fault("baseModel", "is required, unless tunedModelSource.tunedModel names a tuned model to start from")
    if not draft.examples:
        node.fault(EXAMPLES, "is required and needs at least one example")
    node.check()
    return draft


def resolve(draft: Draft, base: TunableModel) -> RunHyperparameters:
    """What the run trains with: what was asked for, else the base model's defaults."""
    multiplier = 1.0 if draft.multiplier is None else draft.multiplier
    return RunHyperparameters(
        epoch_count=draft.epoch_count or base.epoch_count,
        batch_size=draft.batch_size or base.batch_size,
        learning_rate=draft.learning_rate or base.learning_rate * multiplier,
    )


def _read_draft(node: Node) -> Draft:
    node.skip(*_OUTPUT_ONLY)
    task = node.node("tuningTask")
    base_model, source = node.string("baseModel"), _read_source(node)
    if base_model is not None and source is not None:
        node.fault("tunedModelSource", "cannot be given together with baseModel")
    task.skip("startTime", "completeTime", "snapshots")
    asked, data = task.node("hyperparameters"), task.node("trainingData")
    epochs = asked.positive_integer("epochCount", _MOST_EPOCHS)
    batch = asked.positive_integer("batchSize", _MOST_BATCH)
    rate, multiplier = asked.positive("learningRate"), asked.positive("learningRateMultiplier")
    if rate is not None and multiplier is not None:
        asked.fault("learningRateMultiplier", "cannot be given together with learningRate")
    asked.close()
    examples = _read_examples(data)
    task.close()
    draft = Draft(
        display_name=node.string("displayName") or "",
        description=node.string("description") or "",
        base_model=base_model,
        source=source,
        sampling=node.sampling(),
        readers=node.integers("readerProjectNumbers"),
        epoch_count=epochs,
        batch_size=batch,
        learning_rate=rate,
        multiplier=multiplier,
        examples=examples,
    )
    node.at_most("displayName", draft.display_name, DISPLAY_NAME_LIMIT)
    node.close()
    return draft


def _read_source(node: Node) -> str | None:
    if not node.has("tunedModelSource"):
        node.skip("tunedModelSource")
        return None
    inner = node.node("tunedModelSource")
    inner.skip("baseModel")  # only the server sets it, yet google-generativeai sends it along
    source = inner.string("tunedModel")
    if source is None:
        inner.fault("tunedModel", "is required")
    inner.close()
    return source


def _read_examples(data: Node) -> tuple[TrainingExample, ...]:
    wrapper = data.node("examples")
    data.close()
    rows = wrapper.nodes("examples")
    wrapper.close()
    return tuple(_read_example(row) for row in rows)


def _read_example(row: Node) -> TrainingExample:
    text, output = row.string("textInput"), row.string("output")
    if text is None and not row.has("textInput"):
        row.fault("textInput", "is required")
    if not output and not row.has("output"):
        row.fault("output", "is required")
    elif output == "":
        row.fault("output", "must not be empty")
    row.at_most("textInput", text, INPUT_LIMIT)
    row.at_most("output", output, OUTPUT_LIMIT)
    row.close()
    return TrainingExample(text or "", output or "")


def read_edit(model: Model, mask: str | None, raw: Json) -> Model:
    """The model after the patch: of the fields in the mask, or, without one, of those the message carries.

    Without a mask a client may send the whole model back, so immutable fields are then allowed as long as they say what
    is so already. Raises `ApiError` for a mask or a field that may not be changed.
    """
    node = Node(raw)
    draft = _read_draft(node)
    node.check()
    paths = _carried(node, draft, model) if mask is None else _masked(mask)
    return replace(
        model,
        display_name=draft.display_name if "displayName" in paths else model.display_name,
        description=draft.description if "description" in paths else model.description,
        readers=draft.readers if "readerProjectNumbers" in paths else model.readers,
        sampling=SamplingDefaults(
            temperature=(draft if "temperature" in paths else model).sampling.temperature,
            top_p=(draft if "topP" in paths else model).sampling.top_p,
            top_k=(draft if "topK" in paths else model).sampling.top_k,
        ),
    )


def _masked(mask: str) -> frozenset[str]:
    paths = [camel(path.strip()) for path in mask.split(",") if path.strip()]
    if "*" in paths:
        return frozenset(MUTABLE)
    refusals = [(path, _why_not(path)) for path in paths]
    faults = [Violation("updateMask", f'"{path}" {why}') for path, why in refusals if why]
    if faults:
        raise invalid(*faults)
    return frozenset(paths)


def _why_not(path: str) -> str | None:
    root = path.split(".", maxsplit=1)[0]
    if path in MUTABLE:
        return None
    if root in _IMMUTABLE:
        return "is immutable: it is set when the model is created and never changes"
    if root in _OUTPUT_ONLY:
        return "is set by the server only"
    return "is no field of a tuned model"


def _carried(node: Node, draft: Draft, model: Model) -> frozenset[str]:
    asked = model.hyperparameters
    differs = {
        "baseModel": draft.base_model not in {None, model.base_model},
        "tunedModelSource.tunedModel": draft.source not in {None, model.source},
        "tuningTask.trainingData": node.node("tuningTask").has("trainingData"),
        "tuningTask.hyperparameters.epochCount": draft.epoch_count not in {None, asked.epoch_count},
        "tuningTask.hyperparameters.batchSize": draft.batch_size not in {None, asked.batch_size},
        "tuningTask.hyperparameters.learningRate": draft.learning_rate not in {None, asked.learning_rate},
        "tuningTask.hyperparameters.learningRateMultiplier": draft.multiplier is not None,
    }
    faults = [Violation(path, "is immutable and cannot be changed") for path, differ in differs.items() if differ]
    if faults:
        raise invalid(*faults)
    return frozenset(name for name in MUTABLE if node.has(name))
