"""The process of one training run: a data folder and an operation in, snapshots and trained weights in the store out.

It ends with the server that started it: that one holds the other end of stdin, and however it dies, the end closes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from controller.server.clock import now
from controller.server.course import Course, Progress, WeightsUnfit, dump_weights, load_weights
from controller.server.status import Code
from controller.server.store import Run, Store
from controller.server.values import Snapshot, epoch_of

__all__ = ["main", "train"]

# Seconds between checkpoints: what a kill throws away at most, and how late a snapshot may be seen. A checkpoint is
# about 1.8 MB and costs some ten milliseconds, so this spends about two percent of the time on them.
CHECKPOINT_EVERY: Final = 0.5


def main() -> int:
    """Entry point of the process."""
    arguments = argparse.ArgumentParser(prog="controller.server.train")
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--operation", required=True)
    asked = arguments.parse_args()
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A stop of the whole process group is the server's to carry out: a trainer that ended first would look broken.
        signal.signal(told, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    store = Store(asked.data, durable=False)
    run = store.run(asked.operation)
    if run is None:
        return 0
    try:
        train(store, run)
    except (FloatingPointError, WeightsUnfit) as fault:
        store.fail(asked.operation, Code.INTERNAL, f"Training failed: {fault}", now())
    except MemoryError:
        store.fail(asked.operation, Code.INTERNAL, "Training failed: there was not enough memory for a batch.", now())
    return 0


def _end_with_the_server() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)  # at once: what the store has is whole at every moment


def train(store: Store, run: Run) -> None:
    """Takes the steps a run has left. Raises `FloatingPointError` where it diverges, `WeightsUnfit`."""
    model = run.model
    course = Course(model.id, run.examples, model.hyperparameters)
    start = None if run.start is None else load_weights(run.start)
    progress = course.start(start) if run.checkpoint is None else Progress.load(run.checkpoint)
    snapshots: list[Snapshot] = []
    due = time.monotonic() + CHECKPOINT_EVERY
    while progress.step < course.steps:
        loss = course.advance(progress)
        epoch = epoch_of(progress.step, model.examples, model.hyperparameters.batch_size)
        snapshots.append(Snapshot(progress.step, epoch, loss, now()))
        if time.monotonic() >= due:
            if not store.advance(model.operation, snapshots, progress.dump()):
                return  # cancelled or deleted
            snapshots.clear()
            due = time.monotonic() + CHECKPOINT_EVERY
    store.finish(model.operation, snapshots, dump_weights(progress.weights), now())


if __name__ == "__main__":
    sys.exit(main())
