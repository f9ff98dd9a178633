"""Where to follow what, to a daemon that does it until it is told to end."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import configure
from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat
from controller.daemon.lease import CellLease, Lease, NoLease
from controller.daemon.loop import Loop, Means
from controller.daemon.metrics import Metrics
from controller.daemon.notices import Notifier, notices, read_url
from controller.daemon.schedule import Rhythm
from controller.daemon.supervisor import Beside, supervise
from controller.daemon.tracing import tracing
from controller.daemon.web.server import Web, parse_address
from controller.daemon.web.webhook import Deliveries, read_secret
from controller.errors import ControllerError, Severity, SpecInvalid
from controller.git.layout import find_repository
from controller.git.parsing import branch_ref, full_name, parse_location, without_userinfo
from controller.ports import Opened, Reporter
from controller.rest import know
from controller.settings import Environment, FollowedRepository, Settings
from controller.source.watch import Watched, identity
from controller.specs import load_repositories
from controller.state.recorded import Record
from controller.system import SystemChance, SystemClock
from controller.threads import in_thread
from controller.wiring import Where, open_lease_cell, open_ports, read_settings

_LIBRARY = "lightkube"
_CLOCK, _CHANCE = SystemClock(), SystemChance()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `gitune run` was asked for. ``interval`` is in seconds."""

    worktree: bool = False
    repo: str | None = None
    branch: str | None = None
    repositories: Path | None = None
    interval: float = 60.0
    lease: LeaseKind = LeaseKind.LEDGER
    lease_name: str | None = None
    listen: str | None = None
    webhook_secret_file: Path | None = None
    notify_url_file: Path | None = None
    notify_format: NoticeFormat = NoticeFormat.JSON
    notify_on: NoticeFilter = NoticeFilter.ALL


@dataclass(frozen=True, slots=True)
class Following:
    """Ports by way of `controller.wiring` and the lease that was chosen; ``lease_name`` is an object in the cluster."""

    where: Where
    environ: Environment
    kind: LeaseKind = LeaseKind.LEDGER
    lease_name: str = "gitune"

    @asynccontextmanager
    async def open(self, reporter: Reporter) -> AsyncIterator[Opened]:
        """The ports, and the settings as they are now. Without ``--worktree`` only commits are followed."""
        where = self.where
        if where.repo is None and not where.worktree and find_repository(where.root) is None:
            hint = "With --worktree the files of a folder are followed."
            raise ControllerError(f"{where.root} is not in a git repository", hint=hint)
        know(self.environ.get("GITHUB_TOKEN", ""))
        async with open_ports(self.where, reporter, self.environ) as opened:
            yield opened

    @asynccontextmanager
    async def lease(self, settings: Settings) -> AsyncIterator[Lease]:
        """Beside the ledger, on an object of the cluster, or none at all."""
        who = f"{socket.gethostname()}/{os.getpid()}"
        match self.kind:
            case LeaseKind.LEDGER:
                cell = open_lease_cell(self.where, settings.ledger, _CLOCK, self.environ)
                yield CellLease(cell, who, _CLOCK, _CHANCE, _is_gone)
            case LeaseKind.KUBERNETES:
                from controller.daemon.cluster import open_cluster_cell  # noqa: PLC0415 - needs the extra

                async with open_cluster_cell(self.lease_name, _CLOCK.now) as there:
                    yield CellLease(there, who, _CLOCK, _CHANCE)
            case LeaseKind.NONE:
                yield NoLease(who)

    def location(self) -> str:
        """The folder and repository that ``--root`` leads to now, and the edition of the secrets that were read."""
        place = "" if self.where.repo is not None else identity(self.where.root)
        return f"{place} {self.environ.edition}"

    async def is_current(self, opened: Opened) -> bool:
        """Whether gitune.yaml still says the same."""
        return await in_thread(read_settings, self.where, await opened.ports.source.tree()) == opened.settings


def _check_lease(options: RunOptions) -> None:
    """Raises `ControllerError` where such a lease has no name, no library or no cluster: time fixes none of them."""
    name = options.lease_name
    if name is not None and options.lease is not LeaseKind.KUBERNETES:
        raise ControllerError("--lease-name goes with --lease kubernetes", hint="A lease of the ledger has its own.")
    if name is not None and not _OBJECT.fullmatch(name):
        hint = "Use up to 200 of a-z, 0-9, - and ., beginning and ending with a letter or digit."
        raise ControllerError(f"--lease-name {name[:200]!r} is no name of an object", hint=hint)
    if options.lease is not LeaseKind.KUBERNETES:
        return
    if importlib.util.find_spec(_LIBRARY) is None:
        message = f"--lease kubernetes needs {_LIBRARY}, which is not installed"
        raise ControllerError(message, hint="Install the extra: pip install '.[kubernetes]' in a checkout.")
    from controller.daemon.cluster import check_cluster  # noqa: PLC0415 - needs the extra

    check_cluster()


def _is_gone(holder: str) -> bool:
    """Whether a holder was a process of this machine and is no more."""
    host, _, number = holder.rpartition("/")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


