"""A local repository to what names it wherever it is cloned: its network remote, or its root commit."""

from __future__ import annotations

from controller.git.failures import NoRepository, NotFound
from controller.git.layout import Repository, config, shallow_commits
from controller.git.location import LocalPath, Location, NetworkUrl, parse_location
from controller.git.mirror import Mirror
from controller.git.names import is_commit_id


async def remote_location(repository: Repository, remote: str) -> Location | None:
    """Where a named remote of the repository is; None where it has no such remote. Raises `NoRepository`."""
    urls = (await config(repository)).get(f"remote.{remote}.url")
    return parse_location(urls[0]) if urls else None


async def network_identity(repository: Repository) -> str | None:
    """``host/path`` of ``origin``; None where it is no network address."""
    try:
        match await remote_location(repository, "origin"):
            case NetworkUrl() as url:
                return url.identity
            case LocalPath() | None:
                return None
    except NoRepository:
        return None


async def root_commit(mirror: Mirror) -> str | None:
    """The id of the commit that HEAD's chain of first parents starts with; None where it is not here."""
    try:
        start = await mirror.commit("HEAD")
    except NotFound:
        return None
    answer = await mirror.ask("rev-list", "--first-parent", "--max-parents=0", "--end-of-options", start)
    root = answer.text.split("\n")[-1] if answer.code == 0 else ""
    if mirror.repository is None or not is_commit_id(root) or root in shallow_commits(mirror.repository):
        return None
    return root
