"""Where the ledger's branch is: in a local repository, or behind a network address."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from controller.git.failures import GitFailed, NoRepository
from controller.git.layout import RepositoryLayout, checked_out, find_repository, open_repository, remote_location
from controller.git.location import LocalPath, NetworkUrl, local_path, parse_location
from controller.git.mirror import Mirror, mirror_for, mirror_of
from controller.git.parsing import branch_ref
from controller.git.remote import Remote
from controller.git.writing import swap_ref

Now = Callable[[], datetime]
WRITABLE_HINT: Final = (
    "Give the user who runs Gitune write permission there: without a record nothing is sent to a provider."
)


def probe(folders: Iterable[Path]) -> None:
    """Of a folder that is not there yet, the nearest one above is tried. Raises `OSError` with its name."""
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from error


class LocalRef:
    """A branch of a repository in the file system. ``home`` is Gitune's data folder.

    ``hint`` is the next step where there is no repository, "" for what git's own room says.
    """

    def __init__(self, folder: Path, branch: str, home: Path, now: Now, hint: str = "") -> None:
        self._folder = folder
        self._branch = branch
        self._home = home
        self._now = now
        self._hint = hint
        self._mirror: Mirror | None = None

    async def open(self) -> Mirror:
        """Our view of that repository."""
        if self._mirror is None:
            self._mirror = await mirror_of(self._repository(), self._home)
        return self._mirror

    async def tip(self) -> str | None:
        """What the ref says now."""
        return await (await self.open()).ref(branch_ref(self._branch))

    async def fetched(self) -> str | None:
        """The same: the objects are at hand."""
        return await self.tip()

    async def repair(self) -> bool:
        """False: what is damaged there is not ours to throw away."""
        return False

    async def swap(self, old: str | None, new: str) -> None:
        """Move the ref in that repository, unless a working tree stands on it."""
        mirror, ref = await self._free()
        await swap_ref(mirror, ref, old, new, self._now())

    async def check(self) -> None:
        """Try the folders that objects and the ref are written into, and see that nobody stands on the branch."""
        _, ref = await self._free()
        repository = self._repository()
        shards = sorted(repository.objects.glob("[0-9a-f][0-9a-f]"))
        try:
            await asyncio.to_thread(probe, (repository.objects, *shards, (repository.common / ref).parent))
        except OSError as error:
            message = f"the ledger cannot be written: {error.filename}: {error.strerror}"
            raise GitFailed(message, hint=WRITABLE_HINT) from error

    async def _free(self) -> tuple[Mirror, str]:
        """Our view of the repository and the branch's ref, on which no working tree stands. Raises `GitFailed`."""
        mirror, ref = await self.open(), branch_ref(self._branch)
        if mirror.repository is not None and ref in checked_out(mirror.repository):
            raise GitFailed(
                f"the branch {self._branch} is checked out in {mirror.repository.top}",
                hint="Switch to another branch there: the ledger never changes files somebody works on.",
            )
        return mirror, ref

    def _repository(self) -> RepositoryLayout:
        try:
            return open_repository(self._folder)
        except NoRepository as error:
            raise NoRepository(error.message, hint=self._hint or error.hint) from error


class NetworkRef:
    """A branch of a repository behind https or ssh."""

    def __init__(self, url: NetworkUrl, branch: str, home: Path, environ: Mapping[str, str]) -> None:
        self._url = url
        self._branch = branch
        self._home = home
        self._environ = environ
        self._remote: Remote | None = None

    async def open(self) -> Mirror:
        """The repository of ours that is fetched into and pushed from."""
        return self._connect().mirror

    async def tip(self) -> str | None:
        """What the ref says there now."""
        return await self._connect().tip(branch_ref(self._branch))

    async def fetched(self) -> str | None:
        """What the ref says there now, brought here."""
        remote, ref = self._connect(), branch_ref(self._branch)
        tip = await remote.tip(ref)
        if tip is None or await remote.mirror.has(tip):
            return tip
        return await remote.fetch(ref)

    async def repair(self) -> bool:
        """Throw away what was fetched where some of it is damaged."""
        return await self._connect().repair()

    async def swap(self, old: str | None, new: str) -> None:
        """Push it, with a lease on what is there."""
        await self._connect().swap(branch_ref(self._branch), old, new)

    async def check(self) -> None:
        """Nothing: only a push would tell whether one is let in."""

    def _connect(self) -> Remote:
        if self._remote is None:
            self._remote = Remote(self._url, mirror_for(self._url.url, self._home), self._environ)
        return self._remote


BranchRef = LocalRef | NetworkRef


@dataclass(frozen=True, slots=True)
class Wanted:
    """What it takes to find the branch: folder of the specs, settings, our data folder, clock and environment."""

    root: Path
    branch: str
    remote: str | None
    home: Path
    now: Now
    environ: Mapping[str, str]


async def find_ref(asked: Wanted) -> BranchRef:
    """The remote that is named (its name, or its address), else ``origin``, else the repository itself.

    A path or ``file://`` address is a repository we can reach ourselves: no git is started there, and no hook of it.
    Raises `NoRepository`, `GitFailed`.
    """
    repository = find_repository(asked.root)
    location = await remote_location(repository, asked.remote or "origin") if repository else None
    said = f"the remote `{asked.remote or 'origin'}` of this repository: see `git remote -v`"
    if location is None and asked.remote is not None:
        if not re.search("[/:]", asked.remote):
            raise NoRepository(
                f"the repository has no remote {asked.remote!r}", hint="Correct `ledger.remote` in gitune.yaml."
            )
        location = parse_location(asked.remote)
        said = "`ledger.remote` in gitune.yaml"
    top = repository.top or repository.git_dir if repository else asked.root
    match location:
        case NetworkUrl():
            return NetworkRef(location, asked.branch, asked.home, asked.environ)
        case LocalPath():
            hint = f"That is {said}. The ledger is kept there; `gitune status --offline` shows what is here."
            return LocalRef(Path(local_path(location, str(top))), asked.branch, asked.home, asked.now, hint)
        case None:
            return LocalRef(asked.root, asked.branch, asked.home, asked.now)
