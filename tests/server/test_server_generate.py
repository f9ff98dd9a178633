"""What a tuned model answers, and which questions it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server.served import Served, rows, text_of, tuned

ASK = "/v1beta/tunedModels/counting:generateContent"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["textInput"])
def test_a_tuned_model_knows_its_rows_by_heart(counting: Served, row: dict[str, str]) -> None:
    assert text_of(counting.ask("counting", row["textInput"])) == row["output"]


def test_an_answer_has_the_shape_of_googles(counting: Served) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "3"}]}]}
    for path in (ASK, ASK.replace("v1beta", "v1")):
        assert counting.call("POST", path, body).body == {
            "candidates": [
                {"content": {"parts": [{"text": "4"}], "role": "model"}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
            "modelVersion": "tunedModels/counting",
        }


def test_an_answer_is_cut_at_the_asked_length(counting: Served) -> None:
    counting.wait(counting.create("long", long_rows()))
    cut = counting.ask("long", "a", maxOutputTokens=3).body["candidates"][0]
    assert (cut["content"]["parts"][0]["text"], cut["finishReason"]) == ("abc", "MAX_TOKENS")
    assert text_of(counting.ask("long", "a", stop_sequences=["de"])) == "abc"


def long_rows() -> dict[str, Any]:
    body = tuned(epochCount=60)
    body["tuningTask"]["trainingData"]["examples"]["examples"] = [{"textInput": "a", "output": "abcdefgh"}]
    return body


def test_a_seeded_draw_at_a_temperature_repeats(counting: Served) -> None:
    asked = {"temperature": 1, "topP": 1, "topK": 40, "seed": 7}
    assert text_of(counting.ask("counting", "9", **asked)) == text_of(counting.ask("counting", "9", **asked))


def test_answers_to_many_at_once_do_not_mix(counting: Served) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: text_of(counting.ask("counting", str(n % 6))), range(24)))
    assert answers == [str(n % 6 + 1) for n in range(24)]


@pytest.mark.parametrize("text", ["", "\x00", "é" * 200, "1" * 40_000])
def test_any_text_within_the_limit_gets_an_answer(counting: Served, text: str) -> None:
    assert counting.ask("counting", text, maxOutputTokens=8).status == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"generationConfig": {"responseMimeType": "application/json"}}, "no JSON mode"),
        ({"generationConfig": {"response_schema": {"type": "STRING"}}}, "no JSON mode"),
        ({"systemInstruction": {"parts": [{"text": "Be brief"}]}}, "no system instruction"),
        ({"tools": [{}]}, "no tools"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}]}, "text only"),
        ({"contents": [{"parts": [{"text": "x" * 40_001}]}]}, "limit is 40000"),
        ({"contents": []}, "exactly one turn"),
        ({"contents": [{"parts": [{"text": "a"}]}] * 3}, "single turns"),
        ({"contents": [{"role": "model", "parts": [{"text": "a"}]}]}, "must be user"),
        ({"contents": [{"parts": []}]}, "must hold a text"),
        ({"generationConfig": {"candidateCount": 2}}, "must be 1"),
        ({"generationConfig": {"temperature": 1.5}}, "between 0 and 1"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "at least 1"),
        ({"generationConfig": {"nope": 0}}, 'Unknown name "nope"'),
        ({"nope": 0}, 'Unknown name "nope"'),
    ],
)
def test_what_a_tuned_model_cannot_do_is_refused(counting: Served, body: dict[str, Any], words: str) -> None:
    answer = counting.call("POST", ASK, {"contents": [{"parts": [{"text": "3"}]}]} | body)
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert words in answer.error["message"]


def test_a_model_that_is_not_ready_says_so(answering: Served) -> None:
    answer = answering.ask("busy", "3")
    assert (answer.status, answer.error["status"]) == (400, "FAILED_PRECONDITION")
    assert "is CREATING" in answer.error["message"]


def test_a_finished_operation_holds_the_model_and_the_whole_curve(counting: Served) -> None:
    [operation] = counting.call("GET", "/v1/tunedModels/counting/operations").body["operations"]
    made = operation["response"]
    assert made.pop("@type") == "type.googleapis.com/google.ai.generativelanguage.v1beta.TunedModel"
    assert made == counting.model("counting")
    assert made["state"] == "ACTIVE"
    assert made["tuningTask"]["startTime"] < made["tuningTask"]["completeTime"]
    metadata = operation["metadata"]
    assert (metadata["completedSteps"], metadata["completedPercent"]) == (90, 100)
    snapshots = made["tuningTask"]["snapshots"]
    assert metadata["snapshots"] == snapshots
    assert [s["step"] for s in snapshots] == list(range(1, 91))
    assert [s.get("epoch") for s in snapshots[:3]] == [None, 1, 2]  # proto3 leaves a zero out
    assert snapshots[-1]["epoch"] == 60
    assert snapshots[0]["meanLoss"] > 2
    assert snapshots[-1]["meanLoss"] < 0.1


def test_a_finished_run_cannot_be_cancelled_any_more(counting: Served) -> None:
    [operation] = counting.call("GET", "/v1/tunedModels/counting/operations").body["operations"]
    answer = counting.call("POST", f"/v1/{operation['name']}:cancel", {})
    assert (answer.status, answer.body) == (200, {})
    assert counting.model("counting")["state"] == "ACTIVE"


def test_tuning_on_a_tuned_model_starts_from_its_weights(counting: Served) -> None:
    body = tuned(epochCount=1) | {
        "tunedModelSource": {"tunedModel": "tunedModels/counting", "baseModel": "models/tiny"}
    }
    del body["baseModel"]
    assert "response" in counting.wait(counting.create("on-top", body))
    model = counting.model("on-top")
    assert model["tunedModelSource"] == {"tunedModel": "tunedModels/counting", "baseModel": "models/tiny"}
    assert "baseModel" not in model
    assert model["tuningTask"]["snapshots"][0]["meanLoss"] < 0.1


@pytest.mark.parametrize(("source", "status"), [("tunedModels/nobody", 404), ("tunedModels/busy", 400)])
def test_a_source_that_has_no_weights_is_refused(answering: Served, source: str, status: int) -> None:
    body = tuned() | {"tunedModelSource": {"tunedModel": source}}
    del body["baseModel"]
    assert answering.call("POST", "/v1beta/tunedModels", body).status == status
