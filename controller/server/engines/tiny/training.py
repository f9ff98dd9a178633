"""A run's rows in, its steps out: starting weights, batches, the optimizer, the state between steps.

Nothing here depends on when or how often the process was started: a step is a function of the state before it and of
its number, so a run that goes on from a checkpoint takes the very steps it would have taken.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from controller.server.engines.port import WeightsUnfit
from controller.server.engines.schedule import rate_at
from controller.server.engines.tiny import network
from controller.server.engines.tiny.base import STATE_FILE, WEIGHTS_FILE
from controller.server.engines.tiny.network import Encoded, Floats, collate, encode
from controller.server.models import RunHyperparameters, TrainingExample, total_steps
from controller.server.run_folder import RunDescription, write_synced

_FIRST: Final = 0.9
_SECOND: Final = 0.98
_CLIP: Final = 1.0
_DECAY: Final = 0.01


@dataclass(slots=True)
class Adam:
    """The optimizer's memory: running means of the gradient and of its square, each as long as the weights."""

    mean: Floats
    square: Floats

    def improve(self, weights: Floats, gradient: Floats, step: int, rate: float) -> None:
        """Takes one step, numbered from 1, changing ``weights`` in place."""
        length = float(np.sqrt(np.dot(gradient, gradient)))
        if length > _CLIP:
            gradient = gradient * np.float32(_CLIP / length)
        self.mean += np.float32(1 - _FIRST) * (gradient - self.mean)
        self.square += np.float32(1 - _SECOND) * (gradient * gradient - self.square)
        scale = np.float32(rate * math.sqrt(1 - _SECOND**step) / (1 - _FIRST**step))
        weights -= scale * self.mean / (np.sqrt(self.square) + np.float32(1e-8)) + np.float32(rate * _DECAY) * weights


@dataclass(slots=True)
class TrainingState:
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
    def load(cls, body: bytes) -> TrainingState:
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
    if weights.shape != (network.SIZE,):
        raise WeightsUnfit(
            f"The weights are of another release of models/tiny: {weights.size} where {network.SIZE} are due."
        )
    return weights


class TrainingRun:
    """The steps of one run."""

    def __init__(self, seed: int, examples: tuple[TrainingExample, ...], asked: RunHyperparameters) -> None:
        self._seed = seed
        self._rows = [encode(example) for example in examples]
        self._asked = asked
        self.steps = total_steps(len(examples), asked)
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def start(self, weights: Floats | None) -> TrainingState:
        """The state before the first step: the given weights, or fresh ones drawn from the seed."""
        first = network.initial(np.random.default_rng([self._seed])) if weights is None else weights.copy()
        return TrainingState(0, first, Adam(np.zeros_like(first), np.zeros_like(first)))

    def advance(self, progress: TrainingState) -> float:
        """Takes the next step in place. The mean loss of its batch before the step, in nats per output byte.

        Raises `FloatingPointError` where the loss is no longer a number.
        """
        step = progress.step + 1
        batch = collate(self._batch(step))
        loss, gradient = network.loss_and_gradient(network.unpack(progress.weights), batch)
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


class TinyLearner:
    """The run of a folder, to its training process."""

    # A checkpoint is about 1.8 MB and costs some ten milliseconds, so this spends about two percent of the time.
    checkpoint_every = 0.5

    def __init__(self, asked: RunDescription, rows: tuple[TrainingExample, ...], source: Path | None) -> None:
        self._run = TrainingRun(asked.seed, rows, asked.hyperparameters)
        self._source = source
        self._state = TrainingState(0, np.zeros(0, np.float32), Adam(np.zeros(0, np.float32), np.zeros(0, np.float32)))

    def resume(self, checkpoint: Path | None) -> None:
        """From the checkpoint, else from the weights that the run stands on, else from fresh ones."""
        if checkpoint is not None:
            self._state = TrainingState.load((checkpoint / STATE_FILE).read_bytes())
        else:
            source = None if self._source is None else load_weights((self._source / WEIGHTS_FILE).read_bytes())
            self._state = self._run.start(source)

    def advance(self) -> float:
        """One step."""
        return self._run.advance(self._state)

    def save(self, folder: Path) -> None:
        """The state as one file."""
        write_synced(folder / STATE_FILE, self._state.dump())

    def finish(self, folder: Path) -> None:
        """The weights as one file."""
        write_synced(folder / WEIGHTS_FILE, dump_weights(self._state.weights))
