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

    def __init__(self, lock: int, limit: int, gpus: Sequence[str] | None = None) -> None:
        """``lock`` is the descriptor of the data folder's lock: each process shares it, so that the folder stays locked
        until the last of them is gone. ``gpus`` are the names by which CUDA knows this machine's.
        """
        self._lock, self._limit = lock, limit
        self._gpus = tuple(visible_gpus() if gpus is None else gpus)
        self._held: dict[str, tuple[str, ...]] = {}  # by key: the GPUs of its process
        self._turn = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._cores: dict[str, int] = {}

    def never(self, needs: Needs) -> str:
        """More GPUs than there are, or another machine."""
        if needs.nodes > 1:
            return f"it needs {needs.nodes} machines, and this server has one."
        if needs.gpus > len(self._gpus):
            return f"it needs {needs.gpus} GPUs, and this machine has {len(self._gpus)}."
        return ""

    def has_room(self, needs: Needs) -> bool:
        """Whether as many places and GPUs are left as it needs."""
        with self._turn:
            if needs.gpus > len(self._free()):
                return False
            return self._taken(needs) + sum(self._cores[key] for key in self._processes) <= self._limit

    def _free(self) -> list[str]:
        held = {gpu for key in self._processes for gpu in self._held[key]}
        return [gpu for gpu in self._gpus if gpu not in held]

    def _taken(self, needs: Needs) -> int:
        return min(needs.cores or self._limit, self._limit)

    def start(self, key: str, folder: Path, command: Sequence[str], needs: Needs) -> dict[str, Json]:  # noqa: ARG002
        """Starts the command in a session of its own, with its stdin as the life line."""
        with self._turn:
            if key not in self._processes:
                self._held[key] = tuple(self._free()[: needs.gpus])
                self._cores[key] = self._taken(needs)
                self._processes[key] = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                    # -P keeps the current folder, which may be anybody's repository, off the import path.
                    [sys.executable, "-P", *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C in the server's terminal is for the server
                    pass_fds=[self._lock],
                    env=_environment(needs, self._held[key]),
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
                del self._held[key], self._cores[key]
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


def _environment(needs: Needs, gpus: Sequence[str]) -> dict[str, str]:
    """The server's own, but for its threads: it has one itself, and a process on all cores decides for itself."""
    paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
    kept = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    threads = ONE_THREAD if needs.cores == 1 else {}
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
    return kept | threads | shown | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), LIFE_LINE: "stdin"}


def visible_gpus() -> list[str]:
    """The GPUs of this machine that CUDA may use, by the names it takes; found without a library."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name for name in told.split(",") if name.strip()]
    listed = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number, _ in enumerate(listed.iterdir())] if listed.is_dir() else []


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
