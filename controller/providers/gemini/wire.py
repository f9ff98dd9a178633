"""The Gemini tuning API's JSON to models and back (v1beta ``tunedModels``, google-ai-generativelanguage 0.12.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from controller.errors import Rejected, RejectedKind
from controller.ports import CreateRequest, ModelAnswer, ModelPatch
from controller.providers.google.json_fields import (
    Object,
    an_object,
    as_count,
    as_number,
    as_text,
    count,
    number,
    objects,
    text,
)
from controller.rest import JSON, parse_json, said
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import BaseModelFacts, LossPoint, Progress, RemoteModel, RemoteState

# Looser than what may be created (names of up to 63 characters exist), and never a path that leads elsewhere.
MODEL_NAME = re.compile(r"tunedModels/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
BASE_NAME = re.compile(r"models/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_OPERATION = re.compile(r"(tunedModels/[A-Za-z0-9_][A-Za-z0-9._-]{0,127})/operations/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")

TUNES = "createTunedModel"
CANCELLED = 1  # google.rpc.Code

# By name, and by number as gapic clients ask for them (``$alt=json;enum-encoding=int``).
_STATES: dict[str, RemoteState] = {
    "CREATING": RemoteState.CREATING,
    "1": RemoteState.CREATING,
    "ACTIVE": RemoteState.ACTIVE,
    "2": RemoteState.ACTIVE,
    "FAILED": RemoteState.FAILED,
    "3": RemoteState.FAILED,
}
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # as protobuf's JSON writes them
_ENDED = ("", "FINISH_REASON_UNSPECIFIED", "STOP", "1")  # whatever else a model stops for, its answer is not whole
_FIELDS: dict[str, str] = {"temperature": "temperature", "top_p": "topP", "top_k": "topK"}


@dataclass(frozen=True, slots=True)
class Operation:
    """The long-running operation of one create. ``model`` is the model it makes; an error wins over a response."""

    name: str
    model: str
    done: bool = False
    total_steps: int = 0
    completed_steps: int = 0
    losses: tuple[LossPoint, ...] = ()
    failed: bool = False
    cancelled: bool = False
    error: str = ""


def is_model(name: str) -> bool:
    """Whether a full name may be put into a path: ``tunedModels/`` and one plain segment."""
    return bool(MODEL_NAME.fullmatch(name)) and ".." not in name


def is_base(name: str) -> bool:
    """As `is_model`, for ``models/…``."""
    return bool(BASE_NAME.fullmatch(name)) and ".." not in name


def operation_model(name: str) -> str:
    """The model an operation's name belongs to; "" where it is no such name."""
    match = _OPERATION.fullmatch(name)
    return match[1] if match and ".." not in name else ""


def read_model(value: JSON) -> RemoteModel | None:
    """A TunedModel; None where it has no name that could be one. Fields nobody can read count as not said."""
    return understood(loosely(value))


class Task(msgspec.Struct, rename="camel"):
    """What is read of a TuningTask."""

    complete_time: Any = None
    hyperparameters: Any = None
    snapshots: Any = None


class TunedModel(msgspec.Struct, rename="camel"):
    """What is read of a TunedModel, whatever it is that stands in a field."""

    name: Any = None
    state: Any = None
    base_model: Any = None
    tuned_model_source: Any = None
    display_name: Any = None
    description: Any = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    create_time: Any = None
    update_time: Any = None
    tuning_task: Task | None = None


_SAID = tuple((f.name, f.encode_name) for f in msgspec.structs.fields(TunedModel) if f.name != "tuning_task")


def loosely(value: JSON) -> TunedModel:
    """A TunedModel of JSON that may be anything."""
    of = an_object(value)
    given = an_object(of.get("tuningTask"))
    task = Task(given.get("completeTime"), given.get("hyperparameters"), given.get("snapshots"))
    return TunedModel(**{name: of.get(key) for name, key in _SAID}, tuning_task=task)


class ListedTask(Task):
    """The same with its snapshots, most of an answer, as they were sent: nearly nobody asks for them."""

    snapshots: msgspec.Raw = msgspec.Raw(b"null")


class ListedModel(TunedModel):
    """A TunedModel of a listing."""

    tuning_task: ListedTask | None = None


class Page(msgspec.Struct, rename="camel"):
    """A page of ``tunedModels``, as far as it is read."""

    tuned_models: list[ListedModel] = msgspec.field(default_factory=list)
    next_page_token: Any = None


