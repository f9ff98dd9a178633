"""Sockets to sockets that count: an answer that never begins, or is all wrapping, is given up."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

# httpcore looks for it several times in each request. To look for what is not installed takes longer than the request.
import sniffio  # noqa: F401 - see above

from controller.rest.body import BadBody

MOST_INTERIM: Final = 16  # 1xx answers before the one that counts; APIs send none, or a single 103
_LARGEST_INTERIM: Final = 64 * 1024  # bytes of one
_STATUS_LINE: Final = 12  # bytes: ``HTTP/1.1 100``
_INTERIM: Final = re.compile(rb"HTTP/[0-9]\.[0-9] 1")
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_HINT: Final = "Check the endpoint: what answers there is not the API, or a proxy stands before it."


def counted(
    transport: httpx.AsyncHTTPTransport,
    raw_bytes: int,
    through: Callable[[httpcore.AsyncNetworkBackend], httpcore.AsyncNetworkBackend] = lambda plain: plain,
) -> httpx.AsyncHTTPTransport:
    """The transport, with sockets that raise `BadBody` where an answer goes on without end.

    ``raw_bytes`` is the cap of a body; chunk sizes and their extensions may take as much again. ``through`` makes of
    the plain way to connect the one that is gone.
    """
    # httpx has no parameter for the backend of its pool; it is looked up at each new connection.
    pool = transport._pool  # noqa: SLF001 - see above
    inner = through(pool._network_backend)  # noqa: SLF001 - see above
    pool._network_backend = _Backend(inner, 2 * raw_bytes + _LARGEST_INTERIM)  # noqa: SLF001 - see above
    return transport


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects as ``inner`` does."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, most: int) -> None:
        self._inner = inner
        self._most = most

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(stream, self._most)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_unix_socket(path, timeout, socket_options), self._most)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """Bytes in and out; those of one answer are counted from the last that was written."""

    def __init__(self, inner: httpcore.AsyncNetworkStream, most: int) -> None:
        self._inner = inner
        self._most = most
        self._bytes = 0
        self._interim = 0
        self._head: bytearray | None = bytearray()  # None once the answer that counts has begun

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        data = await self._inner.read(max_bytes, timeout)
        self._bytes += len(data)
        if self._bytes > self._most:
            raise BadBody("the answer goes on without end", broken=False, hint=_HINT)
        if self._head is not None:
            self._head += data
            self._look(self._head)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        self._bytes, self._interim, self._head = 0, 0, bytearray()
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout), self._most)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._inner.get_extra_info(info)

    def _look(self, head: bytearray) -> None:
        """Pass over whole interim answers. Raises `BadBody` for too many, or one too large."""
        while len(head) >= _STATUS_LINE:
            if not _INTERIM.match(head):
                self._head = None
                return
            end = _BLANK_LINE.search(head)
            if self._interim >= MOST_INTERIM or (end is None and len(head) > _LARGEST_INTERIM):
                raise BadBody(
                    f"no answer came, only interim ones (1xx), more than {MOST_INTERIM} or too large",
                    broken=False,
                    hint=_HINT,
                )
            if end is None:
                return
            self._interim += 1
            del head[: end.end()]
