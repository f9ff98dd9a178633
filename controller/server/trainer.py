"""A run's folder and the number of a start in, the run trained: the program of a training process.

It ends with the server that started it where it is given a life line: the server holds the other end of stdin, and
however it dies, the end closes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from controller.server.engines.opening import open_learner
from controller.server.engines.port import Learner, WeightsUnfit
from controller.server.models import epoch_of
from controller.server.room import RETRY_EVERY, StoreUnusable, room_needed
from controller.server.run_folder import RunWriter, Superseded
from controller.server.runners.port import LIFE_LINE

Done = TypeVar("Done")


def main() -> int:
    """Entry point of the process."""
    arguments = argparse.ArgumentParser(prog="controller.server.trainer")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("start", type=int)
    asked = arguments.parse_args()
    for told in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A stop of the whole process group is the server's to carry out: a trainer that ended first would look broken.
        signal.signal(told, signal.SIG_IGN)
    if os.environ.get(LIFE_LINE):
        threading.Thread(target=_end_with_the_server, daemon=True).start()
    writer = RunWriter(asked.folder, asked.start)
    try:
        _train_or_say_why_not(writer)
    except Superseded:
        return 0
    return 0


def _train_or_say_why_not(writer: RunWriter) -> None:
    step, checkpoint = when_there_is_room(writer, writer.begin)  # before anything is read: whoever is late stops here
    try:
        learner = open_learner(writer.describe(), writer.rows(), writer.source)
        learner.resume(checkpoint)
        train(writer, learner, step)
    except (FloatingPointError, WeightsUnfit, LookupError, MemoryError) as fault:
        why = "there was not enough memory for a batch." if isinstance(fault, MemoryError) else fault
        when_there_is_room(writer, partial(writer.fail, f"Training failed: {why}"))


def train(writer: RunWriter, learner: Learner, step: int) -> None:
    """Takes the steps a run has left after ``step``. Raises `Superseded`, and what `Learner.advance` raises."""
    asked = writer.describe()
    due = time.monotonic() + learner.checkpoint_every
    while step < asked.steps:
        loss = learner.advance()
        step += 1
        epoch = epoch_of(step, asked.examples, asked.hyperparameters.batch_size)
        when_there_is_room(writer, partial(writer.step, step, epoch, loss))
        if time.monotonic() >= due and step < asked.steps:
            when_there_is_room(writer, partial(writer.checkpoint, step, learner.save))
            due = time.monotonic() + learner.checkpoint_every
    when_there_is_room(writer, partial(writer.finish, learner.finish))


def when_there_is_room(writer: RunWriter, act: Callable[[], Done]) -> Done:
    """What ``act`` returns, tried again until the disk takes it; the folder says meanwhile why the run waits.

    The run stands still, so a kill costs no more steps than at any other moment.
    """
    while True:
        try:
            with room_needed():
                done = act()
        except StoreUnusable as fault:
            writer.stand_still(str(fault))
            time.sleep(RETRY_EVERY)
        else:
            writer.stand_still("")
            return done


def _end_with_the_server() -> None:
    # Not through sys.stdin, whose lock this thread would hold when the process ends: Python aborts over that.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # at once: what the folder has is whole at every moment


if __name__ == "__main__":
    sys.exit(main())
