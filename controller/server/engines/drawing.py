"""The scores of all tokens in, the next token out."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from controller.server.models import SamplingDefaults

Scores: TypeAlias = npt.NDArray[np.float32]


def chance_for(asked: bytes, seed: int | None) -> np.random.Generator:
    """What a draw is made with. Without a seed the prompt seeds it: the same question has the same answer."""
    digest = hashlib.sha256(asked).digest()[:8] if seed is None else str(seed).encode()
    return np.random.default_rng(list(digest))


def draw(scores: Scores, sampling: SamplingDefaults, chance: np.random.Generator) -> int:
    """The next token: the likeliest at temperature 0, else drawn among the topK likeliest that make up topP."""
    if not sampling.temperature:
        return int(np.argmax(scores))
    order = np.argsort(-scores, kind="stable")[: sampling.top_k]
    odds = np.exp((scores[order] - scores[order[0]]).astype(np.float64) / sampling.temperature)
    odds /= odds.sum()
    kept = int(np.searchsorted(np.cumsum(odds), 1.0 if sampling.top_p is None else sampling.top_p)) + 1
    odds = odds[:kept] / odds[:kept].sum()
    return int(chance.choice(order[: len(odds)], p=odds))
