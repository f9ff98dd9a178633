"""The only module that names concrete adapters: a place and an environment to ports."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from controller.daemon.reporter import LogReporter
from controller.downloads.downloader import Downloader
from controller.downloads.fetching import Fetching
from controller.downloads.lfs import LfsObjects, LfsRemote, lfs_remote
from controller.downloads.opening import open_fetching
from controller.downloads.sources import DATA_SOURCES, data_sources
from controller.downloads.stores import StoreAccess
from controller.errors import ControllerError, Severity, SourceError, SpecInvalid, Unreadable
from controller.forges.github.client import open_github
from controller.git.failures import NoRepository, NotFound, translated
from controller.git.layout import find_repository, remote_location
from controller.git.parsing import LocalPath, NetworkUrl, parse_location
from controller.ledger.branch import BranchCell
from controller.ledger.directory import FileCell
from controller.ledger.opening import open_cell, open_ledger
from controller.ledger.verdicts import FolderVerdicts
from controller.ports import Cache, CodeHost, Ledger, Opened, Ports, Provider, Reporter, Source, Tree
from controller.providers import (
    Doors,
    Trust,
    Trusted,
    TrustFile,
    Way,
    open_provider,
    said_by_environment,
    storage_account,
)
from controller.readings import ReadingsFile
from controller.settings import SETTINGS_FILE, Environment, FollowedRepository, LedgerSettings, Settings, home
from controller.source.checkin import CheckoutSource
from controller.source.remote import open_remote
from controller.source.repo import CommitSource
from controller.source.tree import WorktreeSource, has_files, top_of
from controller.specs.controller_loading import load_settings
from controller.system import SystemChance, SystemClock
from controller.threads import in_thread

_SETTINGS_LIMIT = 1 << 20  # bytes
_LOG = LogReporter()
_IN_FILE = "`dataSources` of this repository in the file of --repositories"


@dataclass(frozen=True, slots=True)
class Where:
    """What a command works on. ``config`` stands in for the tree's own gitune.yaml; ``revision`` None means HEAD.

    ``settings_path`` is where in the tree the configuration lies. ``uncommitted`` says that nothing will be applied, so
    that a repository without a commit, which has no name yet to mark models with, will do.
    Where ``repo``, an address, is given, its ``branch`` is followed and ``root`` does not matter.
    ``listed`` is its entry in the file of repositories, where it is one of several.
    """

    root: Path
    config: Path | None = None
    worktree: bool = False
    revision: str | None = None
    repo: str | None = None
    branch: str = "main"
    settings_path: str = SETTINGS_FILE
    listed: FollowedRepository | None = None
    uncommitted: bool = False


def on_disk(root: Path, config: Path | None = None) -> Where:
    """The working tree, for those who only look: one without any commit will do, and of a bare repository HEAD."""
    return Where(root, config, worktree=has_files(root), uncommitted=True)


def with_files(environ: Mapping[str, str]) -> Environment:
    """The variables, where one that is not set may stand in the file that ``NAME_FILE`` names."""
    return environ if isinstance(environ, Environment) else Environment(environ)


def source_of(where: Where, environ: Mapping[str, str] = os.environ) -> Source:
    """The working tree where that was asked for or there is no git, else the commits of the root's repository."""
    if where.repo is not None:
        return open_remote(where.repo, where.branch, home(environ), environ)
    if where.worktree or find_repository(where.root) is None:
        return CheckoutSource(where.root, home(environ), environ, (".gitune",))
    return CommitSource(where.root, home(environ), where.revision)


def read_settings(where: Where, tree: Tree) -> Settings:
    """The settings of ``--config``, else of gitune.yaml in the tree, else the defaults. Raises `SpecInvalid`."""
    data, name = _settings_bytes(where, tree)
    settings, problems = load_settings(data, name)
    errors = tuple(problem for problem in problems if problem.severity is Severity.ERROR)
    if errors:
        raise SpecInvalid(problems, hint=f"Mend {name}: nothing is read or sent before that.")
    return settings


