"""An answer's bytes, as they arrive, to JSON: never more than the caps allow in memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

# Chunks so small that their wrapping is most of what is sent cost a hundred times their reading.
_MANY_PIECES = 10_000
_SMALL = 16  # bytes a piece, on the average of that many
_CHUNK = 64 * 1024  # how much is unpacked at a time: a gzip bomb of 1028:1 grows by no more than this per look


class BadBody(Exception):
    """The body is not what it should be; the error that leaves this room depends on the request.

    ``broken`` is True where it may only have been cut or garbled on the way.
    """

    def __init__(self, message: str, *, broken: bool, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.broken = broken
        self.hint = hint


async def read_bounded(parts: AsyncIterator[bytes], encoding: str, raw_cap: int, decoded_cap: int) -> bytes:
    """The body, unpacked. Raises `BadBody` past a cap, for an encoding nobody asked for and for bad gzip."""
    unpack = _decompressor(encoding)
    raw, number, decoded = 0, 0, bytearray()
    async for part in parts:
        raw, number = raw + len(part), number + 1
        if number > _MANY_PIECES and raw < number * _SMALL:
            raise BadBody("the answer comes in countless tiny pieces", broken=False)
        if raw > raw_cap:
            raise _too_large(raw_cap)
        for piece in _pieces(unpack, part):
            decoded += piece
            if len(decoded) > decoded_cap:
                raise _too_large(decoded_cap)
    if unpack is not None and decoded and not unpack.eof:
        raise BadBody("the answer was cut short", broken=True)
    return bytes(decoded)


def parse_json(body: bytes) -> JSON:
    """The value a body spells. NaN and infinities become null. Raises `BadBody`."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value: JSON = msgspec.json.decode(body)
        return value
    return _parsed(body)


def parse_as(kind: type[T], body: bytes) -> T | JSON:
    """The same where it is what a kind says, as a value of that kind: what it does not name is not kept."""
    try:
        body.decode()  # what is not kept has to be text all the same
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse_json(body)


def _parsed(body: bytes) -> JSON:
    """Slower, and takes what is not quite JSON; or says what is wrong with it."""
    if not body.strip():
        raise BadBody("the answer is empty", broken=True)
    if looks_like_html(body):
        raise BadBody(
            "the answer is a web page, not JSON",
            broken=False,
            hint="A proxy or a sign-in page answered in the API's place: check the endpoint and the network.",
        )
    try:
        value: JSON = json.loads(body.decode("utf-8-sig"), parse_constant=lambda _: None)
    except UnicodeDecodeError:
        raise BadBody("the answer is not UTF-8", broken=True) from None
    except (ValueError, RecursionError):
        # Without the cause: a JSON error quotes the document, and this one may hold a prompt or a dataset row.
        raise BadBody("the answer is not whole JSON", broken=True) from None
    return value


def looks_like_html(body: bytes) -> bool:
    """Whether a person would see a page."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _decompressor(encoding: str) -> zlib._Decompress | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(zlib.MAX_WBITS | 16)
        case "deflate":
            return zlib.decompressobj()
        case _:
            raise BadBody("the answer has a content encoding that was not asked for", broken=False)


def _pieces(unpack: zlib._Decompress | None, part: bytes) -> Iterator[bytes]:
    if unpack is None:
        yield part
        return
    if part and unpack.eof:  # a second member, or what nobody packed
        raise BadBody("the answer goes on after the end of what it packs", broken=True)
    left, piece = part, b""
    while not unpack.eof and (left or len(piece) == _CHUNK):
        try:
            piece = unpack.decompress(left, _CHUNK)
        except zlib.error:
            raise BadBody("the answer's compression is broken", broken=True) from None
        left = unpack.unconsumed_tail
        yield piece


def _too_large(cap: int) -> BadBody:
    return BadBody(f"the answer is larger than the {cap // (1024 * 1024)} MB allowed", broken=False)
