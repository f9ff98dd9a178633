"""No secret leaves: not in a message, a repr, a traceback or a log line, on any way of failing."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import time
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import ControllerError, Rejected
from controller.providers.google.credentials import ApiKey
from controller.providers.google.envelope import GOOGLE
from controller.rest import ClientLimits, Repeat, Rest, Secret, Timing, redact, said
from controller.testing.wire import Script, answer, google_error, half, hang_up, listening, reset

CANARY = "canary-9f8e7d6c5b4a-key"

FAILURES: list[Script] = [
    half,
    reset,
    hang_up,
    answer(f'{{"cut": "{CANARY}'),
    answer(f"<html>{CANARY}</html>"),
    answer(f"<html>{CANARY}</html>", 502),
    answer(b"", 302, {"location": f"http://user:{CANARY}@example.com/?key={CANARY}"}),
    answer(b"", 302, {"location": f"http://{CANARY}.example.com/"}),
    google_error(400, CANARY, f"API key not valid: {CANARY}", {"reason": "API_KEY_INVALID"}),
    google_error(403, "PERMISSION_DENIED", f"?key={CANARY}&x"),
    google_error(404, "NOT_FOUND", f"x{CANARY}x"),
    google_error(409, "ALREADY_EXISTS", CANARY),
    google_error(429, "RESOURCE_EXHAUSTED", CANARY, {"violations": [{"quotaId": CANARY}]}),
    google_error(500, "INTERNAL", "x" * 290 + CANARY),
    google_error(400, "INVALID_ARGUMENT", "see", {"links": [{"url": f"https://example.com/{CANARY}"}]}),
    answer(b"x", headers={"content-encoding": CANARY}),
    b"HTTP/1.1 200 OK\r\nbad header line " + CANARY.encode() + b"\r\n\r\n",
    b"not http at all " + CANARY.encode() + b"\r\n\r\n",
    f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{CANARY}\r\n".encode(),
]


def everything(error: BaseException) -> Iterator[str]:
    """All that a log or a crash report could print of an exception."""
    yield "".join(traceback.format_exception(error))
    link: BaseException | None = error
    while link is not None:
        yield from (str(link), repr(link), repr(link.args), repr(vars(link)))
        link = link.__cause__ or link.__context__


async def error_of(rest: Rest, repeat: Repeat) -> ControllerError:
    with pytest.raises(ControllerError) as caught:
        await rest.request("POST", "/v1beta/tunedModels", {"q": "x"}, {"x": 1}, repeat=repeat)
    return caught.value


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("script", FAILURES)
async def test_a_canary_appears_on_no_way_of_failing(
    connect: Callable[..., Rest], caplog: pytest.LogCaptureFixture, script: Script, repeat: Repeat
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(script) as wire:
        error = await error_of(connect(wire.url), repeat)
    shown = [*everything(error), error.hint, *(record.getMessage() for record in caplog.records)]
    assert not [text for text in shown if "canary-9f8e" in text]


async def test_no_error_drags_a_foreign_one_along(connect: Callable[..., Rest]) -> None:
    async with listening(reset) as wire:
        error = await error_of(connect(wire.url), Repeat.ONCE)
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("key", [f"{CANARY}\r\nx-evil: 1", f"{CANARY} x", f"{CANARY}\u00e9", "  "])
async def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_shown(timing: Timing, key: str) -> None:
    rest = Rest(
        "http://127.0.0.1:9", ApiKey(Secret(key), "GEMINI_API_KEY"), ClientLimits(), None, timing, dialect=GOOGLE
    )
    error = await error_of(rest, Repeat.READ)
    await rest.close()
    assert isinstance(error, Rejected)
    assert "GEMINI_API_KEY" in error.message
    assert not [text for text in everything(error) if "canary-9f8e" in text]


async def test_httpx_says_nothing_of_its_requests(
    connect: Callable[..., Rest], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(answer({})) as wire:
        await connect(wire.url).request("GET", "/v1beta/models", repeat=Repeat.READ)
    assert [r.name for r in caplog.records if r.name.startswith(("httpx", "httpcore"))] == []


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("open sesame, please")
    assert [repr(secret), str(secret), f"{secret}", f"{secret!r}"] == ["***"] * 4
    assert secret.reveal() == "open sesame, please"
    assert bool(secret)
    assert not Secret("")
    assert redact("he said: open sesame, please!") == "he said: ***!"
    assert redact("?q=open%20sesame%2C%20please") == "?q=***"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


JWT = "eyJhbGciOiJub25lIn0." + base64.urlsafe_b64encode(json.dumps({"sub": "x" * 20}).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "GET https://x.test/v1?key=abcdefSECRET&alt=json",
        "https://x.test/?access_token=SECRETSECRET",
        "https://someone:SECRETSECRET@git.test/x.git",
        "https://someone:SECRET/SECRET@git.test/x.git",
        "Authorization: Bearer SECRET.SECRET-SECRET",
        "key AIza" + "SySECRET" * 5,
        "token ya29.SECRETSECRET_SECRET",
        "x-goog-api-key: SECRETSECRET",
        '{"private_key": "SECRETSECRET", "x": 1}',
        '{"refresh_token":"SECRETSECRET"}',
        "-----BEGIN PRIVATE" + " KEY-----\nSECRETSECRET\nSECRETSECRET\n-----END PRIVATE" + " KEY-----",
        "ghp_SECRETSECRETSECRETSECRET",
        "github_pat_SECRETSECRETSECRET",
        "sk-SECRETSECRETSECRETSECRET",
        f"SECRET {JWT}.SECRETSECRET".removeprefix("SECRET "),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str) -> None:
    assert "SECRET" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "models/gemini-1.5-flash-001-tuning is not found",
        "https://git.test:8443/p@v1 https://git.test/p@v1",
        "a monkey = an animal",
        "tunedModels/key-words-abc-1",
        "",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


# What each pattern begins with, again and again, never followed by what it ends with.
BEGINNINGS = (
    "-----BEGIN A",
    "-----BEGIN PRIVATE" + " KEY-----",
    "://",
    "://a",
    "://a:",
    "://:/",
    "Bearer",
    "Bearer ",
    "key=",
    "key%3d",
    "password",
    '"api_key": "',
    "private_key :",
    "AIza",
    "ya29.",
    "eyJ-",
    "eyJa.",
    "eyJaaaaaa.a-",
    "ghp_",
    "github_pat_",
    "sk-",
)


@pytest.mark.parametrize("text", BEGINNINGS)
def test_redaction_takes_no_more_than_in_proportion_on_hostile_text(text: str) -> None:
    redact(text)
    few, many = (min(_taken(text * times) for _ in range(5)) for times in (2_000, 16_000))
    assert (
        many < 24 * few + 0.002
    )  # eight times the text; a search that begins anew at each would take 64 times as long


def _taken(text: str) -> float:
    began = time.process_time()
    redact(text)
    return time.process_time() - began


@given(st.text(max_size=2000))
def test_a_remotes_words_are_always_one_printable_line(text: str) -> None:
    line = said(text)
    assert len(line) <= 300
    assert line.isprintable()
    assert "\n" not in line


async def test_a_foreign_error_with_a_key_in_its_text_is_not_shown(timing: Timing) -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError(f"{request.url} {dict(request.headers)}", request=request)

    key = ApiKey(Secret(CANARY), "GEMINI_API_KEY")
    rest = Rest("https://api.test", key, ClientLimits(tries=1), Broken(), timing, dialect=GOOGLE)
    error = await error_of(rest, Repeat.READ)
    await rest.close()
    assert not [text for text in everything(error) if "canary-9f8e" in text]
