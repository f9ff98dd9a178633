"""The ``specs:`` patterns of gitune.yaml and the paths of a tree to the paths that may hold specs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def spec_paths(patterns: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that a pattern fits, sorted. ``*`` stays within a folder, ``**`` stands for any number of folders."""
    wanted = [pattern.removeprefix("./").split("/") for pattern in patterns]
    return tuple(sorted(path for path in paths if any(_fits(parts, path.split("/")) for parts in wanted)))


def _fits(pattern: Sequence[str], path: Sequence[str]) -> bool:
    if not pattern:
        return not path
    first, *rest = pattern
    if first == "**":
        return any(_fits(rest, path[taken:]) for taken in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], first) and _fits(rest, path[1:])