def understood(of: TunedModel, ended: Container[str] = ()) -> RemoteModel | None:
    """As `read_model`. Of the models that have ``ended`` the losses are not read."""
    name = as_text(of.name)
    if not is_model(name):
        return None
    task, source = of.tuning_task or Task(), an_object(of.tuned_model_source)
    losses = () if name in ended else read_losses(_plain(task.snapshots))
    return RemoteModel(
        name=name,
        state=_state(of.state),
        base_model=as_text(of.base_model) or text(source, "baseModel"),
        source_model=text(source, "tunedModel"),
        display_name=as_text(of.display_name),
        description=as_text(of.description),
        sampling=Sampling(as_number(of.temperature), as_number(of.top_p), as_count(of.top_k)),
        hyperparameters=_hyperparameters(an_object(task.hyperparameters)),
        created=as_text(of.create_time),
        updated=as_text(of.update_time),
        completed=as_text(task.complete_time),
        progress=Progress(0, max((p.step for p in losses), default=0)),
        losses=losses,
    )


def _plain(value: JSON | msgspec.Raw) -> JSON:
    return parse_json(bytes(value)) if isinstance(value, msgspec.Raw) else value


def read_operation(value: JSON) -> Operation | None:
    """An Operation; None where its name is not that of a tuned model's operation."""
    of = an_object(value)
    name = text(of, "name")
    owner = operation_model(name)
    if not owner:
        return None
    metadata, error = an_object(of.get("metadata")), an_object(of.get("error"))
    losses = read_losses(metadata.get("snapshots"))
    code = count(error, "code")
    steps = count(metadata, "completedSteps") or max((p.step for p in losses), default=0)
    return Operation(
        name=name,
        model=text(metadata, "tunedModel") or owner,
        done=of.get("done") is True or bool(error),
        total_steps=count(metadata, "totalSteps") or 0,
        completed_steps=steps,
        losses=losses,
        failed=bool(error) and code != CANCELLED,
        cancelled=bool(error) and code == CANCELLED,
        error=(said(text(error, "message")) or "the provider gives no reason") if error else "",
    )


def read_losses(value: JSON) -> tuple[LossPoint, ...]:
    """TuningSnapshots by step. A loss that is no finite number is infinite, one that cannot be read is left out."""
    points = (
        LossPoint(count(s, "step") or 0, count(s, "epoch") or 0, loss, text(s, "computeTime"))
        for s in objects(value)
        if (loss := _loss(s)) is not None
    )
    return merged(points)


def merged(points: Iterable[LossPoint]) -> tuple[LossPoint, ...]:
    """Points sorted by step, one for each; of two for the same step the later in line stays."""
    by_step = {point.step: point for point in points}
    return tuple(by_step[step] for step in sorted(by_step))


def read_base(name: str, value: JSON) -> BaseModelFacts:
    """Whether a Model can be tuned."""
    methods = an_object(value).get("supportedGenerationMethods")
    return BaseModelFacts(name, exists=True, tunable=isinstance(methods, list) and TUNES in methods)


def followed(model: RemoteModel, operation: Operation | None) -> RemoteModel:
    """The model with what its operation knows of its progress and its end."""
    if operation is None:
        return model
    losses = merged((*operation.losses, *model.losses))
    done = max(operation.completed_steps, model.progress.completed_steps)
    return replace(
        model,
        state=_end(model.state, operation),
        operation=operation.name,
        progress=Progress(operation.total_steps, done),
        losses=losses,
        error=operation.error,
    )


def write_create(request: CreateRequest) -> Object:
    """The TunedModel of a create: only what was said; defaults are the provider's. Raises `Rejected`."""
    given = request.hyperparameters
    hyperparameters: dict[str, JSON] = {
        "epochCount": given.epoch_count,
        "batchSize": given.batch_size,
        "learningRate": given.learning_rate,
        "learningRateMultiplier": given.learning_rate_multiplier,
    }
    examples: list[JSON] = [_example(one) for one in request.examples]
    base: Object = {"baseModel": request.base}
    if is_model(request.base):
        base = {"tunedModelSource": {"tunedModel": request.base}}
    return {
        **base,
        **({"displayName": request.display_name} if request.display_name else {}),
        **({"description": request.description} if request.description else {}),
        **_sampling(request.sampling),
        "tuningTask": {
            "hyperparameters": {k: v for k, v in hyperparameters.items() if v is not None},
            "trainingData": {"examples": {"examples": examples}},
        },
    }


