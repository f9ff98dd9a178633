"""A folder to the repository it belongs to and what names it, by reading files: no git runs where others write."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.git.failures import NoRepository
from controller.git.parsing import SHA1, SHA256, Location, NetworkUrl, is_commit_id, parse_location
from controller.git.process import Ask, run

_LARGEST_CONFIG = 1024 * 1024
_LONGEST_POINTER = 8192


@dataclass(frozen=True, slots=True)
class RepositoryLayout:
    """Where a repository's parts are.

    ``top`` is the root of the working tree (None for a bare one), ``git_dir`` holds HEAD, ``common`` refs and objects.
    """

    top: Path | None
    git_dir: Path
    common: Path

    @property
    def objects(self) -> Path:
        """Its object store."""
        return self.common / "objects"


def find_repository(folder: Path) -> RepositoryLayout | None:
    """The repository the folder is in, or is; None outside git. Raises `NoRepository` for one that is broken.

    A bare repository is taken only where the folder itself is one: one planted inside a tree is never found from
    below. A repository above that belongs to somebody else is refused.
    """
    try:
        return _find(folder.resolve())
    except OSError as error:
        raise NoRepository(f"{folder} cannot be read: {error.strerror}", hint="Check its permissions.") from error
    except RuntimeError as error:  # before Python 3.13
        raise NoRepository(f"{folder} is a symbolic link to itself", hint="Point it at a folder.") from error


def _find(start: Path) -> RepositoryLayout | None:
    for top in (start, *start.parents):
        if os.path.lexists(top / ".git"):
            found = _with_work_tree(top)
            _same_owner(found.git_dir, start)
            return found
        if top == start and _is_git_dir(top):
            return RepositoryLayout(None, top, top)
    return None


def open_repository(folder: Path) -> RepositoryLayout:
    """As `find_repository`, for a place that must be a repository. Raises `NoRepository`."""
    if not folder.is_dir():
        raise NoRepository(f"{folder} is not a folder")
    if found := find_repository(folder):
        return found
    raise NoRepository(f"{folder} is not in a git repository", hint="Run `git init` there and commit the specs.")


def head(repository: RepositoryLayout) -> str:
    """What HEAD says: ``refs/heads/…`` or a commit id. Raises `NoRepository`."""
    text = _pointer(repository.git_dir / "HEAD")
    return text.removeprefix("ref:").strip() if text.startswith("ref:") else text


def settled_head(repository: RepositoryLayout) -> str:
    """``HEAD``; in the middle of a rebase or a bisect the branch or commit that it began on.

    What HEAD stands on meanwhile is a commit that nobody asked for. Raises `NoRepository`.
    """
    for folder in (repository.git_dir / "rebase-merge", repository.git_dir / "rebase-apply"):
        if (folder / "head-name").is_file():
            began = _pointer(folder / "head-name")
            return began if began.startswith("refs/heads/") else _pointer(folder / "orig-head")
    if (repository.git_dir / "BISECT_START").is_file():
        began = _pointer(repository.git_dir / "BISECT_START")
        return began if is_commit_id(began) else f"refs/heads/{began}"
    return "HEAD"


def default_branch(repository: RepositoryLayout) -> str:
    """What a clone knows as the default branch of its origin, else the branch HEAD is on; "" where it is on none.

    Raises `NoRepository`.
    """
    origin = repository.common / "refs/remotes/origin/HEAD"
    if origin.is_file() and (known := _pointer(origin)).startswith("ref: refs/remotes/origin/"):
        return known.removeprefix("ref: refs/remotes/origin/")
    on = head(repository)
    return on.removeprefix("refs/heads/") if on.startswith("refs/heads/") else ""


def checked_out(repository: RepositoryLayout) -> dict[str, Path]:
    """The refs that working trees of this repository stand on, each with the folder of the tree."""
    heads = {path: _linked(path.parent) for path in sorted((repository.common / "worktrees").glob("*/HEAD"))}
    if repository.common.name == ".git":
        heads[repository.common / "HEAD"] = repository.common.parent
    if repository.top is not None:
        heads[repository.git_dir / "HEAD"] = repository.top
    texts = {_pointer(path): top for path, top in heads.items() if path.is_file()}
    return {text.removeprefix("ref:").strip(): top for text, top in texts.items() if text.startswith("ref:")}


def _linked(folder: Path) -> Path:
    """The linked working tree that a folder below ``worktrees`` is about."""
    return (folder / _pointer(folder / "gitdir")).resolve().parent if (folder / "gitdir").is_file() else folder


def shallow_commits(repository: RepositoryLayout) -> frozenset[str]:
    """The commits whose parents were left out of a shallow clone; empty for a whole one."""
    path = repository.common / "shallow"
    return frozenset(path.read_text("ascii").split()) if path.is_file() else frozenset()


def config(repository: RepositoryLayout) -> dict[str, tuple[str, ...]]:
    """Its own configuration, as `config_file`."""
    return config_file(repository.common / "config")


def config_file(path: Path) -> dict[str, tuple[str, ...]]:
    """A configuration file as keys (section and name in lower case) to values; no include is followed.

    One that is not there is empty. Raises `NoRepository` where the file is not one.
    """
    if not _is_configuration(path):
        return {}
    # GIT_DIR names nothing, so that git takes no repository into account: it only parses the file it is given.
    nowhere = path / "nowhere"
    answer = run(Ask(("config", "--file", str(path), "--no-includes", "--null", "--list"), nowhere))
    found: dict[str, tuple[str, ...]] = {}
    for item in answer.raise_for_code().out.decode("utf-8", "backslashreplace").split("\0"):
        key, _, value = item.partition("\n")
        if key:
            found[key] = (*found.get(key, ()), value)
    return found


def _is_configuration(path: Path) -> bool:
    if path.is_file() and path.stat().st_size > _LARGEST_CONFIG:
        raise NoRepository(f"{path} is larger than a configuration can be")
    return path.is_file()


def object_format(repository: RepositoryLayout, settings: dict[str, tuple[str, ...]]) -> str:
    """By what the repository names its objects. Raises `NoRepository` for a storage that Gitune does not read."""
    if settings.get("extensions.refstorage", ("files",))[-1].lower() != "files":
        raise NoRepository(
            f"{repository.git_dir} keeps its refs as a reftable, which Gitune does not read",
            hint="Run `git refs migrate --ref-format=files`, or make a clone with `git clone --ref-format=files`.",
        )
    found = settings.get("extensions.objectformat", (SHA1,))[-1].lower()
    if found not in {SHA1, SHA256}:
        raise NoRepository(
            f"{repository.git_dir} names its objects in another way than by SHA-1 or SHA-256",
            hint="Make the repository with `git init --object-format=sha256`.",
        )
    return found


def _with_work_tree(top: Path) -> RepositoryLayout:
    """From ``.git``: a folder, or the one-line file of a linked working tree or a submodule."""
    git_dir = top / ".git"
    if git_dir.is_file():
        text = _pointer(git_dir)
        if not text.startswith("gitdir:"):
            raise NoRepository(f"{git_dir} names no repository")
        git_dir = top / text.removeprefix("gitdir:").strip()
    common = git_dir
    if (git_dir / "commondir").is_file():
        common = git_dir / _pointer(git_dir / "commondir")
    git_dir, common = git_dir.resolve(), common.resolve()
    if not _is_git_dir(common) or not (git_dir / "HEAD").is_file():
        raise NoRepository(f"{top / '.git'} is not a whole repository", hint="Look at it with `git status`.")
    return RepositoryLayout(top, git_dir, common)


def _is_git_dir(path: Path) -> bool:
    return (path / "objects").is_dir() and (path / "refs").is_dir() and (path / "HEAD").is_file()


def _same_owner(git_dir: Path, start: Path) -> None:
    owner = git_dir.stat().st_uid
    if owner not in {start.stat().st_uid, os.geteuid(), 0}:
        raise NoRepository(
            f"the repository {git_dir} belongs to another user than {start}",
            hint="Name the folder of the repository you mean with --root.",
        )


def _pointer(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_POINTER).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoRepository(f"{path} cannot be read") from error
    if not text or "\n" in text or "\0" in text:
        raise NoRepository(f"{path} is not a file that git wrote")
    return text


def remote_location(repository: RepositoryLayout, remote: str) -> Location | None:
    """Where a named remote of the repository is; None where it has no such remote. Raises `NoRepository`."""
    urls = config(repository).get(f"remote.{remote}.url")
    return parse_location(urls[0]) if urls else None


def network_identity(repository: RepositoryLayout) -> str | None:
    """``host/path`` of ``origin``; None where it is no network address."""
    with suppress(NoRepository):
        location = remote_location(repository, "origin")
        return location.identity if isinstance(location, NetworkUrl) else None
    return None
