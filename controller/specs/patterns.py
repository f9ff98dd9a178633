"""The ``specs:`` patterns of gitune.yaml and the paths of a tree to the paths that may hold specs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache


def spec_paths(patterns: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that a pattern fits, sorted. ``*`` stays within a folder, ``**`` stands for any number of folders."""
    wanted = [pattern.removeprefix("./") for pattern in patterns]
    return tuple(sorted(path for path in paths if any(_is_fit(pattern, path) for pattern in wanted)))


@lru_cache(maxsize=1 << 15)  # the paths of a repository are asked about at every look at it
def _is_fit(pattern: str, path: str) -> bool:
    return _fits(pattern.split("/"), path.split("/"))


def _fits(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a path fits, in steps of at most the one length times the other: patterns come from people."""
    at, taken = 0, 0
    last: tuple[int, int] | None = None  # behind the latest `**`, and how far it reaches so far
    while taken < len(path):
        part = pattern[at] if at < len(pattern) else ""
        if part == "**":
            at += 1
            last = (at, taken)
        elif part and fnmatchcase(path[taken], part):
            at, taken = at + 1, taken + 1
        elif last is not None:
            last = (last[0], last[1] + 1)
            at, taken = last
        else:
            return False
    return all(part == "**" for part in pattern[at:])
