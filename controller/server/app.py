"""The API's methods in, an ASGI application out: paths, query parameters, sizes, and errors as JSON envelopes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.server.base_models import BASES
from controller.server.payload import camel, parse
from controller.server.status import ApiError, Json, StatusCode, Violation, envelope, invalid
from controller.server.tuning import Tuning

BODY_LIMIT: Final = 16 * 2**20
_EVERYWHERE: Final = frozenset(
    # Parameters of every Google API; those that shape the answer are accepted and change nothing.
    [
        "key",
        "alt",
        "$alt",
        "fields",
        "$fields",
        "prettyPrint",
        "$prettyPrint",
        "$.xgafv",
        "quotaUser",
        "access_token",
        "oauth_token",
        "callback",
        "uploadType",
        "upload_protocol",
    ]
)
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
    app = Starlette(
        routes=[*_model_routes(tuning), *_operation_routes(tuning, cancel_on_v1beta=cancel_on_v1beta), *_base_routes()],
        exception_handlers={ApiError: _answer_refused, HTTPException: _answer_http, Exception: _answer_bug},
    )
    app.router.redirect_slashes = False  # a path with a slash too many is not found, as on Google's service
    return app


def _model_routes(tuning: Tuning) -> list[Route]:
    one = "/v1beta/tunedModels/{id:name}"

    async def create(request: Request) -> Response:
        query = _query(request, "tunedModelId")
        return await _work(tuning.create, query.get("tunedModelId"), await _body(request))

    async def listing(request: Request) -> Response:
        query = _query(request, "pageSize", "pageToken", "filter")
        return await _work(tuning.list, _page_size(query, 10), query.get("pageToken"), query.get("filter"))

    async def get(request: Request) -> Response:
        _query(request)
        return await _work(tuning.get, request.path_params["id"])

    async def patch(request: Request) -> Response:
        query = _query(request, "updateMask")
        return await _work(tuning.patch, request.path_params["id"], query.get("updateMask"), await _body(request))

    async def delete(request: Request) -> Response:
        _query(request)
        return await _work(tuning.delete, request.path_params["id"])

    async def generate(request: Request) -> Response:
        _query(request)
        return await _work(tuning.generate, request.path_params["id"], await _body(request))

    return [
        Route("/v1beta/tunedModels", create, methods=["POST"]),
        Route("/v1beta/tunedModels", listing, methods=["GET"]),
        Route(one, get, methods=["GET"]),
        Route(one, patch, methods=["PATCH"]),
        Route(one, delete, methods=["DELETE"]),
        *(Route(f"/{v}/tunedModels/{{id:name}}:generateContent", generate, methods=["POST"]) for v in ("v1", "v1beta")),
        *(Route(f"{one}:{method}", _unbuilt, methods=["POST"]) for method in _UNBUILT),
        Route(f"{one}/permissions", _unbuilt, methods=["GET", "POST"]),
        Route(f"{one}/permissions/{{permission:name}}", _unbuilt, methods=["GET", "PATCH", "DELETE"]),
    ]


def _operation_routes(tuning: Tuning, *, cancel_on_v1beta: bool) -> list[Route]:
    async def listing(request: Request) -> Response:
        _page_size(_query(request, "filter", "pageSize", "pageToken", "returnPartialSuccess"), 10)
        return await _work(tuning.operations, request.path_params["id"])

    async def get(request: Request) -> Response:
        _query(request)
        return await _work(tuning.operation, request.path_params["id"], request.path_params["operation"])

    async def cancel(request: Request) -> Response:
        _query(request)
        await _body(request)
        return await _work(tuning.cancel, request.path_params["id"], request.path_params["operation"])

    routes = []
    for version in ("v1", "v1beta"):
        all_of_them = f"/{version}/tunedModels/{{id:name}}/operations"
        one = f"{all_of_them}/{{operation:name}}"
        routes += [Route(all_of_them, listing, methods=["GET"]), Route(one, get, methods=["GET"])]
        if version == "v1" or cancel_on_v1beta:
            routes.append(Route(f"{one}:cancel", cancel, methods=["POST"]))
    return routes


def _base_routes() -> list[Route]:
    routes = []
    for version in ("v1", "v1beta"):
        one = f"/{version}/models/{{id:name}}"
        routes += [
            Route(f"/{version}/models", _base_models, methods=["GET"]),
            Route(one, _base_model, methods=["GET"]),
            Route(f"{one}:generateContent", _untuned, methods=["POST"]),
        ]
    return routes


async def _base_models(request: Request) -> Response:
    _page_size(_query(request, "pageSize", "pageToken"), 50)
    return JSONResponse({"models": [base.render() for base in BASES.values()]})


async def _base_model(request: Request) -> Response:
    _query(request)
    name = f"models/{request.path_params['id']}"
    if name not in BASES:
        raise ApiError(StatusCode.NOT_FOUND, f"Model {name} does not exist.")
    return JSONResponse(BASES[name].render())


async def _untuned(request: Request) -> Response:
    name = f"models/{request.path_params['id']}"
    if name not in BASES:
        raise ApiError(StatusCode.NOT_FOUND, f"Model {name} does not exist.")
    raise ApiError(
        StatusCode.FAILED_PRECONDITION,
        f"{name} is untuned and has no weights to serve; tune it, then ask the tuned model.",
    )


async def _unbuilt(request: Request) -> Response:
    raise ApiError(
        StatusCode.UNIMPLEMENTED,
        f"{request.method} {request.url.path} is part of Google's API, but not of this server.",
    )


async def _work(method: Callable[..., Json], *arguments: object) -> Response:
    return JSONResponse(await run_in_threadpool(method, *arguments))


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


def _query(request: Request, *known: str) -> Mapping[str, str]:
    """The query parameters, snake_case ones under their camelCase names. Raises `ApiError` for unknown ones."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        key = name if name in _EVERYWHERE else camel(name)
        if key not in _EVERYWHERE and key not in known:
            raise invalid(Violation(name, f'Unknown name "{name}": this method has no such query parameter.'))
        found[key] = value
    return found


def _page_size(query: Mapping[str, str], default: int) -> int:
    """The asked page size, cut to 1000 as Google does it; absent or 0 is the default."""
    text = query.get("pageSize", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 10:  # noqa: PLR2004 -- digits of the largest int32
        raise invalid(Violation("pageSize", "must be a whole number of at least 0"))
    return min(int(text), 1000) or default


async def _answer_refused(_: Request, refused: Exception) -> Response:
    if not isinstance(refused, ApiError):
        raise refused
    return JSONResponse(envelope(refused), status_code=refused.http)


async def _answer_http(request: Request, fault: Exception) -> Response:
    """Starlette's own refusals: a path or a method that is not there."""
    if not isinstance(fault, HTTPException):
        raise fault
    if fault.status_code == 405:  # noqa: PLR2004 -- the HTTP status
        refused = ApiError(
            StatusCode.UNIMPLEMENTED, f"{request.method} is not allowed on {request.url.path}.", http=405
        )
    else:
        refused = ApiError(StatusCode.NOT_FOUND, f"There is nothing at {request.url.path}.")
    return JSONResponse(envelope(refused), status_code=refused.http, headers=fault.headers)


async def _answer_bug(_: Request, __: Exception) -> Response:
    return JSONResponse(
        envelope(ApiError(StatusCode.INTERNAL, "An internal error has occurred; the server's log says more.")), 500
    )
