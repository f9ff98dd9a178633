"""The same raw requests to the embedded server and to the simulated service: both answer in the shape of the corpus."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.equivalence.calm import Calm
from tests.equivalence.wire_corpus import CORPUS, NOT_FOUND, Exchange, Shape, tuned, tuned_with
from tests.server.served import Served
from tests.simulation.network import Request, served
from tests.simulation.remote import Service

_OPERATION = re.compile(r"\{operation:([a-z]+)\}")
Send = Callable[[Exchange], tuple[int, Any]]


def _paths(value: Any, prefix: str = "") -> set[str]:
    """Every key of a body, with its way: ``tuningTask.snapshots[].step``."""
    if isinstance(value, list):
        return {path for item in value for path in _paths(item, f"{prefix}[]")}
    if not isinstance(value, dict):
        return set()
    here = {f"{prefix}.{key}" if prefix else key: item for key, item in value.items()}
    return set(here) | {path for way, item in here.items() for path in _paths(item, way)}


def _mismatch(shape: Shape, code: int, body: Any) -> str:
    word = body.get("error", {}).get("status", "") if isinstance(body, dict) and code != 200 else ""
    if (code, word) not in {(shape.code, shape.error), shape.other}:
        return f"{code} {word} in place of {shape.code} {shape.error}: {body}"
    found = {path for path in _paths(body) if not path.startswith("error.details")} if shape.error else _paths(body)
    missing, odd = shape.must - found, found - shape.must - shape.may
    if shape.error and body["error"]["code"] != code:
        return f"the envelope says {body['error']['code']}, the status {code}"
    return f"without {sorted(missing)}, with {sorted(odd)}" if missing or odd else ""


def _held(send: Send, corpus: tuple[Exchange, ...]) -> dict[str, str]:
    found = {one.what: _mismatch(one.shape, *send(one)) for one in corpus}
    return {what: why for what, why in found.items() if why}


def _named(one: Exchange, operations: Mapping[str, str]) -> Exchange:
    return replace(one, path=_OPERATION.sub(lambda found: operations[found[1]], one.path))


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Served]:
    """A server with room for one run at a time."""
    started = Served(tmp_path / "data", ("--runs", "1")).start()
    yield started
    started.stop()


@pytest.mark.slow
def test_the_embedded_server_answers_in_the_shape_of_the_corpus(crowded: Served) -> None:
    operations = {"done": crowded.create("done", tuned())}
    crowded.wait(operations["done"])
    # The first of these takes the one place for good: whatever comes after it goes on tuning, without a process.
    endless = tuned_with(epochCount=1_000_000)
    operations |= {word: crowded.create(word, endless) for word in ("tuning", "cancelled", "stop")}
    crowded.call("POST", f"/v1/{operations['cancelled']}:cancel", {})

    def send(one: Exchange) -> tuple[int, Any]:
        named = _named(one, operations)
        answer = crowded.call(one.method, f"{named.path}?{urlencode(one.query)}".rstrip("?"), one.body)
        return answer.status, answer.body

    assert _held(send, CORPUS) == {}


def test_the_simulated_service_answers_what_the_product_sends_in_the_same_shape() -> None:
    asked = tuple(one for one in CORPUS if one.sent)
    with Calm(Service(shortest=1.0, longest=2.0, page=1)) as calm:
        remote, operations = calm.remote, dict[str, str]()

        def send(one: Exchange) -> tuple[int, Any]:
            named = _named(one, operations)
            request = Request(one.method, named.path, one.query, one.body or {})
            reply = served(remote, request, calm.loop.time(), "corpus")
            return reply.code, reply.body

        for word in ("done", "tuning", "cancelled", "stop"):
            made = remote.create(word, tuned(), calm.loop.time(), "corpus")
            operations[word] = made.body["name"]
            if word == "done":
                calm.run(asyncio.sleep(3.0))
                remote.service = Service(shortest=10.0**9, longest=10.0**9, page=1)
        served(remote, Request("POST", f"/v1/{operations['cancelled']}:cancel", {}, {}), calm.loop.time(), "corpus")
        assert _held(send, asked) == {}
        assert len(asked) == 36


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, {"error": {"code": 404, "message": "", "status": "NOT_FOUND"}}),
        (404, {"error": {"code": 404, "message": "", "status": "ABORTED"}}),
        (404, {"error": {"code": 400, "message": "", "status": "NOT_FOUND"}}),
        (404, {"error": {"code": 404, "status": "NOT_FOUND"}}),
        (404, {"error": {"code": 404, "message": "", "status": "NOT_FOUND", "why": ""}}),
    ],
)
def test_an_answer_of_another_shape_is_noticed(code: int, body: Any) -> None:
    assert _mismatch(NOT_FOUND, code, body)
    assert not _mismatch(NOT_FOUND, 404, {"error": {"code": 404, "message": "", "status": "NOT_FOUND"}})
