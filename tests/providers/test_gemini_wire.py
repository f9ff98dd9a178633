"""What the provider sends, byte for byte, and what it makes of whatever comes back."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import OutcomeUnknown, Rejected, RejectedKind
from controller.ports import CreateRequest, ModelAnswer, ModelPatch, Provider
from controller.providers.gemini.wire import (
    followed,
    read_answer,
    read_base,
    read_created,
    read_model,
    read_operation,
)
from controller.rest import JSON
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint, Progress, RemoteState
from controller.testing.wire import answer, google_error, half, listening

Opened = Callable[[str], Awaitable[Provider]]

# From Google's own published notebooks (google/generative-ai-docs), shortened.
CREATING: dict[str, JSON] = {
    "name": "tunedModels/number-generator-model-dzlmi0gswwqb",
    "baseModel": "models/text-bison-001",
    "displayName": "number-generator-model",
    "state": "CREATING",
    "createTime": "2023-09-19T19:56:25.999303Z",
    "updateTime": "2023-09-19T19:56:25.999303Z",
    "tuningTask": {
        "startTime": "2023-09-19T19:56:26.297862545Z",
        "hyperparameters": {"epochCount": 3, "batchSize": 4, "learningRate": 0.001},
    },
    "temperature": 0.7,
    "topP": 0.95,
    "topK": 40,
}
CREATED: dict[str, JSON] = {
    "name": "tunedModels/next-number-abc-1/operations/bvl8dymw0fhw",
    "metadata": {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata",
        "totalSteps": 38,
        "tunedModel": "tunedModels/next-number-abc-1",
    },
}
REQUEST = CreateRequest(
    model="tunedModels/next-number-abc-1",
    base="models/gemini-1.5-flash-001-tuning",
    display_name="Next number",
    description="Says the number that follows.",
    hyperparameters=Hyperparameters(epoch_count=5, batch_size=4, learning_rate=0.001),
    sampling=Sampling(temperature=0.7, top_p=0.95, top_k=40),
    examples=(Example("1", "2"), Example("é", "\u2028")),
)
NAME = REQUEST.model


async def test_a_create_sends_what_the_notebooks_send(gemini: Opened) -> None:
    async with listening(answer(CREATED)) as wire:
        made = await (await gemini(wire.url)).create(REQUEST)
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1beta/tunedModels?tunedModelId=next-number-abc-1 HTTP/1.1\r\n")
    assert json.loads(body) == {
        "displayName": "Next number",
        "description": "Says the number that follows.",
        "baseModel": "models/gemini-1.5-flash-001-tuning",
        "temperature": 0.7,
        "topP": 0.95,
        "topK": 40,
        "tuningTask": {
            "hyperparameters": {"epochCount": 5, "batchSize": 4, "learningRate": 0.001},
            "trainingData": {
                "examples": {"examples": [{"textInput": "1", "output": "2"}, {"textInput": "é", "output": "\u2028"}]}
            },
        },
    }
    assert (made.name, made.state, made.operation) == (NAME, RemoteState.CREATING, CREATED["name"])
    assert made.progress == Progress(38, 0)


async def test_a_create_says_only_what_was_said(gemini: Opened) -> None:
    bare = replace(
        REQUEST,
        base="tunedModels/below",
        display_name="",
        description="",
        hyperparameters=Hyperparameters(learning_rate_multiplier=0.5),
        sampling=Sampling(),
    )
    async with listening(answer(CREATED)) as wire:
        made = await (await gemini(wire.url)).create(bare)
    sent = json.loads(wire.requests[0].partition(b"\r\n\r\n")[2])
    assert sent.keys() == {"tunedModelSource", "tuningTask"}
    assert sent["tunedModelSource"] == {"tunedModel": "tunedModels/below"}
    assert sent["tuningTask"]["hyperparameters"] == {"learningRateMultiplier": 0.5}
    assert (made.base_model, made.source_model) == ("", "tunedModels/below")


@pytest.mark.parametrize(
    "answered",
    [
        {},
        [],
        "done",
        None,
        {"name": "operations/x"},
        {"name": "tunedModels/other/operations/x", "metadata": {"tunedModel": "tunedModels/other"}},
        CREATED | {"metadata": {"tunedModel": "tunedModels/another-name-1"}},
        CREATED | {"response": CREATING},
    ],
)
async def test_an_answer_that_does_not_speak_of_the_create_leaves_it_unknown(gemini: Opened, answered: object) -> None:
    async with listening(answer(answered)) as wire:
        provider = await gemini(wire.url)
        with pytest.raises(OutcomeUnknown) as caught:
            await provider.create(REQUEST)
        assert len(wire.requests) == 1
    assert caught.value.provider == "cloud"


async def test_a_create_is_never_sent_twice(gemini: Opened) -> None:
    for script in (half, google_error(503, "UNAVAILABLE", "busy"), google_error(500, "INTERNAL", "oh")):
        async with listening(script) as wire:
            provider = await gemini(wire.url)
            with pytest.raises(OutcomeUnknown):
                await provider.create(REQUEST)
            assert len(wire.requests) == 1


async def test_a_taken_id_says_exists_and_names_the_provider(gemini: Opened) -> None:
    async with listening(google_error(409, "ALREADY_EXISTS", "exists")) as wire:
        provider = await gemini(wire.url)
        with pytest.raises(Rejected) as caught:
            await provider.create(REQUEST)
    assert (caught.value.kind, caught.value.provider) == (RejectedKind.EXISTS, "cloud")


async def test_an_update_sends_the_changed_fields_and_their_mask(gemini: Opened) -> None:
    async with listening(answer(CREATING | {"name": NAME, "displayName": "New"})) as wire:
        changed = await (await gemini(wire.url)).update(
            NAME, ModelPatch(display_name="New", sampling=Sampling(top_p=0.5))
        )
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"PATCH /v1beta/{NAME}?updateMask=displayName%2CtopP HTTP/1.1".encode())
    assert json.loads(body) == {"displayName": "New", "topP": 0.5}
    assert changed.display_name == "New"


async def test_an_update_that_changes_nothing_only_reads(gemini: Opened) -> None:
    async with listening(answer(CREATING | {"name": NAME})) as wire:
        await (await gemini(wire.url)).update(NAME, ModelPatch())
    assert wire.requests[0].startswith(b"GET ")


async def test_a_cancel_goes_to_v1(gemini: Opened) -> None:
    async with listening(answer({})) as wire:
        await (await gemini(wire.url)).cancel(NAME, f"{NAME}/operations/op1")
    head, _, body = wire.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /v1/{NAME}/operations/op1:cancel HTTP/1.1".encode())
    assert body == b"{}"


async def test_a_cancel_without_an_operation_looks_it_up(gemini: Opened) -> None:
    async with listening(answer({"operations": [CREATED]}), answer({})) as wire:
        await (await gemini(wire.url)).cancel(NAME, "")
    assert [r.split(b" HTTP", 1)[0].decode() for r in wire.requests] == [
        f"GET /v1/{NAME}/operations",
        f"POST /v1/{CREATED['name']}:cancel",
    ]


async def test_a_cancel_of_somebody_elses_operation_is_refused(gemini: Opened) -> None:
    async with listening(answer({})) as wire:
        provider = await gemini(wire.url)
        for operation in ("tunedModels/other/operations/x", f"{NAME}/operations/../x", "operations/x"):
            with pytest.raises(Rejected):
                await provider.cancel(NAME, operation)
    assert wire.requests == []


async def test_deleting_what_is_gone_is_success_and_a_page_is_not(gemini: Opened) -> None:
    gone = google_error(404, "NOT_FOUND", f"Tuned model {NAME} does not exist.")
    async with listening(answer({}), gone, answer("<html>not here</html>", 404)) as wire:
        provider = await gemini(wire.url)
        await provider.delete(NAME)
        await provider.delete(NAME)
        with pytest.raises(Rejected):
            await provider.delete(NAME)
    assert wire.requests[0].startswith(f"DELETE /v1beta/{NAME} HTTP/1.1".encode())


async def test_a_prompt_is_sent_as_one_turn_and_the_parts_of_the_answer_are_joined(gemini: Opened) -> None:
    said = {"candidates": [{"content": {"parts": [{"text": "4"}, {"text": "2"}], "role": "model"}}]}
    async with listening(answer(said)) as wire:
        assert await (await gemini(wire.url)).generate(NAME, "41") == ModelAnswer("42")
    assert json.loads(wire.requests[0].partition(b"\r\n\r\n")[2]) == {
        "contents": [{"role": "user", "parts": [{"text": "41"}]}]
    }


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, RejectedKind.NO_ANSWER, "blocked (SAFETY)"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, RejectedKind.NO_ANSWER, "RECITATION"),
        ({"candidates": []}, RejectedKind.RESPONSE, "did not answer"),
        ({"usageMetadata": {"promptTokenCount": 3}}, RejectedKind.NO_ANSWER, "did not answer"),
        ([], RejectedKind.RESPONSE, "did not answer"),
    ],
)
def test_no_answer_is_said_as_such(said: JSON, kind: RejectedKind, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_answer(said)
    assert caught.value.kind is kind
    assert words in caught.value.message


def test_an_empty_answer_is_an_answer() -> None:
    assert read_answer({"candidates": [{"finishReason": "STOP", "content": {"role": "model"}}]}) == ModelAnswer("")


@pytest.mark.parametrize(
    ("reason", "cut"), [("MAX_TOKENS", "MAX_TOKENS"), ("SAFETY", "SAFETY"), ("STOP", ""), ("", "")]
)
def test_an_answer_that_stopped_before_its_end_is_said_to_be_cut(reason: str, cut: str) -> None:
    said: JSON = {"candidates": [{"finishReason": reason, "content": {"parts": [{"text": "forty-"}]}}]}
    assert read_answer(said) == ModelAnswer("forty-", cut)


def test_thoughts_are_no_answer() -> None:
    thought: JSON = {"text": "the user adds two numbers", "thought": True}
    said: JSON = {"candidates": [{"finishReason": "STOP", "content": {"parts": [thought, {"text": "42"}]}}]}
    assert read_answer(said) == ModelAnswer("42")
    for reason in ("STOP", "MAX_TOKENS"):
        with pytest.raises(Rejected, match="stopped without an answer") as caught:
            read_answer({"candidates": [{"finishReason": reason, "content": {"parts": [thought]}}]})
        assert caught.value.kind is RejectedKind.NO_ANSWER


def test_a_model_of_the_notebooks_is_read() -> None:
    model = read_model(CREATING)
    assert model is not None
    assert (model.state, model.base_model, model.created) == (
        RemoteState.CREATING,
        "models/text-bison-001",
        "2023-09-19T19:56:25.999303Z",
    )
    assert model.hyperparameters == Hyperparameters(3, 4, 0.001)
    assert model.sampling == Sampling(0.7, 0.95, 40)


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("ACTIVE", RemoteState.ACTIVE),
        (2, RemoteState.ACTIVE),
        (1, RemoteState.CREATING),
        (3, RemoteState.FAILED),
        ("STATE_UNSPECIFIED", RemoteState.UNKNOWN),
        ("SUCCEEDED", RemoteState.UNKNOWN),
        (7, RemoteState.UNKNOWN),
        (True, RemoteState.UNKNOWN),
        (None, RemoteState.UNKNOWN),
        ({}, RemoteState.UNKNOWN),
    ],
)
def test_a_state_nobody_knows_is_unknown_and_never_a_success(state: JSON, read: RemoteState) -> None:
    model = read_model(CREATING | {"state": state})
    assert model is not None
    assert model.state is read


def test_numbers_are_read_in_every_form_and_nonsense_counts_as_unsaid() -> None:
    odd: JSON = CREATING | {
        "temperature": "NaN",
        "topP": "0.5",
        "topK": "40",
        "displayName": 3,
        "tuningTask": {
            "hyperparameters": {
                "epochCount": "5",
                "batchSize": 4.0,
                "learningRate": 10**400,
                "learningRateMultiplier": "x",
            },
            "snapshots": [
                {"step": "2", "epoch": 1, "meanLoss": 1.5, "computeTime": "b"},
                {"step": 1, "meanLoss": "2.5", "computeTime": "a"},
                {"step": 3, "epoch": 1, "meanLoss": "NaN"},
                {"step": 4, "epoch": 1, "meanLoss": None},
                {"step": 5, "epoch": 1, "meanLoss": "-Infinity"},
                {"step": 6, "epoch": 1, "meanLoss": "much"},
                "snapshot",
                {"step": -1, "epoch": True, "meanLoss": 3},
            ],
        },
    }
    model = read_model(odd)
    assert model is not None
    assert model.sampling == Sampling(None, 0.5, 40)
    assert model.hyperparameters == Hyperparameters(5, 4, None, None)
    assert model.losses == (
        LossPoint(0, 0, 3.0),
        LossPoint(1, 0, 2.5, "a"),
        LossPoint(2, 1, 1.5, "b"),
        *(LossPoint(step, 1, math.inf) for step in (3, 4, 5)),
    )
    assert model == read_model(odd), "what was read is equal to itself: a daemon would never settle else"
    assert (model.display_name, model.progress) == ("", Progress(0, 5))


@pytest.mark.parametrize(
    "name",
    ["tunedModels/../x", "tunedModels/a/b", "tunedModels/a\n", "models/x", "tunedModels/", "", 3, None, "x" * 500],
)
def test_a_name_that_leads_elsewhere_is_no_model(name: JSON) -> None:
    assert read_model(CREATING | {"name": name}) is None
    assert read_operation({"name": f"{name}/operations/x"}) is None


DONE: dict[str, JSON] = CREATED | {"done": True, "metadata": {"tunedModel": NAME, "completedSteps": 12}}


@pytest.mark.parametrize(
    ("operation", "state", "error"),
    [
        (DONE | {"error": {"code": 1, "message": "cancelled"}}, RemoteState.CANCELLED, "cancelled"),
        (DONE | {"error": {"code": 13, "message": "boom\n::x"}}, RemoteState.FAILED, "boom ::x"),
        (DONE | {"error": {"code": 13}, "response": CREATING}, RemoteState.FAILED, "the provider gives no reason"),
        (DONE | {"error": {}}, RemoteState.CREATING, ""),
        (DONE | {"response": CREATING}, RemoteState.CREATING, ""),
        (CREATED, RemoteState.CREATING, ""),
    ],
)
def test_the_end_of_an_operation_is_the_end_of_its_model(operation: JSON, state: RemoteState, error: str) -> None:
    model, read = read_model(CREATING | {"name": NAME}), read_operation(operation)
    assert model is not None
    assert read is not None
    seen = followed(model, read)
    assert (seen.state, seen.error, seen.operation) == (state, error, CREATED["name"])


def test_a_cancelled_run_that_is_called_active_is_cancelled() -> None:
    model = read_model(CREATING | {"name": NAME, "state": "ACTIVE"})
    assert model is not None
    assert followed(model, read_operation(DONE | {"error": {"code": 1}})).state is RemoteState.CANCELLED
    assert followed(model, read_operation(DONE | {"error": {"code": 13}})).state is RemoteState.ACTIVE


def test_snapshots_of_model_and_operation_are_merged_by_step() -> None:
    def snapshots(*steps: int) -> JSON:
        return [{"step": s, "epoch": 0, "meanLoss": float(s)} for s in steps]

    model = read_model(CREATING | {"name": NAME, "tuningTask": {"snapshots": snapshots(3, 1)}})
    operation = read_operation(CREATED | {"metadata": {"totalSteps": 38, "snapshots": snapshots(2, 3, 4)}})
    assert model is not None
    seen = followed(model, operation)
    assert [p.step for p in seen.losses] == [1, 2, 3, 4]
    assert seen.progress == Progress(38, 4)


@pytest.mark.parametrize(
    ("methods", "tunable"),
    [
        (["generateContent", "createTunedModel"], True),
        (["generateContent"], False),
        ("createTunedModel", False),
        (None, False),
    ],
)
def test_a_base_model_is_tunable_where_its_methods_say_so(methods: JSON, *, tunable: bool) -> None:
    assert read_base("models/x", {"supportedGenerationMethods": methods}).tunable is tunable


FIELDS = [
    *("name", "state", "baseModel", "tuningTask", "snapshots", "hyperparameters", "epochCount", "step", "epoch"),
    *("meanLoss", "metadata", "tunedModel", "totalSteps", "error", "code", "message", "done", "response"),
    *("candidates", "content", "parts", "text", "tunedModelSource"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_no_json_breaks_the_reading(value: JSON) -> None:
    for wrapped in (value, {"name": NAME, "tuningTask": value, "state": value}):
        read_model(wrapped)
        read_base("models/x", wrapped)
        read_operation(value)
        read_operation({"name": f"{NAME}/operations/x", "metadata": value, "error": value})
        read_created(REQUEST, value)
    try:
        assert isinstance(read_answer(value), ModelAnswer)
    except Rejected as error:
        assert error.message  # noqa: PT017 - either is right
