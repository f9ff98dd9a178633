"""Observing: whole listings, broken ones, and what is proven by asking for an id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.ports import ObserveRequest, Provider
from controller.providers.gemini.facts import FACTS
from controller.state.observed import BaseModelFacts, Presence, RemoteState
from controller.testing.wire import Wire, answer, google_error, half, listening

Opened = Callable[[str], Awaitable[Provider]]
Reply = Callable[[str, dict[str, str]], bytes]
NOT_FOUND = google_error(404, "NOT_FOUND", "does not exist")


def model(name: str, state: str = "ACTIVE", **more: object) -> dict[str, object]:
    return {"name": f"tunedModels/{name}", "baseModel": "models/tiny", "state": state, **more}


class Site(Wire):
    """A server that answers by path and query."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(self._reply_to)
        self.reply = reply

    async def _reply_to(self, writer: asyncio.StreamWriter) -> None:
        target = self.requests[-1].split(b" ", 2)[1].decode()
        split = urlsplit(target)
        writer.write(self.reply(split.path, {k: v[0] for k, v in parse_qs(split.query).items()}))
        await writer.drain()

    @property
    def paths(self) -> list[str]:
        return [request.split(b" ", 2)[1].decode() for request in self.requests]


class Serving:
    """A `Site` for a block."""

    def __init__(self, reply: Reply) -> None:
        self.site = Site(reply)

    async def __aenter__(self) -> Site:
        await self.site.start()
        return self.site

    async def __aexit__(self, *_: object) -> None:
        await self.site.stop()


def listing(*pages: Mapping[str, object]) -> Reply:
    """Pages by number; everything else is not there."""

    def reply(path: str, query: dict[str, str]) -> bytes:
        if path != "/v1beta/tunedModels":
            return NOT_FOUND
        return answer(pages[int(query.get("pageToken", "0"))])

    return reply


async def test_all_pages_are_read_and_asked_for_at_their_largest(gemini: Opened) -> None:
    first = {"tunedModels": [model("a"), model("b")], "nextPageToken": "1"}
    async with Serving(listing(first, {"tunedModels": [model("c")]})) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert set(seen.models) == {"tunedModels/a", "tunedModels/b", "tunedModels/c"}
    assert (seen.complete, seen.error, seen.key) == (True, "", "cloud")
    assert site.paths == [f"/v1beta/tunedModels?pageSize=1000&filter=owner%3Ame{more}" for more in ("", "&pageToken=1")]


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05+00:00"),
        ("Fri, 02 Jan 2026 03:04:05", ""),
        ("99", ""),
        ("", ""),
    ],
)
async def test_the_time_of_a_listing_is_that_of_its_own_clock(gemini: Opened, date: str, time: str) -> None:
    dated = answer({}).replace(b"\r\n", f"\r\nDate: {date}\r\n".encode(), 1) if date else answer({})
    async with Serving(lambda *_: dated) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert seen.time == time


async def test_an_empty_project_is_a_whole_listing(gemini: Opened) -> None:
    async with Serving(listing({})) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert (dict(seen.models), seen.complete) == ({}, True)


@pytest.mark.parametrize(
    "pages",
    [
        [{"tunedModels": [model("a")], "nextPageToken": "1"}, {"tunedModels": [model("b")], "nextPageToken": "1"}],
        [{"tunedModels": [model("a")], "nextPageToken": "1"}, {"tunedModels": [model("a"), model("b")]}],
        [{"tunedModels": [model("a"), model("b"), model("../x")]}],
        [{"tunedModels": [model("a"), model("b"), model("x\n::error::")]}],
        [{"tunedModels": [model("a"), model("b"), 3]}],
    ],
)
async def test_a_listing_that_contradicts_itself_is_not_whole(gemini: Opened, pages: list[dict[str, object]]) -> None:
    async with Serving(listing(*pages)) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert set(seen.models) == {"tunedModels/a", "tunedModels/b"}
    assert not seen.complete
    assert seen.error
    assert seen.error.isprintable()
    assert seen.presence("tunedModels/zz") is Presence.UNSURE


