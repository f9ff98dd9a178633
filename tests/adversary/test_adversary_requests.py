"""Attacks on the embedded server: bytes that no client sends. Each is refused, and the next request is answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server.served import Served

HOST = "Host: 127.0.0.1\r\n"
JSON = "Content-Type: application/json\r\n"
CREATE = "POST /v1beta/tunedModels?tunedModelId=x HTTP/1.1\r\n" + HOST + JSON
DEEP = "[" * 100_000
REFUSED = range(400, 500)
PATIENCE = 20.0  # seconds; longer than the server waits for the rest of a request

# Bytes on the socket, by what they try.
MALFORMED: dict[str, bytes] = {
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP 2 without being asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method of signs": b"G{T /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a blank in the target": b"GET /v1beta/mod els HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header without a colon": b"GET /v1beta/models HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
    "a header that goes on": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\n evil: 1\r\nX\r\n\r\n",
    "a NUL in a header": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
    "no host": b"GET /v1beta/models HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test\r\n\r\n",
    "a host of brackets": b"GET /v1beta/models HTTP/1.1\r\nHost: [\r\n\r\n",
    "a host of another name": b"GET /v1beta/models HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "a host with a user": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1@evil.test\r\n\r\n",
    "a host with a path": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1/evil\r\n\r\n",
    "a port of words": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1:http\r\n\r\n",
    "an origin that is none": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[\r\n\r\n",
    "an origin of another site": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.test\r\n\r\n",
    "an origin of null": b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n",
    "two lengths": (CREATE + "Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}").encode(),
    "a length below nothing": (CREATE + "Content-Length: -1\r\n\r\n").encode(),
    "a length of words": (CREATE + "Content-Length: two\r\n\r\n{}").encode(),
    "a length and chunks": (CREATE + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").encode(),
    "chunks of no length": (CREATE + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n").encode(),
    "a chunk longer than it says": (CREATE + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}}}\r\n0\r\n\r\n").encode(),
    "a chunk below nothing": (CREATE + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n").encode(),
    "an encoding nobody knows": (CREATE + "Transfer-Encoding: gzip, identity\r\n\r\n{}").encode(),
    "a head of a megabyte": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a target of a megabyte": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "ten thousand headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
    "a body that is promised and too large": (CREATE + "Content-Length: 99999999999\r\n\r\n").encode(),
}
# Bodies of a create, by what they try; all of them are sent well.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "bytes that are no text": b"\xff\xfe\x00",
    "UTF-16": '{"baseModel": "models/tiny"}'.encode("utf-16"),
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "a key twice": b'{"baseModel": "models/tiny", "baseModel": "models/other"}',
    "a number that is none": b'{"baseModel": NaN}',
    "deeper than any": DEEP.encode(),
    "a base that is a path": b'{"baseModel": "../../etc/passwd"}',
    "a base with a NUL": b'{"baseModel": "models/ti\\u0000ny"}',
    "half a letter": b'{"displayName": "\\ud800", "baseModel": "models/tiny"}',
    "examples that are no list": b'{"baseModel": "models/tiny", "tuningTask": {"trainingData": {"examples": 5}}}',
    "epochs without end": json.dumps(
        {"baseModel": "models/tiny", "tuningTask": {"hyperparameters": {"epochCount": 10**400}}}
    ).encode(),
    "epochs below nothing": b'{"baseModel": "models/tiny", "tuningTask": {"hyperparameters": {"epochCount": -1}}}',
    "a rate without end": b'{"baseModel": "models/tiny", "tuningTask": {"hyperparameters": {"learningRate": 1e999}}}',
    "a field nobody knows": b'{"baseModel": "models/tiny", "evil": 1}',
    "a temperature of words": b'{"baseModel": "models/tiny", "temperature": "hot"}',
}
# Targets of a read, by what they try.
TARGETS: dict[str, str] = {
    "up and away": "/v1beta/../../etc/passwd",
    "up and away, quoted": "/v1beta/%2e%2e/%2e%2e/etc/passwd",
    "a model that is a path": "/v1beta/tunedModels/..%2f..%2fetc",
    "a NUL": "/v1beta/tunedModels/a%00b",
    "no text": "/v1beta/tunedModels/%ff%fe",
    "a page below nothing": "/v1beta/tunedModels?pageSize=-1",
    "a page of words": "/v1beta/tunedModels?pageSize=all",
    "a page without end": "/v1beta/tunedModels?pageSize=" + "9" * 400,
    "a token that is none": "/v1beta/tunedModels?pageToken=%00'%20OR%201=1",
    "a name of a thousand letters": "/v1beta/tunedModels/" + "a" * 1000,
    "another scheme": "http://evil.test/v1beta/models",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("attacked") / "data", ("--runs", "1")).start()
    yield served
    served.stop()


def _sent(server: Served, raw: bytes) -> tuple[int, bytes]:
    """The status that comes back for these bytes, 0 where the line is closed without one, and all that came.

    Where neither comes within the time, the sender ends what it says.
    """
    where = urlsplit(server.url)
    got = b""
    with socket.create_connection((where.hostname, where.port), timeout=PATIENCE) as line:
        try:
            line.sendall(raw)
            while b"\r\n\r\n" not in got and (piece := line.recv(65536)):
                got += piece
            line.shutdown(socket.SHUT_WR)
            while piece := line.recv(65536):
                got += piece
        except TimeoutError:
            raise
        except OSError:  # the server has closed the line
            pass
    return (int(got.split()[1]) if got.startswith(b"HTTP/1.1 ") else 0), got


def _is_well(server: Served) -> None:
    """The control: a good request is answered, nothing was made, and the log tells of no broken server."""
    target = b"GET /v1beta/tunedModels HTTP/1.1\r\n" + HOST.encode() + b"Connection: close\r\n\r\n"
    status, body = _sent(server, target)
    assert (status, b"tunedModels/" in body) == (200, False)
    assert "Traceback" not in server.journal


@pytest.mark.parametrize("what", MALFORMED)
def test_bytes_that_no_client_sends_are_refused(server: Served, what: str) -> None:
    status, body = _sent(server, MALFORMED[what])
    assert status in REFUSED or status in {0, 501, 505}, body[:300]
    _is_well(server)


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_means_nothing_makes_nothing(server: Served, what: str) -> None:
    body = BODIES[what]
    head = CREATE + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    status, answer = _sent(server, head.encode() + body)
    assert status in REFUSED, answer[:300]
    assert b'"error"' in answer
    _is_well(server)


@pytest.mark.parametrize("what", TARGETS)
def test_a_target_that_leads_elsewhere_shows_nothing(server: Served, what: str) -> None:
    status, answer = _sent(server, f"GET {TARGETS[what]} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode())
    assert status in REFUSED, answer[:300]
    assert b"root:" not in answer
    _is_well(server)


def test_the_control_sees_what_an_attack_would_leave(tmp_path: Path) -> None:
    served = Served(tmp_path / "data", ("--runs", "1")).start()
    try:
        _is_well(served)
        rows = [{"textInput": str(n), "output": str(n + 1)} for n in range(20)]
        data = {"examples": {"examples": rows}}
        served.create("made", {"baseModel": "models/tiny", "tuningTask": {"trainingData": data}})
        with pytest.raises(AssertionError):
            _is_well(served)
    finally:
        served.stop()
