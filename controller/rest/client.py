"""A method, a path and a body to JSON, within a deadline; whatever goes wrong becomes one of our errors."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

import httpx

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.failpoints import point
from controller.rest.backend import counted
from controller.rest.body import JSON, BadBody, parse_json, read_bounded
from controller.rest.credentials import Credentials
from controller.rest.endpoint import checked_endpoint, request_id, route_of
from controller.rest.failures import FOREIGN, Repeat, garbled, lost, meaning, translate
from controller.rest.status import PLAIN, Dialect, RawResponse, RequestFacts
from controller.rest.timing import ClientLimits, Pace, Timing, backoff
from controller.rest.way import as_httpx, proxy_of, verifying
from controller.spans import span

Transport = httpx.AsyncBaseTransport
T = TypeVar("T")

# A path is put together from names that were checked; this is the second lock on the same door.
_PATH = re.compile(r"(/[A-Za-z0-9_~:-][A-Za-z0-9._~:-]{0,199}){1,20}")
_HEADERS: Final = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "connection": "keep-alive",
    "user-agent": "gitune (gzip)",  # some servers pack answers only for agents that name gzip themselves
}
_NOTHING: Final = b"{}"
_JSON_BODY: Final = {"content-type": "application/json"}
# Not carried out, or surely harmless to ask again after: what a write that repeats well is repeated on.
_BUSY = frozenset({429, 503})


@dataclass(slots=True)
class _Attempt:
    """One try of a request whose body is ``content``.

    ``sent`` is False only while it is known that no byte has left. ``code`` is 0 until there is an answer;
    ``request_id`` is what the answer calls the request, "" where it does not.
    """

    content: bytes | None = field(repr=False)
    sent: bool = True
    code: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One request. ``headers`` (lower case) are sent beside the credentials' own."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JSON = field(default=None, repr=False)
    repeat: Repeat


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """A whole answer that is no refusal: 2xx, or 304 with ``{}`` where that was asked for. Lower-case header names."""

    code: int
    headers: Mapping[str, str]
    value: T = field(repr=False)


class _Together:
    """The time of several requests."""

    def __init__(self, pace: Pace, timing: Timing, seconds: float) -> None:
        self._pace, self._timing = pace, timing
        self._end = timing.monotonic() + seconds - pace.waited

    def left(self) -> float:
        """Seconds that are left of it."""
        return self._end + self._pace.waited - self._timing.monotonic()


class Rest:
    """A JSON API behind one endpoint.

    Redirects are not followed and TLS is always verified. Of the process's environment the proxies and the certificate
    authorities are obeyed (`controller.network`), and nothing else: no netrc, no cookies.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials,
        limits: ClientLimits,
        transport: Transport | None,
        timing: Timing,
        *,
        dialect: Dialect = PLAIN,
    ) -> None:
        """``endpoint`` is https, or http to this machine, without a query.

        Raises `Rejected` for any other, and for a variable whose proxy or authorities cannot be used.
        """
        self.endpoint = checked_endpoint(endpoint)
        self.limits = limits
        self._proxy = None if transport else proxy_of(self.endpoint)
        self._host = httpx.URL(self.endpoint).host
        self._credentials = credentials
        self._timing = timing
        self._dialect = dialect
        self._pace = Pace(limits, timing)
        # Their INFO and DEBUG lines hold URLs and headers.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # The transport and not the client above it: cookies, redirects and the environment are never wanted here.
        self._transport = transport or counted(
            httpx.AsyncHTTPTransport(
                # Plain http needs no certificates, and loading them takes longer than a request.
                verify=verifying() if self.endpoint.startswith("https://") else _nobody(),
                proxy=None if self._proxy is None else as_httpx(self._proxy),
                trust_env=False,
                # How many are open at once is for `Pace` to say: a request that is cancelled while it is given a
                # connection leaves one in httpcore's pool that nobody takes any more, and a pool that counts those
                # comes to a stand.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=limits.at_once),
            ),
            limits.raw_bytes,
        )
        self._together: _Together | None = None

    def within(self, seconds: float) -> Rest:
        """This client, with so many seconds from now for all requests together; past them each is `Transient`.

        Waiting for our turn among the requests of a minute does not count. For reads: a request that is sent late has
        less time, and a write that was broken off may have been carried out.
        """
        bound = copy(self)
        bound._together = _Together(self._pace, self._timing, seconds)  # noqa: SLF001 - of the same class
        return bound

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JSON = None,
        *,
        repeat: Repeat,
        deadline: float | None = None,
    ) -> JSON:
        """The answer's JSON; 204 to a write, and an empty answer to a harmless one, are ``{}``.

        ``deadline`` (seconds, default the limits') holds for all tries together, not for waiting for our turn.
        Raises `Transient`, `Rejected` or, for `Repeat.ONCE` only, `OutcomeUnknown`.
        """
        call = ApiCall(method=method, path=path, query=query or {}, body=body, repeat=repeat)
        return (await self.exchange(call, deadline)).value

    async def exchange(self, call: ApiCall, deadline: float | None = None) -> Answered[JSON]:
        """As `request`, with the answer's code and headers."""
        return await self.exchange_for(parse_json, call, deadline)

    async def exchange_for(
        self, read: Callable[[bytes], T], call: ApiCall, deadline: float | None = None
    ) -> Answered[T]:
        """The same, with what ``read`` makes of the answer's body; it raises `BadBody` for what it cannot be."""
        _check_path(call.path)
        content = _encoded(call.body)
        async with self._pace.seat():
            seconds = deadline or self.limits.deadline
            if self._together is not None:
                seconds = min(seconds, self._together.left())
            if seconds <= 0:
                message = f"{self.endpoint}: all requests together took longer than the time allowed"
                raise Transient(message, hint="It is asked again on the next pass.")
            return await self._tries(read, call, content, self._timing.monotonic() + seconds)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._transport.aclose()

    async def _tries(
        self, read: Callable[[bytes], T], asked: ApiCall, content: bytes | None, end: float
    ) -> Answered[T]:
        tries, fresh = 0, False
        while True:
            tries += 1
            attempt = _Attempt(content)
            route = route_of(asked.path, self._dialect.words)
            with span("request", method=asked.method, route=route, resend=tries - 1) as told:
                raw = await self._try(asked, attempt, end - self._timing.monotonic(), fresh=fresh)
                answer = raw if isinstance(raw, ProviderError) else self._understood(raw, asked, read)
                told.tell(host=self._host, status=attempt.code, request_id=attempt.request_id, outcome=_word(answer))
            if not isinstance(answer, ProviderError):
                return answer
            if attempt.code == httpx.codes.UNAUTHORIZED and self._credentials.renews and not fresh:
                fresh = True  # a 401 was not carried out, so even a create may follow a fresh token
                continue
            wait = self._wait(answer, attempt, asked.repeat, tries)
            if wait is None or self._timing.monotonic() + wait >= end:
                raise answer
            await self._timing.sleep(wait)

    def _wait(self, error: ProviderError, attempt: _Attempt, repeat: Repeat, tries: int) -> float | None:
        """Seconds until the next try; None where there is none."""
        if repeat is Repeat.ONCE or not isinstance(error, Transient) or tries >= self.limits.tries:
            return None
        if repeat is Repeat.HARMLESS and attempt.sent and attempt.code not in _BUSY and not error.quota:
            return None
        return backoff(tries, error.retry_after, self.limits, self._timing)

    async def _try(
        self, asked: ApiCall, attempt: _Attempt, seconds: float, *, fresh: bool
    ) -> RawResponse | ProviderError:
        """One try's answer, or its error.

        Errors are returned and not raised: an exception raised while a foreign one is handled would carry that one
        along, and its text may hold a key.
        """
        try:
            async with asyncio.timeout(seconds):
                attempt.sent = False
                headers = await self._credentials.headers(fresh=fresh)
                attempt.sent = True
                return await self._exchange(asked, attempt, headers, seconds)
        except ProviderError as error:
            return error
        except TimeoutError:
            message = f"{self.endpoint}: no whole answer within the time allowed"
            return lost(message, asked.repeat, sent=attempt.sent, hint="It is asked again on the next pass.")
        except BadBody as fault:
            return self._garbled(fault, asked.repeat)
        except FOREIGN as error:
            attempt.sent = attempt.sent and not meaning(error).unsent
            return translate(error, asked.repeat, endpoint=self.endpoint, sent=attempt.sent, proxy=self._proxy)

    async def _exchange(
        self, asked: ApiCall, attempt: _Attempt, headers: Mapping[str, str], seconds: float
    ) -> RawResponse:
        request = httpx.Request(
            asked.method,
            _url(self.endpoint, asked.path, tuple(asked.query.items())),
            content=attempt.content,
            headers={**_HEADERS, **(_JSON_BODY if attempt.content is not None else {}), **asked.headers, **headers},
            extensions={
                # It counts for TCP and again for TLS, and both must end before the total does: a handshake that is
                # cancelled from outside leaves its socket open (httpcore's start_tls).
                "timeout": {"connect": min(self.limits.connect, seconds * 0.45)},
                "trace": _watch(attempt),
            },
        )
        point("request.send")
        response = await self._transport.handle_async_request(request)
        point("response.headers")
        try:
            attempt.code = response.status_code
            attempt.request_id = request_id(response.headers, self._dialect.request_ids)
            body = await read_bounded(
                response.aiter_raw(),
                response.headers.get("content-encoding", ""),
                self.limits.raw_bytes,
                self.limits.decoded_bytes,
            )
        finally:
            await response.aclose()
        point("response.body")
        return RawResponse(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)

    def _understood(
        self, answer: RawResponse, asked: ApiCall, read: Callable[[bytes], T]
    ) -> Answered[T] | ProviderError:
        repeat = asked.repeat
        if answer.code == httpx.codes.NOT_MODIFIED and "if-none-match" in asked.headers:
            return Answered(answer.code, answer.headers, read(_NOTHING))
        if not 200 <= answer.code < 300:  # noqa: PLR2004 - the class of successes
            return self._dialect.refuse(
                answer,
                RequestFacts(self.endpoint, repeat, self._credentials.name, self._credentials.hint, self._timing.now()),
            )
        # To a question nothing is no answer: a listing would look whole and empty.
        nothing = answer.code == httpx.codes.NO_CONTENT or (repeat is Repeat.HARMLESS and not answer.body.strip())
        if nothing and repeat is not Repeat.READ:
            return Answered(answer.code, answer.headers, read(_NOTHING))
        try:
            return Answered(answer.code, answer.headers, read(answer.body))
        except BadBody as fault:
            return self._garbled(fault, repeat)

    def _garbled(self, fault: BadBody, repeat: Repeat) -> ProviderError:
        return garbled(f"{self.endpoint}: {fault.message}", repeat, broken=fault.broken, hint=fault.hint)


