"""A run's model id and examples in, its steps out: starting weights, batches, the optimizer, the state between steps.

Nothing here depends on when or how often the process was started: a step is a function of the state before it and of
its number, so a run that goes on from a checkpoint takes the very steps it would have taken.

As a program it is the process of one run: a data folder and an operation in, snapshots and trained weights in the store
out. It ends with the server that started it, which holds the other end of stdin: however it dies, the end closes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from controller.server import tiny
from controller.server.log import now
from controller.server.models import RunHyperparameters, Snapshot, TrainingExample, epoch_of, total_steps
from controller.server.status import StatusCode
from controller.server.store import RETRY_EVERY, Store, StoredRun, StoreUnusable
from controller.server.tiny import Encoded, Floats, collate, encode

_FIRST: Final = 0.9
_SECOND: Final = 0.98
_CLIP: Final = 1.0
_DECAY: Final = 0.01
_WARM_UP: Final = 0.1


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step (from 1): up a line for a tenth of all (at most 100), then down a half cosine."""
    warm = max(1, min(100, int(steps * _WARM_UP)))
    if step <= warm:
        return peak * step / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm + 1)))


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


class WeightsUnfit(Exception):
    """Kept weights that this release's model cannot hold."""


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
    if weights.shape != (tiny.SIZE,):
        raise WeightsUnfit(
            f"The weights are of another release of models/tiny: {weights.size} where {tiny.SIZE} are due."
        )
    return weights


class TrainingRun:
    """The steps of one run."""

    def __init__(self, model_id: str, examples: tuple[TrainingExample, ...], asked: RunHyperparameters) -> None:
        self._seed = int.from_bytes(hashlib.sha256(model_id.encode()).digest()[:8], "big")
        self._rows = [encode(example) for example in examples]
        self._asked = asked
        self.steps = total_steps(len(examples), asked)
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def start(self, weights: Floats | None) -> TrainingState:
        """The state before the first step: the given weights, or fresh ones drawn from the model id."""
        first = tiny.initial(np.random.default_rng([self._seed])) if weights is None else weights.copy()
        return TrainingState(0, first, Adam(np.zeros_like(first), np.zeros_like(first)))

    def advance(self, progress: TrainingState) -> float:
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


# Seconds between checkpoints: what a kill throws away at most, and how late a snapshot may be seen. A checkpoint is
# about 1.8 MB and costs some ten milliseconds, so this spends about two percent of the time on them.
CHECKPOINT_EVERY: Final = 0.5
Done = TypeVar("Done")


def main() -> int:
    """Entry point of the process."""
    arguments = argparse.ArgumentParser(prog="controller.server.training_run")
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--operation", required=True)
    asked = arguments.parse_args()
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A stop of the whole process group is the server's to carry out: a trainer that ended first would look broken.
        signal.signal(told, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    store = when_there_is_room(lambda: Store(asked.data, durable=False))
    run = when_there_is_room(lambda: store.run(asked.operation))
    if run is None:
        return 0
    try:
        train(store, run)
    except (FloatingPointError, WeightsUnfit, MemoryError) as fault:
        why = "there was not enough memory for a batch." if isinstance(fault, MemoryError) else fault
        message = f"Training failed: {why}"
        when_there_is_room(lambda: store.fail(asked.operation, StatusCode.INTERNAL, message, now()))
    return 0


def when_there_is_room(act: Callable[[], Done]) -> Done:
    """What ``act`` returns, tried again until the disk takes it; the server is told on stdout why the run waits.

    The run stands still meanwhile, so a kill costs no more steps than at any other moment.
    """
    told = ""
    while True:
        try:
            done = act()
        except StoreUnusable as fault:
            told = _tell(told, str(fault))
            time.sleep(RETRY_EVERY)
        else:
            _tell(told, "")
            return done


def _tell(told: str, why: str) -> str:
    if why != told:
        with contextlib.suppress(OSError):  # the server has gone, and this process is about to
            os.write(sys.stdout.fileno(), f"{why}\n".encode())
    return why


def _end_with_the_server() -> None:
    # Not through sys.stdin, whose lock this thread would hold when the process ends: Python aborts over that.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # at once: what the store has is whole at every moment


def train(store: Store, run: StoredRun) -> None:
    """Takes the steps a run has left. Raises `FloatingPointError` where it diverges, `WeightsUnfit`."""
    model = run.model
    course = TrainingRun(model.id, run.examples, model.hyperparameters)
    start = None if run.start is None else load_weights(run.start)
    progress = course.start(start) if run.checkpoint is None else TrainingState.load(run.checkpoint)
    snapshots: list[Snapshot] = []
    due = time.monotonic() + CHECKPOINT_EVERY
    while progress.step < course.steps:
        loss = course.advance(progress)
        epoch = epoch_of(progress.step, model.examples, model.hyperparameters.batch_size)
        snapshots.append(Snapshot(progress.step, epoch, loss, now()))
        if time.monotonic() >= due:
            advance = partial(store.advance, model.operation, snapshots, progress.dump())
            if not when_there_is_room(advance):
                return  # cancelled or deleted
            snapshots.clear()
            due = time.monotonic() + CHECKPOINT_EVERY
    weights = dump_weights(progress.weights)
    when_there_is_room(lambda: store.finish(model.operation, snapshots, weights, now()))


if __name__ == "__main__":
    sys.exit(main())
