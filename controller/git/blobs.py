"""Object ids to the bytes of blobs, read from one repository of ours through one process, many for each question."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from controller.git.failures import GitFailed, NotFound
from controller.git.process import LOCAL_SECONDS, Ask, end, fed, kill, start, there

_ABSENT: Final = (
    "It may be left out of a shallow or partial clone: fetch it (`git fetch --unshallow`, `git fetch --refetch`), "
    "or use a whole clone."
)
# What is asked for at once: so much is held in memory, and so many answers are waited for.
_MOST_BYTES: Final = 8 << 20
_MOST_BLOBS: Final = 4096
_CHUNK: Final = 1 << 16
_LONGEST_HEADER: Final = 256

Wanted = tuple[str, int]  # the id and the size that a tree says of a blob
Found = bytes | GitFailed


class BlobReader:
    """Blobs of one repository of ours, through one ``git cat-file`` that lives until `close`.

    Any thread may ask. Git takes in a whole batch of ids before it begins to answer, so neither end ever waits for one
    who waits for it.
    """

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._shut: weakref.finalize[..., BlobReader] | None = None
        self._turn = threading.Lock()

    def read(self, oid: str, size: int) -> bytes:
        """The bytes of a blob that is ``size`` long. Raises `NotFound`, or `GitFailed` where it is something else."""
        (found,) = self.read_many(((oid, size),))
        if isinstance(found, GitFailed):
            raise found
        return found

    def read_many(self, wanted: Sequence[Wanted]) -> Iterator[Found]:
        """Each blob, or why it cannot be read, in this order; a batch at a time. Nothing is raised."""
        for batch in _batches(wanted):
            with self._turn:
                found = self._batch(batch)
                # Packed away between two looks: a new process sees the new packs.
                if missing := [index for index, one in enumerate(found) if isinstance(one, NotFound)]:
                    self._end()
                    again = self._batch([batch[index] for index in missing])
                    for index, one in zip(missing, again, strict=True):
                        found[index] = one
            yield from found

    def close(self) -> None:
        """End the process. Whoever reads just now goes on with another one."""
        if (process := self._process) is not None:
            kill(process)
        with self._turn:  # its pipes stay until nobody reads from them: their numbers are given away again at once
            self._end()

    def _end(self) -> None:
        self._process = None
        if self._shut is not None:
            self._shut()

    def _batch(self, wanted: Sequence[Wanted]) -> list[Found]:
        """An answer to each. A process that ended at one of them, as over a damaged object, is followed by another."""
        found: list[Found] = []
        while len(found) < len(wanted):
            try:
                self._ask(wanted[len(found) :], found)
            except GitFailed as error:
                self._end()  # left in mid-answer it would answer the next question with this one's bytes
                found.append(error)
        return found

    def _ask(self, wanted: Sequence[Wanted], found: list[Found]) -> None:
        process = self._opened()
        answers = _Answers(process, time.monotonic() + LOCAL_SECONDS)
        answers.send(b"".join(b"contents %b\n" % oid.encode() for oid, _ in wanted) + b"flush\n")
        for oid, size in wanted:
            found.append(answers.blob(oid, size))

    def _opened(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            words = ("cat-file", "--batch-command", "--buffer")
            self._process = start(Ask(words, self._git_dir), stderr=subprocess.DEVNULL)
            # Nobody has to remember to close: a reader that is forgotten takes its process with it.
            self._shut = weakref.finalize(self, end, self._process)
        return self._process


def _batches(wanted: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
    first, held = 0, 0
    for index, (_, size) in enumerate(wanted):
        if index > first and (held + size > _MOST_BYTES or index - first == _MOST_BLOBS):
            yield wanted[first:index]
            first, held = index, 0
        held += size
    if wanted:
        yield wanted[first:]


class _Answers:
    """What one process says to one batch, until a moment of the monotonic clock."""

    def __init__(self, process: subprocess.Popen[bytes], until: float) -> None:
        self._to, self._from = there(process.stdin).fileno(), there(process.stdout).fileno()
        self._until = until
        self._held = bytearray()
        self._at = 0
        os.set_blocking(self._to, False)

    def send(self, text: bytes) -> None:
        left = memoryview(text)
        while left:
            self._wait(self._to, select.POLLOUT)
            left = fed(self._to, left)

    def blob(self, oid: str, size: int) -> Found:
        """The next answer. Raises `GitFailed` where no other one can follow it."""
        header = self._line()
        if header == b"%b missing" % oid.encode():
            return NotFound(f"the object {oid} is not in this repository", hint=_ABSENT)
        if header != b"%b blob %d" % (oid.encode(), size):
            raise GitFailed(f"the object {oid} is not what its tree says")
        content = self._take(size + 1)
        if content[-1:] != b"\n":
            raise GitFailed(f"the object {oid} broke off")
        return content[:-1]

    def _line(self) -> bytes:
        while (ended := self._held.find(b"\n", self._at)) < 0:
            if len(self._held) - self._at > _LONGEST_HEADER:
                raise GitFailed("git cat-file said something that is no answer")
            self._more()
        line = bytes(self._held[self._at : ended])
        self._at = ended + 1
        return line

    def _take(self, size: int) -> bytes:
        while len(self._held) - self._at < size:
            self._more()
        taken = bytes(memoryview(self._held)[self._at : self._at + size])
        self._at += size
        return taken

    def _more(self) -> None:
        self._wait(self._from, select.POLLIN)
        chunk = os.read(self._from, _CHUNK)
        if not chunk:
            raise GitFailed("git cat-file ended while an object was read")
        del self._held[: self._at]
        self._at = 0
        self._held += chunk

    def _wait(self, pipe: int, event: int) -> None:
        ready = select.poll()
        ready.register(pipe, event)
        left = self._until - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise GitFailed(f"reading an object took more than {LOCAL_SECONDS:g} s")
