"""What git lists of a tree or a history to values, and bytes to the id git gives them. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from controller.git.failures import GitFailed
from controller.git.names import is_commit_id


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a commit: octal mode as git writes it, object id, size in bytes (None: the object is not here)."""

    path: bytes
    mode: str
    oid: str
    size: int | None


def parse_tree(listing: bytes) -> tuple[TreeEntry, ...]:
    """The output of ``git ls-tree -r -z -l`` as entries. Raises `GitFailed` where it is cut."""
    if listing and not listing.endswith(b"\0"):
        raise GitFailed("the listing of a tree broke off")
    entries = []
    for line in listing.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _, oid, size = facts.decode("ascii").split()
        entries.append(TreeEntry(path, mode, oid, int(size) if size.isdigit() else None))
    return tuple(entries)


# Commit and parents, author, when it was written, when it was committed, the message: a line each, a NUL behind all.
LANDED_FORMAT: Final = "%H %P%n%an <%ae>%n%aI%n%cI%n%B"


@dataclass(frozen=True, slots=True)
class LandedCommit:
    """One commit of a history. ``parent`` is its first, "" for a root commit; times are RFC 3339."""

    commit: str
    parent: str
    author: str
    at: str
    landed: str
    message: str


def parse_landings(listing: bytes) -> tuple[LandedCommit, ...]:
    """The output of ``git log -z`` in `LANDED_FORMAT`. Raises `GitFailed` where it is something else."""
    found = []
    for record in listing.decode("utf-8", "replace").split("\0"):
        if not record.strip():
            continue
        ids, author, at, landed, *message = record.split("\n")
        commit, *parents = ids.split()
        if not all(map(is_commit_id, (commit, *parents))):
            raise GitFailed("git log gave something that is no history")
        first = parents[0] if parents else ""
        found.append(LandedCommit(commit, first, author, at, landed, "\n".join(message).strip()))
    return tuple(found)


def blob_id(content: bytes) -> str:
    """The id git gives these bytes as a file (SHA-1, as git means it: a name, not a seal)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
