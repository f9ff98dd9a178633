"""Texts to padded batches of bytes, and those with weights to a loss or the next byte's scores: `models/tiny`."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import autograd.numpy as anp
import numpy as np
import numpy.typing as npt
from autograd import value_and_grad
from autograd.tracer import getval

from controller.server.engines.tiny.base import TINY
from controller.server.models import TrainingExample

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


def encode(example: TrainingExample) -> Encoded:
    """An example as bytes; an input beyond the context loses its beginning."""
    source = example.text_input.encode()[-TINY.input_tokens :]
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


Weights: TypeAlias = Mapping[str, Floats]

WIDTH: Final = 64
HEADS: Final = 4
INNER: Final = 128
LAYERS: Final = 2
# At 0.1 the model lost count in runs of equal digits (999,999 -> 1,0000000); at 1.0 positions drowned the bytes.
_POSITION_SIZE: Final = 0.3


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"bytes": (VOCABULARY, WIDTH), "buckets": (BUCKETS, WIDTH)}
    for layer in range(LAYERS):
        shapes |= {
            f"{layer}.query": (WIDTH, WIDTH),
            f"{layer}.key": (WIDTH, WIDTH),
            f"{layer}.value": (WIDTH, WIDTH),
            f"{layer}.mix": (WIDTH, WIDTH),
            f"{layer}.widen": (WIDTH, INNER),
            f"{layer}.narrow": (INNER, WIDTH),
        }
    return shapes


SHAPES: Final = _shapes()
_ENDS: Final = np.cumsum([np.prod(shape) for shape in SHAPES.values()])
SIZE: Final = int(_ENDS[-1])
_SPREAD: Final = {"bytes": 0.2, "buckets": 0.02}


def initial(chance: np.random.Generator) -> Floats:
    """Fresh weights, as one vector of `SIZE`."""
    parts = [chance.standard_normal(shape) * _SPREAD.get(name, shape[0] ** -0.5) for name, shape in SHAPES.items()]
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def unpack(vector: Floats) -> dict[str, Floats]:
    """The vector as named matrices; they are views, so a change of the vector shows in them."""
    parts = np.split(vector, _ENDS[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(SHAPES.items(), parts, strict=True)}


def _waves(places: npt.NDArray[np.int64]) -> Floats:
    """Fixed position features (places, WIDTH); places count from START, so inputs and outputs line up there."""
    rate = np.exp(-np.arange(0, WIDTH, 2) * (np.log(1000.0) / WIDTH))[None, :]
    turned = places[:, None] * rate
    return (np.concatenate([np.sin(turned), np.cos(turned)], axis=1) * _POSITION_SIZE).astype(np.float32)


def _norm(x: Any) -> Any:  # noqa: ANN401 -- autograd boxes its arrays while it traces
    return x / anp.sqrt(anp.mean(x * x, axis=-1, keepdims=True) + np.float32(1e-5))


def _hidden_rule(batch: Batch, begin: int) -> Floats:
    """(B, 1, width - begin, width): a large negative number where a token must not be seen from another."""
    width = batch.tokens.shape[1]
    columns, rows = np.arange(width)[None, :], np.arange(begin, width)[:, None]
    seen = (columns <= np.maximum(rows, batch.split))[None] & (batch.shown[:, None, :] > 0)
    seen = seen | (columns == rows)[None]
    return np.where(seen, 0.0, -1e9).astype(np.float32)[:, None]


def _heads(x: Any) -> Any:  # noqa: ANN401 -- as above
    """(B, n, WIDTH) to (B, HEADS, n, WIDTH / HEADS)."""
    return anp.transpose(anp.reshape(x, (*x.shape[:2], HEADS, WIDTH // HEADS)), (0, 2, 1, 3))


def _keys_and_values(x: Any, weights: Weights, layer: int) -> tuple[Any, Any]:  # noqa: ANN401 -- as above
    """What the positions of ``x`` offer to those that see them, (B, HEADS, n, WIDTH / HEADS) each."""
    normed = _norm(x)
    return _heads(anp.dot(normed, weights[f"{layer}.key"])), _heads(anp.dot(normed, weights[f"{layer}.value"]))


def _layer(
    tail: Any,  # noqa: ANN401 -- as above
    seen: tuple[Any, Any],
    weights: Weights,
    layer: int,
    rule: Floats | np.float32,
) -> Any:  # noqa: ANN401 -- as above
    """One layer over the positions of ``tail``, which draw from the keys and values of all that they may see."""
    key, value = seen
    query = _heads(anp.dot(_norm(tail), weights[f"{layer}.query"]))
    logits = anp.matmul(query, anp.transpose(key, (0, 1, 3, 2))) * np.float32((WIDTH / HEADS) ** -0.5) + rule
    raised = anp.exp(logits - np.max(getval(logits), axis=-1, keepdims=True))
    drawn = anp.matmul(raised / anp.sum(raised, axis=-1, keepdims=True), value)
    x = tail + anp.dot(anp.reshape(anp.transpose(drawn, (0, 2, 1, 3)), tail.shape), weights[f"{layer}.mix"])
    inner = anp.dot(_norm(x), weights[f"{layer}.widen"])
    return x + anp.dot(inner * (getval(inner) > 0), weights[f"{layer}.narrow"])


def _read(weights: Weights, batch: Batch) -> tuple[Any, list[tuple[Any, Any]]]:
    """The last layer's output from START on, and the keys and values of each layer."""
    chosen = np.eye(VOCABULARY, dtype=np.float32)[batch.tokens]
    x = anp.dot(chosen, weights["bytes"]) + _waves(np.arange(batch.tokens.shape[1]) - batch.split)
    x = x + anp.dot(batch.bag, weights["buckets"])[:, None, :]
    kept = []
    for layer in range(LAYERS):
        # Only the output is scored, so the last layer computes nothing else.
        begin = batch.split if layer == LAYERS - 1 else 0
        kept.append(_keys_and_values(x, weights, layer))
        x = _layer(x[:, begin:] if begin else x, kept[-1], weights, layer, _hidden_rule(batch, begin))
    return x, kept


