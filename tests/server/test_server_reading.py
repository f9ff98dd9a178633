"""Listing, patching and deleting models, reading operations, base models, and paths that are not there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.server.served import Answer, Served, tuned

ALL = [f"m{i:02d}" for i in range(12)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with twelve models, m00 to m11, every third of them described as red."""
    served = Served(tmp_path_factory.mktemp("shelf") / "data", ("--runs", "1")).start()
    served.create("m00", tuned(epochCount=1_000_000) | {"description": "red thing"})
    for i, model_id in enumerate(ALL[1:], 1):
        served.create(
            model_id, tuned() | {"displayName": f"Number {i}", "description": "red thing" if i % 3 == 0 else ""}
        )
    yield served
    served.stop()


def page(served: Served, query: str = "") -> tuple[list[str], str | None]:
    answer = served.call("GET", f"/v1beta/tunedModels{query}")
    assert answer.status == 200, answer
    return [m["name"].removeprefix("tunedModels/") for m in answer.body["tunedModels"]], answer.body.get(
        "nextPageToken"
    )


def test_a_page_has_ten_models_unless_said_otherwise(shelf: Served) -> None:
    names, token = page(shelf)
    assert names == ALL[:10]
    assert page(shelf, f"?pageToken={token}") == (ALL[10:], None)


@pytest.mark.parametrize("name", ["pageSize", "page_size"])
def test_pages_of_any_size_give_each_model_once(shelf: Served, name: str) -> None:
    seen, token = page(shelf, f"?{name}=5")
    while token:
        names, token = page(shelf, f"?{name}=5&page_token={token}")
        seen += names
    assert seen == ALL


@pytest.mark.parametrize("size", ["12", "1000", "1000000"])
def test_the_last_page_has_no_token(shelf: Served, size: str) -> None:
    assert page(shelf, f"?pageSize={size}") == (ALL, None)


@pytest.mark.parametrize("query", ["pageSize=-1", "pageSize=ten", "pageToken=%F0%9F%92%A9", "pageToken=abc", "size=3"])
def test_a_faulty_page_is_refused(shelf: Served, query: str) -> None:
    answer = shelf.call("GET", f"/v1beta/tunedModels?{query}")
    assert (answer.status, answer.fields) == (400, {query.split("=", maxsplit=1)[0]})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("RED", ALL[::3]),
        ("thing red", ALL[::3]),
        ('"thing red"', []),
        ("owner:me red", ALL[::3]),
        ("owner:me", ALL),
        ("readers:everyone", []),
        ('"number 3"', ["m03"]),
    ],
)
def test_a_filter_searches_name_and_description(shelf: Served, query: str, found: list[str]) -> None:
    assert page(shelf, f"?pageSize=100&filter={quote(query)}")[0] == found


def patch(served: Served, query: str, body: Any) -> Answer:
    return served.call("PATCH", f"/v1beta/tunedModels/busy{query}", body)


@pytest.mark.parametrize("mask", ["description,displayName", "description,display_name"])
def test_a_patch_changes_what_the_mask_names_and_nothing_else(answering: Served, mask: str) -> None:
    before = answering.model("busy")
    body = {"description": mask, "display_name": "New", "temperature": 0.9, "state": 2, "name": "tunedModels/busy"}
    after = patch(answering, f"?updateMask={mask}&%24alt=json%3Benum-encoding%3Dint", body)
    assert after.status == 200
    assert (after.body["description"], after.body["displayName"]) == (mask, "New")
    assert (after.body["temperature"], after.body["state"]) == (before["temperature"], "CREATING")
    assert after.body["updateTime"] > before["updateTime"]


def test_a_patch_without_a_mask_changes_what_the_body_carries(answering: Served) -> None:
    patch(answering, "", {"description": "kept", "temperature": 0.5})
    after = patch(answering, "", {"temperature": 0.25}).body
    assert (after["description"], after["temperature"]) == ("kept", 0.25)


def test_a_whole_model_may_be_sent_back_without_a_mask(answering: Served) -> None:
    assert patch(answering, "", answering.model("busy") | {"state": 1}).status == 200