def _settings_bytes(where: Where, tree: Tree) -> tuple[bytes | None, str]:
    if where.config is not None:
        try:
            return where.config.read_bytes(), str(where.config)
        except OSError as error:
            message = f"{where.config}: {error.strerror}"
            raise ControllerError(message, hint="Give --config a file that can be read.") from error
    try:
        return tree.read(where.settings_path, _SETTINGS_LIMIT), where.settings_path
    except Unreadable as error:
        if error.code == "GT401" and where.settings_path == SETTINGS_FILE:
            return None, SETTINGS_FILE
        raise


@asynccontextmanager
async def open_ports(
    where: Where, reporter: Reporter = _LOG, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Opened]:
    """Every port, open; closed again at the end. Raises `ControllerError`; no request is sent here.

    The engine tells the ``reporter`` what it does, by default the log.
    """
    environ = with_files(environ)
    async with AsyncExitStack() as stack:
        source: Source = source_of(where, environ)
        stack.push_async_callback(source.close)
        settings = await in_thread(read_settings, where, await source.tree())
        if isinstance(source, WorktreeSource) and settings.ledger.directory is not None:
            ignored = (".gitune", settings.ledger.directory)  # what we write there is no news
            source = CheckoutSource(where.root, home(environ), environ, ignored)
            stack.push_async_callback(source.close)
        clock, chance = SystemClock(), SystemChance()
        trust = await in_thread(trust_of, where, environ)
        providers = await _providers(settings, trust, environ, Doors(clock, chance), stack)
        ledger = await in_thread(_ledger, where, settings.ledger, clock, environ)
        instance = settings.instance or await _identity(where, source, environ)
        verdicts = FolderVerdicts(home(environ) / "evaluations")
        cache, downloads = cache_of(where, environ), open_downloads(where, environ)
        yield Opened(
            Ports(
                source,
                providers,
                ledger,
                clock,
                chance,
                reporter,
                instance,
                verdicts=verdicts,
                cache=cache,
                downloads=downloads,
            ),
            settings,
        )


def cache_of(where: Where, environ: Mapping[str, str] = os.environ) -> Cache:
    """What earlier commands know of the repository's files. Raises `ControllerError`."""
    subject = f"{where.repo} {where.branch}" if where.repo is not None else str(folder_of(where.root))
    return ReadingsFile(home(environ) / "readings", subject)


async def _providers(
    settings: Settings, trust: Trust, environ: Mapping[str, str], doors: Doors, stack: AsyncExitStack
) -> dict[str, Provider]:
    opened: dict[str, Provider] = {}
    for key, one in settings.providers.items():
        opened[key] = await open_provider(one, environ, home(environ), doors, trust)
        stack.push_async_callback(opened[key].close)
    return opened


def open_downloads(where: Where, environ: Mapping[str, str] = os.environ) -> Downloader:
    """The data outside of the commits of a repository. Raises `ControllerError`; nothing is asked for here."""
    environ = with_files(environ)
    fetching = open_data(where, environ)
    with translated(SourceError):
        location = LocalPath(str(where.root)) if where.repo is None else parse_location(where.repo)
        found = find_repository(Path(location.path)) if isinstance(location, LocalPath) else None

    async def remote() -> LfsRemote | None:
        with suppress(NoRepository):
            there = remote_location(found, "origin") if found is not None else location
            return lfs_remote(there, environ) if isinstance(there, NetworkUrl) else None
        return None

    if found is None:
        return Downloader(fetching, LfsObjects(fetching, where.repo or "", remote))
    return Downloader(fetching, LfsObjects(fetching, str(found.common), remote, found.common / "lfs" / "objects"))


