"""A loop to what it answers over HTTP: the page, its health, its numbers, and a door for webhooks."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.daemon.bell import Cause
from controller.daemon.loop import Loop
from controller.daemon.metrics import CONTENT_TYPE, Metrics
from controller.daemon.painting import index_html, model_html
from controller.daemon.webhook import LARGEST, Deliveries, Verdict
from controller.errors import ControllerError
from controller.ports import Clock
from controller.report.charts import curve_svg
from controller.report.standing import latest_run
from controller.rest import redact

log = structlog.stdlib.get_logger("gitune")

_LONGEST_CONNECTION: Final = 30.0  # seconds: nobody who dawdles keeps a place for longer
_BODY_SECONDS: Final = 10.0
_PLACES: Final = 100
_LARGEST_HEAD: Final = 16 * 1024
_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_PICTURE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # a curve brings its own two schemes
_STATIC: Final = {"style.css": "text/css", "refresh.js": "text/javascript", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: str) -> Address:
    """``HOST:PORT``; an IPv6 host in brackets. Raises `ControllerError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise ControllerError(f"--listen {text!r} is no HOST:PORT", hint="Write it as 127.0.0.1:8080 or [::1]:8080.")
    return Address(host, int(port))


@dataclass(frozen=True, slots=True)
class Web:
    """What is served, and where. ``deliveries`` None: there is no door for webhooks."""

    address: Address
    metrics: Metrics
    clock: Clock
    deliveries: Deliveries | None = None
    announce: Callable[[str], None] = lambda _url: None

    async def serve(self, loop: Loop) -> None:
        """Answer until cancelled. Raises `ControllerError` where the address cannot be bound."""
        server = _Server(_config(make_app(self, loop), self.address))
        listener = _bound(self.address)
        telling = asyncio.create_task(self._announce(server, listener.getsockname()[1]))
        try:
            await server.serve(sockets=[listener])
        finally:
            telling.cancel()
            listener.close()

    async def _announce(self, server: uvicorn.Server, port: int) -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        log.info("web.listening", url=f"http://{host}:{port}/")
        self.announce(f"http://{host}:{port}/")


def _bound(address: Address) -> socket.socket:
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise ControllerError(
            f"{address.host} port {address.port} cannot be bound: {error.strerror}", hint="Is it taken? Choose another."
        ) from error


class _Server(uvicorn.Server):
    """Uvicorn without its signals: they are the daemon's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


class _Bounded(H11Protocol):
    """A connection that is closed after its time, whatever it is at."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._end = self.loop.call_later(_LONGEST_CONNECTION, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


def _config(app: ASGIApp, address: Address) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        http=_Bounded,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=_PLACES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )


def make_app(web: Web, loop: Loop) -> ASGIApp:
    """The application. On loopback only names of this machine are answered, against pages that rebind a name."""
    hosts = ["localhost", "127.0.0.1", "[::1]", web.address.host] if web.address.is_loopback else ["*"]
    return Starlette(
        routes=list(_routes(web, loop)),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(_Headers)],
    )


def _routes(web: Web, loop: Loop) -> Iterator[Route]:
    yield Route("/", _page(lambda _: index_html(loop.view, web.clock.now())))
    yield Route("/models/{name}", _page(lambda request: model_html(loop.view, request.path_params["name"])))
    yield Route("/curves/{name}.svg", _curve(loop))
    yield Route("/static/{name}", _static)
    yield Route("/healthz", _health(loop))
    yield Route("/readyz", _readiness(loop))
    yield Route("/metrics", _numbers(web, loop))
    if web.deliveries is not None:
        yield Route("/webhooks/github", _webhook(web, web.deliveries, loop), methods=["POST"])


Endpoint = Callable[[Request], Awaitable[Response]]


def _page(paint: Callable[[Request], str | None]) -> Endpoint:
    async def answer(request: Request) -> Response:
        html = paint(request)
        if html is None:
            return PlainTextResponse("not found\n", 404)
        headers = {"content-security-policy": _PAGE_POLICY}
        return Response(redact(html), media_type="text/html", headers=headers)

    return answer


def _curve(loop: Loop) -> Endpoint:
    async def answer(request: Request) -> Response:
        record = loop.view.records.get(request.path_params["name"])
        run = latest_run(record) if record else None
        if run is None:
            return PlainTextResponse("not found\n", 404)
        # The page names a curve by the number of its points, so one that is kept for a while is never an old one.
        headers = {"content-security-policy": _PICTURE_POLICY, "cache-control": "private, max-age=300"}
        return Response(curve_svg(run), media_type="image/svg+xml", headers=headers)

    return answer


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return PlainTextResponse("not found\n", 404)
    content = files("controller.daemon").joinpath("page", "static", name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"content-security-policy": _PAGE_POLICY})


def _health(loop: Loop) -> Endpoint:
    async def answer(_: Request) -> Response:
        alive = loop.is_alive()
        return PlainTextResponse("ok\n" if alive else "no pass has ended for too long\n", 200 if alive else 503)

    return answer


def _readiness(loop: Loop) -> Endpoint:
    async def answer(_: Request) -> Response:
        ready = loop.view.is_ready
        return PlainTextResponse("ready\n" if ready else "not ready\n", 200 if ready else 503)

    return answer


def _numbers(web: Web, loop: Loop) -> Endpoint:
    async def answer(_: Request) -> Response:
        web.metrics.unreconciled(loop.age())
        return Response(web.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return answer


def _webhook(web: Web, deliveries: Deliveries, loop: Loop) -> Endpoint:
    async def answer(request: Request) -> Response:
        verdict = await _judged(request, deliveries, web.clock.monotonic())
        if verdict is Verdict.WAKES:
            loop.bell.ring(Cause.WEBHOOK)
        elif verdict is not Verdict.KNOWN:
            log.warning("webhook.refused", verdict=verdict.name.lower())
        return JSONResponse({"verdict": verdict.name.lower()}, verdict.value)

    return answer


async def _judged(request: Request, deliveries: Deliveries, now: float) -> Verdict:
    if not deliveries.admit(now):
        return Verdict.TOO_MANY
    length = request.headers.get("content-length", "0")
    if not length.isdigit():
        return Verdict.MALFORMED
    if int(length) > LARGEST:
        return Verdict.TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    return Verdict.TOO_LARGE
    except (TimeoutError, ClientDisconnect):
        return Verdict.MALFORMED
    return deliveries.judge(request.headers, bytes(body))


class _Headers:
    """The headers every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}
                message["headers"] = [*given, *((name, value) for name, value in _SECURITY if name not in names)]
            await send(message)

        await self._app(scope, receive, with_headers)
