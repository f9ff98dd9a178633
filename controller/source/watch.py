"""A folder to hints that what is followed in it may have changed: early where the system tells, never a promise."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from watchfiles import Change, awatch

from controller.errors import ControllerError
from controller.git.layout import Repository, find_repository, head

_DEBOUNCE_MS: Final = 20  # 10 ms to the hint; the defaults of watchfiles take 100
_STEP_MS: Final = 5
_REARM_SECONDS: Final = 1.0  # a watch stays with the folder it was set on when a link is swapped or a folder made anew
_LARGEST_REF: Final = 8192

# What editors write beside the file they save; the rename that follows is told as well.
_JUNK_ENDS: Final = (".swp", ".swx", ".swo", "~", ".tmp", ".lock")
_JUNK_NAMES: Final = frozenset({"4913", ".DS_Store"})

Ring = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What is followed: the commits of the repository ``root`` is in, or its files on disk.

    Of the files those below an ``ignored`` name, anywhere in the tree, do not count.
    """

    root: Path
    files: bool = False
    ignored: frozenset[str] = frozenset({".git", ".gitune"})


def identity(root: Path) -> str:
    """Which folder a path leads to now, and which repository that one is in; "" where there is none."""
    try:
        repository = find_repository(root)
        places = [root.resolve(), *((repository.git_dir, repository.common) if repository else ())]
        return " ".join(f"{place}:{place.stat().st_dev}:{place.stat().st_ino}" for place in places)
    except (OSError, ControllerError):
        return ""


async def watch(what: Watched, ring: Ring) -> None:
    """Ring whenever something may have changed, for ever; also each time the folder turns out to be another one."""
    while True:
        armed = identity(what.root)
        ring()  # nobody looked while the watch was not set
        if armed:
            with suppress(OSError, ControllerError):  # gone again while the watch was set: it is set anew
                await _until_moved(what, armed, ring)
        await asyncio.sleep(_REARM_SECONDS)


async def _until_moved(what: Watched, armed: str, ring: Ring) -> None:
    over = asyncio.Event()
    tasks = [asyncio.create_task(work) for work in _watches(what, ring, over)]
    try:
        while identity(what.root) == armed and not any(task.done() for task in tasks):
            await asyncio.wait(tasks, timeout=_REARM_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _watches(what: Watched, ring: Ring, over: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
    if what.files:
        return [_watch_files(what, ring, over)]
    repository = find_repository(what.root)
    if repository is None:
        return [_watch_files(what, ring, over)]
    told = _Told(repository, ring)
    places = {repository.git_dir: False, repository.common: False, repository.common / "refs": True}
    return [_watch_refs(place, told, over, recursive=deep) for place, deep in places.items() if place.is_dir()]


async def _watch_files(what: Watched, ring: Ring, over: asyncio.Event) -> None:
    root = what.root.resolve()

    def counts(_change: Change, path: str) -> bool:
        inside = Path(path).relative_to(root).parts if path.startswith(f"{root}{os.sep}") else (path,)
        name = inside[-1]
        return not (what.ignored & set(inside) or name.endswith(_JUNK_ENDS) or name in _JUNK_NAMES)

    async for _ in awatch(root, watch_filter=counts, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=over):
        ring()


async def _watch_refs(place: Path, told: _Told, over: asyncio.Event, *, recursive: bool) -> None:
    stream = awatch(
        place, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=over, recursive=recursive
    )
    async for _ in stream:
        told.look()


class _Told:
    """What HEAD stood on when it last rang; the ledger, fetches and locks move other refs, and nobody need wake."""

    def __init__(self, repository: Repository, ring: Ring) -> None:
        self._repository = repository
        self._ring = ring
        self._seen = _stand(repository)

    def look(self) -> None:
        now = _stand(self._repository)
        if now != self._seen:
            self._seen = now
            self._ring()


def _stand(repository: Repository) -> tuple[str, ...]:
    """HEAD, the ref it names, and the file of packed refs, as bytes on disk: no git is started for a hint."""
    try:
        name = head(repository)
    except ControllerError:
        return ()
    try:
        with (repository.common / name).open("rb") as file:
            return (name, file.read(_LARGEST_REF).decode("latin-1"))
    except OSError:
        packed = repository.common / "packed-refs"
        with suppress(OSError):
            facts = packed.stat()
            return (name, str(facts.st_mtime_ns), str(facts.st_ino))
        return (name,)
