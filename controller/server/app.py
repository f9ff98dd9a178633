"""The API's methods in, an ASGI application out: who may ask, paths, query parameters, sizes, and errors as JSON."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.server.log import Log
from controller.server.payload import camel, parse
from controller.server.room import PASSING, StoreUnusable
from controller.server.status import ApiError, Json, StatusCode, Violation, envelope, invalid
from controller.server.tuning import Tuning

BODY_LIMIT: Final = 16 * 2**20
HEALTH: Final = "/healthz"  # asked without a key, by what watches over processes
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
# Parameters of every Google API; those that shape the answer are accepted and change nothing.
_EVERYWHERE: Final = re.compile(
    r"key|\$?(alt|fields|prettyPrint)|\$\.xgafv|quotaUser|(access|oauth)_token|callback|uploadType|upload_protocol"
)
_OPERATIONS_QUERY: Final = ("pageSize", "pageToken", "filter", "returnPartialSuccess")
_UNBUILT: Final = (
    "streamGenerateContent",
    "batchGenerateContent",
    "asyncBatchEmbedContent",
    "generateText",
    "countTokens",
    "transferOwnership",
)

Handler = Callable[[Request], Awaitable[Response]]


class _Name(StringConvertor):
    """One segment of a resource name; unlike Starlette's own it stops at the colon of a custom method."""

    regex = "[^/:]+"


register_url_convertor("name", _Name())


def make_app(tuning: Tuning) -> Starlette:
    """The application."""
    routes = [*_model_routes(tuning), Route(HEALTH, _endpoint(tuning.health), methods=["GET"])]
    for version in ("v1", "v1beta"):
        base, tuned = f"/{version}/models/{{id:name}}", f"/{version}/tunedModels/{{id:name}}"
        operation = f"{tuned}/operations/{{operation:name}}"
        routes += [
            Route(f"/{version}/models", _endpoint(tuning.base_models, "pageSize", "pageToken"), methods=["GET"]),
            Route(base, _endpoint(tuning.base_model), methods=["GET"]),
            Route(f"{base}:generateContent", _untuned(tuning), methods=["POST"]),
            Route(f"{tuned}:generateContent", _generation(tuning), methods=["POST"]),
            Route(f"{tuned}/operations", _endpoint(tuning.operations, *_OPERATIONS_QUERY), methods=["GET"]),
            Route(operation, _endpoint(tuning.operation), methods=["GET"]),
            # Google's service has it on v1 only, yet google-generativeai 0.8.6 posts it to v1beta.
            Route(f"{operation}:cancel", _endpoint(tuning.cancel, has_body=True), methods=["POST"]),
        ]
    told = (ApiError, HTTPException, StoreUnusable, Exception)
    app = Starlette(routes=routes, exception_handlers={**dict.fromkeys(told, _refuse), OSError: _refuse_for_now})
    app.router.redirect_slashes = False  # a path with a slash too many is not found, as on Google's service
    return app


def _model_routes(tuning: Tuning) -> list[Route]:
    every, one = "/v1beta/tunedModels", "/v1beta/tunedModels/{id:name}"
    return [
        Route(every, _endpoint(tuning.create, "tunedModelId", has_body=True), methods=["POST"]),
        Route(every, _endpoint(tuning.list, "pageSize", "pageToken", "filter"), methods=["GET"]),
        Route(one, _endpoint(tuning.get), methods=["GET"]),
        Route(one, _endpoint(tuning.patch, "updateMask", has_body=True), methods=["PATCH"]),
        Route(one, _endpoint(tuning.delete), methods=["DELETE"]),
        *(Route(f"{one}:{method}", _unbuilt, methods=["POST"]) for method in _UNBUILT),
        Route(f"{one}/permissions", _unbuilt, methods=["GET", "POST"]),
        Route(f"{one}/permissions/{{permission:name}}", _unbuilt, methods=["GET", "PATCH", "DELETE"]),
    ]


def _endpoint(method: Callable[..., Json], *known: str, has_body: bool = False) -> Handler:
    """A method that is given the path's parameters, those of the query in this order (None: absent), and the body."""

    async def answer(request: Request) -> Response:
        query = _query(request, known)
        arguments: list[Json] = [*request.path_params.values(), *map(query.get, known)]
        if has_body:
            arguments.append(await _body(request))
        return JSONResponse(await run_in_threadpool(method, *arguments))

    return answer


def _generation(tuning: Tuning) -> Handler:
    """An answer of a tuned model, for as long as somebody waits for it."""

    async def answer(request: Request) -> Response:
        _query(request, ())
        body = await _body(request)
        with anyio.CancelScope() as scope:
            watch = asyncio.create_task(_cancel_when_gone(request, scope))
            try:
                return JSONResponse(await tuning.generate(request.path_params["id"], body))
            finally:
                watch.cancel()
        raise ApiError(StatusCode.CANCELLED, "The client went away before its answer was there.")

    return answer


