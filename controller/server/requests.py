"""Parsed JSON of a tuned model in, typed and checked values out: what a create asks for, what a patch changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from controller.server.base_models import BASES, TunableModel
from controller.server.models import Model, RunHyperparameters, SamplingDefaults, TrainingExample
from controller.server.payload import Node, camel
from controller.server.status import Json, Violation, invalid

MODEL_ID: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
DISPLAY_NAME_LIMIT: Final = 40
INPUT_LIMIT: Final = 40_000
OUTPUT_LIMIT: Final = 5_000

MUTABLE: Final = ("displayName", "description", "temperature", "topP", "topK", "readerProjectNumbers")
_OUTPUT_ONLY: Final = ("name", "state", "createTime", "updateTime")
_IMMUTABLE: Final = ("baseModel", "tunedModelSource", "tuningTask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A TunedModel message as sent; None where a field was left out."""

    display_name: str | None
    description: str | None
    base_model: str | None
    source: str | None
    sampling: SamplingDefaults
    readers: tuple[int, ...] | None
    epoch_count: int | None
    batch_size: int | None
    learning_rate: float | None
    multiplier: float | None
    examples: tuple[TrainingExample, ...] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A create that may go ahead as far as the message alone can tell. One of ``base_model`` and ``source`` is set."""

    id: str | None
    draft: Draft
    examples: tuple[TrainingExample, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The mutable fields of a model after a patch."""

    display_name: str
    description: str
    sampling: SamplingDefaults
    readers: tuple[int, ...]


def read_creation(model_id: str | None, raw: Json) -> Creation:
    """The create request. Raises `Refused` naming every faulty field."""
    node = Node(raw)
    draft = _read_draft(node)
    if model_id is not None and not MODEL_ID.fullmatch(model_id):
        node.fault("tunedModelId", f"must match {MODEL_ID.pattern} and have at most {DISPLAY_NAME_LIMIT} characters")
    if draft.base_model is None and draft.source is None:
        node.fault("baseModel", "is required, unless tunedModelSource.tunedModel names a tuned model to start from")
    if not draft.examples:
        node.fault("tuningTask.trainingData.examples.examples", "is required and needs at least one example")
    base = BASES.get(draft.base_model or "")
    for i, example in enumerate(draft.examples or ()):
        size = len(example.output.encode())
        if base is not None and size > base.output_bytes:
            node.fault(
                f"tuningTask.trainingData.examples.examples[{i}].output",
                f"has {size} bytes; {base.name} learns outputs of at most {base.output_bytes} bytes and never cuts one",
            )
    node.check()
    return Creation(id=model_id, draft=draft, examples=draft.examples or ())


def resolve(draft: Draft, base: TunableModel) -> RunHyperparameters:
    """What the run trains with: what was asked for, else the base model's defaults."""
    rate = draft.learning_rate
    if rate is None:
        rate = base.learning_rate * (1.0 if draft.multiplier is None else draft.multiplier)
    return RunHyperparameters(
        epoch_count=base.epoch_count if draft.epoch_count is None else draft.epoch_count,
        batch_size=base.batch_size if draft.batch_size is None else draft.batch_size,
        learning_rate=rate,
    )


def _read_draft(node: Node) -> Draft:
    node.skip(*_OUTPUT_ONLY)
    task = node.node("tuningTask")
    base_model, source = node.string("baseModel"), _read_source(node.node("tunedModelSource"))
    if base_model is not None and source is not None:
        node.fault("tunedModelSource", "cannot be given together with baseModel")
    epochs, batch, rate, multiplier, examples = _read_task(task) if task else (None, None, None, None, None)
    draft = Draft(
        display_name=node.string("displayName"),
        description=node.string("description"),
        base_model=base_model,
        source=source,
        sampling=SamplingDefaults(node.share("temperature"), node.share("topP"), node.positive_integer("topK")),
        readers=node.integers("readerProjectNumbers"),
        epoch_count=epochs,
        batch_size=batch,
        learning_rate=rate,
        multiplier=multiplier,
        examples=examples,
    )
    if draft.display_name is not None and len(draft.display_name) > DISPLAY_NAME_LIMIT:
        node.fault("displayName", f"has {len(draft.display_name)} characters; the limit is {DISPLAY_NAME_LIMIT}")
    node.close()
    return draft


