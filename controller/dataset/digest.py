"""Examples in order to the SHA-256 that names them, whatever file they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from controller.state.desired import Example

DIGEST_VERSION = "gitune-examples/1"


def digest(examples: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) over the examples as sent.

    The preimage is ``gitune-examples/1`` and a line feed; then for each example its input and its output, each as
    UTF-8 behind its length in bytes (8 bytes, big-endian). So order counts, and no two lists share a preimage.
    Frozen by golden vectors.
    """
    sha = hashlib.sha256(f"{DIGEST_VERSION}\n".encode())
    for example in examples:
        # Half a surrogate pair is refused by every reader; the digest of one must still be a digest, not a crash.
        text_input = example.text_input.encode(errors="surrogatepass")
        output = example.output.encode(errors="surrogatepass")
        sha.update(len(text_input).to_bytes(8, "big") + text_input + len(output).to_bytes(8, "big") + output)
    return sha.hexdigest()
