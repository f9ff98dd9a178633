"""What git lists, and what users write, to checked values; and bytes to the id git gives them. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from controller.git.failures import GitFailed, NotFound

COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 1024
# git-check-ref-format(1): no control character, space, ~ ^ : ? * [ \, no "..", "@{", "//", no end in "/" or "."
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_STEPS = re.compile(r"(?:[~^][0-9]{0,6}){0,8}")


def is_commit_id(text: str) -> bool:
    """Whether the text is a whole commit id: 40 or 64 lower-case hex digits."""
    return COMMIT_ID.fullmatch(text) is not None


def is_ref_name(text: str) -> bool:
    """Whether git would take the text as the name of a branch or tag; never one that reads as an option."""
    if not text or len(text) > _LONGEST or text == "@" or text[0] in "-/" or text[-1] in "/.":
        return False
    if _FORBIDDEN.search(text):
        return False
    return all(part and not part.startswith(".") and not part.endswith(".lock") for part in text.split("/"))


def branch_ref(branch: str) -> str:
    """``refs/heads/<branch>``. Raises `NotFound` for a name git would refuse."""
    if not is_ref_name(branch) or not is_ref_name(f"refs/heads/{branch}"):
        raise NotFound(f"{branch!r} is not a name a branch can have", hint="See `git help check-ref-format`.")
    return f"refs/heads/{branch}"


def split_revision(text: str) -> tuple[str, str]:
    """A revision as its name and its steps: ``main~2`` to ``("main", "~2")``.

    A name is a ref, a commit id or ``HEAD``; steps are ``~n`` and ``^n``. Raises `NotFound` for anything else.
    """
    cut = min((at for sign in "~^" if (at := text.find(sign)) >= 0), default=len(text))
    name, steps = text[:cut], text[cut:]
    if not is_ref_name(name) or not _STEPS.fullmatch(steps):
        raise NotFound(
            f"{text[:200]!r} is not a revision Gitune reads",
            hint="Give a branch, a tag, a whole commit id or HEAD, with ~n or ^n behind it where needed.",
        )
    return name, steps


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