def _example(one: Example) -> Object:
    if not one.is_pair:  # the check of the rows says so before; half of a conversation is never sent
        raise Rejected("this API tunes on one turn without a system message", kind=RejectedKind.UNSUPPORTED)
    return {"textInput": one.text_input, "output": one.output}


def write_update(change: ModelPatch) -> tuple[Object, str]:
    """The body and the ``updateMask`` of a patch: the fields that change and no others."""
    texts = {"displayName": change.display_name, "description": change.description}
    body: dict[str, JSON] = {k: v for k, v in texts.items() if v is not None}
    body |= _sampling(change.sampling)
    return body, ",".join(body)


def read_created(request: CreateRequest, value: JSON) -> RemoteModel | None:
    """The model that a create's answer promises; None where the answer does not speak of the model asked for."""
    operation = read_operation(value)
    if operation is None or operation.model != request.model:
        return None
    answered = read_model(an_object(an_object(value).get("response")))
    if answered is not None and answered.name != request.model:
        return None
    fresh = RemoteModel(
        name=request.model,
        state=RemoteState.CREATING,
        base_model="" if is_model(request.base) else request.base,
        source_model=request.base if is_model(request.base) else "",
        display_name=request.display_name,
        description=request.description,
        sampling=request.sampling,
    )
    return followed(answered or fresh, operation)


def read_answer(value: JSON) -> ModelAnswer:
    """A generateContent answer, without the model's thoughts. Raises `Rejected`: NO_ANSWER where it gave none."""
    of = an_object(value)
    candidates = objects(of.get("candidates"))
    if not candidates:
        raise _without_answer(of)
    parts = objects(an_object(candidates[0].get("content")).get("parts"))
    spoken = [part for part in parts if part.get("thought") is not True]
    found = [part["text"] for part in spoken if isinstance(part.get("text"), str)]
    reason = text(candidates[0], "finishReason")
    cut = "" if reason in _ENDED else said(reason, 60)
    if not found and (cut or len(spoken) < len(parts)):
        raise Rejected(f"the model stopped without an answer ({cut or 'thoughts alone'})", kind=RejectedKind.NO_ANSWER)
    return ModelAnswer("".join(map(str, found)), cut)


def _without_answer(of: Object) -> Rejected:
    """Why an answer has no candidate. One that says nothing of a model's work may be anybody's: it is no answer."""
    blocked = text(an_object(of.get("promptFeedback")), "blockReason")
    if blocked:
        message = f"the model did not answer: the prompt was blocked ({said(blocked, 60)})"
        return Rejected(message, kind=RejectedKind.NO_ANSWER, hint="Ask in other words.")
    worked = "usageMetadata" in of or "modelVersion" in of
    kind = RejectedKind.NO_ANSWER if worked else RejectedKind.RESPONSE
    return Rejected("the model did not answer: there is no answer in it", kind=kind)


def _end(state: RemoteState, operation: Operation) -> RemoteState:
    # The model itself has no word for "cancelled" and may still say CREATING after its operation has ended badly.
    if operation.cancelled:
        return RemoteState.CANCELLED
    return RemoteState.FAILED if operation.failed and state is not RemoteState.ACTIVE else state


def _state(value: JSON) -> RemoteState:
    return RemoteState.UNKNOWN if isinstance(value, bool) else _STATES.get(str(value), RemoteState.UNKNOWN)


def _hyperparameters(of: Object) -> Hyperparameters:
    return Hyperparameters(
        epoch_count=count(of, "epochCount"),
        batch_size=count(of, "batchSize"),
        learning_rate=number(of, "learningRate"),
        learning_rate_multiplier=number(of, "learningRateMultiplier"),
    )


def _sampling(sampling: Sampling) -> dict[str, JSON]:
    values: dict[str, float | int | None] = {name: getattr(sampling, name) for name in _FIELDS}
    return {_FIELDS[name]: value for name, value in values.items() if value is not None}


def _loss(of: Object) -> float | None:
    """The mean loss; 0 may be unsaid (proto3). NaN comes as a word, or as null from what read it as a number."""
    if "meanLoss" not in of:
        return 0.0
    broken = of["meanLoss"] is None or of["meanLoss"] in _NOT_FINITE
    return math.inf if broken else number(of, "meanLoss")
