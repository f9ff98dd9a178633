"""A folder to hints that what is followed in it may have changed: early where the system tells, never a promise."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from controller.errors import ControllerError
from controller.git.layout import RepositoryLayout, find_repository, head

# Some 40 ms to the hint (the defaults of watchfiles take 100). Each step is a look by a thread: more of them, and more
# watches than one, are felt by a machine on which nothing happens.
_DEBOUNCE_MS: Final = 60
_STEP_MS: Final = 20
_REARM_SECONDS: Final = 1.0  # a watch stays with the folder it was set on when a link is swapped or a folder made anew
_LARGEST_REF: Final = 8192
# A link that leads to itself is a RuntimeError before Python 3.13.
_UNSEEN: Final = (OSError, RuntimeError, ControllerError)

# What editors write beside the file they save; the rename that follows is told as well.
_JUNK_ENDS: Final = (".swp", ".swx", ".swo", "~", ".tmp", ".lock")
_JUNK_NAMES: Final = frozenset({"4913", ".DS_Store"})
_IGNORED: Final = frozenset({".git", ".gitune"})  # anywhere in the tree

OnChange = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What is followed: the commits of the repository ``root`` is in, or its files on disk."""

    root: Path
    files: bool = False


def identity(root: Path) -> str:
    """Which folder a path leads to now, and which repository that one is in; "" where there is none."""
    try:
        repository = find_repository(root)
        places = [root.resolve(), *((repository.git_dir, repository.common) if repository else ())]
        return " ".join(f"{place}:{place.stat().st_dev}:{place.stat().st_ino}" for place in places)
    except _UNSEEN:
        return ""


async def watch(what: Watched, on_change: OnChange) -> None:
    """Call back whenever something may have changed, for ever; also when the folder turns out to be another one."""
    while True:
        try:
            armed = _armed(what)
        except _UNSEEN:
            armed = _Armed("", None, ())
        on_change()  # nobody looked while the watch was not set
        if armed.places:
            with suppress(*_UNSEEN):  # gone again while the watch was set: it is set anew
                await _until_moved(what, armed, on_change)
        await asyncio.sleep(_REARM_SECONDS)


@dataclass(frozen=True, slots=True)
class _Armed:
    """What a watch is set on. ``repository`` None: the files below the one place."""

    identity: str
    repository: RepositoryLayout | None
    places: tuple[Path, ...]


def _armed(what: Watched) -> _Armed:
    """Where to look now: the root, or the folders in which git puts HEAD, packed refs and the ref that HEAD names."""
    known = identity(what.root)
    repository = find_repository(what.root) if known and not what.files else None
    if not known or repository is None:
        return _Armed(known, None, (what.root.resolve(),) if known else ())
    ref = (repository.common / head(repository)).parent
    while not ref.is_dir():  # packed, or not born yet: what makes the folder is seen in the one above
        ref = ref.parent
    return _Armed(known, repository, tuple(dict.fromkeys((repository.git_dir, repository.common, ref))))


async def _until_moved(what: Watched, armed: _Armed, on_change: OnChange) -> None:
    over = asyncio.Event()
    if armed.repository is None:
        task = asyncio.create_task(_watch_files(what, on_change, over))
    else:
        task = asyncio.create_task(_watch_refs(armed.repository, armed.places, on_change, over))
    try:
        while _armed(what) == armed and not task.done():
            await asyncio.wait({task}, timeout=_REARM_SECONDS)
    finally:
        over.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch_files(what: Watched, on_change: OnChange, over: asyncio.Event) -> None:
    root = what.root.resolve()

    def counts(_change: Change, path: str) -> bool:
        inside = Path(path).relative_to(root).parts if path.startswith(f"{root}{os.sep}") else (path,)
        name = inside[-1]
        return not (_IGNORED & set(inside) or name.endswith(_JUNK_ENDS) or name in _JUNK_NAMES)

    async for _ in awatch(root, watch_filter=counts, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=over):
        on_change()


async def _watch_refs(
    repository: RepositoryLayout, places: tuple[Path, ...], on_change: OnChange, over: asyncio.Event
) -> None:
    """Only what HEAD stands on counts; the ledger, fetches and locks move other refs, and nobody need wake."""
    seen = _stand(repository)
    stream = awatch(*places, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=over, recursive=False)
    async for _ in stream:
        now = _stand(repository)
        if now != seen:
            on_change()
        seen = now


def _stand(repository: RepositoryLayout) -> tuple[str, ...]:
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
