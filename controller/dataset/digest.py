"""Examples as they are sent to their digest, which decides what is paid for."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from controller.state.desired import Example

DIGEST_VERSION = "gitune-examples/1"
_CONVERSATION = b"\xff" * 8 + b"gitune-conversation/1\n"  # eight bytes of 255 are the length of no text
_length = struct.Struct(">Q").pack


class Digest:
    """SHA-256 over examples as sent, in order. Frozen by golden vectors.

    The preimage is ``gitune-examples/1`` and a line feed; then for each pair its input and its output, each as UTF-8
    behind its length in bytes (8 bytes, big-endian). A conversation is eight bytes 255, ``gitune-conversation/1`` and
    a line feed, its system message (length and UTF-8, as any text), how many exchanges (8 bytes, big-endian), and for
    each its input, its output, and a byte 1 where the output is learned, else 0. So no two lists share a preimage.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256(f"{DIGEST_VERSION}\n".encode())
        self.bytes = 0  # of all texts so far

    def add(self, examples: Sequence[Example]) -> None:
        """The next examples."""
        parts: list[bytes] = []
        size, pack = 0, _length
        for example in examples:
            if example.earlier or example.system:
                size += self._conversation(example, parts)
                continue
            # Half a surrogate pair is refused by every reader; the digest of one must still be one, not a crash.
            text_input = example.text_input.encode("utf-8", "surrogatepass")
            output = example.output.encode("utf-8", "surrogatepass")
            size_in, size_out = len(text_input), len(output)
            size += size_in + size_out
            parts += (pack(size_in), text_input, pack(size_out), output)
        self._sha.update(b"".join(parts))
        self.bytes += size

    def hex(self) -> str:
        """64 hex digits."""
        return self._sha.hexdigest()

    @staticmethod
    def _conversation(example: Example, parts: list[bytes]) -> int:
        system, exchanges = _utf8(example.system), example.exchanges
        size = len(system)
        parts += (_CONVERSATION, _length(size), system, _length(len(exchanges)))
        for one in exchanges:
            text_input, output = _utf8(one.text_input), _utf8(one.output)
            size += len(text_input) + len(output)
            parts += (_length(len(text_input)), text_input, _length(len(output)), output, bytes((one.learned,)))
        return size


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