def scores(weights: Weights, batch: Batch) -> Any:  # noqa: ANN401 -- as above
    """(B, width - split, VOCABULARY): how likely each byte follows, from START on, as unnormalised logarithms."""
    return anp.dot(_norm(_read(weights, batch)[0]), weights["bytes"].T)


class Continuation:
    """An output that grows byte by byte: one pass over the input, then one position for each further byte.

    The input is read in both directions and the output forwards only, so the keys and values of a position never change
    once it is read: they are kept. The scores are those of `scores` over input and output up to rounding.
    """

    def __init__(self, weights: Weights, source: bytes, buckets: Tokens) -> None:
        batch = collate([Encoded(source, b"", buckets)])
        self._weights = weights
        self._bag = np.dot(batch.bag, weights["buckets"])
        x, self._seen = _read(weights, batch)
        self._last = x
        self._place = 0

    def scores(self) -> Floats:
        """(VOCABULARY,): how likely each byte follows, as unnormalised logarithms."""
        found: Floats = np.dot(_norm(self._last[0, -1]), self._weights["bytes"].T)
        return found

    def append(self, byte: int) -> None:
        """Takes the next byte of the output."""
        self._place += 1
        x = (self._weights["bytes"][byte] + _waves(np.array([self._place])) + self._bag)[None]
        for layer in range(LAYERS):
            new = _keys_and_values(x, self._weights, layer)
            one, other = (np.concatenate(pair, axis=2) for pair in zip(self._seen[layer], new, strict=True))
            self._seen[layer] = one, other
            x = _layer(x, self._seen[layer], self._weights, layer, np.float32(0))
        self._last = x


def _loss(weights: Weights, batch: Batch) -> Any:  # noqa: ANN401 -- as above
    raw = scores(weights, batch)
    top = np.max(getval(raw), axis=-1, keepdims=True)
    chosen = np.eye(VOCABULARY, dtype=np.float32)[batch.targets]
    surprise = anp.log(anp.sum(anp.exp(raw - top), axis=-1)) + top[..., 0] - anp.sum(raw * chosen, axis=-1)
    return anp.sum(surprise * batch.weight) / np.float32(batch.weight.sum())


_differentiate: Final[Callable[[Weights, Batch], tuple[Any, dict[str, Floats]]]] = value_and_grad(_loss)


def loss_and_gradient(weights: Weights, batch: Batch) -> tuple[float, Floats]:
    """The mean loss in nats per output byte (the end mark counts as one), and its gradient as one vector of `SIZE`."""
    loss, slopes = _differentiate(weights, batch)
    return float(loss), np.concatenate([slopes[name].ravel() for name in SHAPES])