LARGEST_FILE: Final = 1 << 20  # bytes
# RFC 1123 subdomains, as Kubernetes names objects, with room for a repository's name behind.
_OBJECT: Final = re.compile(r"(?=.{1,200}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def run(asked: GlobalOptions, options: RunOptions) -> int:
    """Follow until a signal. Logs go to stderr, whatever ``--output`` says."""
    configure(replace(asked, verbose=True))
    with ExitStack() as stack:
        loops, beside = _life(asked, options, stack)
        stack.enter_context(tracing(os.environ))
        return asyncio.run(supervise(loops, beside)) or ExitCode.WELL


def _life(asked: GlobalOptions, options: RunOptions, stack: ExitStack) -> tuple[list[Loop], list[Beside]]:
    """What is to be done, with nothing begun but that the address of ``--listen`` is held until the stack ends."""
    _check_lease(options)
    repositories = _listed(asked, options, options.repositories) if options.repositories else None
    notifier = None
    if (file := options.notify_url_file) is not None:
        notifier = Notifier(partial(read_url, file), _CLOCK, _CHANCE, options.notify_format, options.notify_on)
    web = _web(options)
    if repositories is None:
        followed = [_followed(_where(asked, options), options, notifier)]
    else:
        followed = [_one_of(one, asked, options, notifier) for one in repositories]
    beside: list[Beside] = []
    if web is not None:
        # Before the first pass: a daemon that cannot be reached as asked writes and sends nothing.
        beside.append(stack.enter_context(web.bound()))
    if notifier is not None:
        beside.append(lambda _: notifier.run())
    return followed, beside


def _followed(
    where: Where,
    options: RunOptions,
    notifier: Notifier | None,
    name: str = "",
    token_env: str | None = None,
) -> Loop:
    """One repository; where there are several its ``name`` and the variable of its own token."""
    watched = Watched(where.root, files=where.worktree) if where.repo is None else None
    following = where.repo or f"{where.root.absolute()}{' (working tree)' if where.worktree else ''}"

    def recorded(before: Mapping[str, Record], after: Mapping[str, Record]) -> None:
        if notifier is not None:
            notifier.put(notices(before, after, name))

    lease = "-".join(filter(None, (options.lease_name or "gitune", name)))
    environ = Environment(os.environ, {"GITHUB_TOKEN": token_env} if token_env else {})
    opening = Following(where, environ, options.lease, lease)
    means = Means(opening, _CLOCK, _CHANCE, Rhythm(interval=options.interval), Metrics(), recorded)
    return Loop(means, without_userinfo(following), watched, name, full_name(where.repo))


def _one_of(one: FollowedRepository, asked: GlobalOptions, options: RunOptions, notifier: Notifier | None) -> Loop:
    root = Path(one.root) if one.root else asked.folder
    where = Where(root, worktree=one.worktree, repo=one.repo, branch=one.branch, listed=one)
    options = replace(options, interval=one.interval or options.interval)
    return _followed(where, options, notifier, one.name, one.token_env)


def _listed(asked: GlobalOptions, options: RunOptions, path: Path) -> tuple[FollowedRepository, ...]:
    """The repositories of a file. Raises `SpecInvalid` with every problem in it, `ControllerError`."""
    beside = {
        "--root": asked.root,
        "--config": asked.config,
        "--repo": options.repo,
        "--branch": options.branch,
        "--worktree": options.worktree or None,
    }
    given = [option for option, value in beside.items() if value is not None]
    if given:
        hint = "What is followed stands in the file, all of it."
        raise ControllerError(f"{given[0]} does not go with --repositories", hint=hint)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        hint = "Give --repositories a file that can be read."
        raise ControllerError(f"{path}: {error.strerror}", hint=hint) from error
    repositories, problems = load_repositories(data, str(path), Environment(os.environ))
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise SpecInvalid(problems, hint=f"Fix {path}: none is followed until then.")
    return repositories


def _web(options: RunOptions) -> Web | None:
    if options.listen is None:
        if options.webhook_secret_file is not None:
            raise ControllerError("--webhook-secret-file goes with --listen", hint="Add --listen HOST:PORT.")
        return None
    address = parse_address(options.listen)
    if (file := options.webhook_secret_file) is None:
        return Web(address, _CLOCK)
    read_secret(file)  # what is wrong with it is told now, not at the first delivery
    return Web(address, _CLOCK, Deliveries(partial(read_secret, file)))


def _where(asked: GlobalOptions, options: RunOptions) -> Where:
    if options.repo is None:
        if options.branch is not None:
            hint = "Of a local repository HEAD is followed, whatever it is on."
            raise ControllerError("--branch goes with --repo", hint=hint)
        return Where(asked.folder, asked.config, worktree=options.worktree)
    if options.worktree:
        raise ControllerError("--worktree goes with --root", hint="A repository behind an address has no files here.")
    if asked.root is not None:
        raise ControllerError("--root does not go with --repo", hint="Name one of the two: one repository is followed.")
    branch = options.branch or "main"
    # Time fixes neither; that there is nothing at an address yet is another matter.
    parse_location(options.repo)
    branch_ref(branch)
    return Where(asked.folder, asked.config, repo=options.repo, branch=branch)