async def _cancel_when_gone(request: Request, scope: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _untuned(tuning: Tuning) -> Handler:
    """A question to a base model; nothing of it is read."""

    async def answer(request: Request) -> Response:
        return JSONResponse(tuning.ask_untuned(request.path_params["id"]))

    return answer


async def _unbuilt(request: Request) -> Response:
    raise ApiError(
        StatusCode.UNIMPLEMENTED,
        f"{request.method} {request.scope['path']} is part of Google's API, but not of this server.",
    )


async def _body(request: Request) -> Json:
    """The JSON of a request; a body beyond the limit is refused before it comes, or before it is held in memory."""
    body, promised = bytearray(), request.headers.get("content-length", "0")
    too_large = ApiError(StatusCode.INVALID_ARGUMENT, f"The request body is larger than {BODY_LIMIT} bytes.", http=413)
    if len(promised) > len(str(BODY_LIMIT)) or int(promised) > BODY_LIMIT:  # the server has seen to it being a number
        raise too_large
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_LIMIT:
                raise too_large
    except ClientDisconnect:
        raise ApiError(StatusCode.INVALID_ARGUMENT, "The request broke off before its body ended.") from None
    return await run_in_threadpool(parse, bytes(body))


def _query(request: Request, known: Collection[str]) -> Mapping[str, str]:
    """The query parameters, snake_case ones under their camelCase names. Raises `ApiError` for unknown ones."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        key = name if _EVERYWHERE.fullmatch(name) else camel(name)
        if not _EVERYWHERE.fullmatch(key) and key not in known:
            raise invalid(Violation(name, f'Unknown name "{name}": this method has no such query parameter.'))
        found[key] = value
    return found


async def _refuse(request: Request, fault: Exception) -> Response:
    """The answer to an error: one of ours, Starlette's own for a path or a method that is not there, or a bug."""
    match fault:
        case ApiError():
            refused = fault
        case StoreUnusable():
            refused = _refused_by_disk(fault)
        case HTTPException(status_code=405):
            message = f"{request.method} is not allowed on {request.scope['path']}."
            refused = ApiError(StatusCode.UNIMPLEMENTED, message, http=405)
        case HTTPException():
            refused = ApiError(StatusCode.NOT_FOUND, f"There is nothing at {request.scope['path']}.")
        case _:
            refused = ApiError(StatusCode.INTERNAL, "An internal error has occurred; the server's log says more.")
    headers = fault.headers if isinstance(fault, HTTPException) else None
    return JSONResponse(envelope(refused), refused.http, headers)


async def _refuse_for_now(request: Request, fault: Exception) -> Response:
    """The answer where the system lacks something, such as open files; raises any other error again."""
    if not isinstance(fault, OSError) or fault.errno not in PASSING:
        raise fault
    return await _refuse(request, StoreUnusable(f"The system refuses: {fault.strerror}.", exhausted=True))


def _refused_by_disk(fault: StoreUnusable) -> ApiError:
    """By google.rpc.Code RESOURCE_EXHAUSTED is also what a file system that is out of space is told as."""
    return ApiError(
        StatusCode.RESOURCE_EXHAUSTED if fault.exhausted else StatusCode.UNAVAILABLE,
        f"{fault} Nothing was changed; the same request works once there is room.",
        details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "10s"}],
    )


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

    def __init__(self, app: ASGIApp, keys: Callable[[], Collection[str]] | None, idleness: Idleness, log: Log) -> None:
        """``keys`` are asked for at each request; None: any key is taken."""
        self._app, self._keys, self._idleness, self._log = app, keys, idleness, log

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
            headers, query = Headers(scope=scope), QueryParams(scope["query_string"])
            refused = None if path == HEALTH and self._keys else self._refusal(headers, query)
            inner = JSONResponse(envelope(refused), refused.http) if refused else self._app
            await inner(scope, receive, send_on)

    def _refusal(self, headers: Headers, query: QueryParams) -> ApiError | None:
        if self._keys is None:
            return _foreign(headers)
        given = (headers.get("x-goog-api-key") or query.get("key") or "").encode()
        return None if any(hmac.compare_digest(given, key.encode()) for key in self._keys()) else _bad_key()


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


_AUTHORITY: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")


def _foreign(headers: Headers) -> ApiError | None:
    """A refusal for what a page in this machine's browser could send: without keys that is all that keeps it out.

    A page of another site says so in Origin; one that had its own name resolve to loopback says so in Host.
    """
    origin = headers.get("origin")
    told = headers.get("host", "")
    malformed = ApiError(StatusCode.INVALID_ARGUMENT, "The Host or the Origin of the request is no address.")
    if not _AUTHORITY.fullmatch(told):
        return malformed
    try:
        host = urlsplit(f"//{told}").hostname
        page = urlsplit(origin).hostname if origin is not None else None
    except ValueError:
        return malformed
    if host in _LOOPBACK and (origin is None or page in _LOOPBACK):
        return None
    return ApiError(
        StatusCode.PERMISSION_DENIED, "Without an API key file this server answers requests made to loopback only."
    )
