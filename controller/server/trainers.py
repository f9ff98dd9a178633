"""Unfinished runs of the store in, one training process for each out, never two for one run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from controller.server.log import Log, now
from controller.server.status import StatusCode
from controller.server.store import Store

# Runs share the cores among themselves; threads inside one of them would only fight over the same cores.
_LIBRARIES: Final = ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")
ONE_THREAD: Final = {f"{library}_THREADS": "1" for library in _LIBRARIES}
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]


class Trainers:
    """The processes of the runs; further runs than ``limit`` wait in the store, oldest first."""

    def __init__(self, store: Store, folder: Path, lock: int, limit: int, log: Log) -> None:
        """``lock`` is the descriptor of the data folder's lock: each process shares it, so that the folder stays locked
        until the last of them is gone.
        """
        self._store, self._folder, self._lock, self._limit = store, folder, lock, limit
        self._log = log
        self._turn = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._closed = False

    def start_due(self) -> None:
        """Starts as many of the waiting runs as there is room for."""
        with self._turn:
            for model in self._store.unfinished():
                if self._closed or len(self._processes) >= self._limit:
                    return
                if model.operation not in self._processes and self._store.begin(model.operation, now()):
                    try:
                        self._start(model.operation)
                    except OSError as fault:
                        why = f"Training failed: its process could not be started: {fault.strerror}."
                        self._store.fail(model.operation, StatusCode.INTERNAL, why, now())

    def _start(self, operation: str) -> None:
        paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
        # -P keeps the current folder, which may be anybody's repository, off the import path.
        program = [sys.executable, "-P", "-m", "controller.server.training_run"]
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [*program, "--data", str(self._folder), "--operation", operation],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the server's terminal is for the server
            pass_fds=[self._lock],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._processes[operation] = process
        self._log.note("run.started", operation=operation, pid=process.pid)
        threading.Thread(target=self._follow, args=(operation, process), daemon=True).start()

    def _follow(self, operation: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        if process.stdin:
            process.stdin.close()
        if self._closed:
            return
        self._log.note("run.ended", operation=operation, exit_code=code)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._give_up(operation, f"Training failed: its process {how}.")
        with self._turn:  # only now: a run without a process that has not ended is one to start
            self._processes.pop(operation, None)
        self.start_due()

    def _give_up(self, operation: str, why: str) -> None:
        """Fails a run whose process is gone; one that ended well, was cancelled or deleted stays as it is.

        Where the store cannot be written (a full disk) it is tried again: else the run would seem to train for ever.
        """
        while not self._closed:
            try:
                self._store.fail(operation, StatusCode.INTERNAL, why, now())
            except sqlite3.OperationalError as fault:
                self._log.note("store.unwritable", operation=operation, why=str(fault))
                time.sleep(1)
            else:
                return

    def stop(self, operation: str) -> None:
        """Ends the process of a run, if it has one, and returns when it is gone. The run must have ended before."""
        with self._turn:
            process = self._processes.get(operation)
        if process is not None:
            process.kill()  # the store is whole at every moment, so there is nothing to wait for
            process.wait()

    def close(self) -> None:
        """Ends all processes; their runs go on when a server opens the folder again."""
        with self._turn:
            self._closed = True
            processes = list(self._processes.values())
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
