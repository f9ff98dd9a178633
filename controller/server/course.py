"""A run's model id and examples in, its course out: starting weights, each step's batch, the state between steps.

Nothing here depends on when or how often the process was started: a step is a function of the state before it and of
its number, so a run that goes on from a checkpoint takes the very steps it would have taken.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from controller.server import tiny
from controller.server.adam import Adam, rate_at
from controller.server.text import Encoded, Floats, collate, encode
from controller.server.values import Example, Hyperparameters, total_steps

__all__ = ["Course", "Progress", "WeightsUnfit", "dump_weights", "load_weights"]


class WeightsUnfit(Exception):
    """Kept weights that this release's model cannot hold."""


@dataclass(slots=True)
class Progress:
    """Where a run stands after ``step`` steps."""

    step: int
    weights: Floats
    adam: Adam

    def dump(self) -> bytes:
        """All of it as an .npz file."""
        file = io.BytesIO()
        np.savez(file, step=self.step, weights=self.weights, mean=self.adam.mean, square=self.adam.square)
        return file.getvalue()

    @classmethod
    def load(cls, body: bytes) -> Progress:
        """What `dump` wrote. Raises `WeightsUnfit`."""
        with np.load(io.BytesIO(body), allow_pickle=False) as kept:
            return cls(int(kept["step"]), _fitting(kept["weights"]), Adam(kept["mean"], kept["square"]))


def dump_weights(weights: Floats) -> bytes:
    """Weights alone as an .npz file."""
    file = io.BytesIO()
    np.savez(file, weights=weights)
    return file.getvalue()


def load_weights(body: bytes) -> Floats:
    """What `dump_weights` wrote. Raises `WeightsUnfit`."""
    with np.load(io.BytesIO(body), allow_pickle=False) as kept:
        return _fitting(kept["weights"])


def _fitting(weights: Floats) -> Floats:
    if weights.shape != (tiny.SIZE,):
        raise WeightsUnfit(
            f"The weights are of another release of models/tiny: {weights.size} where {tiny.SIZE} are due."
        )
    return weights


class Course:
    """The steps of one run."""

    def __init__(self, model_id: str, examples: tuple[Example, ...], asked: Hyperparameters) -> None:
        self._seed = int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:8], "big")
        self._rows = [encode(example) for example in examples]
        self._asked = asked
        self.steps = total_steps(len(examples), asked)
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def start(self, weights: Floats | None) -> Progress:
        """The state before the first step: the given weights, or fresh ones drawn from the model id."""
        first = tiny.initial(np.random.default_rng([self._seed])) if weights is None else weights.copy()
        return Progress(0, first, Adam.fresh(first.size))

    def advance(self, progress: Progress) -> float:
        """Takes the next step in place. The mean loss of its batch before the step, in nats per output byte.

        Raises `FloatingPointError` where the loss is no longer a number.
        """
        step = progress.step + 1
        batch = collate(self._batch(step))
        loss, gradient = tiny.loss_and_gradient(tiny.unpack(progress.weights), batch)
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is no longer a number at step {step}; a lower learning rate helps.")
        progress.adam.improve(progress.weights, gradient, step, rate_at(step, self.steps, self._asked.learning_rate))
        progress.step = step
        return loss

    def _batch(self, step: int) -> list[Encoded]:
        """The rows of a step: the next ones of the shuffled epochs laid end to end."""
        size, count = self._asked.batch_size, len(self._rows)
        places = range((step - 1) * size, min(step * size, count * self._asked.epoch_count))
        return [self._rows[self._order(place // count)[place % count]] for place in places]

    def _shuffle(self, epoch: int) -> list[int]:
        order: list[int] = np.random.default_rng([self._seed, epoch]).permutation(len(self._rows)).tolist()
        return order
