"""A data folder to the address of the embedded tuning API that keeps its data there: found running, or started."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.errors import Rejected, RejectedKind, Transient
from controller.network import is_loopback
from controller.rest import Secret, said

IDLE_EXIT = 600  # seconds without a request and without a run that trains
_START_SECONDS = 60.0
_TICK = 0.05
# What a long-lived child may see: enough to find Python and its libraries, and none of the keys in the environment.
_PASSED = frozenset(
    (
        *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH"),
        *("SYSTEMROOT", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
    )
)
_PASSED_BEGIN = ("GITUNE_TRAIN", "MKL_", "OMP_", "OPENBLAS_", "VECLIB_")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and the key it takes."""

    url: str
    key: Secret


Answers = Callable[[Address], Awaitable[bool]]


class Embedded:
    """The one embedded server of a data folder.

    ``answers`` asks an address whether our server is there. Nobody else on this machine can use the server: its key
    is in a file that only we can read, and a new one is made for every start.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], answers: Answers) -> None:
        self._folder = folder
        self._environ = environ
        self._answers = answers

    async def address(self) -> Address:
        """Where it is; started where it is not. Raises `Transient` or `Rejected`."""
        await asyncio.to_thread(self._make_folder)
        if (running := await self._running()) is not None:
            return running
        try:
            async with self._alone():
                # Somebody else may have started it while we waited for our turn.
                return await self._running() or await self._start()
        except OSError as error:
            raise Transient(
                f"the embedded server cannot be started: {self._folder}: {error.strerror}",
                hint="Make room there, or set GITUNE_HOME to a folder on another disk.",
            ) from None

    async def _running(self) -> Address | None:
        noted = _noted(self._folder)
        if noted is None:
            return None
        pid, address = noted
        # A port that was ours may belong to anybody by now, and would be handed the key: first the process.
        return address if _alive(pid) and await self._answers(address) else None

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        lock = os.open(self._folder / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                async with asyncio.timeout(_START_SECONDS):
                    while not _locked(lock):  # noqa: ASYNC110 - another process's lock raises no event here
                        await asyncio.sleep(_TICK)
            except TimeoutError:
                raise Transient("another process has been starting the embedded server for a minute") from None
            yield
        finally:
            os.close(lock)

    async def _start(self) -> Address:
        key = Secret(secrets.token_urlsafe(32))
        _write(self._folder / "api-key", key.reveal())
        # A file and not a pipe: a pipe dies with us, and the server goes on.
        out = self._folder / "server.out"
        _write(out, "")
        pid = self._spawn(out)
        url = await self._ready(out, pid)
        _write(self._folder / "server.json", json.dumps({"url": url, "pid": pid}))
        address = Address(url, key)
        if not await self._answers(address):
            raise Transient("the embedded server started and does not answer", hint=self._see_log())
        return address

    def _spawn(self, out: Path) -> int:
        # -P keeps the working directory, which may hold anybody's code, off the import path.
        command = [sys.executable, "-P", "-m", "controller.server", "--host", "127.0.0.1", "--port", "0"]
        command += ["--data", str(self._folder), "--api-key-file", str(self._folder / "api-key")]
        command += ["--idle-exit", str(IDLE_EXIT), "--fetched", str(self._folder.parent / "bases")]
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(out), append, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(self._log), append, 0o600),
        ]
        try:
            # A session of its own: Ctrl-C and the end of our terminal are not its end.
            return os.posix_spawn(
                sys.executable, command, _environment(self._environ), file_actions=actions, setsid=True
            )
        except OSError as error:
            raise Rejected(
                f"the embedded server cannot be started: {error.strerror}",
                kind=RejectedKind.PRECONDITION,
                hint=self._see_log(),
            ) from None

    async def _ready(self, out: Path, pid: int) -> str:
        """The URL of the ready line."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while _alive(pid):
                    if url := _ready_url(out):
                        return url
                    await asyncio.sleep(_TICK)
        raise Transient(f"the embedded server did not start: {_last_line(self._log)}", hint=self._see_log())

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _see_log(self) -> str:
        return f"See {self._log}."

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.stat()
            if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
                self._folder.chmod(0o700)
        except OSError as error:
            raise self._unusable(f"cannot be used: {error.strerror}") from None
        if found.st_uid != os.geteuid():
            raise self._unusable("belongs to another user")

    def _unusable(self, why: str) -> Rejected:
        return Rejected(
            f"the data folder {self._folder} {why}",
            kind=RejectedKind.PRECONDITION,
            hint="Set GITUNE_HOME to a folder of your own.",
        )


def _noted(folder: Path) -> tuple[int, Address] | None:
    """What the last start left behind: process id and address; None where nothing usable is there."""
    try:
        noted = json.loads((folder / "server.json").read_text())
        key = (folder / "api-key").read_text().strip()
    except (OSError, ValueError):
        return None
    if not isinstance(noted, dict) or not key:
        return None
    pid, url = noted.get("pid"), noted.get("url")
    if not isinstance(pid, int) or pid <= 1 or not isinstance(url, str) or not _here(url):
        return None
    return pid, Address(url, Secret(key))


def _here(url: str) -> bool:
    host = url.removeprefix("http://").rpartition(":")[0].strip("[]")
    return url.startswith("http://") and is_loopback(host)


def _alive(pid: int) -> bool:
    """Whether that process runs and is ours."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0]:  # a child of ours that has ended waits for this
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ready_url(out: Path) -> str:
    line, end, _ = out.read_text(errors="replace").partition("\n")
    if not end:
        return ""
    try:
        said_so = json.loads(line)
    except ValueError:
        return ""
    url = said_so.get("url") if isinstance(said_so, dict) else None
    return url if isinstance(url, str) and _here(url) else ""


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace")[-4000:].splitlines()
    except OSError:
        return "it left no log"
    return said(lines[-1]) if lines else "it left no log"


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, readable by nobody else at any moment."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    passed = [name for name in environ if name in _PASSED or name.startswith(_PASSED_BEGIN)]
    return {name: environ[name] for name in passed} | {"PYTHONUNBUFFERED": "1"}
