"""Where to follow what, to a daemon that does it until it is told to end."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.following import Following, check_lease
from controller.cli.options import Asked
from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat
from controller.daemon.life import Beside, Followed, Life, live
from controller.daemon.metrics import Metrics
from controller.daemon.notices import notices
from controller.daemon.notify import Notifier, Wish, read_url
from controller.daemon.place import Means
from controller.daemon.schedule import Rhythm
from controller.daemon.tracing import tracing
from controller.daemon.web import Web, parse_address
from controller.daemon.webhook import Deliveries, read_secret
from controller.errors import ControllerError, Severity, SpecInvalid
from controller.git.location import full_name, parse_location, without_userinfo
from controller.git.names import branch_ref
from controller.rest import know
from controller.settings import FollowedRepository
from controller.source.watch import Watched
from controller.specs import load_repositories
from controller.state.recorded import Record
from controller.system import SystemChance, SystemClock
from controller.wiring import Where

LARGEST_FILE: Final = 1 << 20  # bytes
# RFC 1123 subdomains, as Kubernetes names objects, with room for a repository's name behind.
_OBJECT: Final = re.compile(r"(?=.{1,200}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Daemon:
    """What `gitune run` was asked for."""

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


def run(asked: Asked, daemon: Daemon) -> int:
    """Follow until a signal. Logs go to stderr, whatever ``--output`` says."""
    logs.configure(replace(asked, verbose=True))
    with ExitStack() as stack:
        life = _life(asked, daemon, stack)
        stack.enter_context(tracing(os.environ))
        return asyncio.run(live(life)) or Code.WELL


def _life(asked: Asked, daemon: Daemon, stack: ExitStack) -> Life:
    """What is to be done, with nothing begun but that the address of ``--listen`` is held until the stack ends."""
    clock, chance = SystemClock(), SystemChance()
    _check_lease(daemon)
    repositories = _listed(asked, daemon) if daemon.repositories else None
    notifier = _notifier(daemon, clock, chance)
    web = _web(daemon, clock)
    doors = Doors(clock, chance, notifier)
    if repositories is None:
        followed = [_followed(_where(asked, daemon), daemon, doors)]
    else:
        followed = [_one_of(one, asked, daemon, doors) for one in repositories]
    beside: list[Beside] = []
    if web is not None:
        # Before the first pass: a daemon that cannot be reached as asked writes and sends nothing.
        beside.append(stack.enter_context(web.bound()))
    if notifier is not None:
        beside.append(lambda _: notifier.run())
    return Life(tuple(followed), tuple(beside))


@dataclass(frozen=True, slots=True)
class Doors:
    """What all that is followed has in common."""

    clock: SystemClock
    chance: SystemChance
    notifier: Notifier | None


def _followed(
    where: Where, daemon: Daemon, doors: Doors, name: str = "", environ: Mapping[str, str] = os.environ
) -> Followed:
    """One repository; where there are several its ``name`` and the environment with its own token."""
    watched = Watched(where.root, files=where.worktree) if where.repo is None else None
    following = where.repo or f"{where.root}{' (working tree)' if where.worktree else ''}"

    def recorded(before: Mapping[str, Record], after: Mapping[str, Record]) -> None:
        if doors.notifier is not None:
            doors.notifier.put(notices(before, after, name))

    lease = "-".join(filter(None, (daemon.lease_name or "gitune", name)))
    opening = Following(where, environ, doors.clock, doors.chance, daemon.lease, lease)
    means = Means(opening, doors.clock, doors.chance, Rhythm(interval=daemon.interval), Metrics(), recorded)
    return Followed(means, without_userinfo(following), watched, name, full_name(where.repo))


def _one_of(one: FollowedRepository, asked: Asked, daemon: Daemon, doors: Doors) -> Followed:
    where = Where(Path(one.root) if one.root else asked.folder, worktree=one.worktree, repo=one.repo, branch=one.branch)
    environ = dict(os.environ)
    if one.token_env is not None:
        environ["GITHUB_TOKEN"] = environ[one.token_env]
        know(environ["GITHUB_TOKEN"])
    return _followed(where, replace(daemon, interval=one.interval or daemon.interval), doors, one.name, environ)


def _listed(asked: Asked, daemon: Daemon) -> tuple[FollowedRepository, ...]:
    """The repositories of a file. Raises `SpecInvalid` with every problem in it, `ControllerError`."""
    beside = {
        "--root": asked.root,
        "--config": asked.config,
        "--repo": daemon.repo,
        "--branch": daemon.branch,
        "--worktree": daemon.worktree or None,
    }
    given = [option for option, value in beside.items() if value is not None]
    if given or daemon.repositories is None:
        raise ControllerError(
            f"{given[0]} does not go with --repositories", hint="What is followed stands in the file, all of it."
        )
    try:
        with daemon.repositories.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        message = f"{daemon.repositories}: {error.strerror}"
        raise ControllerError(message, hint="Give --repositories a file that can be read.") from error
    repositories, problems = load_repositories(data, str(daemon.repositories), os.environ)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise SpecInvalid(problems, hint=f"Mend {daemon.repositories}: none is followed before that.")
    return repositories


def _check_lease(daemon: Daemon) -> None:
    if daemon.lease_name is not None and daemon.lease is not LeaseKind.KUBERNETES:
        raise ControllerError("--lease-name goes with --lease kubernetes", hint="A lease of the ledger has its own.")
    if daemon.lease_name is not None and not _OBJECT.fullmatch(daemon.lease_name):
        hint = "Use up to 200 of a-z, 0-9, - and ., beginning and ending with a letter or digit."
        raise ControllerError(f"--lease-name {daemon.lease_name[:200]!r} is no name of an object", hint=hint)
    check_lease(daemon.lease)


def _web(daemon: Daemon, clock: SystemClock) -> Web | None:
    if daemon.listen is None:
        if daemon.webhook_secret_file is not None:
            raise ControllerError("--webhook-secret-file goes with --listen", hint="Add --listen HOST:PORT.")
        return None
    address = parse_address(daemon.listen)
    deliveries = Deliveries(read_secret(daemon.webhook_secret_file)) if daemon.webhook_secret_file else None
    return Web(address, clock, deliveries)


def _notifier(daemon: Daemon, clock: SystemClock, chance: SystemChance) -> Notifier | None:
    if daemon.notify_url_file is None:
        return None
    wish = Wish(read_url(daemon.notify_url_file), daemon.notify_format, daemon.notify_on)
    return Notifier(wish, clock, chance)


def _where(asked: Asked, daemon: Daemon) -> Where:
    if daemon.repo is None:
        if daemon.branch is not None:
            raise ControllerError(
                "--branch goes with --repo", hint="Of a local repository HEAD is followed, whatever it is on."
            )
        return Where(asked.folder, asked.config, worktree=daemon.worktree)
    if daemon.worktree:
        raise ControllerError("--worktree goes with --root", hint="A repository behind an address has no files here.")
    if asked.root is not None:
        raise ControllerError("--root does not go with --repo", hint="Name one of the two: one repository is followed.")
    branch = daemon.branch or "main"
    # Time mends neither; that there is nothing at an address yet is another matter.
    parse_location(daemon.repo)
    branch_ref(branch)
    return Where(asked.folder, asked.config, repo=daemon.repo, branch=branch)
