"""What git lists of a tree to entries, and bytes to the id git gives them. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from controller.git.failures import GitFailed


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


def blob_id(content: bytes) -> str:
    """The id git gives these bytes as a file (SHA-1, as git means it: a name, not a seal)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
