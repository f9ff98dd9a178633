"""POST /v1beta/tunedModels: what is taken, what is refused, and what is said about it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.server.served import Answer, Served, rows, tuned


def post(served: Served, body: Any, query: str = "") -> Answer:
    return served.call("POST", f"/v1beta/tunedModels{query}", body)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good body with one place changed; ``path`` is dotted, a last value of None takes the place out."""
    body = json.loads(json.dumps(tuned()))
    *way, last = path.split(".")
    place = body
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return dict(body)


ROW = "tuningTask.trainingData.examples.examples"


def test_a_create_answers_with_a_running_operation(answering: Served) -> None:
    answer = post(answering, tuned(15, epochCount=5, batchSize=4), "?tunedModelId=running")
    assert answer.status == 200
    assert re.fullmatch(r"tunedModels/running/operations/[a-z0-9]{12}", answer.body["name"])
    assert answer.body["metadata"] == {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata",
        "tunedModel": "tunedModels/running",
        "totalSteps": 19,
    }
    assert "done" not in answer.body


def test_a_new_model_shows_its_settings_and_never_its_rows(answering: Served) -> None:
    body = tuned(epochCount=2, batchSize=3, learningRate=0.01) | {"description": "d", "temperature": 0.5, "topK": 3}
    body["readerProjectNumbers"] = ["123", 456]
    post(answering, body, "?tunedModelId=shown")
    model = answering.model("shown")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", model.pop("createTime"))
    assert model.pop("updateTime")
    assert model == {
        "name": "tunedModels/shown",
        "baseModel": "models/tiny",
        "displayName": "Next",
        "description": "d",
        "state": "CREATING",
        "tuningTask": {"hyperparameters": {"epochCount": 2, "batchSize": 3, "learningRate": 0.01}},
        "temperature": 0.5,
        "topP": 0.95,
        "topK": 3,
        "readerProjectNumbers": ["123", "456"],
    }


@pytest.mark.parametrize(
    ("examples", "asked", "steps"),
    [
        (15, {"batchSize": 2}, 38),
        (15, {}, 19),
        (15, {"epochCount": 100}, 375),
        (15, {"batchSize": 2, "epochCount": 3}, 23),
        (15, {"epochCount": 3}, 12),
        (15, {"epochCount": 50}, 188),
        (2, {"batchSize": 64, "epochCount": 1}, 1),
    ],
)
def test_steps_are_counted_as_in_googles_published_samples(
    answering: Served, examples: int, asked: dict[str, int], steps: int
) -> None:
    assert post(answering, tuned(examples, **asked)).body["metadata"]["totalSteps"] == steps


def test_a_multiplier_is_reported_as_the_rate_it_stands_for(answering: Served) -> None:
    post(answering, tuned(learningRateMultiplier=2), "?tunedModelId=multiplied")
    assert answering.model("multiplied")["tuningTask"]["hyperparameters"] == {
        "epochCount": 5,
        "batchSize": 4,
        "learningRate": 0.006,
    }


@pytest.mark.parametrize(
    ("display_name", "pattern"),
    [
        ("Number Generator (v2)", r"number-generator-v2-[a-z0-9]{12}"),
        ("42 – ÄÖ", r"tuned-[a-z0-9]{12}"),
        ("", r"tuned-[a-z0-9]{12}"),
        ("x" * 40, r"x{27}-[a-z0-9]{12}"),
    ],
)
def test_an_id_is_made_from_the_display_name(answering: Served, display_name: str, pattern: str) -> None:
    made = post(answering, tuned() | {"displayName": display_name}).body["metadata"]["tunedModel"]
    assert re.fullmatch(f"tunedModels/{pattern}", made)


def test_an_id_that_is_taken_is_a_conflict(answering: Served) -> None:
    answering.create("taken", tuned())
    answer = post(answering, tuned(), "?tunedModelId=taken")
    assert answer.status == 409
    assert answer.error == {
        "code": 409,
        "message": "Tuned model tunedModels/taken exists already.",
        "status": "ALREADY_EXISTS",
    }


@pytest.mark.parametrize("model_id", ["A", "1a", "a_b", "a-", "-a", "a" * 41, "a.b", "%C3%A4", "a%0A"])
def test_an_id_of_another_form_is_refused(answering: Served, model_id: str) -> None:
    answer = post(answering, tuned(), f"?tunedModelId={model_id}")
    assert (answer.status, answer.fields) == (400, {"tunedModelId"})


