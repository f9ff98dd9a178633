"""Where to follow what, to a daemon that does it until it is told to end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.options import Asked
from controller.daemon.choices import NoticeFilter, NoticeFormat
from controller.daemon.lease import CellLease, Lease
from controller.daemon.life import Life, live
from controller.daemon.loop import Loop, Means, Workplace
from controller.daemon.metrics import Metrics
from controller.daemon.notices import notices
from controller.daemon.notify import Notifier, Wish, read_url
from controller.daemon.schedule import Rhythm
from controller.daemon.web import Web, parse_address
from controller.daemon.webhook import Deliveries, read_secret
from controller.errors import ControllerError
from controller.git.layout import find_repository
from controller.git.location import without_userinfo
from controller.ports import Reporter
from controller.settings import Settings
from controller.source.watch import Watched, identity
from controller.state.recorded import Record
from controller.system import SystemChance, SystemClock
from controller.wiring import Opened, Where, open_lease_cell, open_ports, read_settings


@dataclass(frozen=True, slots=True)
class Daemon:
    """What `gitune run` was asked for."""

    worktree: bool = False
    repo: str | None = None
    branch: str | None = None
    interval: float = 60.0
    listen: str | None = None
    webhook_secret_file: Path | None = None
    notify_url_file: Path | None = None
    notify_format: NoticeFormat = NoticeFormat.JSON
    notify_on: NoticeFilter = NoticeFilter.ALL


def run(asked: Asked, daemon: Daemon) -> int:
    """Follow until a signal. Logs go to stderr, whatever ``--output`` says."""
    logs.configure(replace(asked, verbose=True))
    return asyncio.run(live(_life(_where(asked, daemon), daemon))) or Code.WELL


def _life(where: Where, daemon: Daemon) -> Life:
    clock, chance, metrics = SystemClock(), SystemChance(), Metrics()
    watched = Watched(where.root, files=daemon.worktree) if where.repo is None else None
    following = where.repo or f"{where.root}{' (working tree)' if daemon.worktree else ''}"
    notifier = _notifier(daemon, clock, chance)
    web = _web(daemon, metrics, clock)

    def recorded(before: Mapping[str, Record], after: Mapping[str, Record]) -> None:
        if notifier is not None:
            notifier.put(notices(before, after))

    means = Means(_Opening(where, clock, chance), clock, chance, Rhythm(interval=daemon.interval), metrics, recorded)
    beside: list[Callable[[Loop], Coroutine[Any, Any, None]]] = []
    if web is not None:
        beside.append(web.serve)
    if notifier is not None:
        beside.append(lambda _: notifier.run())
    return Life(means, without_userinfo(following), watched, tuple(beside))


def _web(daemon: Daemon, metrics: Metrics, clock: SystemClock) -> Web | None:
    if daemon.listen is None:
        if daemon.webhook_secret_file is not None:
            raise ControllerError("--webhook-secret-file goes with --listen", hint="Add --listen HOST:PORT.")
        return None
    address = parse_address(daemon.listen)
    deliveries = Deliveries(read_secret(daemon.webhook_secret_file)) if daemon.webhook_secret_file else None
    return Web(address, metrics, clock, deliveries)


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
    return Where(asked.folder, asked.config, repo=daemon.repo, branch=daemon.branch or "main")


@dataclass(frozen=True, slots=True)
class _Opening:
    """Ports by way of `controller.wiring`."""

    where: Where
    clock: SystemClock
    chance: SystemChance

    @asynccontextmanager
    async def open(self, reporter: Reporter) -> AsyncIterator[Opened]:
        """The ports, and the settings as they are now. Without ``--worktree`` only commits are followed."""
        where = self.where
        if where.repo is None and not where.worktree and find_repository(where.root) is None:
            raise ControllerError(
                f"{where.root} is not in a git repository", hint="With --worktree the files of a folder are followed."
            )
        async with open_ports(self.where, reporter) as opened:
            yield opened

    def lease(self, settings: Settings) -> Lease:
        """On a branch or in a file beside the ledger."""
        cell = open_lease_cell(self.where, settings.ledger, self.clock)
        return CellLease(cell, f"{socket.gethostname()}/{os.getpid()}", self.clock, self.chance, _is_gone)

    def place(self) -> str:
        """The folder and repository that ``--root`` leads to now."""
        return "" if self.where.repo is not None else identity(self.where.root)

    async def is_current(self, opened: Workplace) -> bool:
        """Whether gitune.yaml still says the same."""
        return await read_settings(self.where, await opened.ports.source.tree()) == opened.settings


def _is_gone(holder: str) -> bool:
    """Whether a holder was a process of this machine and is no more."""
    host, _, number = holder.rpartition("/")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
