"""Where the ledger's branch is: in a local repository, or behind a network address."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from controller.errors import LedgerError
from controller.git.failures import GitFailed, NoRepository
from controller.git.layout import RepositoryLayout, checked_out, find_repository, open_repository, remote_location
from controller.git.mirror import Mirror, mirror_for, mirror_of
from controller.git.parsing import NetworkUrl, branch_ref, parse_location
from controller.git.remote import Remote
from controller.git.writing import swap_ref
from controller.settings import LedgerSettings

Now = Callable[[], datetime]
_HINT: Final = "Give the user who runs Gitune write permission there: without a record nothing is sent to a provider."


def probe(folders: Iterable[Path]) -> None:
    """Raises `LedgerError` where one cannot be written; of one that is not there yet the nearest above is tried."""
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError as error:
            raise LedgerError(f"the ledger cannot be written: {place}: {error.strerror}", hint=_HINT) from error


class LocalRef:
    """A branch of a repository in the file system, ``ref`` by its full name, with our view of that repository."""

    def __init__(self, repository: RepositoryLayout, ref: str, mirror: Mirror, now: Now) -> None:
        self.mirror = mirror
        self._repository = repository
        self._ref = ref
        self._now = now

    async def tip(self) -> str | None:
        """What the ref says now."""
        return await self.mirror.ref(self._ref)

    fetched = tip  # the objects are at hand

    async def repair(self) -> bool:
        """False: what is damaged there is not ours to throw away."""
        return False

    async def swap(self, old: str | None, new: str) -> None:
        """Move the ref in that repository, unless a working tree stands on it."""
        self._check_free()
        await swap_ref(self.mirror, self._ref, old, new, self._now())

    async def check(self) -> None:
        """Try the folders that objects and the ref are written into, and see that nobody stands on the branch."""
        self._check_free()
        objects = self._repository.objects
        shards = sorted(objects.glob("[0-9a-f][0-9a-f]"))
        await asyncio.to_thread(probe, (objects, *shards, (self._repository.common / self._ref).parent))

    def _check_free(self) -> None:
        """Raises `GitFailed` where a working tree stands on the branch."""
        if self._ref in checked_out(self._repository):
            raise GitFailed(
                f"the branch {self._ref.removeprefix('refs/heads/')} is checked out in {self._repository.top}",
                hint="Switch to another branch there: the ledger never changes files somebody works on.",
            )


BranchRef = LocalRef | Remote


async def find_ref(settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str]) -> BranchRef:
    """The branch on the remote that is named (its name, or its address), else on ``origin``, else in the repository.

    ``root`` is the folder of the specs, ``home`` Gitune's data folder. A path or ``file://`` address is a repository we
    can reach ourselves: no git is started there, and no hook of it. Raises `NoRepository`, `NotFound`, `GitFailed`.
    """
    ref, remote = branch_ref(settings.branch), settings.remote
    repository = find_repository(root)
    location = await remote_location(repository, remote or "origin") if repository else None
    said = f"the remote `{remote or 'origin'}` of this repository: see `git remote -v`"
    if location is None and remote is not None:
        if not re.search("[/:]", remote):
            raise NoRepository(
                f"the repository has no remote {remote!r}", hint="Correct `ledger.remote` in gitune.yaml."
            )
        location = parse_location(remote)
        said = "`ledger.remote` in gitune.yaml"
    if isinstance(location, NetworkUrl):
        return Remote(location, ref, mirror_for(location.url, home), environ)
    if location is None:
        found = open_repository(root)
    else:
        top = repository.top or repository.git_dir if repository else root
        found = _opened(top / location.path, said)
    return LocalRef(found, ref, await mirror_of(found, home), now)


def _opened(folder: Path, said: str) -> RepositoryLayout:
    try:
        return open_repository(folder)
    except NoRepository as error:
        hint = f"That is {said}. The ledger is kept there; `gitune status --offline` shows what is here."
        raise NoRepository(error.message, hint=hint) from error
