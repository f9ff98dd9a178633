"""Servers on raw sockets that are slow, endless, malformed or greedy: bytes of their choice in their own threads."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Say = Callable[[socket.socket, str], None]  # a connection, and the address that another server has
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
MODELS = b'{"tunedModels": []}'


@dataclass
class Peer:
    """One server. ``requests`` are the heads and bodies it was sent, ``connections`` those that were made to it."""

    say: Say
    other: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    open: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                self.connections += 1
                self.open.append(peer)
                threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while request := _request(peer):
                self.requests.append(request)
                self.say(peer, self.other)
                if self.say.__name__.startswith("ends"):
                    break
        peer.close()

    @contextmanager
    def running(self) -> Iterator[Peer]:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=self.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            for one in (listener, *self.open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            thread.join(5)


def _request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := peer.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def once(data: bytes) -> Say:
    """These bytes, then the end."""

    def ends_after(peer: socket.socket, other: str) -> None:
        peer.sendall(data.replace(b"OTHER", other.encode()))

    return ends_after


def for_ever(data: bytes, begin: bytes = b"") -> Say:
    """These bytes again and again, as fast as they are taken."""

    def ends_never(peer: socket.socket, _other: str) -> None:
        peer.sendall(begin)
        block = data * max(1, 65536 // len(data))
        while True:
            peer.sendall(block)

    return ends_never


def dripping(data: bytes, begin: bytes = b"", pause: float = 0.02) -> Say:
    """These bytes one by one and again from their start, with a pause after each."""

    def ends_never(peer: socket.socket, _other: str) -> None:
        peer.sendall(begin)
        for byte in itertools.cycle(data):
            peer.sendall(bytes([byte]))
            time.sleep(pause)

    return ends_never


def silent(peer: socket.socket, other: str) -> None:
    del peer, other
    time.sleep(5.0)


def ends_at_once(peer: socket.socket, other: str) -> None:
    del peer, other


def stopping(peer: socket.socket, other: str) -> None:
    """Less than was promised, and then nothing."""
    peer.sendall(OK + b"content-length: 99\r\n\r\n{")
    silent(peer, other)


def whole(body: bytes, more: bytes = b"") -> bytes:
    return OK + more + b"content-length: %d\r\n\r\n" % len(body) + body


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
PACKED = OK + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b" " * 50_000_000)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def redirect(code: int, location: str = "OTHER/v1beta/tunedModels") -> Say:
    return once(f"HTTP/1.1 {code} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode())


# Slow: each read is quick, the whole takes for ever.
SLOW: dict[str, Say] = {
    "silence": silent,
    "a dripping status line": dripping(b"HTTP/1.1 200 OK" + b"K" * 10_000),
    "dripping headers": dripping(b"x-a: b\r\n", OK),
    "a dripping header": dripping(b"x", OK + b"x-a: "),
    "a dripping body with a length": dripping(b" ", OK + b"content-length: 100000\r\n\r\n"),
    "a dripping body without a length": dripping(b" ", OK + b"connection: close\r\n\r\n"),
    "dripping chunks": dripping(chunk(b" "), CHUNKED),
    "a dripping chunk size": dripping(b"0", CHUNKED),
    "dripping trailers": dripping(b"x-a: b\r\n", CHUNKED + b"0\r\n"),
    "dripping gzip": dripping(chunk(BOMB[:1]), PACKED),
    "dripping interim answers": dripping(INTERIM),
    "interim answers now and then": dripping(b"HTTP/1.1 102 Processing\r\n\r\n", pause=0.004),
    "a body that stops before its end": stopping,
}

# Endless: as fast as the client takes it.
FLOODS: dict[str, Say] = {
    "interim answers": for_ever(INTERIM),
    "interim answers with headers": for_ever(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"),
    "interim answers of HTTP/1.0": for_ever(b"HTTP/1.0 100 Continue\r\n\r\n"),
    "interim answers with bare line feeds": for_ever(b"HTTP/1.1 100 Continue\n\n"),
    "an endless interim answer": for_ever(b"x-a: b\r\n", b"HTTP/1.1 103 Early Hints\r\n"),
    "an endless line of an interim answer": for_ever(b"x", b"HTTP/1.1 103 Early Hints\r\nx: "),
    "headers": for_ever(b"x-a: b\r\n", OK),
    "one header": for_ever(b"x", OK + b"x-a: "),
    "a status line": for_ever(b"x", b"HTTP/1.1 200 "),
    "empty lines": for_ever(b"\r\n"),
    "a body without a length": for_ever(b" ", OK + b"connection: close\r\n\r\n"),
    "a body of a length": for_ever(b" ", OK + b"content-length: 99999999999\r\n\r\n"),
    "chunks": for_ever(chunk(b" " * 4096), CHUNKED),
    "chunks of a byte": for_ever(chunk(b" "), CHUNKED),
    "chunks of a byte with extensions": for_ever(chunk(b" ", b";" + b"x" * 1000), CHUNKED),
    "a chunk's extension": for_ever(b"x", CHUNKED + b"1;"),
    "trailers": for_ever(b"x-a: b\r\n", CHUNKED + b"0\r\n"),
    "a gzip bomb": for_ever(chunk(BOMB), PACKED),
    "gzip of nothing": for_ever(chunk(gzip.compress(b"")), PACKED),
    "a deflate bomb": once(
        OK + b"content-encoding: deflate\r\nconnection: close\r\n\r\n" + zlib.compress(b" " * 50_000_000)
    ),
    "an answer's junk": for_ever(b"\0\xff"),
}

# Malformed: nothing of it may be taken for an answer.
BROKEN: dict[str, Say] = {
    "the end at once": ends_at_once,
    "two lengths": once(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{} "),
    "a negative length": once(OK + b"content-length: -2\r\n\r\n{}"),
    "a length in words": once(OK + b"content-length: two\r\n\r\n{}"),
    "a length too long": once(OK + b"content-length: 50\r\n\r\n{}"),
    "a length of thirty digits": once(OK + b"content-length: " + b"9" * 30 + b"\r\n\r\n{}"),
    "a chunk size in words": once(CHUNKED + b"two\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk": once(CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk of thirty digits": once(CHUNKED + b"f" * 30 + b"\r\n{}\r\n0\r\n\r\n"),
    "a chunk cut": once(CHUNKED + b"9\r\n{}"),
    "no last chunk": once(CHUNKED + chunk(MODELS)),
    "a chunk without its end": once(CHUNKED + b"2\r\n{}0\r\n\r\n"),
    "two transfer encodings": once(OK + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunk(b"{}")),
    "a status of two digits": once(b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}"),
    "a status in words": once(b"HTTP/1.1 two OK\r\ncontent-length: 2\r\n\r\n{}"),
    "no HTTP": once(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "HTTP/0.9": once(MODELS),
    "a TLS alert": once(b"\x15\x03\x01\x00\x02\x02\x28"),
    "HTTP/2": once(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
    "a header without a colon": once(OK + b"nonsense\r\n\r\n{}"),
    "a header with NUL": once(OK + b"x: a\0b\r\ncontent-length: 2\r\n\r\n{}"),
    "another protocol": once(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"),
    "nothing, as 204": once(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "nothing new, as 304": once(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "nothing at all": once(whole(b"")),
    "half a document": once(whole(b'{"tunedModels": [')),
    "a document and a half": once(whole(b'{"tunedModels": []}{')),
    "brackets": once(whole(b"[" * 100_000)),
    "a list": once(whole(b"[]")),
    "a number": once(whole(b"1" * 5_000)),
    "text": once(whole(b'"ok"')),
    "models that are none": once(whole(b'{"tunedModels": {"a": 1}}')),
    "a model without a name": once(whole(b'{"tunedModels": [{}]}')),
    "a model named like a path": once(whole(b'{"tunedModels": [{"name": "tunedModels/../../etc"}]}')),
    "a model twice": once(whole(b'{"tunedModels": [{"name": "tunedModels/a"}, {"name": "tunedModels/a"}]}')),
    "another encoding": once(whole(b"x", b"content-encoding: br\r\n")),
    "what is not gzip": once(whole(b"{}", b"content-encoding: gzip\r\n")),
    "gzip cut": once(whole(gzip.compress(MODELS)[:-9], b"content-encoding: gzip\r\n")),
    "Latin-1": once(whole(b'{"tunedModels": ["\xe9"]}')),
    "UTF-16": once(whole('{"tunedModels": []}'.encode("utf-16"))),
    "a page": once(whole(b"<html>sign in</html>")),
    "a page token that stays": once(whole(b'{"tunedModels": [], "nextPageToken": "t"}')),
    "a server's failure": once(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"),
    "come back in a century": once(b"HTTP/1.1 503 Later\r\nretry-after: 3155760000\r\ncontent-length: 0\r\n\r\n"),
    "come back at once, always": once(b"HTTP/1.1 429 Slow\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"),
    "a proxy's sign-in": once(b"HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n"),
    "a challenge of another realm": once(
        b"HTTP/1.1 401 Who\r\nwww-authenticate: Negotiate\r\ncontent-length: 0\r\n\r\n"
    ),
}

REDIRECTS: dict[str, Say] = {
    **{f"{code} to another host": redirect(code) for code in (300, 301, 302, 303, 305, 307, 308)},
    "to the same place": redirect(307, "/v1beta/tunedModels"),
    "without a scheme": redirect(308, "//localhost:1/v1beta/tunedModels"),
    "to a file": redirect(302, "file:///etc/passwd"),
    "to no address": redirect(302, "http://[::1"),
    "to an address of 8 KB": redirect(302, "OTHER/" + "x" * 8000),
    "with a key in it": redirect(302, "https://user:secret@localhost/?key=AIzaSyA-0123456789abcdefgh"),
    "by Refresh": once(whole(b"<html>", b"refresh: 0; url=OTHER\r\n")),
    "by Content-Location": once(
        b"HTTP/1.1 503 Later\r\ncontent-location: OTHER\r\nalt-svc: h2=OTHER\r\ncontent-length: 0\r\n\r\n"
    ),
}


def fresh_pages(pause: float = 0.0, models: int = 0) -> Say:
    """A page after the other, each naming a next one that was never named before."""
    numbers = itertools.count()

    def pages(peer: socket.socket, _other: str) -> None:
        number = next(numbers)
        time.sleep(pause)
        listed = [{"name": f"tunedModels/m-{number}-{at}", "baseModel": "models/tiny"} for at in range(models)]
        peer.sendall(whole(json.dumps({"tunedModels": listed, "nextPageToken": f"t{number}"}).encode()))

    return pages


PAGES: dict[str, Callable[[], Say]] = {
    "quick ones": fresh_pages,
    "slow ones": lambda: fresh_pages(0.3),
    "full ones": lambda: fresh_pages(models=200),
}
