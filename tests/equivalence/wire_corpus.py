"""Requests of the tuning API and the shape of their answers, as its protos, discovery documents and samples give them.

A shape is the HTTP status, the word of an error, and the keys of the body, those that must and those that may be there.
The requests are made in this order: ``{done}``, ``{tuning}`` and the like stand for models that were made before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MODELS: Final = "/v1beta/tunedModels"
ONE: Final = f"{MODELS}/"


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer looks like. ``error`` "" is a success; ``other`` is a second answer that nothing rules out."""

    code: int = 200
    error: str = ""
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    other: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer's shape. ``sent``: the product sends such a request, so the simulation serves it."""

    what: str
    method: str
    path: str
    shape: Shape
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    sent: bool = True


def tuned(rows: int = 20, /, **changed: Any) -> dict[str, Any]:
    """The body of a create with all fields that a spec can give."""
    examples = [{"textInput": f"number {n}", "output": str(n + 1)} for n in range(rows)]
    parameters = {"epochCount": 1, "batchSize": 4, "learningRate": 0.01}
    return {
        "displayName": "Next",
        "description": "Says the next number.",
        "baseModel": "models/tiny",
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 7,
        "tuningTask": {"hyperparameters": parameters, "trainingData": {"examples": {"examples": examples}}},
    } | changed


def tuned_with(**parameters: Any) -> dict[str, Any]:
    """The same with other hyperparameters."""
    body = tuned()
    body["tuningTask"]["hyperparameters"] = parameters
    return body


def _keys(prefix: str, *names: str) -> frozenset[str]:
    return frozenset(f"{prefix}{name}" for name in names)


_SNAPSHOT = ("snapshots", *(f"snapshots[].{name}" for name in ("step", "epoch", "meanLoss", "computeTime")))
_PARAMETERS = ("hyperparameters", *(f"hyperparameters.{name}" for name in ("epochCount", "batchSize", "learningRate")))
_MUST = (
    frozenset(("name", "baseModel", "displayName", "description", "state", "createTime", "updateTime"))
    | frozenset(("temperature", "topP", "topK", "tuningTask"))
    | _keys("tuningTask.", *_PARAMETERS)
)
_MAY = _keys("tuningTask.", "startTime", "completeTime", *_SNAPSHOT)
_METADATA = _keys("metadata.", "@type", "completedSteps", "completedPercent", *_SNAPSHOT)
_RESPONSE = _keys("response.", "@type", *_MUST, *_MAY) | {"response"}

MODEL: Final = Shape(must=_MUST, may=_MAY)
PLAIN: Final = Shape(must=frozenset(["name", "baseModel", "state"]), may=_MUST | _MAY)
EMPTY: Final = Shape()
OPERATION: Final = Shape(
    must=frozenset(["name", "metadata", "metadata.tunedModel", "metadata.totalSteps"]),
    # A run of a few steps may have ended before its create is answered.
    may=_METADATA | _RESPONSE | {"done"},
)


def _listed(one: Shape, of: str, *must: str) -> Shape:
    return Shape(must=_keys(f"{of}[].", *one.must) | {of, *must}, may=_keys(f"{of}[].", *one.may) | {"nextPageToken"})


def _operations(*must: str) -> Shape:
    return _listed(Shape(must=OPERATION.must | set(must), may=OPERATION.may), "operations")


def refused(code: int, error: str, other: tuple[int, str] | None = None) -> Shape:
    """The envelope of google.rpc.Status."""
    return Shape(
        code,
        error,
        must=frozenset(["error", "error.code", "error.message", "error.status"]),
        may=frozenset(["error.details"]),
        other=other,
    )


