"""Unfinished runs of the store in, one training process for each out, never two for one run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from controller.server.log import Log, now
from controller.server.status import StatusCode
from controller.server.store import PASSING, RETRY_EVERY, Store, StoreUnusable

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
        self._waits: dict[str, str] = {}  # why a run stands still, by its operation
        self._put_off = ""  # why none can be started
        self._again: threading.Timer | None = None
        self._closed = False

    def start_due(self) -> None:
        """Starts as many of the waiting runs as there is room for.

        Where the disk or the system refuses, the runs wait, and it is tried again each second until it works.
        """
        with self._turn:
            if self._closed:
                return
            if self._again is not None:
                self._again.cancel()
                self._again = None
            refused = ""
            try:
                self._store.wipe()
                self._start_waiting()
            except StoreUnusable as fault:
                refused = str(fault)
            except OSError as fault:
                refused = f"No process can be started: {fault.strerror}."
            if refused != self._put_off:
                self._log.note("runs.waiting" if refused else "runs.going_on", why=refused)
            self._put_off = refused
            if refused:
                self._again = threading.Timer(RETRY_EVERY, self.start_due)
                self._again.daemon = True
                self._again.start()

    def _start_waiting(self) -> None:
        """Raises `StoreUnusable`, and `OSError` where the system has no room for a process now."""
        for model in self._store.unfinished():
            if self._closed or len(self._processes) >= self._limit:
                return
            if model.operation not in self._processes and self._store.begin(model.operation, now()):
                try:
                    self._start(model.operation)
                except OSError as fault:
                    if fault.errno in PASSING:
                        raise
                    why = f"Training failed: its process could not be started: {fault.strerror}."
                    self._store.fail(model.operation, StatusCode.INTERNAL, why, now())

    def standstill(self) -> str:
        """Why runs stand still that would train if there were room; empty where none does."""
        return self._put_off or next(iter(tuple(self._waits.values())), "")

    def _start(self, operation: str) -> None:
        paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
        # -P keeps the current folder, which may be anybody's repository, off the import path.
        program = [sys.executable, "-P", "-m", "controller.server.training_run"]
        process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [*program, "--data", str(self._folder), "--operation", operation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the server's terminal is for the server
            pass_fds=[self._lock],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._processes[operation] = process
        self._log.note("run.started", operation=operation, pid=process.pid)
        threading.Thread(target=self._follow, args=(operation, process), daemon=True).start()

    def _follow(self, operation: str, process: subprocess.Popen[bytes]) -> None:
        if process.stdout:
            for line in process.stdout:  # why it waits, and nothing once it goes on
                self._heard(operation, line.decode(errors="replace").strip())
            process.stdout.close()
        code = process.wait()
        self._waits.pop(operation, None)
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

    def _heard(self, operation: str, why: str) -> None:
        if why:
            self._waits[operation] = why
        else:
            self._waits.pop(operation, None)
        self._log.note("run.waiting" if why else "run.going_on", operation=operation, why=why)

    def _give_up(self, operation: str, why: str) -> None:
        """Fails a run whose process is gone; one that ended well, was cancelled or deleted stays as it is.

        Where the store cannot be written (a full disk) it is tried again: else the run would seem to train for ever.
        """
        while not self._closed:
            try:
                self._store.fail(operation, StatusCode.INTERNAL, why, now())
            except StoreUnusable as fault:
                self._log.note("store.unusable", operation=operation, why=str(fault))
                time.sleep(RETRY_EVERY)
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
            if self._again is not None:
                self._again.cancel()
            processes = list(self._processes.values())
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