def _word(answer: Answered[T] | ProviderError) -> str:
    return type(answer).__name__ if isinstance(answer, ProviderError) else "success"


def _watch(attempt: _Attempt) -> Any:  # noqa: ANN401 - httpcore's trace callback takes whatever an event carries
    """A callback that learns from httpcore when the request begins to leave.

    A transport that does not call it leaves ``sent`` True, which is the careful answer.
    """

    async def saw(event: str, info: Mapping[str, object]) -> None:
        if event.startswith("connection.connect_"):
            attempt.sent = False
        elif event.endswith(".send_request_headers.started"):
            # A proxy is asked to connect by a request of its own, of which nothing goes further than to it.
            attempt.sent = getattr(info.get("request"), "method", b"") != b"CONNECT"

    return saw


@lru_cache(maxsize=1024)  # a daemon asks for the same few again and again
def _url(endpoint: str, path: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(f"{endpoint}{path}?{urlencode(query)}" if query else endpoint + path)


@cache
def _nobody() -> ssl.SSLContext:
    """A context that trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path) or ".." in path:
        raise Rejected("a path that leads elsewhere was refused", kind=RejectedKind.INVALID)


def _encoded(body: JSON) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        # Without the cause, which would quote the text. UnicodeEncodeError is a ValueError too.
        raise Rejected(
            "the request holds a number or a character that JSON has no form for",
            kind=RejectedKind.INVALID,
            hint="Look for NaN, infinity and lone surrogates in the spec and the dataset.",
        ) from None