def open_data(where: Where, environ: Mapping[str, str] = os.environ) -> Fetching:
    """What fetches data at a uri, as far as it was listed outside of the repository. Raises `ControllerError`."""
    environ = with_files(environ)
    listed, secrets = where.listed, trust_of(where, environ).visible(environ)
    # Of several repositories each has a list of its own: what one may read is no business of the others.
    sources = (
        data_sources(environ.get(DATA_SOURCES, ""))
        if listed is None
        else data_sources(" ".join(listed.data_sources), _IN_FILE)
    )
    access = StoreAccess(sources, environ, secrets)
    timing = Doors(SystemClock(), SystemChance()).timing
    return open_fetching(home(environ), access, storage_account(secrets), timing, listed.name if listed else "")


def trust_of(where: Where, environ: Mapping[str, str] = os.environ) -> Trust:
    """What was said outside of the repository about where its secrets may go. Raises `ControllerError`."""
    said = said_by_environment(environ)
    if (listed := where.listed) is not None:
        own = tuple(Trusted(endpoint) for endpoint in listed.trusted_endpoints)
        return Trust(said + own, frozenset(listed.variables), Way.FILE)
    if where.repo is not None:
        return Trust(said, way=Way.ENVIRONMENT)
    return Trust(said + TrustFile(home(environ)).of(folder_of(where.root)))


def folder_of(root: Path) -> Path:
    """The one folder by which this machine knows the repository that ``root`` is in. Raises `ControllerError`."""
    found = find_repository(root)
    return (root if found is None else found.top or found.git_dir).resolve()


def _ledger(where: Where, settings: LedgerSettings, clock: SystemClock, environ: Mapping[str, str]) -> Ledger:
    """Beside the specs: in the local repository or its origin, or in the repository whose address was given."""
    there, root = _beside(where, settings, environ)
    return open_ledger(there, root, home(environ), clock.now, environ)


def open_lease_cell(
    where: Where, settings: LedgerSettings, clock: SystemClock, environ: Mapping[str, str] = os.environ
) -> BranchCell | FileCell:
    """The text beside the ledger that says which daemon is at work. Raises `LedgerError`, `SourceError`."""
    environ = with_files(environ)
    there, root = _beside(where, settings, environ)
    return open_cell(there, root, home(environ), clock.now, environ)


def _beside(where: Where, settings: LedgerSettings, environ: Mapping[str, str]) -> tuple[LedgerSettings, Path]:
    if where.repo is None:
        bare = settings.directory is None and not has_files(where.root)
        return settings, where.root if bare else top_of(where.root)
    named = settings.remote in {None, "origin"} and settings.directory is None
    return replace(settings, remote=where.repo) if named else settings, home(environ)


async def _identity(where: Where, source: Source, environ: Mapping[str, str]) -> str:
    """Who we are in owner marks. Outside git only free providers are served, and the folder is name enough."""
    if where.repo is not None:
        return await source.identity() or _nameless()
    if find_repository(where.root) is None:
        return _folder(where.root)
    source = CommitSource(where.root, home(environ))
    try:
        found = await source.identity()
        if found is None:
            await source.tip()  # where there is no commit yet, that is what is wrong
    except SourceError as error:
        if not where.uncommitted or not isinstance(error.__cause__, NotFound):
            raise
        return _folder(where.root)
    finally:
        await source.close()
    return found or _nameless()


def _folder(root: Path) -> str:
    return f"folder/{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]}"


def _nameless() -> NoReturn:
    raise ControllerError(
        "this repository has no name of its own: no network remote, and no root commit in reach",
        hint="Set `instance:` in gitune.yaml: it marks the models as ours.",
    )


def open_code_host(repository: str, environ: Mapping[str, str] = os.environ, login: str = "") -> CodeHost:
    """The code host of a repository; ``login`` is who its token writes as, "" to find out. Raises `ControllerError`."""
    return open_github(repository, with_files(environ), Doors(SystemClock(), SystemChance()).timing, login)