async def test_pages_without_an_end_are_given_up(gemini: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.providers.gemini.listing.MOST_PAGES", 50)

    def endless(_: str, query: dict[str, str]) -> bytes:
        return answer({"nextPageToken": str(int(query.get("pageToken", "0")) + 1)})

    async with Serving(endless) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
        assert len(site.requests) == 50
    assert not seen.complete
    assert "50 pages" in seen.error


async def test_a_page_that_fails_leaves_what_was_read(gemini: Opened) -> None:
    def reply(_: str, query: dict[str, str]) -> bytes:
        if "pageToken" in query:
            return google_error(503, "UNAVAILABLE", "The service is overloaded.")
        return answer({"tunedModels": [model("a")], "nextPageToken": "1"})

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert set(seen.models) == {"tunedModels/a"}
    assert not seen.complete
    assert "overloaded" in seen.error
    assert seen.hint


async def test_a_token_that_expired_starts_the_listing_over_once(gemini: Opened) -> None:
    expired = 0

    def reply(_: str, query: dict[str, str]) -> bytes:
        nonlocal expired
        if "pageToken" not in query:
            return answer({"tunedModels": [model("a")], "nextPageToken": "1"})
        expired += 1
        if expired == 1:
            return google_error(400, "INVALID_ARGUMENT", "page token expired")
        return answer({"tunedModels": [model("b")]})

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
        assert len(site.requests) == 4
    assert (set(seen.models), seen.complete) == ({"tunedModels/a", "tunedModels/b"}, True)


async def test_a_token_that_expires_twice_leaves_half_a_listing(gemini: Opened) -> None:
    def reply(_: str, query: dict[str, str]) -> bytes:
        if "pageToken" in query:
            return google_error(410, "FAILED_PRECONDITION", "page token expired")
        return answer({"tunedModels": [model("a")], "nextPageToken": "1"})

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
        assert len(site.requests) == 4
    assert (set(seen.models), seen.complete) == ({"tunedModels/a"}, False)


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(gemini: Opened) -> None:
    def reply(_: str, query: dict[str, str]) -> bytes:
        if query["pageSize"] == "1000":
            return answer(b'{"tunedModels": [], "x": "' + b" " * (33 * 1024 * 1024) + b'"}')
        return answer({"tunedModels": [model("a")]})

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest())
    assert (set(seen.models), seen.complete) == ({"tunedModels/a"}, True)


async def test_after_a_broken_listing_the_wanted_models_are_read_by_id(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        if path == "/v1beta/tunedModels/here":
            return answer(model("here"))
        return NOT_FOUND if path.startswith("/v1beta/tunedModels/") else answer("<html>", 502)

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(
            ObserveRequest(frozenset({"tunedModels/here", "tunedModels/gone"}))
        )
    assert not seen.complete
    assert seen.presence("tunedModels/here") is Presence.FOUND
    assert seen.presence("tunedModels/gone") is Presence.ABSENT
    assert seen.presence("tunedModels/other") is Presence.UNSURE


async def test_a_list_that_lags_does_not_make_a_model_absent(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return answer({}) if path == "/v1beta/tunedModels" else answer(model("new"))

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(frozenset({"tunedModels/new"})))
    assert seen.presence("tunedModels/new") is Presence.FOUND
    assert seen.complete
    assert not seen.models["tunedModels/new"].owned, "only the listing of what is ours shows that it is"


@pytest.mark.parametrize(
    "by_id", [google_error(503, "UNAVAILABLE", "busy"), answer("<html>", 404), answer(model("other")), answer([])]
)
async def test_what_cannot_be_asked_for_is_unsure(gemini: Opened, by_id: bytes) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return answer({}) if path == "/v1beta/tunedModels" else by_id

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(frozenset({"tunedModels/maybe"})))
    assert seen.presence("tunedModels/maybe") is Presence.UNSURE
    assert seen.error


async def test_what_is_another_accounts_is_there_and_says_nothing_of_the_provider(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return answer({}) if path == "/v1beta/tunedModels" else google_error(403, "PERMISSION_DENIED", "not yours")

    theirs = frozenset({"tunedModels/theirs"})
    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(theirs, theirs))
    assert (seen.presence("tunedModels/theirs"), seen.complete, seen.error) == (Presence.FOUND, True, "")
    assert not seen.models
    assert set(seen.base_models.values()) == {BaseModelFacts("tunedModels/theirs", exists=True, tunable=False)}


async def test_what_is_refused_beside_a_broken_listing_is_unsure(gemini: Opened) -> None:
    async with Serving(lambda *_: google_error(403, "PERMISSION_DENIED", "no scope")) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(frozenset({"tunedModels/maybe"})))
    assert (seen.presence("tunedModels/maybe"), seen.complete) == (Presence.UNSURE, False)


async def test_a_hostile_wanted_name_is_never_put_in_a_path(gemini: Opened) -> None:
    async with Serving(listing({})) as site:
        seen = await (await gemini(site.url)).observe(
            ObserveRequest(frozenset({"tunedModels/../x"}), frozenset({"models/../y"}))
        )
        assert len(site.requests) == 1
    assert seen.presence("tunedModels/../x") is Presence.UNSURE
    assert not seen.base_models["models/../y"].exists


async def test_base_models_are_asked_for_by_name(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return {
            "/v1beta/tunedModels": answer({"tunedModels": [model("done"), model("busy", "CREATING")]}),
            "/v1beta/tunedModels/done": answer(model("done")),
            "/v1beta/tunedModels/busy": answer(model("busy", "CREATING")),
            "/v1beta/models/tiny": answer({"name": "models/tiny", "supportedGenerationMethods": ["createTunedModel"]}),
            "/v1beta/models/chat": answer({"name": "models/chat", "supportedGenerationMethods": ["generateContent"]}),
        }.get(path, NOT_FOUND)

    wanted = frozenset({"models/tiny", "models/chat", "models/none", "tunedModels/done", "tunedModels/busy"})
    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(base_models=wanted))
    assert set(seen.base_models.values()) == {
        BaseModelFacts("models/tiny", exists=True, tunable=True),
        BaseModelFacts("models/chat", exists=True, tunable=False, note=FACTS.base_models.untunable),
        BaseModelFacts("models/none", exists=False, tunable=False, note=FACTS.base_models.untunable),
        BaseModelFacts("tunedModels/done", exists=True, tunable=True),
        BaseModelFacts("tunedModels/busy", exists=True, tunable=False),
    }


