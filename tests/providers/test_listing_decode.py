"""A page decoded as what it should be against the same page read as any JSON: one answer, whatever stands in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ports import ObserveRequest, Provider
from controller.providers.gemini.wire import Page, read_model, understood
from controller.rest import BadBody, parse_as, parse_json
from controller.rest.body import _parsed
from controller.state.observed import RemoteModel
from controller.testing.wire import answer
from tests.providers.test_gemini_observe import Serving, listing, model

Opened = Callable[[str], Awaitable[Provider]]
ODD = [None, True, 3, -1, 2.5, "3", "x", "", [], {}, [1], {"a": 1}, "x" * 70_000, float("nan"), float("inf"), 10**30]
SNAPSHOTS = [
    {"step": n, "epoch": 1 + n // 4, "meanLoss": 2 / n, "computeTime": "2026-01-01T00:00:00Z"} for n in (3, 1, 2)
]
WHOLE: dict[str, Any] = {
    **model("a"),
    "displayName": "A",
    "description": "says",
    "temperature": 0.7,
    "topP": "0.95",
    "topK": 40,
    "createTime": "2026-01-01T00:00:00Z",
    "updateTime": "2026-01-01T00:00:00Z",
    "tunedModelSource": {"tunedModel": "tunedModels/b", "baseModel": "models/tiny"},
    "tuningTask": {
        "completeTime": "2026-01-01T00:00:00Z",
        "hyperparameters": {"epochCount": 2, "batchSize": "4", "learningRate": 0.001},
        "snapshots": SNAPSHOTS,
        "more": {"of": ["it"]},
    },
}


def as_page(*items: object) -> bytes:
    return json.dumps({"tunedModels": items, "more": [1]}).encode()


def both(body: bytes) -> tuple[list[RemoteModel | None], list[RemoteModel | None]]:
    """The models of a page, decoded as such or, where it is none, as any JSON; and as any JSON in each case."""
    page = parse_as(Page, body)
    plain = parse_json(body)
    listed = plain.get("tunedModels") if isinstance(plain, dict) else None
    loose = [read_model(item) for item in listed] if isinstance(listed, list) else []
    return [understood(item) for item in page.tuned_models] if isinstance(page, Page) else loose, loose


@given(st.lists(st.tuples(st.sampled_from([*WHOLE, "other"]), st.sampled_from(ODD)), max_size=3))
def test_whatever_stands_in_a_field_it_is_read_the_same(odd: list[tuple[str, object]]) -> None:
    typed, loose = both(as_page({**WHOLE, **dict(odd)}, WHOLE))

    assert typed == loose


@given(st.lists(st.tuples(st.sampled_from([*WHOLE["tuningTask"]]), st.sampled_from(ODD)), max_size=3))
def test_so_it_is_in_a_tuning_task(odd: list[tuple[str, object]]) -> None:
    typed, loose = both(as_page({**WHOLE, "tuningTask": {**WHOLE["tuningTask"], **dict(odd)}}))

    assert typed == loose


def test_a_whole_page_is_decoded_as_one_and_its_losses_only_where_they_are_wanted() -> None:
    page = parse_as(Page, as_page(WHOLE))

    assert isinstance(page, Page)
    whole = understood(page.tuned_models[0])
    assert whole is not None
    assert [point.step for point in whole.losses] == [1, 2, 3]
    ended = understood(page.tuned_models[0], frozenset({"tunedModels/a"}))
    assert ended is not None
    assert replace(ended, losses=whole.losses, progress=whole.progress) == whole
    assert ended.losses == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"<html>",
        b'{"tunedModels": [',
        b'{"a": "\xff"}',
        b'{"tunedModels": [{"name": "tunedModels/a", "tuningTask": {"snapshots": [{"computeTime": "\xff"}]}}]}',
        b'{"a": 1} {"b": 2}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused_with_the_same_words(body: bytes) -> None:
    said = []
    for read in (_parsed, parse_json, partial(parse_as, Page)):
        with pytest.raises(BadBody) as caught:
            read(body)
        said.append((caught.value.message, caught.value.broken, caught.value.hint))

    assert len(set(said)) == 1


ODD_TEXTS = (
    *('{"a": NaN, "b": -Infinity}', '\ufeff{"a": 1}', '{"a": 1e999}', '"\\ud800"', "1.0", "-0.0", "5e-324", "0.1"),
    *(
        "123456789012345678901234567890",
        '{"a": 1, "a": 2}',
        " [true, false, null] ",
        '"\\u00e9"',
        '{"a": {"b": [2.5]}}',
    ),
)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_what_is_quite_or_not_quite_json_is_read_as_before(text: str) -> None:
    assert repr(parse_json(text.encode())) == repr(_parsed(text.encode()))


async def test_of_a_model_that_ended_well_no_operation_is_asked_for(gemini: Opened) -> None:
    early = {**WHOLE, "tuningTask": {**WHOLE["tuningTask"], "snapshots": [{"step": 1, "epoch": 0, "meanLoss": 2.0}]}}
    name = frozenset({"tunedModels/a"})
    async with Serving(listing({"tunedModels": [early]})) as site:
        provider = await gemini(site.url)
        followed, known = await asyncio.gather(
            provider.observe(ObserveRequest(name)), provider.observe(ObserveRequest(name, ended=name))
        )

    assert [path for path in site.paths if "operations" in path] == ["/v1/tunedModels/a/operations"]
    assert followed.models["tunedModels/a"].losses != ()
    assert known.models["tunedModels/a"].losses == ()


async def test_a_page_size_that_did_not_fit_is_not_tried_again(gemini: Opened) -> None:
    def reply(_: str, query: dict[str, str]) -> bytes:
        if query["pageSize"] == "1000":
            return answer("<html>")
        at = int(query.get("pageToken", "0"))
        return answer({"tunedModels": [model(f"m{at}")], **({"nextPageToken": str(at + 1)} if at < 3 else {})})

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())

    assert len(seen.models) == 4
    assert sum("pageSize=1000" in path for path in site.paths) == 1