NOT_FOUND: Final = refused(404, "NOT_FOUND")
INVALID: Final = refused(400, "INVALID_ARGUMENT")
EARLY: Final = refused(400, "FAILED_PRECONDITION")
_TURN = {"role": "user", "parts": [{"text": "number 3"}]}
# A model that has hardly learned does not know where to end, and the embedded one takes seconds for a whole answer.
ASK: Final = {
    "contents": [_TURN],
    "generationConfig": {"maxOutputTokens": 4},
}
ANSWER: Final = Shape(
    must=frozenset(["candidates", "modelVersion", "usageMetadata"])
    | _keys("candidates[].", "content", "content.role", "content.parts", "content.parts[].text")
    | _keys("candidates[].", "finishReason", "index"),
    may=_keys("usageMetadata.", "promptTokenCount", "candidatesTokenCount", "totalTokenCount"),
)
BASE: Final = Shape(
    must=frozenset(["name", "supportedGenerationMethods"]),
    may=frozenset(["baseModelId", "version", "displayName", "description", "inputTokenLimit", "outputTokenLimit"])
    | frozenset(["temperature", "topP", "topK", "maxTemperature"]),
)
_SNAKE = (
    b'{"display_name": "Snake", "base_model": "models/tiny", "tuning_task": {"hyperparameters": {"epoch_count": "1",},'
    b' "training_data": {"examples": {"examples": [{"text_input": "1", "output": "2"},]}}},}'
)


def _x(what: str, request: str, shape: Shape, body: Any = None, **query: str) -> Exchange:
    method, _, path = request.partition(" ")
    return Exchange(what, method, path, shape, body, query)


def _only(what: str, request: str, shape: Shape, body: Any = None, **query: str) -> Exchange:
    method, _, path = request.partition(" ")
    return Exchange(what, method, path, shape, body, query, sent=False)