async def test_a_base_model_that_cannot_be_read_is_left_out_and_said(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return answer({}) if path == "/v1beta/tunedModels" else google_error(403, "PERMISSION_DENIED", "no")

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(base_models=frozenset({"models/tiny"})))
    assert (dict(seen.base_models), seen.complete) == ({}, False)
    assert "may not do this" in seen.error


async def test_operations_are_read_for_wanted_runs_only(gemini: Opened) -> None:
    snapshots = [{"step": 5, "epoch": 1, "meanLoss": 0.5}]
    stopped = model("stopped", tuningTask={"hyperparameters": {"epochCount": 5}, "snapshots": snapshots})
    listed = [model(n, s) for n, s in (("a", "CREATING"), ("b", "FAILED"), ("c", "ACTIVE"), ("d", "CREATING"))]

    def reply(path: str, _: dict[str, str]) -> bytes:
        name = path.removeprefix("/v1/").removesuffix("/operations")
        metadata = {"tunedModel": name, "totalSteps": 10, "completedSteps": 4}
        running = {"name": f"{name}/operations/1", "metadata": metadata}
        return {
            "/v1beta/tunedModels": answer({"tunedModels": [*listed, stopped]}),
            "/v1/tunedModels/a/operations": answer({"operations": [{"name": "operations/other"}, running]}),
            "/v1/tunedModels/b/operations": answer(
                {"operations": [running | {"error": {"code": 3, "message": "bad"}}]}
            ),
            "/v1/tunedModels/stopped/operations": answer({"operations": [running | {"error": {"code": 1}}]}),
        }[path]

    want = ObserveRequest(frozenset(f"tunedModels/{n}" for n in ("a", "b", "c", "stopped")))
    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(want)
        asked = sorted(path for path in site.paths if path.startswith("/v1/"))
    assert asked == [f"/v1/tunedModels/{n}/operations" for n in ("a", "b", "stopped")]
    assert seen.models["tunedModels/a"].progress.share == 0.4
    assert seen.models["tunedModels/a"].operation == "tunedModels/a/operations/1"
    assert seen.models["tunedModels/b"].error == "bad"
    assert seen.models["tunedModels/stopped"].state is RemoteState.CANCELLED


async def test_an_operation_that_cannot_be_read_takes_nothing_away(gemini: Opened) -> None:
    def reply(path: str, _: dict[str, str]) -> bytes:
        return answer({"tunedModels": [model("a", "CREATING")]}) if path == "/v1beta/tunedModels" else NOT_FOUND

    async with Serving(reply) as site:
        seen = await (await gemini(site.url)).observe(ObserveRequest(frozenset({"tunedModels/a"})))
    assert (seen.models["tunedModels/a"].state, seen.complete) == (RemoteState.CREATING, True)


async def test_observing_raises_nothing_whatever_happens(gemini: Opened) -> None:
    for script in (half, answer("x"), answer("<html>"), google_error(403, "PERMISSION_DENIED", "no"), answer([])):
        async with listening(script) as wire:
            seen = await (await gemini(wire.url)).observe(
                ObserveRequest(frozenset({"tunedModels/a"}), frozenset({"models/b"}))
            )
        assert (seen.complete, bool(seen.error)) == (False, True)


async def test_a_thousand_models_are_one_request(gemini: Opened) -> None:
    page = json.dumps({"tunedModels": [model(f"m{n}") for n in range(1000)]})
    async with Serving(lambda *_: answer(page)) as site:
        seen = await (await gemini(site.url)).observe(
            ObserveRequest(frozenset(f"tunedModels/m{n}" for n in range(1000)))
        )
        assert len(site.requests) == 1
    assert len(seen.models) == 1000


async def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(gemini: Opened) -> None:
    def retired(path: str, _: dict[str, str]) -> bytes:
        chat = {"name": "models/chat", "supportedGenerationMethods": ["generateContent"]}
        return answer({"models": [chat]} if path.endswith("/models") else {})

    async with Serving(retired) as site:
        findings = await (await gemini(site.url)).check()
    assert [f.well for f in findings] == [True, True, False]
    assert "May 2025" in findings[2].fix
    async with listening(google_error(400, "INVALID_ARGUMENT", "API key not valid.")) as wire:
        (finding,) = await (await gemini(wire.url)).check()
    assert not finding.well
    assert "GEMINI_API_KEY" in finding.message
    assert "aistudio" in finding.fix
