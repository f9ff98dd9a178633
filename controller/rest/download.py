"""One address to its bytes, handed on as they come: under a cap, a time without bytes, and the rules of addresses."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from controller.errors import Rejected, RejectedKind, Transient
from controller.network import Proxy
from controller.rest.backend import counted
from controller.rest.body import BadBody
from controller.rest.failures import FOREIGN, Repeat, translate
from controller.rest.reach import OutOfReach, Reach, Resolve, checked, resolved
from controller.rest.redaction import said
from controller.rest.way import as_httpx, proxy_of, verifying

_HEADERS: Final = {"accept": "*/*", "accept-encoding": "identity", "connection": "close", "user-agent": "gitune"}
_MOST_LOCATION: Final = 8192
_LARGEST_REFUSAL: Final = 64 * 1024  # bytes of an error's own body that are read
# Chunks so small that their wrapping is most of what is sent cost a hundred times their reading.
_MANY_PIECES: Final = 10_000
_SMALL: Final = 16
_MEGABYTE: Final = 1024 * 1024
_NO_STORE: Final = "Check the address: what answers there keeps no files, or a proxy stands before it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A GET of ``url``, at most ``most`` bytes of answer. Times in seconds, ``idle`` between two pieces of it.

    ``url`` may hold a signature, and ``headers`` (lower case) a token: neither is shown. ``shown`` is what is.
    """

    url: str = field(repr=False)
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    reach: Reach
    most: int
    connect: float = 10.0
    idle: float = 30.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """All of it was handed on."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A redirect, which is not followed. ``location`` is as it was said, and may be a secret."""

    location: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefusedDownload:
    """An answer that is no success. ``word`` is the store's own for it, such as ``NoSuchKey``, "" where it has none."""

    code: int
    word: str
    headers: Mapping[str, str] = field(repr=False)


DownloadAnswer: TypeAlias = Arrived | Moved | RefusedDownload


async def download(asked: Download, write: Callable[[bytes], object], resolve: Resolve = resolved) -> DownloadAnswer:
    """One request. There is no total deadline here: whoever asks has one for all its requests.

    Raises `Transient` where the same may go well later, `Rejected` where it cannot. Neither carries a foreign exception
    along, whose text may hold the address.
    """
    error: Transient | Rejected | None = None
    proxy: Proxy | None = None
    try:
        asked.reach.check_literal(_host(asked.url))
        proxy = proxy_of(asked.url)
        return await _asked(asked, write, proxy, resolve)
    except OutOfReach as fault:
        host = said(fault.host, 100)
        error = Rejected(
            f"{asked.shown}: {host} stands for an address of a private network or of this machine",
            kind=RejectedKind.PRECONDITION,
            hint="Where that is meant, name the address's network in GITUNE_DATA_SOURCES too.",
        )
    except BadBody as fault:
        error = _unusable(f"{asked.shown}: {fault.message}", fault.hint)
    except FOREIGN as foreign:
        found = translate(foreign, Repeat.READ, endpoint=asked.shown, sent=True, proxy=proxy)
        error = found if isinstance(found, Rejected) else Transient(found.message, hint=found.hint)
    raise error


def _host(url: str) -> str:
    """The one host that an address names. Raises `BadBody` where who checks it and who asks it disagree."""
    host = urlsplit(url).hostname or ""
    if httpx.URL(url).host != host:
        raise BadBody("its address can be read in two ways", broken=False)
    return host


async def _asked(
    asked: Download, write: Callable[[bytes], object], proxy: Proxy | None, resolve: Resolve
) -> DownloadAnswer:
    plain = asked.url.startswith("http://")
    transport = counted(
        httpx.AsyncHTTPTransport(
            # Plain http needs no certificates, and loading them takes longer than a request.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else verifying(),
            proxy=None if proxy is None else as_httpx(proxy),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        ),
        asked.most,
        # A proxy resolves names itself, and stands where the operator put it.
        lambda inner: inner if proxy is not None else checked(inner, asked.reach, resolve),
    )
    times = {"connect": asked.connect, "read": asked.idle, "write": asked.idle, "pool": asked.connect}
    request = httpx.Request("GET", asked.url, headers={**_HEADERS, **asked.headers}, extensions={"timeout": times})
    try:
        response = await transport.handle_async_request(request)
        try:
            return await _understood(response, asked, write)
        finally:
            await response.aclose()
    finally:
        await transport.aclose()


async def _understood(response: httpx.Response, asked: Download, write: Callable[[bytes], object]) -> DownloadAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if response.status_code in _REDIRECTS:
        location = headers.get("location", "")
        if location and len(location) <= _MOST_LOCATION:
            return Moved(location, headers)
    if response.status_code != HTTPStatus.OK:
        if response.is_success:
            raise BadBody(f"the answer is not the whole file ({response.status_code})", broken=False, hint=_NO_STORE)
        return RefusedDownload(response.status_code, await _word(response), headers)
    _check_head(headers, asked.most)
    return Arrived(await _streamed(response, asked.most, write))


_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def _check_head(headers: Mapping[str, str], most: int) -> None:
    """Raises `BadBody` for an answer that is packed, is a part, is too large, or does not say where it ends."""
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise BadBody("the answer is packed, which was not asked for", broken=False, hint="Store the file unpacked.")
    if "content-range" in headers:
        raise BadBody("the answer is a part of the file", broken=False, hint=_NO_STORE)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)
    if not length and headers.get("transfer-encoding", "").strip().lower() != "chunked":
        # It would end where the connection does, and half of it would look whole.
        raise BadBody("the answer does not say how long it is", broken=False, hint=_NO_STORE)


async def _streamed(response: httpx.Response, most: int, write: Callable[[bytes], object]) -> int:
    size, number = 0, 0
    async for piece in response.aiter_raw():
        size, number = size + len(piece), number + 1
        if size > most:
            raise _too_large(most)
        if number > _MANY_PIECES and size < number * _SMALL:
            raise BadBody("the answer comes in countless tiny pieces", broken=False)
        write(piece)
    return size


_WORD: Final = re.compile(rb"(?:<Code>|\"reason\":\s{0,4}\"|\"code\":\s{0,4}\")([A-Za-z][A-Za-z0-9]{1,60})[<\"]")


async def _word(response: httpx.Response) -> str:
    """The store's word for what is wrong. Its sentence is left alone: it may quote the request, or name its key."""
    told = response.headers.get("x-error-code", "")  # Hugging Face's
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{1,60}", told):
        return str(told)
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _LARGEST_REFUSAL:
            break
    found = _WORD.search(body)
    return found[1].decode() if found else ""


def _too_large(most: int) -> BadBody:
    return BadBody(f"the file is larger than the {most // _MEGABYTE:,} MB allowed", broken=False, hint="Split it.")


def _unusable(message: str, hint: str) -> Rejected:
    return Rejected(message, kind=RejectedKind.RESPONSE, hint=hint or _NO_STORE)
