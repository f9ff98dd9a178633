"""Crowds of peers that hold a server's connections open in different ways, and what becomes of each."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


def silent(peer: socket.socket) -> None:
    """Says nothing."""
    del peer


def half_a_head(peer: socket.socket) -> None:
    """Begins a request."""
    peer.sendall(b"GET / HTTP/1.1\r\nHost: local")


def kept_alive(peer: socket.socket) -> None:
    """Asks once, reads the answer, and stays."""
    peer.sendall(GET + b"\r\n")
    peer.recv(65536)


def half_a_further_head(peer: socket.socket) -> None:
    """Asks once, then begins another request."""
    kept_alive(peer)
    peer.sendall(b"GET /")


def half_a_body(peer: socket.socket) -> None:
    """A body that is never whole."""
    peer.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")


def half_a_chunk(peer: socket.socket) -> None:
    """A chunked body that is never whole."""
    peer.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx")


def reads_nothing(peer: socket.socket) -> None:
    """Asks for a page again and again, and takes nothing of it."""
    peer.setblocking(False)  # noqa: FBT003 - the standard library's
    with contextlib.suppress(BlockingIOError):
        for _ in range(200):
            peer.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)


def expects(peer: socket.socket) -> None:
    """Waits to be told to go on with its body, and does not."""
    peer.sendall(
        b"POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )


KINDS: tuple[Callable[[socket.socket], None], ...] = (
    silent,
    half_a_head,
    kept_alive,
    half_a_further_head,
    half_a_body,
    half_a_chunk,
    reads_nothing,
    expects,
)


@dataclass
class Crowd:
    """Sockets that are open, and those that drip a byte now and then."""

    peers: list[socket.socket] = field(default_factory=list)
    dripping: bool = True

    def open(self) -> int:
        """How many the server has not closed yet."""
        return sum(not _closed(peer) for peer in self.peers)


def _closed(peer: socket.socket) -> bool:
    poller = select.poll()
    poller.register(peer, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(poller.poll(0))


@contextmanager
def crowd(
    url: str, kinds: tuple[Callable[[socket.socket], None], ...], number: int, drip: bytes = b""
) -> Iterator[Crowd]:
    """So many peers of these kinds, in turn; each sends ``drip`` every half second."""
    parts, made = urlsplit(url), Crowd()

    def dripping() -> None:
        while made.dripping:
            for peer in made.peers:
                with contextlib.suppress(OSError):
                    peer.send(drip, socket.MSG_DONTWAIT)
            time.sleep(0.5)

    thread = threading.Thread(target=dripping)
    try:
        for place in range(number):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            peer.settimeout(10)
            peer.connect((str(parts.hostname), parts.port or 80))
            made.peers.append(peer)
            with contextlib.suppress(ConnectionError):
                kinds[place % len(kinds)](peer)
        if drip:
            thread.start()
        yield made
    finally:
        made.dripping = False
        if thread.is_alive():
            thread.join()
        for peer in made.peers:
            peer.close()
