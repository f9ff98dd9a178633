"""A git command with constant words, an environment built from nothing and a deadline, to its exit code and output."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from controller.git.failures import GitFailed
from controller.git.parsing import without_userinfo

LOCAL_SECONDS: Final = 60.0
NETWORK_SECONDS: Final = 120.0
LARGEST_OUTPUT: Final = 512 * 1024 * 1024
LARGEST_FILE: Final = 4 * 1024 * 1024 * 1024
_LARGEST_STDERR = 64 * 1024
_LONGEST_MESSAGE = 500
_CHUNK = 1 << 16
# What no repository's own configuration may switch on again; given as configuration of the command itself.
_SETTINGS: Final = (
    ("safe.bareRepository", "explicit"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.commitGraph", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
)


@dataclass(frozen=True, slots=True)
class GitOutput:
    """What a git command said. ``err`` has no user or password in its URLs and is cut to a sane length.

    ``log`` is the end of all it said there, at most 64 KiB, as it came: for reading, never for showing.
    """

    command: str
    code: int
    out: bytes
    err: str
    log: bytes = field(default=b"", repr=False)

    @property
    def text(self) -> str:
        """The output as text, the last line feed taken off."""
        return self.out.decode("utf-8", "backslashreplace").removesuffix("\n")

    @property
    def failure(self) -> GitFailed:
        """The error of a command that ended badly: its name and git's last words."""
        ended = f"was killed by signal {-self.code}" if self.code < 0 else f"failed with exit code {self.code}"
        return GitFailed(f"git {self.command} {ended}" + (f": {self.err}" if self.err else ""))

    def raise_for_code(self) -> GitOutput:
        """Itself. Raises `GitFailed` for an exit code other than 0."""
        if self.code != 0:
            raise self.failure
        return self


@dataclass(frozen=True, slots=True)
class Ask:
    """One git command: its words, and what it is given besides them. ``settings`` may hold secrets: never in argv."""

    words: tuple[str, ...]
    git_dir: Path
    stdin: bytes = b""
    seconds: float = LOCAL_SECONDS
    protocols: str = "none"
    settings: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    keep_open: tuple[int, ...] = ()

    def __repr__(self) -> str:
        """Only the command's name."""
        return f"<git {self.words[0]}>"


def environment(git_dir: Path, protocols: str, settings: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """The whole environment of a git command; of our own only ``PATH`` is handed on."""
    given = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CEILING_DIRECTORIES": "/",
    }
    pairs = (*_SETTINGS, *settings)
    given["GIT_CONFIG_COUNT"] = str(len(pairs))
    for index, (key, value) in enumerate(pairs):
        given[f"GIT_CONFIG_KEY_{index}"] = key
        given[f"GIT_CONFIG_VALUE_{index}"] = value
    return given


async def run(ask: Ask) -> GitOutput:
    """Run it to its end. Raises `GitFailed` where git is missing, too slow or too loud; an exit code is an answer."""
    process = await _start(ask)
    reading = asyncio.create_task(_read(process.stdout, LARGEST_OUTPUT))
    others = (asyncio.create_task(_drain(process.stderr)), asyncio.create_task(_feed(process.stdin, ask.stdin)))
    ended = False
    try:
        async with asyncio.timeout(ask.seconds):
            out = await reading
            err = await others[0]
            code = await process.wait()
            ended = True
    except TimeoutError as error:
        raise GitFailed(
            f"git {ask.words[0]} was stopped after {ask.seconds:g} s without finishing",
            hint="Look at the network, the credentials and the disk, then try again.",
        ) from error
    finally:
        if not ended:
            await _end(process, (reading, *others))
    return GitOutput(ask.words[0], code, out, _fit_to_show(err), err)


async def _start(ask: Ask) -> asyncio.subprocess.Process:
    given = environment(ask.git_dir, ask.protocols, ask.settings) | dict(ask.environment)
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *ask.words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=given,
            cwd="/",
            start_new_session=True,
            pass_fds=ask.keep_open,
        )
    except FileNotFoundError as error:
        raise GitFailed(
            "the git command was not found", hint="Install git 2.38 or newer and put it on PATH."
        ) from error
    except OSError as error:
        raise GitFailed(f"git {ask.words[0]} could not be started: {error.strerror}") from error
    _cap(process.pid)
    return process


def _cap(pid: int) -> None:
    """Let no pack of a remote grow without end; helpers inherit the limit. Systems without prlimit go without."""
    if hasattr(resource, "prlimit"):
        with suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept += chunk
        if len(kept) > limit:
            raise GitFailed(f"git printed more than {limit} bytes", hint="The repository is larger than Gitune reads.")
    return bytes(kept)


async def _drain(stream: asyncio.StreamReader | None) -> bytes:
    kept = b""
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        kept = (kept + chunk)[-_LARGEST_STDERR:]
    return kept


async def _feed(stream: asyncio.StreamWriter | None, given: bytes) -> bytes:
    if stream is None:
        return b""
    with suppress(BrokenPipeError, ConnectionResetError):  # git may end without having read everything
        stream.write(given)
        await stream.drain()
    stream.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stream.wait_closed()
    return b""


async def _end(process: asyncio.subprocess.Process, tasks: tuple[asyncio.Task[bytes], ...]) -> None:
    """Kill the whole group, since git starts ssh and helpers of its own, which can outlive it.

    What is left in the pipes is read away: a process does not count as over while its pipes are not empty.
    """
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.gather(*tasks, return_exceptions=True)
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(_CHUNK):
            pass
    await process.wait()


def _fit_to_show(err: bytes) -> str:
    text = without_userinfo(err.decode("utf-8", "backslashreplace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    shown = "; ".join(lines)[-_LONGEST_MESSAGE:]
    return "".join(c if c.isprintable() else "?" for c in shown)
