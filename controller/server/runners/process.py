"""Training commands in, processes of this machine out: they end when the server does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from controller.server.runners.port import LIFE_LINE, Ending, Needs, ProcessState
from controller.server.status import Json

# Runs share the cores among themselves; threads inside one of them would only fight over the same cores.
_LIBRARIES: Final = ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "BLIS_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")
ONE_THREAD: Final = {f"{library}_THREADS": "1" for library in _LIBRARIES}
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[3]


class ProcessRunner:
    """A process for each key, on ``limit`` places: one for each core it needs."""

    def __init__(self, lock: int, limit: int) -> None:
        """``lock`` is the descriptor of the data folder's lock: each process shares it, so that the folder stays locked
        until the last of them is gone.
        """
        self._lock, self._limit = lock, limit
        self._turn = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._cores: dict[str, int] = {}

    def has_room(self, needs: Needs) -> bool:
        """Whether as many places are left as it needs, or all are."""
        with self._turn:
            return self._taken(needs) + sum(self._cores[key] for key in self._processes) <= self._limit

    def _taken(self, needs: Needs) -> int:
        return min(needs.cores or self._limit, self._limit)

    def start(self, key: str, folder: Path, command: Sequence[str], needs: Needs) -> dict[str, Json]:  # noqa: ARG002
        """Starts the command in a session of its own, with its stdin as the life line."""
        paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
        with self._turn:
            if key not in self._processes:
                threads = ONE_THREAD if needs.cores == 1 else {}
                self._cores[key] = self._taken(needs)
                self._processes[key] = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                    # -P keeps the current folder, which may be anybody's repository, off the import path.
                    [sys.executable, "-P", *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C in the server's terminal is for the server
                    pass_fds=[self._lock],
                    env=os.environ | threads | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), LIFE_LINE: "stdin"},
                )
            return {"pid": self._processes[key].pid}

    def state(self, key: str) -> ProcessState:
        """Running, or unknown: one that has ended is forgotten as soon as `ended` has told it."""
        with self._turn:
            process = self._processes.get(key)
        if process is None:
            return ProcessState.UNKNOWN
        return ProcessState.RUNNING if process.poll() is None else ProcessState.ENDED

    def ended(self) -> Sequence[Ending]:
        """Those whose exit was not told yet."""
        with self._turn:
            codes = {key: process.poll() for key, process in self._processes.items()}
            gone = {key: code for key, code in codes.items() if code is not None}
            for key in gone:
                _hang_up(self._processes.pop(key))
        return [Ending(key, _how(code), code) for key, code in gone.items()]

    def stop(self, key: str) -> None:
        """Kills it: the folder is whole at every moment, so there is nothing to wait for."""
        with self._turn:
            process = self._processes.get(key)
        if process is not None:
            _kill(process)
            process.wait()

    def orphans(self, wanted: Collection[str]) -> Sequence[str]:
        """Those nobody wants; a server before this one has left none, since they hold the folder's lock."""
        with self._turn:
            return [key for key in self._processes if key not in wanted]

    def close(self) -> None:
        """Kills all; their runs go on when a server opens the folder again."""
        with self._turn:
            processes = list(self._processes.values())
            self._processes.clear()
        for process in processes:
            _kill(process)
        for process in processes:
            process.wait()
            _hang_up(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process and those it has started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
