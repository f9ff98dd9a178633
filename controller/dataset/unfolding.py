"""Chunks of a compressed file to chunks of what it unfolds to, under caps of size and ratio."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import MappingProxyType

from controller.dataset.problems import Fault, Unusable

MOST_UNFOLDED = 4 << 30  # bytes
_MOST_TIMES = 500  # as large as what was read; text folds to a third or a tenth, rows that repeat to a hundredth
_FREE = 64 << 20  # bytes to which anything may unfold: a small file may well be one word many times
_PIECE = 1 << 20
_WINDOW = 1 << 27  # bytes that a Zstandard stream may look back
_BITE = 1 << 10  # bytes of such a stream that are given at once: they unfold to some 32 MB at the worst


def unfolded(chunks: Iterable[bytes], suffix: str) -> Iterator[bytes]:
    """What a file unfolds to, by its suffix. Raises `Unusable` where it is damaged or becomes too much."""
    taken = made = 0
    for size, piece in _UNFOLDED[suffix](chunks):
        taken += size
        made += len(piece)
        if made > MOST_UNFOLDED or (made > _FREE and made > _MOST_TIMES * taken):
            message = f"the file unfolds to over {MOST_UNFOLDED >> 30} GB, or to over {_MOST_TIMES} times its size"
            raise Unusable(Fault("GT276", message, "commit what is needed of it, as JSON Lines"), 0)
        if piece:
            yield piece


def _gzip(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each piece behind the number of bytes that were read for it."""
    stream, began = zlib.decompressobj(wbits=31), False
    for chunk in chunks:
        read, rest = len(chunk), chunk
        while rest:
            if stream.eof:  # several streams in a file are one text
                stream, began = zlib.decompressobj(wbits=31), False
            began = True
            try:
                piece = stream.decompress(rest, _PIECE)
            except zlib.error:
                raise Unusable(_damaged("gzip"), 0) from None
            yield read, piece
            read, rest = 0, stream.unconsumed_tail or stream.unused_data
    if began and not stream.eof:
        raise Unusable(_damaged("gzip"), 0)


def _zstandard(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    with extra():
        import zstandard  # noqa: PLC0415 - an extra
    made = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    stream, began = made.decompressobj(), False
    for chunk in chunks:
        for at in range(0, len(chunk), _BITE):
            rest = chunk[at : at + _BITE]
            read = len(rest)
            while rest:
                if stream.eof:  # several frames in a file are one text
                    stream = made.decompressobj()
                began = True
                try:
                    piece = stream.decompress(rest)
                except zstandard.ZstdError:
                    raise Unusable(_damaged("Zstandard"), 0) from None
                yield read, piece
                read, rest = 0, stream.unused_data if stream.eof else b""
    if began and not stream.eof:
        raise Unusable(_damaged("Zstandard"), 0)


_UNFOLDED: MappingProxyType[str, Callable[[Iterable[bytes]], Iterator[tuple[int, bytes]]]] = MappingProxyType(
    {".gz": _gzip, ".zst": _zstandard}
)
SUFFIXES = frozenset(_UNFOLDED)


def _damaged(what: str) -> Fault:
    return Fault("GT277", f"the {what} file is damaged, or ends too early", "write it again, and commit it as it is")


@contextmanager
def extra() -> Iterator[None]:
    """Where a library of the extra `data` is imported. Raises `Unusable` where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        message = f"reading this format takes the library {library}, which is not installed"
        raise Unusable(Fault("GT278", message, 'install it: pip install "gitune[data]"'), 0) from None
