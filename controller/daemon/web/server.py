"""Loops to a server that answers for them: pages, health, numbers and a door for webhooks, with bounds on who asks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.connections import BACKLOG, ConnectionLimits, bounded
from controller.daemon.cards import CardFilter
from controller.daemon.loop import Loop
from controller.daemon.metrics import CONTENT_TYPE, Gathered
from controller.daemon.schedule import Cause
from controller.daemon.web.html import index_html, model_html, overview_html
from controller.daemon.web.webhook import LARGEST, Deliveries, DeliveryVerdict, repository_of
from controller.errors import ControllerError
from controller.network import is_loopback
from controller.ports import Clock
from controller.report.charts import curve_svg
from controller.report.model_state import latest_run
from controller.rest import redact

log = structlog.stdlib.get_logger("gitune")

_LIMITS: Final = ConnectionLimits(head=10.0, body=15.0, answer=10.0, idle=5, life=30.0)
_LARGEST_HEAD: Final = 16 * 1024
_BODY_SECONDS: Final = 10.0
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
class ListenAddress:
    """Where to listen."""

    host: str
    port: int


def parse_address(text: str) -> ListenAddress:
    """``HOST:PORT``; an IPv6 host in brackets. Raises `ControllerError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise ControllerError(f"--listen {text!r} is no HOST:PORT", hint="Write it as 127.0.0.1:8080 or [::1]:8080.")
    return ListenAddress(host, int(port))


@dataclass(frozen=True, slots=True)
class Web:
    """What is served, and where. ``deliveries`` None: there is no door for webhooks; ``limits`` bound connections."""

    address: ListenAddress
    clock: Clock
    deliveries: Deliveries | None = None
    announce: Callable[[str], None] = lambda _url: None
    limits: ConnectionLimits = _LIMITS

    @contextmanager
    def bound(self) -> Iterator[Callable[[Sequence[Loop]], Coroutine[Any, Any, None]]]:
        """The address, taken, to what answers there for one loop, or for several by their names, until cancelled.

        Raises `ControllerError` where the address cannot be bound.
        """
        with closing(_bound(self.address)) as listener:
            yield partial(self._serve, listener)

    async def _serve(self, listener: socket.socket, loops: Sequence[Loop]) -> None:
        own = ("localhost", "127.0.0.1", "[::1]", self.address.host) if is_loopback(self.address.host) else ("*",)
        app = Served(tuple(loops), self.clock, self.deliveries, own).app()
        server = _Server(_config(app, self.address, self.limits))
        announcing = asyncio.create_task(self._announce(server, listener.getsockname()[1]))
        try:
            await server.serve(sockets=[listener])
        finally:
            announcing.cancel()

    async def _announce(self, server: uvicorn.Server, port: int) -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        log.info("web.listening", url=f"http://{host}:{port}/")
        self.announce(f"http://{host}:{port}/")


def _bound(address: ListenAddress) -> socket.socket:
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise ControllerError(
            f"{address.host} port {address.port} cannot be bound: {error.strerror}",
            hint="Another program may be using it: choose another port.",
        ) from error


class _Server(uvicorn.Server):
    """Uvicorn without its signals: they are the daemon's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def _config(app: ASGIApp, address: ListenAddress, limits: ConnectionLimits) -> uvicorn.Config:
    # No limit_concurrency: it answers 503 to everybody, and a health check that fails restarts the daemon.
    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        http=bounded(limits),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )


Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Served:
    """What is answered for: one loop, or several that each have a name. ``deliveries`` None: no door for webhooks.

    ``hosts`` are the names that a request may be for: on loopback only those of this machine, against pages that rebind
    a name.
    """

    loops: tuple[Loop, ...]
    clock: Clock
    deliveries: Deliveries | None = None
    hosts: tuple[str, ...] = ("*",)

    def app(self) -> ASGIApp:
        """The application."""
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(self.hosts))
        return Starlette(routes=list(self._routes()), middleware=[hosts, Middleware(_Headers)])

    def _routes(self) -> Iterator[Route]:
        if not self._is_one:
            yield Route("/", _page(lambda _: overview_html([one.view for one in self.loops], self.clock.now())))
        for loop in self.loops:
            yield from self._pages(loop)
        yield Route("/static/{name}", _static)
        yield Route("/healthz", self._health)
        yield Route("/readyz", self.readiness)
        yield Route("/metrics", self._numbers)
        if self.deliveries is not None:
            yield Route("/webhooks/github", partial(self._webhook, self.deliveries), methods=["POST"])

    @property
    def _is_one(self) -> bool:
        return all(not loop.view.name for loop in self.loops)

    def _pages(self, loop: Loop) -> Iterator[Route]:
        """What is shown of one repository, below its own path where there are several."""
        base = loop.view.base
        yield Route(f"{base}/", _page(lambda asked: self._index(loop, asked)))
        yield Route(f"{base}/models/{{name}}", _page(lambda asked: self._model(loop, asked)))
        yield Route(f"{base}/curves/{{name}}.svg", partial(_curve, loop))
        if base:
            yield Route(f"{base}/readyz", Served((loop,), self.clock).readiness)

    def _index(self, loop: Loop, asked: Request) -> str:
        return index_html(loop.view, self.clock.now(), CardFilter.asked(asked.query_params))

    def _model(self, loop: Loop, asked: Request) -> str | None:
        return model_html(loop.view, asked.path_params["name"], self.clock.now())

    async def _health(self, _: Request) -> Response:
        stuck = [loop.view.name for loop in self.loops if not loop.is_alive()]
        said = f"no pass has ended for too long {' '.join(stuck)}".strip() if stuck else "ok"
        return PlainTextResponse(f"{said}\n", 503 if stuck else 200)

    async def readiness(self, _: Request) -> Response:
        """Of several: ready when each was looked at and one is well: a broken one takes nothing from the others."""
        views = [loop.view for loop in self.loops]
        ready = any(view.is_ready for view in views) and all(view.looked or view.is_ready for view in views)
        said = [f"{view.name} {_word(ready=view.is_ready)}".strip() for view in views]
        lines = said if len(views) == 1 else [_word(ready=ready), *said]
        return PlainTextResponse("\n".join(lines) + "\n", 200 if ready else 503)

    async def _numbers(self, _: Request) -> Response:
        for loop in self.loops:
            loop.metrics.unreconciled(loop.age())
        if self._is_one:
            text = self.loops[0].metrics.text()
        else:
            text = Gathered({loop.view.name: loop.metrics for loop in self.loops}).text()
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def _webhook(self, deliveries: Deliveries, request: Request) -> Response:
        verdict, body = await _judged(request, deliveries, self.clock.monotonic())
        if verdict is DeliveryVerdict.WAKES:
            for loop in self._meant(body):
                loop.triggers.fire(Cause.WEBHOOK)
        elif verdict is not DeliveryVerdict.KNOWN:
            log.warning("webhook.refused", verdict=verdict.name.lower())
        return JSONResponse({"verdict": verdict.name.lower()}, verdict.value)

    def _meant(self, body: bytes) -> tuple[Loop, ...]:
        """The loops whose repository a delivery names. One of which that cannot be told is woken: it costs time."""
        named = "" if self._is_one else repository_of(body).lower()
        return tuple(one for one in self.loops if not named or not one.full_name or one.full_name.lower() == named)


def _page(paint: Callable[[Request], str | None]) -> Endpoint:
    async def answer(request: Request) -> Response:
        html = paint(request)
        if html is None:
            return PlainTextResponse("not found\n", 404)
        headers = {"content-security-policy": _PAGE_POLICY}
        return Response(redact(html), media_type="text/html", headers=headers)

    return answer


async def _curve(loop: Loop, request: Request) -> Response:
    record = loop.view.records.get(request.path_params["name"])
    run = latest_run(record) if record else None
    if run is None:
        return PlainTextResponse("not found\n", 404)
    # The page names a curve by the number of its points, so one that is kept for a while is never an old one.
    headers = {"content-security-policy": _PICTURE_POLICY, "cache-control": "private, max-age=300"}
    return Response(curve_svg(run), media_type="image/svg+xml", headers=headers)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return PlainTextResponse("not found\n", 404)
    content = files("controller.daemon.web").joinpath("page", "static", name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"content-security-policy": _PAGE_POLICY})


def _word(*, ready: bool) -> str:
    return "ready" if ready else "not ready"


async def _judged(request: Request, deliveries: Deliveries, now: float) -> tuple[DeliveryVerdict, bytes]:
    """What becomes of a request, and its body where its signature was right."""
    if not deliveries.admit(now):
        return DeliveryVerdict.TOO_MANY, b""
    length = request.headers.get("content-length", "0")
    if not length.isdigit():
        return DeliveryVerdict.MALFORMED, b""
    if int(length) > LARGEST:
        return DeliveryVerdict.TOO_LARGE, b""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    return DeliveryVerdict.TOO_LARGE, b""
    except (TimeoutError, ClientDisconnect):
        return DeliveryVerdict.MALFORMED, b""
    return deliveries.judge(request.headers, bytes(body)), bytes(body)


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
