"""Hundreds of connections that want nothing: health and pages are answered all the same."""

import asyncio
import http.client
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.connections import ConnectionLimits
from tests.daemon.conftest import Yard
from tests.daemon.crowd import KINDS, Crowd, crowd
from tests.daemon.household import Household
from tests.daemon.test_daemon_web import serving
from tests.server.served import Served

pytestmark = pytest.mark.slow
MANY = 300
SECRET = "0123456789abcdef0123456789abcdef"


def asked(url: str, path: str) -> tuple[int, float]:
    """The status of one request of a client that has nothing to hide, and how long that took."""
    parts, began = urlsplit(url), time.monotonic()
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began
    finally:
        connection.close()


def gone(made: Crowd, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while made.open() and time.monotonic() < until:
        time.sleep(0.05)
    return not made.open()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    return str(file)


def test_health_and_pages_are_answered_while_three_hundred_connections_are_open(yard: Yard, secret: str) -> None:
    with yard.daemon("--listen", "127.0.0.1:0", "--webhook-secret-file", secret) as daemon:
        daemon.wait(lambda: daemon.get("/readyz")[0] == 200)
        for kinds in (*((kind,) for kind in KINDS), KINDS):
            with crowd(daemon.url, kinds, MANY, drip=b"x") as made:
                for path in ("/healthz", "/readyz", "/", "/models/numbers", "/metrics"):
                    status, seconds = asked(daemon.url, path)
                    assert (path, status, kinds) == (path, 200, kinds)
                    assert seconds < 4.0
                daemon.wait(lambda: made.open() <= 256, 5.0)  # the oldest that only wait have made room
                assert made.open() > 100  # and it is a crowd, not one after the other
                assert daemon.kilobytes < 400_000
        assert asked(daemon.url, "/healthz")[0] == 200
        assert daemon.end() < 10.0
    assert "Traceback" not in "".join(daemon.lines)


@asynccontextmanager
async def gathered(url: str, kind: Callable[[socket.socket], None]) -> AsyncIterator[Crowd]:
    """A small crowd beside the server that runs in this loop."""
    async with AsyncExitStack() as stack:
        made = crowd(url, (kind,), 8, drip=b"x")
        yield await asyncio.to_thread(made.__enter__)
        stack.callback(made.__exit__, None, None, None)


SHORT = ConnectionLimits(head=0.4, body=0.4, answer=0.4, idle=1)


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_lets_the_server_wait_is_cut_off(kind: Callable[[socket.socket], None]) -> None:
    """Without a life's end, so that each bound shows by itself."""
    async with serving(Household(), limits=SHORT) as served:
        async with gathered(served.url, kind) as made:
            assert await asyncio.to_thread(gone, made, 8.0)
        assert (await served.get("/healthz"))[0] == 200


def test_a_storm_of_new_connections_leaves_time_for_health(yard: Yard) -> None:
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        daemon.wait(lambda: daemon.get("/readyz")[0] == 200)
        for _ in range(3):
            with crowd(daemon.url, KINDS[:2], MANY):
                assert asked(daemon.url, "/healthz")[0] == 200
        assert daemon.descriptors < 400


def test_a_browser_that_keeps_its_connection_is_answered_on_it_again_and_again(yard: Yard) -> None:
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        parts = urlsplit(daemon.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
        connection.connect()
        kept = connection.sock
        for _ in range(20):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            assert connection.sock is kept
        connection.close()


def test_the_embedded_server_answers_while_hundreds_of_connections_are_open(tmp_path: Path) -> None:
    served = Served(tmp_path / "data").start()
    try:
        with crowd(served.url, KINDS, 700) as made:
            assert asked(served.url, "/v1beta/models")[0] == 200
            assert 100 < made.open() <= 512
            assert asked(served.url, "/v1beta/models")[0] == 200
        assert asked(served.url, "/v1beta/tunedModels")[0] == 200
    finally:
        served.stop()
