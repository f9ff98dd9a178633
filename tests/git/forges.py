"""A forge on loopback: git's own smart HTTP behind a token, which can lose an answer; and a stand-in for ssh."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class CodeHost(ThreadingHTTPServer):
    """Serves the repositories below ``root`` through ``git http-backend``."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.root = root
        self.wanted: str | None = None
        self.lose_pushes = 0
        self.requests: list[tuple[str, str]] = []

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """With TLS said goodbye to: GnuTLS takes an end without it for a broken connection."""
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError):
                request.unwrap()
        super().shutdown_request(request)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def forge(root: Path, secured: ssl.SSLContext | None = None) -> Iterator[CodeHost]:
    server = CodeHost(root)
    if secured is not None:
        server.socket = secured.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Request(BaseHTTPRequestHandler):
    server: CodeHost

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args

    def _answer(self) -> None:
        given = self.headers.get("Authorization", "")
        self.server.requests.append((self.path, given))
        if self.server.wanted is not None and given != self.server.wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        head, body = self._backend()
        if self.path.endswith("/git-receive-pack") and self.server.lose_pushes:
            self.server.lose_pushes -= 1
            self.close_connection = True
            return
        status = head.pop("status", "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _backend(self) -> tuple[dict[str, str], bytes]:
        url = urlsplit(self.path)
        given = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "tester",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self._body()
        given["CONTENT_LENGTH"] = str(len(body))
        done = subprocess.run(["git", "http-backend"], env=given, input=body, capture_output=True, check=True)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        return {name.lower(): value for name, value in lines}, answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def stand_in_ssh(folder: Path, root: Path, log: Path) -> None:
    """An ``ssh`` that logs its words and runs the command here, below ``root``."""
    folder.mkdir()
    (folder / "ssh").write_text(
        f'#!/bin/sh\necho "$*" >> {log}\nfor word; do command=$word; done\n'
        f'cd {root} && eval "$(echo "$command" | sed "s#\'/#\'{root}/#")"\n'
    )
    (folder / "ssh").chmod(0o755)