def test_the_longest_id_is_taken(answering: Served) -> None:
    assert post(answering, tuned(), f"?tunedModelId={'z' * 40}").status == 200


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("displayName", "x" * 41, "displayName"),
        ("displayName", 5, "displayName"),
        ("displayName", "\ud800", "displayName"),
        ("temperature", 1.1, "temperature"),
        ("temperature", -0.1, "temperature"),
        ("temperature", "warm", "temperature"),
        ("temperature", True, "temperature"),
        ("temperature", 10**400, "temperature"),
        ("temperature", "NaN", "temperature"),
        ("topP", 2, "topP"),
        ("topK", 0, "topK"),
        ("topK", 1.5, "topK"),
        ("topK", 2**31, "topK"),
        ("readerProjectNumbers", "1", "readerProjectNumbers"),
        ("readerProjectNumbers", [2**63], "readerProjectNumbers"),
        ("baseModel", None, "baseModel"),
        ("tunedModelSource", {"tunedModel": "tunedModels/a"}, "tunedModelSource"),
        ("tuningTask", None, "tuningTask.trainingData.examples.examples"),
        ("tuningTask", [], "tuningTask"),
        ("tuningTask.hyperparameters", {"epochCount": 0}, "tuningTask.hyperparameters.epochCount"),
        ("tuningTask.hyperparameters", {"epochCount": 10**9}, "tuningTask.hyperparameters.epochCount"),
        ("tuningTask.hyperparameters", {"batchSize": -4}, "tuningTask.hyperparameters.batchSize"),
        ("tuningTask.hyperparameters", {"learningRate": 0}, "tuningTask.hyperparameters.learningRate"),
        (
            "tuningTask.hyperparameters",
            {"learningRate": 0.1, "learningRateMultiplier": 1},
            "tuningTask.hyperparameters.learningRateMultiplier",
        ),
        (ROW, [], ROW),
        (ROW, {}, ROW),
        (f"{ROW}.2", {"textInput": "a"}, f"{ROW}[2].output"),
        (f"{ROW}.2", {"output": "a"}, f"{ROW}[2].textInput"),
        (f"{ROW}.2", {"textInput": "a", "output": ""}, f"{ROW}[2].output"),
        (f"{ROW}.2", {"textInput": "a" * 40_001, "output": "a"}, f"{ROW}[2].textInput"),
        (f"{ROW}.2", {"textInput": "a", "output": "a" * 5_001}, f"{ROW}[2].output"),
        (f"{ROW}.2", {"textInput": "a", "output": "ä" * 129}, f"{ROW}[2].output"),
        (f"{ROW}.2", "a", f"{ROW}[2]"),
    ],
)
def test_a_faulty_field_is_refused_by_name(answering: Served, path: str, value: Any, field: str) -> None:
    answer = post(answering, changed(path, value))
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert field in answer.fields
    assert field in answer.error["message"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("nope", "nope"),
        ("tuningTask.nope", "tuningTask.nope"),
        ("tuningTask.hyperparameters.epochs", "tuningTask.hyperparameters.epochs"),
        ("tuningTask.trainingData.file", "tuningTask.trainingData.file"),
        (f"{ROW}.0.label", f"{ROW}[0].label"),
    ],
)
def test_an_unknown_name_is_refused_with_its_place(answering: Served, path: str, field: str) -> None:
    answer = post(answering, changed(path, 1))
    assert (answer.status, answer.fields) == (400, {field})
    assert f'Unknown name "{field.rsplit(".", maxsplit=1)[-1]}"' in answer.error["message"]


def test_all_faults_are_named_at_once(answering: Served) -> None:
    body = tuned(epochCount=0) | {"displayName": "x" * 41, "temperature": 2, "nope": 1}
    answer = post(answering, body, "?tunedModelId=NO")
    assert answer.fields == {
        "tunedModelId",
        "displayName",
        "temperature",
        "nope",
        "tuningTask.hyperparameters.epochCount",
    }


def test_what_googles_own_samples_send_is_understood_all_at_once(answering: Served) -> None:
    body = b"""
      {
        "display_name": "number, generator,} model", "base_model": "models/tiny", "state": 1, "temperature": "0.5",
        "tuning_task": {
          "hyperparameters": {"batch_size": 2, "learningRate": 0.001, "epoch_count": "5",},
          "training_data": {"examples": {"examples": [
            {"text_input": "1", "output": "2",},
            {"textInput": "say \\",}\\"", "output": "4"},
          ]}}
        },
        "description": null,
      }"""
    query = "?tuned_model_id=lenient&%24alt=json%3Benum-encoding%3Dint&key=abc&alt=json&prettyPrint=false"
    answer = post(answering, body, query)
    assert answer.status == 200, answer
    model = answering.model("lenient")
    assert model["displayName"] == "number, generator,} model"
    assert model["temperature"] == 0.5
    assert model["tuningTask"]["hyperparameters"] == {"epochCount": 5, "batchSize": 2, "learningRate": 0.001}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b'"text"',
        b'{"temperature": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"displayName": "a", "display_name": "b"}',
        b"{,,}",
        b'{"topK": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(answering: Served, body: bytes) -> None:
    answer = post(answering, body)
    assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")


def test_a_body_beyond_the_limit_is_refused(answering: Served) -> None:
    answer = post(answering, b'{"description": "' + b"x" * 2**24 + b'"}')
    assert answer.status == 413
    assert "larger than 16777216 bytes" in answer.error["message"]


def test_a_base_model_that_is_not_there_is_refused_naming_those_that_are(answering: Served) -> None:
    answer = post(answering, tuned() | {"baseModel": "models/gemini-1.5-flash-001-tuning"})
    assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND")
    assert "models/tiny" in answer.error["message"]


def test_a_query_parameter_nobody_knows_is_refused(answering: Served) -> None:
    answer = post(answering, tuned(), "?tunedModelID=a")
    assert (answer.status, answer.fields) == (400, {"tunedModelID"})


def test_no_row_and_no_key_reaches_the_journal(answering: Served) -> None:
    body = changed(f"{ROW}.0", {"textInput": "a-secret-row", "output": "x" * 300})
    answering.call("POST", "/v1beta/tunedModels?key=a-secret-key", body, {"x-goog-api-key": "another-secret"})
    answering.call("POST", "/v1beta/tunedModels?key=a-secret-key", {"baseModel": "models/tiny", "tuningTask": rows()})
    assert "request.answered" in answering.journal
    assert "secret" not in answering.journal
