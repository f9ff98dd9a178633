"""The id of a large blob to its bytes, piece by piece, read from one repository of ours through GitPython."""

from __future__ import annotations

import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from git import Git
from git.db import GitCmdObjectDB
from git.exc import ODBError

from controller.git.failures import GitFailed, NotFound
from controller.git.parsing import SHA256, algorithm_of
from controller.git.process import LOCAL_SECONDS, Ask, end, kill, start, there

_CHUNK: Final = 1 << 20
# Git holds a packed object whole before it writes any of it, but for those above this size.
_SETTINGS: Final = (("core.bigFileThreshold", "1m"),)


class _BothFormats(Git):
    """GitPython, which takes an object id of 40 digits alone, told that one may have 64."""

    def _parse_object_header(self, header_line: str) -> tuple[str, str, int]:
        words = header_line.split()
        if len(words) == 3 and algorithm_of(words[0]) == SHA256:  # noqa: PLR2004 - id, kind, size
            return words[0], words[1], int(words[2])
        return super()._parse_object_header(header_line)


class _Stream(Protocol):
    """An object as GitPython gives it."""

    type: bytes
    size: int

    def read(self, size: int) -> bytes: ...


def pieces(git_dir: Path, oid: str, size: int) -> Iterator[bytes]:
    """The bytes of a blob that is ``size`` long, through a process of its own, which ends with the iterator.

    Raises `NotFound`, or `GitFailed` where it is something else, or nothing of it comes for a minute.
    """
    process = start(Ask(("cat-file", "--batch"), git_dir, settings=_SETTINGS), stderr=subprocess.DEVNULL)
    stream: _Stream | None = None
    try:
        stream = _opened(process, git_dir, oid)
        if stream.type != b"blob" or stream.size != size:
            raise GitFailed(f"the object {oid} is not what its tree says")
        left = size
        while left:
            piece: bytes = _next(process, stream, min(left, _CHUNK))
            left -= len(piece)
            yield piece
    except OSError as error:
        raise GitFailed("git cat-file ended while an object was read") from error
    finally:
        kill(process)
        del stream  # it reads on to the end when it goes: now, while the pipe is there, and nobody writes any more
        end(process)


def _opened(process: subprocess.Popen[bytes], git_dir: Path, oid: str) -> _Stream:
    # GitPython speaks the protocol; the process is ours, since GitPython would hand on the whole environment.
    git = _BothFormats(str(git_dir))
    git.cat_file_all = process
    late = threading.Timer(LOCAL_SECONDS, kill, (process,))
    late.start()
    try:
        stream: _Stream = GitCmdObjectDB(str(git_dir / "objects"), git).stream(bytes.fromhex(oid))
    except (ValueError, ODBError) as error:
        raise NotFound(f"the object {oid} is not in this repository") from error
    finally:
        late.cancel()
    return stream


def _next(process: subprocess.Popen[bytes], stream: _Stream, most: int) -> bytes:
    if not select.select([there(process.stdout)], [], [], LOCAL_SECONDS)[0]:
        raise GitFailed(f"no more of an object came within {LOCAL_SECONDS:g} s")
    piece: bytes = stream.read(most)
    if not piece:
        raise GitFailed("git cat-file ended while an object was read")
    return piece
