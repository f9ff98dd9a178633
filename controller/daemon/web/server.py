"""Loops to a server that answers for them, with bounds on whoever asks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.daemon.loop import Loop
from controller.daemon.web.routes import Served, make_app
from controller.daemon.web.webhook import Deliveries
from controller.errors import ControllerError
from controller.ports import Clock
from controller.rest import is_loopback

log = structlog.stdlib.get_logger("gitune")

_LONGEST_CONNECTION: Final = 30.0  # seconds: nobody who dawdles keeps a place for longer
_PLACES: Final = 100
_LARGEST_HEAD: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def parse_address(text: str) -> ListenAddress:
    """``HOST:PORT``; an IPv6 host in brackets. Raises `ControllerError`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise ControllerError(f"--listen {text!r} is no HOST:PORT", hint="Write it as 127.0.0.1:8080 or [::1]:8080.")
    return ListenAddress(host, int(port))


@dataclass(frozen=True, slots=True)
class Web:
    """What is served, and where. ``deliveries`` None: there is no door for webhooks."""

    address: ListenAddress
    clock: Clock
    deliveries: Deliveries | None = None
    announce: Callable[[str], None] = lambda _url: None

    @contextmanager
    def bound(self) -> Iterator[Callable[[Sequence[Loop]], Coroutine[Any, Any, None]]]:
        """The address, taken, to what answers there for one loop, or for several by their names, until cancelled.

        Raises `ControllerError` where the address cannot be bound.
        """
        with closing(_bound(self.address)) as listener:
            yield partial(self._serve, listener)

    async def _serve(self, listener: socket.socket, loops: Sequence[Loop]) -> None:
        own = ("localhost", "127.0.0.1", "[::1]", self.address.host) if self.address.is_loopback else ("*",)
        server = _Server(_config(make_app(Served(tuple(loops), self.clock, self.deliveries, own)), self.address))
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


class _Bounded(H11Protocol):
    """A connection that is closed after its time, whatever it is at."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._end = self.loop.call_later(_LONGEST_CONNECTION, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


def _config(app: ASGIApp, address: ListenAddress) -> uvicorn.Config:
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
