"""Object ids to bytes, read from one repository of ours through GitPython."""

from __future__ import annotations

import asyncio
import subprocess
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

from git import Git
from git.db import GitCmdObjectDB
from git.exc import ODBError

from controller.git.failures import GitFailed, NotFound
from controller.git.parsing import SHA256, algorithm_of
from controller.git.process import LOCAL_SECONDS, environment

_ABSENT: Final = (
    "It may be left out of a shallow or partial clone: fetch it (`git fetch --unshallow`, `git fetch --refetch`), "
    "or use a whole clone."
)


class _BothFormats(Git):
    """GitPython, which takes an object id of 40 digits alone, told that one may have 64."""

    def _parse_object_header(self, header_line: str) -> tuple[str, str, int]:
        words = header_line.split()
        if len(words) == 3 and algorithm_of(words[0]) == SHA256:  # noqa: PLR2004 - id, kind, size
            return words[0], words[1], int(words[2])
        return super()._parse_object_header(header_line)


class ObjectReader:
    """Objects of one repository of ours, through one ``git cat-file --batch`` that lives until `close`.

    GitPython speaks the protocol; the process is started here, since GitPython would hand on the whole environment.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._git = _BothFormats(str(git_dir))
        self._database = GitCmdObjectDB(str(git_dir / "objects"), self._git)
        self._process: subprocess.Popen[bytes] | None = None
        self._shut: weakref.finalize[..., ObjectReader] | None = None
        self._turn = asyncio.Lock()

    async def read(self, oid: str, size: int) -> bytes:
        """The bytes of a blob that is ``size`` long. Raises `NotFound`, or `GitFailed` where it is something else."""
        async with self._turn:
            reading = asyncio.ensure_future(asyncio.to_thread(self._read, oid, size))
            try:
                async with asyncio.timeout(LOCAL_SECONDS):
                    return await asyncio.shield(reading)
            except TimeoutError as error:
                await self._give_up(reading)
                raise GitFailed(f"reading the object {oid} took more than {LOCAL_SECONDS:g} s") from error
            except BaseException:
                await self._give_up(reading)
                raise

    def close(self) -> None:
        """End the process. Nothing may be reading."""
        self._process = None
        if self._shut is not None:
            self._shut()

    async def _give_up(self, reading: asyncio.Future[bytes]) -> None:
        """A process left in mid-answer would answer the next question with this one's bytes: it ends here.

        Its pipes are closed only after the thread is done with them, since that would wait for each other for ever.
        """
        if self._process is not None:
            _kill(self._process)
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()
        self.close()

    def _read(self, oid: str, size: int) -> bytes:
        try:
            content = self._content(oid, size)
        except (ValueError, ODBError) as error:
            raise NotFound(f"the object {oid} is not in this repository", hint=_ABSENT) from error
        except OSError as error:
            raise GitFailed("git cat-file ended while an object was read") from error
        if len(content) != size:
            raise GitFailed(f"the object {oid} broke off")
        return content

    def _content(self, oid: str, size: int) -> bytes:
        stream = self._open().stream(bytes.fromhex(oid))
        try:
            if stream.type != b"blob" or stream.size != size:
                if self._process is not None:
                    _kill(self._process)  # rather than reading to the end of something of another size
                raise GitFailed(f"the object {oid} is not what its tree says")
            content: bytes = stream.read()
            return content
        finally:
            del stream  # it reads on to its end when it goes: now, while the pipe is open

    def _open(self) -> GitCmdObjectDB:
        if self._process is None or self._process.poll() is not None:
            self.close()
            words = ["git", "cat-file", "--batch"]
            try:
                self._process = subprocess.Popen(  # noqa: S603 - constant words
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment(self._git_dir, "none"),
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                raise GitFailed(f"git cat-file could not be started: {error.strerror}") from error
            self._git.cat_file_all = Git.AutoInterrupt(self._process, words)
            # Nobody has to remember to close: a reader that is forgotten takes its process with it.
            self._shut = weakref.finalize(self, _shut, self._process, self._git)
        return self._database


def _shut(process: subprocess.Popen[bytes], git: Git) -> None:
    _kill(process)
    git.clear_cache()
    process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        process.kill()
