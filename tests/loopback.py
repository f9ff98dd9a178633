"""Servers of the tests on loopback: one that answers while a block runs, and a TLS context that nobody signed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A client that hangs up is no error of the server; whatever else went wrong is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler], secured: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers with this handler until the block ends."""
    server = _Server(("127.0.0.1", 0), handler)
    if secured is not None:
        server.socket = secured.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"{'https' if secured else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path, *names: str) -> ssl.SSLContext:
    """A server's context for 127.0.0.1 and more names; its certificate is its own authority: ``ca.crt``."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: of two authorities with one name only the first would be tried.
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"127.0.0.1 {folder.name}"[:64])])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in ("127.0.0.1", *names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.crt").write_bytes(public)
    (folder / "server.pem").write_bytes(private + public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Tunnel:
    """A proxy that connects whoever asks, to ``port`` of this machine whatever was asked for.

    ``asked`` holds each CONNECT's target and its Proxy-Authorization. Without the ``authorization`` it wants it
    answers 407; with a ``status`` it answers that and connects nobody.
    """

    port: int
    authorization: str = ""
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self, secured: ssl.SSLContext | None = None) -> Iterator[Tunnel]:
        tunnel = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                given = self.headers.get("Proxy-Authorization", "")
                tunnel.asked.append((self.path, given))
                if tunnel.authorization and given != tunnel.authorization:
                    self._refuse(407)
                elif tunnel.status != 200:
                    self._refuse(tunnel.status)
                else:
                    self.send_response(200, "Connected")
                    self.end_headers()
                    self.close_connection = True
                    with socket.create_connection(("127.0.0.1", tunnel.port)) as there:
                        _relay(self.connection, there)

            def _refuse(self, status: int) -> None:
                self.send_response(status, "No canary-of-the-proxy for you")
                self.send_header("Proxy-Authenticate", 'Basic realm="made-up"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with answering(Handler, secured) as self.url:
            yield self


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways until either side ends."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()
