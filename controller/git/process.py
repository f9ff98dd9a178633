"""A git command with constant words, an environment built from nothing and a deadline, to its exit code and output."""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from controller.git.failures import GitFailed
from controller.git.parsing import without_userinfo

LOCAL_SECONDS: Final = 60.0
NETWORK_SECONDS: Final = 120.0
LARGEST_OUTPUT: Final = 512 * 1024 * 1024
LARGEST_FILE: Final = 4 * 1024 * 1024 * 1024
LARGEST_STDERR: Final = 64 * 1024
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

    @property
    def whole_environment(self) -> dict[str, str]:
        """All that the command sees of ours."""
        return environment(self.git_dir, self.protocols, self.settings) | dict(self.environment)


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


def run(ask: Ask) -> GitOutput:
    """Run it to its end. Raises `GitFailed` where git is missing, too slow or too loud; an exit code is an answer."""
    process = start(ask)
    try:
        out, log = _exchange(process, ask)
        code = process.wait()
    finally:
        end(process)
    return answered(ask, code, out, log)


def start(ask: Ask, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """The process of a command, in a group of its own, with pipes that hold nothing back. Raises `GitFailed`."""
    with could_start(ask):
        process = subprocess.Popen(  # noqa: S603 - constant words
            ("git", *ask.words),  # noqa: S607 - the git that PATH names
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=ask.whole_environment,
            cwd="/",
            start_new_session=True,
            pass_fds=ask.keep_open,
        )
    cap(process.pid)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process with its whole group, since git starts ssh and helpers of its own, which can outlive it."""
    if process.returncode is None:  # once it was waited for, its number may be somebody else's
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and let go of its pipes."""
    kill(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


@contextmanager
def could_start(ask: Ask) -> Iterator[None]:
    """What keeps a git command from being started, as `GitFailed`."""
    try:
        yield
    except FileNotFoundError as error:
        raise GitFailed(
            "the git command was not found", hint="Install git 2.38 or newer and put it on PATH."
        ) from error
    except OSError as error:
        raise GitFailed(f"git {ask.words[0]} could not be started: {error.strerror}") from error


def answered(ask: Ask, code: int, out: bytes, log: bytes) -> GitOutput:
    """What a command that ended said."""
    return GitOutput(ask.words[0], code, out, _fit_to_show(log), log)


def too_slow(ask: Ask) -> GitFailed:
    """The error of a command whose time was over."""
    return GitFailed(
        f"git {ask.words[0]} was stopped after {ask.seconds:g} s without finishing",
        hint="Look at the network, the credentials and the disk, then try again.",
    )


def too_loud() -> GitFailed:
    """The error of a command that printed without end."""
    return GitFailed(
        f"git printed more than {LARGEST_OUTPUT} bytes", hint="The repository is larger than Gitune reads."
    )


def cap(pid: int) -> None:
    """Let no pack of a remote grow without end; helpers inherit the limit. Systems without prlimit go without."""
    if hasattr(resource, "prlimit"):
        with suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


def _exchange(process: subprocess.Popen[bytes], ask: Ask) -> tuple[bytes, bytes]:
    """Standard output, and the end of the other one, until both are at their end. Raises `GitFailed`."""
    until = time.monotonic() + ask.seconds
    out, log, left = bytearray(), bytearray(), memoryview(ask.stdin)
    with selectors.DefaultSelector() as waiting:
        pipes = {there(pipe).fileno(): there(pipe) for pipe in (process.stdin, process.stdout, process.stderr)}
        given, *kept = pipes
        os.set_blocking(given, False)
        waiting.register(given, selectors.EVENT_WRITE)
        for pipe, data in zip(kept, (out, log), strict=True):
            waiting.register(pipe, selectors.EVENT_READ, data)
        while _reads(waiting):
            if (seconds := until - time.monotonic()) <= 0:
                raise too_slow(ask)
            for key, _ in waiting.select(seconds):
                if key.data is None:
                    left = fed(key.fd, left)
                    is_over = not left
                else:
                    chunk = os.read(key.fd, _CHUNK)
                    key.data.extend(chunk)
                    is_over = not chunk
                if is_over:
                    waiting.unregister(key.fd)
                    pipes[key.fd].close()
            if len(out) > LARGEST_OUTPUT:
                raise too_loud()
            del log[:-LARGEST_STDERR]
    return bytes(out), bytes(log)


def _reads(waiting: selectors.BaseSelector) -> bool:
    return any(key.data is not None for key in waiting.get_map().values())


def fed(pipe: int, given: memoryview) -> memoryview:
    """What a pipe that does not block has not taken yet; nothing is left for a process that reads no more."""
    try:
        return given[os.write(pipe, given) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:  # git may end without having read everything
        return given[:0]


def there(pipe: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a process that `start` started."""
    assert pipe is not None, "each end is a pipe"  # noqa: S101 - narrows for the type checker
    return pipe


def _fit_to_show(err: bytes) -> str:
    text = without_userinfo(err.decode("utf-8", "backslashreplace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("hint:")]
    shown = "; ".join(lines)[-_LONGEST_MESSAGE:]
    return "".join(c if c.isprintable() else "?" for c in shown)
