"""Files to a commit on top of another, and a ref swapped to it, by plumbing alone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from controller.git.failures import GitFailed, SwapLost
from controller.git.mirror import Mirror
from controller.git.parsing import TreeEntry, blob_id

NOBODY: Final = "0" * 40
_WHO: Final = {"NAME": "Gitune", "EMAIL": "gitune@users.noreply.localhost"}
FILE_MODE: Final = "100644"
_FOLDER: Final = "040000"
_KINDS: Final = {_FOLDER: "tree", "160000": "commit"}
# A lock is held for milliseconds; one this old whose file nobody has open was left behind by a killed git.
STALE_LOCK_SECONDS: Final = 60.0
# Git syncs each object to the disk, 3 to 6 ms on a busy one: so many stay well below the deadline of one command.
_MOST_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class CommitDraft:
    """What a commit is to hold: ``kept`` entries of its parent as they are, and ``files`` with their bytes."""

    files: Mapping[str, bytes]
    kept: tuple[TreeEntry, ...]
    parent: str | None
    message: str
    when: datetime


def is_same(draft: CommitDraft, tree: tuple[TreeEntry, ...]) -> bool:
    """Whether the draft would give the very tree that is there."""
    there = {entry.path: (entry.mode, entry.oid) for entry in tree}
    wanted = {path.encode(): (FILE_MODE, blob_id(content)) for path, content in draft.files.items()}
    return there == wanted | {entry.path: (entry.mode, entry.oid) for entry in draft.kept}


async def write_commit(mirror: Mirror, draft: CommitDraft, known: frozenset[str]) -> str:
    """The id of a new commit, written with its objects; the ids in ``known`` are there already.

    Into the store of the local repository a mirror stands for, else into our own. Raises `GitFailed`.
    """
    ids = {path: blob_id(content) for path, content in draft.files.items()}
    new = [content for path, content in draft.files.items() if ids[path] not in known]
    for first in range(0, len(new), _MOST_AT_ONCE):
        await _write_blobs(mirror, new[first : first + _MOST_AT_ONCE])
    leaves = [(path.encode(), FILE_MODE, oid) for path, oid in ids.items()]
    leaves += [(entry.path, entry.mode, entry.oid) for entry in draft.kept]
    tree = await _write_tree(mirror, leaves)
    return await _write_commit(mirror, tree, draft)


async def swap_ref(mirror: Mirror, ref: str, old: str | None, new: str, now: datetime) -> None:
    """Move a ref of the mirror's repository from ``old`` (None: not there) to ``new``.

    Raises `SwapLost` where it is elsewhere, `GitFailed` where it cannot be written.
    """
    words = ("update-ref", "--no-deref", "--end-of-options", ref, new, old or NOBODY)
    answer = await mirror.write(*words)
    if answer.code != 0 and clear_stale_lock(mirror.path / f"{ref}.lock", now):
        answer = await mirror.write(*words)
    if answer.code == 0:
        return
    if await mirror.ref(ref) != old:
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


async def _write_blobs(mirror: Mirror, contents: list[bytes]) -> None:
    """One process for all of them: hash-object reads paths of files of ours, in a folder only we can see into."""
    with tempfile.TemporaryDirectory(prefix=".blobs-", dir=mirror.path) as scratch:
        await asyncio.to_thread(_spill, Path(scratch), contents)
        paths = "".join(f"{scratch}/{index}\n" for index in range(len(contents)))
        answer = await mirror.write("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths.encode())
    if answer.raise_for_code().text.split() != [blob_id(content) for content in contents]:
        raise GitFailed("git hash-object gave other ids than the bytes have")


def _spill(folder: Path, contents: list[bytes]) -> None:
    try:
        for index, content in enumerate(contents):
            (folder / str(index)).write_bytes(content)
    except OSError as error:
        raise GitFailed(f"{folder.parent} cannot be written: {error.strerror}") from error


async def _write_tree(mirror: Mirror, leaves: list[tuple[bytes, str, str]]) -> str:
    """Folders first, from the deepest up, then the root."""
    here = [leaf for leaf in leaves if b"/" not in leaf[0]]
    below: dict[bytes, list[tuple[bytes, str, str]]] = {}
    for path, mode, oid in leaves:
        folder, slash, rest = path.partition(b"/")
        if slash:
            below.setdefault(folder, []).append((rest, mode, oid))
    for folder, inside in sorted(below.items()):
        here.append((folder, _FOLDER, await _write_tree(mirror, inside)))
    lines = b"".join(f"{mode} {_KINDS.get(mode, 'blob')} {oid}\t".encode() + name + b"\0" for name, mode, oid in here)
    return (await mirror.write("mktree", "-z", stdin=lines)).raise_for_code().text


async def _write_commit(mirror: Mirror, tree: str, draft: CommitDraft) -> str:
    parents = ("-p", draft.parent) if draft.parent else ()
    when = f"{int(draft.when.timestamp())} +0000"
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _WHO.items()}
    who |= {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    message = draft.message.replace("\0", "").strip() + "\n"
    words = ("commit-tree", *parents, "--", tree)
    return (await mirror.write(*words, stdin=message.encode("utf-8", "replace"), more=who)).raise_for_code().text