CORPUS: Final = (
    _x("create", f"POST {MODELS}", OPERATION, tuned(), tunedModelId="fresh"),
    _x("create on a taken id", f"POST {MODELS}", refused(409, "ALREADY_EXISTS"), tuned(), tunedModelId="done"),
    _x("create again while it tunes", f"POST {MODELS}", refused(409, "ALREADY_EXISTS"), tuned(), tunedModelId="tuning"),
    _x(
        "create on no base model",  # Google's answer is not established
        f"POST {MODELS}",
        refused(404, "NOT_FOUND", (400, "INVALID_ARGUMENT")),
        tuned(baseModel="models/none"),
        tunedModelId="never",
    ),
    _x("nothing came of it", f"GET {ONE}never", NOT_FOUND),
    _x("get while it tunes", f"GET {ONE}tuning", MODEL),
    _x("get an active one", f"GET {ONE}done", MODEL),
    _x("get a cancelled one", f"GET {ONE}cancelled", MODEL),
    _x("get what is not there", f"GET {ONE}nobody", NOT_FOUND),
    _x("list all", f"GET {MODELS}", _listed(MODEL, "tunedModels"), pageSize="1000"),
    _x("list a page", f"GET {MODELS}", _listed(MODEL, "tunedModels", "nextPageToken"), pageSize="1"),
    _x("a base model", "GET /v1beta/models/tiny", BASE),
    _x("no base model", "GET /v1beta/models/none", NOT_FOUND),
    _x("patch a text", f"PATCH {ONE}done", MODEL, {"displayName": "New"}, updateMask="displayName"),
    _x(
        "patch several",
        f"PATCH {ONE}done",
        MODEL,
        {"description": "New.", "temperature": 0.1, "topK": 3},
        updateMask="description,temperature,topK",
    ),
    _x("patch while it tunes", f"PATCH {ONE}tuning", MODEL, {"topP": 0.2}, updateMask="topP"),
    _x("patch what is not there", f"PATCH {ONE}nobody", NOT_FOUND, {"displayName": "x"}, updateMask="displayName"),
    _x("operations while it tunes", "GET /v1/tunedModels/tuning/operations", _operations()),
    _x("operations of an active one", "GET /v1/tunedModels/done/operations", _operations("done")),
    _x(
        "operations of a cancelled one",
        "GET /v1/tunedModels/cancelled/operations",
        _operations("done", "error", "error.code", "error.message"),
    ),
    _x("operations of what is not there", "GET /v1/tunedModels/nobody/operations", NOT_FOUND),
    _x("cancel", "POST /v1/{operation:stop}:cancel", EMPTY, {}),
    _x("cancel again", "POST /v1/{operation:stop}:cancel", EMPTY, {}),
    _x("cancel what has ended well", "POST /v1/{operation:done}:cancel", EMPTY, {}),
    _x("it is active still", f"GET {ONE}done", MODEL),
    _x("cancel an operation that never was", "POST /v1/tunedModels/tuning/operations/none:cancel", NOT_FOUND, {}),
    _x("cancel a model that never was", "POST /v1/tunedModels/nobody/operations/none:cancel", NOT_FOUND, {}),
    _x("generate", f"POST {ONE}done:generateContent", ANSWER, ASK),
    _x("generate while it tunes", f"POST {ONE}tuning:generateContent", EARLY, ASK),
    _x("generate after a cancel", f"POST {ONE}cancelled:generateContent", EARLY, ASK),
    _x("generate from nothing", f"POST {ONE}nobody:generateContent", NOT_FOUND, ASK),
    _x("delete", f"DELETE {ONE}cancelled", EMPTY),
    _x("delete again", f"DELETE {ONE}cancelled", NOT_FOUND),
    _x("get what was deleted", f"GET {ONE}cancelled", NOT_FOUND),
    _x("delete while it tunes", f"DELETE {ONE}stop", EMPTY),
    _x("an id is free again after its delete", f"POST {MODELS}", OPERATION, tuned(), tunedModelId="cancelled"),
    _only("one operation", "GET /v1/{operation:tuning}", OPERATION),
    _only("one operation on v1beta", "GET /v1beta/{operation:tuning}", OPERATION),
    _only("an operation that never was", "GET /v1/tunedModels/tuning/operations/none", NOT_FOUND),
    _only("v1 has no tuned models", "GET /v1/tunedModels", NOT_FOUND),
    _only("all base models", "GET /v1beta/models", _listed(BASE, "models")),
    _only("create without an id", f"POST {MODELS}", OPERATION, tuned()),
    _only("snake case and trailing commas", f"POST {MODELS}", OPERATION, _SNAKE, tunedModelId="snake"),
    _only("a multiplier", f"POST {MODELS}", OPERATION, tuned_with(learningRateMultiplier=2.0), tunedModelId="times"),
    _only("both rates", f"POST {MODELS}", INVALID, tuned_with(learningRate=0.1, learningRateMultiplier=2.0)),
    _only("no examples", f"POST {MODELS}", INVALID, tuned(tuningTask={}), tunedModelId="bare"),
    _only("no body", f"POST {MODELS}", INVALID, tunedModelId="bare"),
    _only("an id in capitals", f"POST {MODELS}", INVALID, tuned(), tunedModelId="Capital"),
    _only("an id of 41 characters", f"POST {MODELS}", INVALID, tuned(), tunedModelId="a" * 41),
    _only("an id that ends in a dash", f"POST {MODELS}", INVALID, tuned(), tunedModelId="a-"),
    _only("a display name of 41 characters", f"POST {MODELS}", INVALID, tuned(displayName="x" * 41)),
    _only("a temperature over one", f"POST {MODELS}", INVALID, tuned(temperature=1.5)),
    _only("no epochs", f"POST {MODELS}", INVALID, tuned_with(epochCount=0)),
    _only("a name nobody knows", f"POST {MODELS}", INVALID, tuned(colour="red")),
    _only("no JSON", f"POST {MODELS}", INVALID, b'{"displayName": '),
    _only("a tuned model that is not there as base", f"POST {MODELS}", NOT_FOUND,
          {k: v for k, v in tuned(tunedModelSource={"tunedModel": "tunedModels/nobody"}).items() if k != "baseModel"}),
    _only("an immutable field", f"PATCH {ONE}done", INVALID, {"baseModel": "models/other"}, updateMask="baseModel"),
    _only("a mask of a field nobody knows", f"PATCH {ONE}done", INVALID, {"displayName": "x"}, updateMask="colour"),
    _only("a page token of somebody else", f"GET {MODELS}", INVALID, pageToken="%%%"),
    _only("a page of less than nothing", f"GET {MODELS}", INVALID, pageSize="-1"),
    _only("a query nobody knows", f"GET {MODELS}", INVALID, colour="red"),
    _only("two turns", f"POST {ONE}done:generateContent", INVALID, {"contents": [_TURN, _TURN]}),
    _only("JSON mode", f"POST {ONE}done:generateContent", INVALID,
          {**ASK, "generationConfig": {"responseMimeType": "application/json"}}),
    _only("nothing is there", "GET /v1beta/nowhere", NOT_FOUND),
)  # fmt: skip
