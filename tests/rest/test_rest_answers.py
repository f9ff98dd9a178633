"""What each answer, and each way of not answering, becomes: over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind, Transient
from controller.rest import ClientLimits, NoAuth, Repeat, Rest, Timing
from controller.testing import FakeClock
from controller.testing.wire import (
    Script,
    answer,
    google_error,
    half,
    hang_up,
    listening,
    reset,
    silence,
    slow_body,
)

Connect = Callable[..., Rest]
READ, HARMLESS, ONCE = Repeat.READ, Repeat.HARMLESS, Repeat.ONCE
HTML = "<!DOCTYPE html><html><body>Sign in to the guest network</body></html>"


async def ask(rest: Rest, repeat: Repeat) -> object:
    method = {READ: "GET", HARMLESS: "PATCH", ONCE: "POST"}[repeat]
    body = None if repeat is READ else {"x": 1}
    return await rest.request(method, "/v1beta/tunedModels", None, body, repeat=repeat)


async def failure(rest: Rest, repeat: Repeat) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await ask(rest, repeat)
    return caught.value


async def test_a_request_carries_its_key_in_a_header_and_its_query_in_the_path(connect: Connect, canary: str) -> None:
    async with listening(answer({"ok": True})) as wire:
        found = await connect(wire.url).request(
            "POST", "/v1beta/tunedModels", {"tunedModelId": "a&b"}, {"n": "é"}, repeat=ONCE
        )
    assert found == {"ok": True}
    (request,) = wire.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1beta/tunedModels?tunedModelId=a%26b HTTP/1.1")
    assert f"x-goog-api-key: {canary}".encode() in head
    assert canary.encode() not in head.splitlines()[0]
    assert body == '{"n":"é"}'.encode()


@pytest.mark.parametrize(
    "script", [half, reset, hang_up, answer(b""), answer('{"cut": '), answer(b'{"a": "\xff\xfe"}')]
)
async def test_a_broken_answer_is_asked_for_again_only_where_that_costs_nothing(
    connect: Connect, script: Script
) -> None:
    async with listening(script) as wire:
        assert isinstance(await failure(connect(wire.url), READ), Transient)
        assert len(wire.requests) == 4
    async with listening(script) as wire:
        assert isinstance(await failure(connect(wire.url), ONCE), OutcomeUnknown)
        assert len(wire.requests) == 1


async def test_a_broken_answer_heals_on_the_next_try(connect: Connect) -> None:
    async with listening(half, answer({"tunedModels": []})) as wire:
        assert await ask(connect(wire.url), READ) == {"tunedModels": []}


@pytest.mark.parametrize("script", [silence, slow_body])
async def test_the_deadline_holds_for_the_whole_answer(connect: Connect, script: Script) -> None:
    async with listening(script) as wire:
        started = time.perf_counter()
        first, second = await asyncio.gather(
            failure(connect(wire.url, deadline=0.4, tries=1), READ), failure(connect(wire.url, deadline=0.4), ONCE)
        )
    assert time.perf_counter() - started < 2
    assert isinstance(first, Transient)
    assert isinstance(second, OutcomeUnknown)


async def test_a_refused_connection_means_that_nothing_happened(connect: Connect, clock: FakeClock) -> None:
    async with listening(answer({})) as wire:
        url = wire.url
    error = await failure(connect(url), ONCE)
    assert isinstance(error, Transient)
    assert "nothing listens" in error.message
    assert clock.slept == []


async def test_a_handshake_that_never_ends_means_that_nothing_happened(connect: Connect) -> None:
    async with listening(silence) as wire:
        error = await failure(connect(wire.url.replace("http:", "https:"), deadline=0.3), ONCE)
    assert isinstance(error, Transient)


@pytest.mark.parametrize("code", [408, 499, 500, 502, 503, 504, 520])
async def test_a_server_error_leaves_a_create_unknown_and_a_read_for_later(connect: Connect, code: int) -> None:
    for script in (google_error(code, "INTERNAL", "An internal error has occurred."), answer(HTML, code)):
        async with listening(script) as wire:
            assert isinstance(await failure(connect(wire.url), ONCE), OutcomeUnknown)
            assert len(wire.requests) == 1
            assert isinstance(await failure(connect(wire.url), READ), Transient)


@pytest.mark.parametrize(("code", "asked"), [(503, 4), (429, 4), (500, 1)])
async def test_a_harmless_write_is_repeated_where_it_was_surely_not_carried_out(
    connect: Connect, code: int, asked: int
) -> None:
    async with listening(google_error(code, "X", "later")) as wire:
        assert isinstance(await failure(connect(wire.url), HARMLESS), Transient)
        assert len(wire.requests) == asked


async def test_a_used_up_quota_is_waited_for_and_never_on_a_create(connect: Connect, clock: FakeClock) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}
    busy = google_error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", info)
    async with listening(busy, answer({})) as wire:
        assert await ask(connect(wire.url), READ) == {}
        assert 2.5 <= clock.slept[0] < 3
    async with listening(busy) as wire:
        error = await failure(connect(wire.url), ONCE)
        assert isinstance(error, Transient)
        assert (error.retry_after, error.quota, len(wire.requests)) == (2.5, True, 1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("-5", 0.0),
        ("99999999999", 86400.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("1e9", None),
    ],
)
async def test_every_form_of_retry_after_is_understood(connect: Connect, header: str, seconds: float | None) -> None:
    script = google_error(429, "RESOURCE_EXHAUSTED", "later", headers={"retry-after": header})
    async with listening(script) as wire:
        error = await failure(connect(wire.url), ONCE)
    assert isinstance(error, Transient)
    assert error.retry_after == seconds


async def test_a_wait_beyond_the_deadline_is_not_waited(connect: Connect, clock: FakeClock) -> None:
    script = google_error(429, "RESOURCE_EXHAUSTED", "later", headers={"retry-after": "3600"})
    async with listening(script) as wire:
        error = await failure(connect(wire.url), READ)
        assert len(wire.requests) == 1
    assert isinstance(error, Transient)
    assert (error.retry_after, clock.slept) == (3600.0, [])


INVALID_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
SCOPES = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"url": "https://example.com/help"}]}
REFUSALS = [
    (
        google_error(400, "INVALID_ARGUMENT", "API key not valid.", INVALID_KEY),
        RejectedKind.UNAUTHENTICATED,
        "aistudio",
    ),
    (google_error(401, "UNAUTHENTICATED", "invalid credentials"), RejectedKind.UNAUTHENTICATED, "GEMINI_API_KEY"),
    (google_error(403, "PERMISSION_DENIED", "scopes", SCOPES), RejectedKind.FORBIDDEN, "generative-language.tuning"),
    (
        google_error(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes."),
        RejectedKind.FORBIDDEN,
        "generative-language.tuning",
    ),
    (google_error(403, "PERMISSION_DENIED", "You do not have permission"), RejectedKind.FORBIDDEN, "owner"),
    (google_error(404, "NOT_FOUND", "Tuned model x does not exist."), RejectedKind.NOT_FOUND, ""),
    (google_error(409, "ALREADY_EXISTS", "exists"), RejectedKind.EXISTS, "See what"),
    (google_error(400, "FAILED_PRECONDITION", "User location is not supported"), RejectedKind.PRECONDITION, "region"),
    (google_error(400, "INVALID_ARGUMENT", "bad batch size", HELP), RejectedKind.INVALID, "https://example.com/help"),
    (google_error(501, "UNIMPLEMENTED", "no such method"), RejectedKind.UNSUPPORTED, "endpoint"),
    (google_error(413, "INVALID_ARGUMENT", "too large"), RejectedKind.INVALID, "examples"),
    (google_error(410, "FAILED_PRECONDITION", "token expired"), RejectedKind.PRECONDITION, ""),
    (answer(HTML, 404), RejectedKind.RESPONSE, "endpoint"),
    (answer(HTML, 403), RejectedKind.FORBIDDEN, "proxy"),
    (answer(HTML, 407), RejectedKind.UNAUTHENTICATED, "proxy"),
    (answer(b"", 404), RejectedKind.RESPONSE, "endpoint"),
    (answer([{"error": {"code": 404, "status": "NOT_FOUND", "message": "gone"}}], 404), RejectedKind.NOT_FOUND, ""),
]


@pytest.mark.parametrize("repeat", [READ, ONCE])
@pytest.mark.parametrize(("script", "kind", "hint"), REFUSALS)
async def test_a_refusal_says_why_and_what_to_do(
    connect: Connect, script: bytes, kind: RejectedKind, hint: str, repeat: Repeat
) -> None:
    async with listening(script) as wire:
        error = await failure(connect(wire.url), repeat)
        assert len(wire.requests) == 1
    assert isinstance(error, Rejected)
    assert error.kind is kind
    assert hint in error.hint


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, RejectedKind.INVALID),
        (401, RejectedKind.UNAUTHENTICATED),
        (403, RejectedKind.FORBIDDEN),
        (404, RejectedKind.NOT_FOUND),
        (405, RejectedKind.UNSUPPORTED),
        (409, RejectedKind.EXISTS),
        (413, RejectedKind.INVALID),
    ],
)
async def test_where_no_dialect_is_known_the_status_alone_decides(
    timing: Timing, code: int, kind: RejectedKind
) -> None:
    async with listening(google_error(code, "ABORTED", "API key not valid.", INVALID_KEY)) as wire:
        rest = Rest(wire.url, NoAuth(), ClientLimits(), None, timing)
        error = await failure(rest, ONCE)
        await rest.close()
    assert isinstance(error, Rejected)
    assert error.kind is kind
    assert "API key" not in error.message


async def test_two_writers_at_once_are_not_a_taken_name(connect: Connect) -> None:
    async with listening(google_error(409, "ABORTED", "concurrent")) as wire:
        assert isinstance(await failure(connect(wire.url), ONCE), OutcomeUnknown)
        assert isinstance(await failure(connect(wire.url), HARMLESS), Transient)


async def test_a_page_in_place_of_json_is_named_and_not_asked_for_again(connect: Connect) -> None:
    async with listening(answer(HTML, headers={"content-type": "text/html"})) as wire:
        error = await failure(connect(wire.url), READ)
        assert len(wire.requests) == 1
        assert isinstance(await failure(connect(wire.url), ONCE), OutcomeUnknown)
    assert isinstance(error, Rejected)
    assert (error.kind, "web page" in error.message, "proxy" in error.hint) == (RejectedKind.RESPONSE, True, True)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(connect: Connect, code: int) -> None:
    async with listening(answer({})) as other:
        moved = answer(b"", code, {"location": f"http://localhost:{other.port}/?key=AIzaSyA-0123456789abcdef"})
        async with listening(moved) as wire:
            error = await failure(connect(wire.url), ONCE)
    # "See other" is what a server says after it has done what was asked.
    assert isinstance(error, OutcomeUnknown if code == 303 else Rejected)
    assert "http://localhost" in error.message
    assert "AIza" not in error.message
    assert other.requests == []


@pytest.mark.parametrize(
    ("script", "value"),
    [
        (answer(b'\xef\xbb\xbf{"a": 1}'), {"a": 1}),
        (answer('{"a": NaN, "b": -Infinity}'), {"a": None, "b": None}),
        (answer('{"a": "é"}', headers={"content-type": "application/json; charset=latin-1"}), {"a": "é"}),
        (answer(gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"}), {"a": 1}),
        (answer(zlib.compress(b'{"a": 1}'), headers={"content-encoding": "deflate"}), {"a": 1}),
        (answer(gzip.compress(b" " * 300_000 + b"[1]"), headers={"content-encoding": "x-gzip"}), [1]),
    ],
)
async def test_an_odd_but_whole_answer_is_read(connect: Connect, script: bytes, value: object) -> None:
    async with listening(script) as wire:
        assert await ask(connect(wire.url), READ) == value


@pytest.mark.parametrize(
    "script",
    [
        answer("[" * 100_000),
        answer('{"a": ' + "9" * 6000 + "}"),
        answer(gzip.compress(b'{"a": 1}')[:-9], headers={"content-encoding": "gzip"}),
        answer(b"not gzip", headers={"content-encoding": "gzip"}),
    ],
)
async def test_a_garbled_answer_is_transient_for_a_read(connect: Connect, script: bytes) -> None:
    async with listening(script) as wire:
        assert isinstance(await failure(connect(wire.url), READ), Transient)


async def test_nothing_in_the_answer_to_a_harmless_write_is_an_empty_object(connect: Connect) -> None:
    async with listening(answer(b""), answer(b"", 204)) as wire:
        rest = connect(wire.url)
        assert [await ask(rest, HARMLESS), await ask(rest, HARMLESS)] == [{}, {}]


async def test_a_gzip_bomb_stays_small(connect: Connect) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    script = answer(bomb, headers={"content-encoding": "gzip"})
    async with listening(script) as wire:
        rest = connect(wire.url, decoded_bytes=2 * 1024 * 1024)
        tracemalloc.start()
        error = await failure(rest, READ)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(error, Rejected)
    assert error.kind is RejectedKind.RESPONSE
    assert "larger than" in error.message
    assert peak < 8 * 1024 * 1024


async def test_an_answer_beyond_the_raw_cap_is_not_read_on(connect: Connect) -> None:
    async with listening(answer(b'"' + b"x" * 3_000_000 + b'"')) as wire:
        error = await failure(connect(wire.url, raw_bytes=1_000_000), READ)
    assert isinstance(error, Rejected)
    assert error.kind is RejectedKind.RESPONSE


async def test_a_packing_nobody_asked_for_is_refused(connect: Connect) -> None:
    async with listening(answer(b"xx", headers={"content-encoding": "br"})) as wire:
        error = await failure(connect(wire.url), READ)
    assert isinstance(error, Rejected)


async def test_a_remotes_words_stay_on_one_short_line(connect: Connect) -> None:
    hostile = "bad\n::set-output name=x::y\x1b[31m\u202e" + "z" * 5000
    async with listening(google_error(400, "INVALID_ARGUMENT", hostile)) as wire:
        error = await failure(connect(wire.url), READ)
    assert error.message.isprintable()
    assert len(error.message) < 400


async def test_the_environments_proxy_is_not_used(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(answer({})) as proxy, listening(answer({"direct": True})) as wire:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert await ask(connect(wire.url), READ) == {"direct": True}
    assert proxy.requests == []


async def test_a_cancelled_wait_is_not_an_error_of_ours(connect: Connect) -> None:
    async with listening(silence) as wire:
        task = asyncio.create_task(ask(connect(wire.url), ONCE))
        while not wire.requests:  # noqa: ASYNC110 - the server is another task of this loop
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
