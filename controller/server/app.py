"""The API's methods in, an ASGI application out: paths, query parameters, sizes, and errors as JSON envelopes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.server.models import BASES, TunableModel
from controller.server.payload import camel, parse
from controller.server.status import ApiError, Json, StatusCode, Violation, envelope, invalid
from controller.server.tuning import Tuning, read_page_size

BODY_LIMIT: Final = 16 * 2**20
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


class _Name(Convertor[str]):
    """One segment of a resource name; unlike Starlette's own it stops at the colon of a custom method."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("name", _Name())


def make_app(tuning: Tuning, *, cancel_on_v1beta: bool = True) -> Starlette:
    """The application.

    ``cancel_on_v1beta`` also serves ``:cancel`` there. Google's service has it on v1 only, yet google-generativeai
    0.8.6 posts it to v1beta, and would not be able to cancel anything here otherwise.
    """
    routes = _model_routes(tuning)
    for version in ("v1", "v1beta"):
        base, tuned = f"/{version}/models/{{id:name}}", f"/{version}/tunedModels/{{id:name}}"
        operation = f"{tuned}/operations/{{operation:name}}"
        routes += [
            Route(f"/{version}/models", _endpoint(_base_models, "pageSize", "pageToken"), methods=["GET"]),
            Route(base, _endpoint(lambda name: _base(name).render()), methods=["GET"]),
            Route(f"{base}:generateContent", _untuned, methods=["POST"]),
            Route(f"{tuned}:generateContent", _endpoint(tuning.generate, has_body=True), methods=["POST"]),
            Route(f"{tuned}/operations", _endpoint(tuning.operations, *_OPERATIONS_QUERY), methods=["GET"]),
            Route(operation, _endpoint(tuning.operation), methods=["GET"]),
        ]
        if version == "v1" or cancel_on_v1beta:
            routes.append(Route(f"{operation}:cancel", _endpoint(tuning.cancel, has_body=True), methods=["POST"]))
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys((ApiError, HTTPException, Exception), _refuse))
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


def _base_models(page_size: str | None, _page_token: str | None) -> Json:
    read_page_size(page_size, 50)
    return {"models": [base.render() for base in BASES.values()]}


def _base(model_id: str) -> TunableModel:
    name = f"models/{model_id}"
    if name not in BASES:
        raise ApiError(StatusCode.NOT_FOUND, f"Model {name} does not exist.")
    return BASES[name]


async def _untuned(request: Request) -> Response:
    base = _base(request.path_params["id"])
    raise ApiError(
        StatusCode.FAILED_PRECONDITION,
        f"{base.name} is untuned and has no weights to serve; tune it, then ask the tuned model.",
    )


async def _unbuilt(request: Request) -> Response:
    raise ApiError(
        StatusCode.UNIMPLEMENTED,
        f"{request.method} {request.url.path} is part of Google's API, but not of this server.",
    )


async def _body(request: Request) -> Json:
    """The JSON of a request; read in pieces, so that a body beyond the limit is refused before it is held in memory."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise ApiError(
                StatusCode.INVALID_ARGUMENT, f"The request body is larger than {BODY_LIMIT} bytes.", http=413
            )
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
        case HTTPException(status_code=405):
            message = f"{request.method} is not allowed on {request.url.path}."
            refused = ApiError(StatusCode.UNIMPLEMENTED, message, http=405)
        case HTTPException():
            refused = ApiError(StatusCode.NOT_FOUND, f"There is nothing at {request.url.path}.")
        case _:
            refused = ApiError(StatusCode.INTERNAL, "An internal error has occurred; the server's log says more.")
    headers = fault.headers if isinstance(fault, HTTPException) else None
    return JSONResponse(envelope(refused), refused.http, headers)
