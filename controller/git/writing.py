"""A draft to a commit, whose objects one git command takes in, and a ref to the commit it stands on next."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from controller.git.failures import SwapLost
from controller.git.mirror import Mirror
from controller.git.parsing import TreeEntry, object_id
from controller.threads import in_thread

_WHO: Final = "Gitune <gitune@users.noreply.localhost>"
FILE_MODE: Final = "100644"
_FOLDER: Final = "40000"
# A lock is held for milliseconds; one this old whose file nobody has open was left behind by a killed git.
STALE_LOCK_SECONDS: Final = 60.0
# As git has it for what is pushed: fewer become files of their own, since nobody may ever put small packs into one.
_PACKED_FROM: Final = 100
_NUMBERS: Final = {"commit": 1, "tree": 2, "blob": 3}
_FAST: Final = 1  # of zlib: half the time of what git takes, a tenth more bytes

_Leaf = tuple[bytes, str, str]  # path, mode, id


@dataclass(frozen=True, slots=True)
class CommitDraft:
    """What a commit is to hold: ``kept`` entries of its parent as they are, and ``files`` with their bytes."""

    files: Mapping[str, bytes]
    kept: tuple[TreeEntry, ...]
    parent: str | None
    message: str
    when: datetime


async def write_commit(mirror: Mirror, draft: CommitDraft, known: frozenset[str]) -> tuple[str, tuple[TreeEntry, ...]]:
    """The id of a new commit, written with its objects, and the entries of its new files.

    The ids in ``known`` are there already.

    Into the store of the local repository a mirror stands for, else into our own. Raises `GitFailed`.
    """
    pack = _Pack(mirror.algorithm, known)
    commit, written = await in_thread(_add_commit, pack, draft)
    # Whole or not at all as a pack; one by one in their order, the commit last. Git names each by its bytes, as we do.
    words = ("unpack-objects", "-q") if pack.count < _PACKED_FROM else ("index-pack", "--stdin")
    (await mirror.write(*words, stdin=pack.whole())).raise_for_code()
    return commit, written


async def swap_ref(mirror: Mirror, ref: str, old: str | None, new: str, now: datetime) -> None:
    """Move a ref of the mirror's repository from ``old`` (None: not there) to ``new``.

    Raises `SwapLost` where it is elsewhere, `GitFailed` where it cannot be written.
    """
    words = ("update-ref", "--no-deref", "--end-of-options", ref, new, old or "")
    answer = await mirror.write(*words)
    if answer.code != 0 and clear_stale_lock(mirror.path / f"{ref}.lock", now):
        answer = await mirror.write(*words)
    if answer.code == 0:
        return
    if await in_thread(mirror.ref, ref) != old:
        raise SwapLost(f"{ref} moved since it was read", hint="Read it again.")
    raise answer.failure


def clear_stale_lock(lock: Path, now: datetime) -> bool:
    """Take away a lock that a killed git left: old, and open in no process. Says whether there was one."""
    try:
        facts = lock.lstat()
        if now.timestamp() - facts.st_mtime < STALE_LOCK_SECONDS or _is_open(facts.st_dev, facts.st_ino):
            return False
        lock.unlink()
    except OSError:
        return False
    return True


def _is_open(device: int, inode: int) -> bool:
    """Whether a process of this machine has the file open, as far as we may see; False where there is no /proc."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            facts = descriptor.stat()
        except OSError:
            continue
        if (facts.st_dev, facts.st_ino) == (device, inode):
            return True
    return False


class _Pack:
    """Objects in git's pack format, each once: https://git-scm.com/docs/gitformat-pack."""

    def __init__(self, algorithm: str, known: frozenset[str]) -> None:
        self._algorithm = algorithm
        self._there = set(known)
        self._parts: list[bytes] = []
        self.count = 0

    def add(self, kind: str, content: bytes) -> str:
        """The id of an object, which is packed unless it is there already."""
        oid = object_id(kind, content, self._algorithm)
        if oid not in self._there:
            self._there.add(oid)
            self._parts += (_header(_NUMBERS[kind], len(content)), zlib.compress(content, _FAST))
            self.count += 1
        return oid

    def whole(self) -> bytes:
        body = b"".join((b"PACK", (2).to_bytes(4), self.count.to_bytes(4), *self._parts))
        return body + hashlib.new(self._algorithm, body, usedforsecurity=False).digest()


def _header(number: int, size: int) -> bytes:
    """The kind and the length of an object: four bits, then seven at a time, the lowest first."""
    byte, size = number << 4 | size & 15, size >> 4
    written = bytearray()
    while size:
        written.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    written.append(byte)
    return bytes(written)


def _add_commit(pack: _Pack, draft: CommitDraft) -> tuple[str, tuple[TreeEntry, ...]]:
    written = tuple(
        TreeEntry(path.encode(), FILE_MODE, pack.add("blob", content), len(content))
        for path, content in draft.files.items()
    )
    tree = _add_tree(pack, [(entry.path, entry.mode, entry.oid) for entry in (*written, *draft.kept)])
    return pack.add("commit", _commit(tree, draft)), written


def _add_tree(pack: _Pack, leaves: list[_Leaf]) -> str:
    """Folders first, from the deepest up, then the root. Git sorts a folder as if its name ended in a slash."""
    here: list[tuple[bytes, bytes]] = []
    below: dict[bytes, list[_Leaf]] = {}
    for path, mode, oid in leaves:
        folder, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(folder, []).append((rest, mode, oid))
        else:
            here.append((path, _entry(path, mode, oid)))
    here += [(folder + b"/", _entry(folder, _FOLDER, _add_tree(pack, inside))) for folder, inside in below.items()]
    return pack.add("tree", b"".join(entry for _, entry in sorted(here)))


def _entry(name: bytes, mode: str, oid: str) -> bytes:
    return b"%b %b\0%b" % (mode.encode(), name, bytes.fromhex(oid))


def _commit(tree: str, draft: CommitDraft) -> bytes:
    by = f"{_WHO} {int(draft.when.timestamp())} +0000"
    parent = f"parent {draft.parent}\n" if draft.parent else ""
    message = draft.message.replace("\0", "").strip()
    text = f"tree {tree}\n{parent}author {by}\ncommitter {by}\n\n{message}\n"
    return text.encode("utf-8", "replace")