def _read_source(node: Node | None) -> str | None:
    if node is None:
        return None
    node.skip("baseModel")  # only the server sets it, yet google-generativeai sends it along
    source = node.string("tunedModel")
    if source is None:
        node.fault("tunedModel", "is required")
    node.close()
    return source


_Task = tuple[int | None, int | None, float | None, float | None, tuple[TrainingExample, ...] | None]


def _read_task(node: Node) -> _Task:
    node.skip("startTime", "completeTime", "snapshots")
    asked, data = node.node("hyperparameters"), node.node("trainingData")
    epochs = batch = rate = multiplier = None
    if asked is not None:
        epochs, batch = asked.positive_integer("epochCount"), asked.positive_integer("batchSize")
        rate, multiplier = _positive(asked, "learningRate"), _positive(asked, "learningRateMultiplier")
        if rate is not None and multiplier is not None:
            asked.fault("learningRateMultiplier", "cannot be given together with learningRate")
        asked.close()
    examples = None if data is None else _read_examples(data)
    node.close()
    return epochs, batch, rate, multiplier, examples


def _read_examples(data: Node) -> tuple[TrainingExample, ...]:
    wrapper = data.node("examples")
    data.close()
    if wrapper is None:
        return ()
    rows = wrapper.nodes("examples") or []
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
    _at_most(row, "textInput", text, INPUT_LIMIT)
    _at_most(row, "output", output, OUTPUT_LIMIT)
    row.close()
    return TrainingExample(text or "", output or "")


def _at_most(node: Node, name: str, text: str | None, limit: int) -> None:
    if text is not None and len(text) > limit:
        node.fault(name, f"has {len(text)} characters; the limit is {limit}")


def _positive(node: Node, name: str) -> float | None:
    value = node.number(name)
    if value is not None and value <= 0:
        node.fault(name, "must be greater than 0")
    return value


def read_edit(model: Model, mask: str | None, raw: Json) -> Edit:
    """The fields of the model after the patch: those in the mask, or, without one, those the message carries.

    Without a mask a client may send the whole model back, so immutable fields are then allowed as long as they say what
    is so already. Raises `Refused` for a mask or a field that may not be changed.
    """
    node = Node(raw)
    draft = _read_draft(node)
    node.check()
    paths = _carried(node, draft, model) if mask is None else _masked(mask)
    return Edit(
        display_name=(draft.display_name or "") if "displayName" in paths else model.display_name,
        description=(draft.description or "") if "description" in paths else model.description,
        readers=(draft.readers or ()) if "readerProjectNumbers" in paths else model.readers,
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
    rules: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("baseModel", lambda: draft.base_model not in {None, model.base_model}),
        ("tunedModelSource.tunedModel", lambda: draft.source not in {None, model.source}),
        ("tuningTask.trainingData", lambda: draft.examples is not None),
        ("tuningTask.hyperparameters.epochCount", lambda: draft.epoch_count not in {None, asked.epoch_count}),
        ("tuningTask.hyperparameters.batchSize", lambda: draft.batch_size not in {None, asked.batch_size}),
        ("tuningTask.hyperparameters.learningRate", lambda: draft.learning_rate not in {None, asked.learning_rate}),
        ("tuningTask.hyperparameters.learningRateMultiplier", lambda: draft.multiplier is not None),
    )
    faults = [Violation(path, "is immutable and cannot be changed") for path, differs in rules if differs()]
    if faults:
        raise invalid(*faults)
    return frozenset(name for name in MUTABLE if node.has(name))
