"""Where to follow what, to a daemon that does it until it is told to end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.following import Following, check_lease
from controller.cli.options import Asked
from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat
from controller.daemon.life import Life, live
from controller.daemon.loop import Loop
from controller.daemon.metrics import Metrics
from controller.daemon.notices import notices
from controller.daemon.notify import Notifier, Wish, read_url
from controller.daemon.place import Means
from controller.daemon.schedule import Rhythm
from controller.daemon.tracing import tracing
from controller.daemon.web import Web, parse_address
from controller.daemon.webhook import Deliveries, read_secret
from controller.errors import ControllerError
from controller.git.location import without_userinfo
from controller.source.watch import Watched
from controller.state.recorded import Record
from controller.system import SystemChance, SystemClock
from controller.wiring import Where


@dataclass(frozen=True, slots=True)
class Daemon:
    """What `gitune run` was asked for."""

    worktree: bool = False
    repo: str | None = None
    branch: str | None = None
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
    life = _life(_where(asked, daemon), daemon)
    with tracing(os.environ):
        return asyncio.run(live(life)) or Code.WELL


def _life(where: Where, daemon: Daemon) -> Life:
    clock, chance, metrics = SystemClock(), SystemChance(), Metrics()
    watched = Watched(where.root, files=daemon.worktree) if where.repo is None else None
    following = where.repo or f"{where.root}{' (working tree)' if daemon.worktree else ''}"
    notifier = _notifier(daemon, clock, chance)
    web = _web(daemon, metrics, clock)

    def recorded(before: Mapping[str, Record], after: Mapping[str, Record]) -> None:
        if notifier is not None:
            notifier.put(notices(before, after))

    opening = _following(where, daemon, clock, chance)
    means = Means(opening, clock, chance, Rhythm(interval=daemon.interval), metrics, recorded)
    beside: list[Callable[[Loop], Coroutine[Any, Any, None]]] = []
    if web is not None:
        beside.append(web.serve)
    if notifier is not None:
        beside.append(lambda _: notifier.run())
    return Life(means, without_userinfo(following), watched, tuple(beside))


def _following(where: Where, daemon: Daemon, clock: SystemClock, chance: SystemChance) -> Following:
    if daemon.lease_name is not None and daemon.lease is not LeaseKind.KUBERNETES:
        raise ControllerError("--lease-name goes with --lease kubernetes", hint="A lease of the ledger has its own.")
    check_lease(daemon.lease)
    return Following(where, clock, chance, daemon.lease, daemon.lease_name or "gitune")


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