def test_a_masked_field_that_is_not_sent_is_cleared(answering: Served) -> None:
    patch(answering, "", {"description": "x", "temperature": 0.5})
    after = patch(answering, "?update_mask=description,temperature", {}).body
    assert "description" not in after
    assert after["temperature"] == 0


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        ("baseModel", "immutable"),
        ("tuningTask.hyperparameters.batchSize", "immutable"),
        ("tuning_task.training_data", "immutable"),
        ("state", "server only"),
        ("colour", "no field"),
    ],
)
def test_a_mask_may_not_name_what_cannot_change(answering: Served, mask: str, why: str) -> None:
    answer = patch(answering, f"?updateMask=description,{mask}", {"description": "x"})
    assert (answer.status, answer.fields) == (400, {"updateMask"})
    assert why in answer.error["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"baseModel": "models/other"}, "baseModel"),
        ({"tuningTask": {"hyperparameters": {"epochCount": 7}}}, "tuningTask.hyperparameters.epochCount"),
        (tuned(), "tuningTask.trainingData"),
        ({"displayName": "x" * 41}, "displayName"),
        ({"nope": 1}, "nope"),
    ],
)
def test_a_patch_that_would_change_what_is_fixed_is_refused_by_name(answering: Served, body: Any, field: str) -> None:
    answer = patch(answering, "", body)
    assert (answer.status, answer.fields) == (400, {field})


def test_operations_are_read_on_both_versions(answering: Served) -> None:
    name = answering.create("operated", tuned())
    listings = [answering.call("GET", f"/{v}/tunedModels/operated/operations").body for v in ("v1", "v1beta")]
    single = [answering.call("GET", f"/{v}/{name}").body for v in ("v1", "v1beta")]
    assert listings == [{"operations": [single[0]]}] * 2
    assert single[0] == single[1]
    assert single[0]["name"] == name


def test_a_deleted_model_and_its_operation_are_gone(answering: Served) -> None:
    name = answering.create("short-lived", tuned())
    deleted = answering.call("DELETE", "/v1beta/tunedModels/short-lived")
    assert (deleted.status, deleted.body) == (200, {})
    for method, path in [
        ("GET", "/v1beta/tunedModels/short-lived"),
        ("PATCH", "/v1beta/tunedModels/short-lived"),
        ("DELETE", "/v1beta/tunedModels/short-lived"),
        ("GET", f"/v1/{name}"),
        ("POST", f"/v1/{name}:cancel"),
        ("GET", "/v1/tunedModels/short-lived/operations"),
        ("POST", "/v1beta/tunedModels/short-lived:generateContent"),
    ]:
        answer = answering.call(method, path)
        assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND"), path
    assert "Tuned model tunedModels/short-lived does not exist." in answer.error["message"]


def test_the_id_of_a_deleted_model_is_free_again(answering: Served) -> None:
    first = answering.create("again", tuned())
    answering.call("DELETE", "/v1beta/tunedModels/again")
    assert answering.create("again", tuned()) != first


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_base_model_can_be_tuned_and_is_not_served_untuned(answering: Served, version: str) -> None:
    listed = answering.call("GET", f"/{version}/models?pageSize=50").body["models"]
    assert [model["name"] for model in listed] == ["models/tiny"]
    one = answering.call("GET", f"/{version}/models/tiny").body
    assert one == listed[0]
    assert "createTunedModel" in one["supportedGenerationMethods"]
    asked = answering.call("POST", f"/{version}/models/tiny:generateContent", {})
    assert (asked.status, asked.error["status"]) == (400, "FAILED_PRECONDITION")
    assert "no weights" in asked.error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1beta/tunedModels/busy/permissions"),
        ("POST", "/v1beta/tunedModels/busy/permissions"),
        ("PATCH", "/v1beta/tunedModels/busy/permissions/1"),
        ("POST", "/v1beta/tunedModels/busy:transferOwnership"),
        ("POST", "/v1beta/tunedModels/busy:streamGenerateContent"),
    ],
)
def test_what_is_not_built_says_so(answering: Served, method: str, path: str) -> None:
    answer = answering.call(method, path)
    assert (answer.status, answer.error["status"]) == (501, "UNIMPLEMENTED")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1beta",
        "/v2/tunedModels",
        "/v1/tunedModels",
        "/v1beta/tunedModels/",
        "/v1beta/tunedModels/a/b",
        "/v1/models/x",
    ],
)
def test_an_unknown_path_is_not_found(answering: Served, path: str) -> None:
    answer = answering.call("GET", path)
    assert (answer.status, answer.error["code"], answer.error["status"]) == (404, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/v1beta/tunedModels/a"), ("DELETE", "/v1beta/tunedModels"), ("POST", "/v1beta/models")],
)
def test_a_method_that_a_path_does_not_have_is_refused(answering: Served, method: str, path: str) -> None:
    answer = answering.call(method, path)
    assert (answer.status, answer.error["code"]) == (405, 405)
    assert "allow" in answer.headers


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tuning.sqlite3") as store:
        store.execute("PRAGMA user_version = 99")
    store.close()
    command = [sys.executable, "-m", "controller.server", "--data", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "schema version 99" in ended.stderr
