"""Where to follow what, to a daemon that does it until it is told to end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.options import Asked
from controller.daemon.lease import CellLease, Lease
from controller.daemon.loop import Means, Workplace
from controller.daemon.metrics import Metrics
from controller.daemon.schedule import Rhythm
from controller.daemon.service import Service, serve
from controller.errors import ControllerError
from controller.ports import Reporter
from controller.settings import Settings
from controller.source.watch import Watched
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


def run(asked: Asked, daemon: Daemon) -> int:
    """Follow until a signal. Logs go to stderr, whatever ``--output`` says."""
    logs.configure(replace(asked, verbose=True))
    where = _where(asked, daemon)
    clock, chance = SystemClock(), SystemChance()
    opening = _Opening(where, clock, chance)
    means = Means(opening, clock, chance, Rhythm(interval=daemon.interval), Metrics(), lambda _before, _after: None)
    watched = Watched(where.root, files=daemon.worktree) if where.repo is None else None
    following = where.repo or f"{where.root}{' (working tree)' if daemon.worktree else ''}"
    return asyncio.run(serve(Service(means, following, watched))) or Code.WELL


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
        """The ports, and the settings as they are now."""
        async with open_ports(self.where, reporter) as opened:
            yield opened

    def lease(self, settings: Settings) -> Lease:
        """On a branch or in a file beside the ledger."""
        cell = open_lease_cell(self.where, settings.ledger, self.clock)
        return CellLease(cell, f"{socket.gethostname()}/{os.getpid()}", self.clock, self.chance, _is_gone)

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
