"""What a hostile client can send to the servers of ours: a refusal at the most, and whoever is next is answered."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from controller.connections import ConnectionLimits
from tests.daemon.household import Household
from tests.daemon.test_daemon_web import serving
from tests.server.served import Served

HOST = b"Host: localhost\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST /webhooks/github HTTP/1.1\r\n" + HOST
CREATE = b"POST /v1beta/tunedModels HTTP/1.1\r\n" + HOST

REQUESTS: dict[str, bytes] = {
    "no host": GET + b"\r\n",
    "two hosts": GET + HOST + b"Host: evil.example\r\n\r\n",
    "an open bracket for a host": GET + b"Host: [\r\n\r\n",
    "a host with a NUL": GET + b"Host: local\0host\r\n\r\n",
    "a host of 15 KB": GET + b"Host: " + b"x" * 15_000 + b"\r\n\r\n",
    "an origin that is none": GET + HOST + b"Origin: http://[\r\n\r\n",
    "a path of 15 KB": b"GET /" + b"x" * 15_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that climbs": b"GET /static/../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that climbs in disguise": b"GET /static/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that is no UTF-8": b"GET /models/%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path with a NUL": b"GET /models/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path with a line's end": b"GET /models/%0d%0aX:y HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw bytes for a path": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "another site's address": b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a trace": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method nobody has": b"X" * 200 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a query without end": b"GET /?" + b"a=b&" * 3_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "headers by the thousand": GET + HOST + b"a: b\r\n" * 20_000 + b"\r\n",
    "one header of 100 KB": GET + HOST + b"a: " + b"b" * 100_000 + b"\r\n\r\n",
    "a header without a name": GET + HOST + b": b\r\n\r\n",
    "a header that goes on in the next line": GET + HOST + b"a: b\r\n c\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade": GET + HOST + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "a socket": GET + HOST + b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: eA==\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "nothing but NUL": b"\0" * 20_000,
    "empty lines": b"\r\n" * 20_000,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in words": POST + b"Content-Length: two\r\n\r\n{}",
    "a length of thirty digits": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks of an unknown packing": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk in words": POST + b"Transfer-Encoding: chunked\r\n\r\ntwo\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk of thirty digits": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n{}",
    "a chunk's extension": POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    "an expectation nobody has": POST + b"Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
    "a request in a request": POST + b"Content-Length: 0\r\n\r\n" + GET + b"Host: evil.example\r\n\r\n",
    "a create whose body is no JSON": CREATE + b"Content-Length: 3\r\n\r\n{]}",
    "a create of brackets": CREATE + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000,
    "a create with a broken chunk": CREATE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a create that ends early": CREATE + b"Content-Length: 100\r\n\r\n{",
    "a key in a strange script": b"GET /v1beta/models?key=%ff%00 HTTP/1.1\r\n"
    + HOST
    + b"x-goog-api-key: \xff\xfe\r\n\r\n",
}


def sent(url: str, request: bytes) -> list[int]:
    """The statuses that come back for these bytes, until the server or its patience has ended the connection."""
    parts, answer = urlsplit(url), b""
    with socket.create_connection((str(parts.hostname), parts.port or 80), 10) as peer, contextlib.suppress(OSError):
        with contextlib.suppress(ConnectionError):  # refused before it was whole
            peer.sendall(request)
        peer.shutdown(socket.SHUT_WR)
        while more := peer.recv(65536):
            answer += more
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    return [int(line.split()[1]) for line in lines]


def asked(url: str, path: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


PATIENCE = ConnectionLimits(head=2.0, body=2.0, answer=2.0, idle=1, life=4.0)


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_daemon_refuses_and_goes_on(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Household(), limits=PATIENCE) as served:
        with caplog.at_level(logging.ERROR):
            statuses = await asyncio.to_thread(sent, served.url, REQUESTS[name])
        assert all(status < 500 for status in statuses)
        assert not [record for record in caplog.records if record.exc_info]
        assert (await served.get("/healthz"))[0] == 200
        assert not served.loop.triggers._causes  # nothing of it wakes the loop


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("embedded") / "data").start()
    yield served
    served.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", REQUESTS)
def test_the_embedded_server_refuses_and_goes_on(embedded: Served, name: str) -> None:
    before = len(embedded.journal)
    statuses = sent(embedded.url, REQUESTS[name])
    assert all(status < 500 or status == 501 for status in statuses)
    assert asked(embedded.url, "/v1beta/models") == 200
    assert "Traceback" not in embedded.journal[before:]


async def test_a_request_that_is_well_formed_is_answered_and_a_fault_would_be_seen() -> None:
    """The control of both tables."""
    async with serving(Household(), limits=PATIENCE) as served:
        whole = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        assert await asyncio.to_thread(sent, served.url, whole) == [200]
        stuck = b"GET /readyz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        assert await asyncio.to_thread(sent, served.url, stuck) == [503]  # a status that the table would not pass
