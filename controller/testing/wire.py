"""Scripts to a server on a real socket that answers byte for byte as told, and misbehaves on request."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Script: TypeAlias = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Wire:
    """A listening socket on this machine. Each request takes the next script, the last one stays.

    ``requests`` holds every request as it came, head and body.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._server: asyncio.Server | None = None
        self.requests: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on any free port, with TLS where a context is given."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The other side may hang up at any moment: that is what the tests make it do.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(head + body)
            await _play(script, writer)
        writer.close()


@asynccontextmanager
async def listening(*scripts: Script) -> AsyncIterator[Wire]:
    """A `Wire` for the length of a block."""
    wire = Wire(*scripts)
    await wire.start()
    try:
        yield wire
    finally:
        await wire.stop()


def answer(body: object = None, code: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """One whole HTTP answer. Bytes and text are sent as they are, anything else as JSON."""
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    data = text.encode() if isinstance(text, str) else text
    named = {"content-type": "application/json", "content-length": str(len(data)), "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in (named | dict(headers or {})).items())
    return f"HTTP/1.1 {code} Whatever\r\n{head}\r\n".encode() + data


def google_error(
    code: int, status: str, message: str, *details: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> bytes:
    """An answer that holds a google.rpc.Status."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return answer({"error": error}, code, headers)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Half an answer, then RST instead of an orderly end."""
    await half(writer)
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def half(writer: asyncio.StreamWriter) -> None:
    """Half an answer, then the end."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"half": ')
    await writer.drain()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """No answer at all, the connection closed."""
    await writer.drain()


async def silence(writer: asyncio.StreamWriter) -> None:
    """No answer at all, the connection left open for half a minute."""
    await writer.drain()
    await asyncio.sleep(30)


async def slow_body(writer: asyncio.StreamWriter) -> None:
    """A byte each 50 ms: every read is quick, the whole takes for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _play(script: Script, writer: asyncio.StreamWriter) -> None:
    if isinstance(script, bytes):
        writer.write(script)
        await writer.drain()
    else:
        await script(writer)
