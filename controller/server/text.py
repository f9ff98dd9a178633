"""Examples in, padded arrays for `models/tiny` out: bytes as tokens, and a bag of hashed words and letter groups."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from controller.server.base import TINY
from controller.server.values import Example

__all__ = [
    "BUCKETS",
    "END",
    "START",
    "VOCABULARY",
    "Batch",
    "Encoded",
    "Floats",
    "Tokens",
    "bag_of",
    "collate",
    "encode",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Tokens: TypeAlias = npt.NDArray[np.int64]

# Tokens 0 to 255 are bytes.
START: Final = 256  # between input and output
END: Final = 257  # after the output
PAD: Final = 258
VOCABULARY: Final = 259

BUCKETS: Final = 1024
_WORD: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example: the input's last bytes, the output's bytes, and the buckets the input's features fall into."""

    source: bytes
    target: bytes
    buckets: Tokens


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded arrays of B examples: inputs end, and outputs start, at one column.

    tokens: (B, width) int, input then START then output; split: the column of START; targets: (B, width - split) int,
    what follows each token from START on; weight: the same shape, 1 where a target counts; shown: (B, width), 1 where a
    token is no padding; bag: (B, BUCKETS).
    """

    tokens: Tokens
    split: int
    targets: Tokens
    weight: Floats
    shown: Floats
    bag: Floats


def encode(example: Example) -> Encoded:
    """An example as bytes; an input beyond the context loses its beginning."""
    source = example.text_input.encode()[-TINY.input_bytes :]
    return Encoded(source, example.output.encode(), bag_of(source.decode(errors="ignore")))


def bag_of(text: str) -> Tokens:
    """The buckets of a text's features: its words, pairs of words, and the groups of 3 to 5 letters inside words."""
    words = _WORD.findall(text.casefold())
    features = [f"w{word}" for word in words]
    features += [f"p{one} {two}" for one, two in pairwise(words)]
    for word in words:
        framed = f"<{word}>"
        features += [framed[i : i + n] for n in (3, 4, 5) for i in range(len(framed) - n + 1)]
    # crc32, since hash() of a string differs from process to process
    return np.array([zlib.crc32(feature.encode()) % BUCKETS for feature in features], dtype=np.int64)


def collate(rows: Sequence[Encoded]) -> Batch:
    """Pads rows of any lengths to one batch."""
    split = max(len(row.source) for row in rows)
    tail = max(len(row.target) for row in rows) + 1
    tokens = np.full((len(rows), split + tail), PAD, dtype=np.int64)
    targets = np.full((len(rows), tail), PAD, dtype=np.int64)
    bag = np.zeros((len(rows), BUCKETS), dtype=np.float32)
    for i, row in enumerate(rows):
        tokens[i, split - len(row.source) : split] = list(row.source)
        tokens[i, split] = START
        tokens[i, split + 1 : split + 1 + len(row.target)] = list(row.target)
        targets[i, : len(row.target)] = list(row.target)
        targets[i, len(row.target)] = END
        np.add.at(bag[i], row.buckets, 1.0)
        bag[i] /= np.sqrt(max(1, len(row.buckets)))
    return Batch(
        tokens=tokens,
        split=split,
        targets=targets,
        weight=(targets != PAD).astype(np.float32),
        shown=(tokens != PAD).astype(np.float32),
        bag=bag,
    )
