"""A server that listens where a stranger's gitune.yaml points to, and keeps what arrives there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.loopback import Tunnel, answering, self_signed


@dataclass
class Thief:
    """Listens on loopback, with and without TLS, and behind a proxy that leads every name in the world to it.

    ``heads`` holds the head of each request, ``tunnel.asked`` each name that was to be connected to.
    """

    heads: list[str] = field(default_factory=list)
    plain: int = 0
    secured: int = 0
    tunnel: Tunnel = field(default_factory=lambda: Tunnel(0))
    certificate: Path = Path()

    @contextmanager
    def listening(self, folder: Path, *names: str) -> Iterator[Thief]:
        """With a certificate for these names, whose authority is `certificate`."""
        heads = self.heads

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                heads.append(f"{self.requestline}\n{self.headers}")
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.certificate = folder / "ca.crt"
        with answering(Handler) as plain, answering(Handler, self_signed(folder, *names)) as secured:
            self.plain, self.secured = (int(url.rpartition(":")[2]) for url in (plain, secured))
            self.tunnel.port = self.secured
            with self.tunnel.running():
                yield self

    def forget(self) -> None:
        """Begin anew."""
        self.heads.clear()
        self.tunnel.asked.clear()

    @property
    def was_reached(self) -> bool:
        """Whether anything was asked for at all, by a request or by a connection through the proxy."""
        return bool(self.heads or self.tunnel.asked)

    def has(self, secret: str) -> bool:
        """Whether it got hold of a secret."""
        return any(secret in head for head in self.heads)
