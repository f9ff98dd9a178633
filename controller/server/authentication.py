"""A request in, through to the application or refused: the key, or, without keys, the loopback rule."""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.server.log import Log
from controller.server.status import ApiError, StatusCode, envelope

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Idleness:
    """For how long nobody has asked anything; a request that is still being answered counts as asking."""

    def __init__(self) -> None:
        self._open = 0
        self._since = time.monotonic()

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """While a request is answered."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self.reset()

    def reset(self) -> None:
        """Counts from now on."""
        self._since = time.monotonic()

    def seconds(self) -> float:
        """Seconds since the last request was answered, 0 while one is."""
        return 0.0 if self._open else time.monotonic() - self._since


class Authentication:
    """What stands before the application: the key, or, without keys, the loopback rule; and a note of every request."""

    def __init__(self, app: ASGIApp, keys: Collection[str], idleness: Idleness, log: Log) -> None:
        """Without ``keys`` any key is taken."""
        self._app, self._keys, self._idleness, self._log = app, [key.encode() for key in keys], idleness, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]  # never the query, which may hold the key

        async def send_on(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start and (method != "GET" or message["status"] != HTTPStatus.OK):  # clients poll
                self._log.note("request.answered", method=method, path=path, status=message["status"])
            await send(message)

        with self._idleness.interrupted():
            refused = self._refusal(Headers(scope=scope), QueryParams(scope["query_string"]))
            inner = JSONResponse(envelope(refused), refused.http) if refused else self._app
            await inner(scope, receive, send_on)

    def _refusal(self, headers: Headers, query: QueryParams) -> ApiError | None:
        if not self._keys:
            return _foreign(headers)
        given = (headers.get("x-goog-api-key") or query.get("key") or "").encode()
        return None if any(hmac.compare_digest(given, key) for key in self._keys) else _bad_key()


def _bad_key() -> ApiError:
    message = "API key not valid. Please pass a valid API key."
    return ApiError(
        StatusCode.INVALID_ARGUMENT,
        message,
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
        ],
    )


def _foreign(headers: Headers) -> ApiError | None:
    """A refusal for what a page in this machine's browser could send: without keys that is all that keeps it out.

    A page of another site says so in Origin; one that had its own name resolve to loopback says so in Host.
    """
    host = urlsplit(f"//{headers.get('host', '')}").hostname
    origin = headers.get("origin")
    if host in _LOOPBACK and (origin is None or urlsplit(origin).hostname in _LOOPBACK):
        return None
    return ApiError(
        StatusCode.PERMISSION_DENIED, "Without an API key file this server answers requests made to loopback only."
    )
