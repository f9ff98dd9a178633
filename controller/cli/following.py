"""Where a repository lies and which lease goes with it, to ports that a daemon opens again and again."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.daemon.choices import LeaseKind
from controller.daemon.lease import CellLease, Lease, NoLease
from controller.daemon.place import Workplace
from controller.errors import ControllerError
from controller.git.layout import find_repository
from controller.ports import Opened, Reporter
from controller.settings import Settings
from controller.source.watch import identity
from controller.system import SystemChance, SystemClock
from controller.wiring import Where, open_lease_cell, open_ports, read_settings

_LIBRARY = "lightkube"


@dataclass(frozen=True, slots=True)
class Following:
    """Ports by way of `controller.wiring` and the lease that was chosen; ``lease_name`` is an object in the cluster."""

    where: Where
    environ: Mapping[str, str]
    clock: SystemClock
    chance: SystemChance
    kind: LeaseKind = LeaseKind.LEDGER
    lease_name: str = "gitune"

    @asynccontextmanager
    async def open(self, reporter: Reporter) -> AsyncIterator[Opened]:
        """The ports, and the settings as they are now. Without ``--worktree`` only commits are followed."""
        where = self.where
        if where.repo is None and not where.worktree and find_repository(where.root) is None:
            raise ControllerError(
                f"{where.root} is not in a git repository", hint="With --worktree the files of a folder are followed."
            )
        async with open_ports(self.where, reporter, self.environ) as opened:
            yield opened

    @asynccontextmanager
    async def lease(self, settings: Settings) -> AsyncIterator[Lease]:
        """Beside the ledger, on an object of the cluster, or none at all."""
        who = f"{socket.gethostname()}/{os.getpid()}"
        match self.kind:
            case LeaseKind.LEDGER:
                cell = open_lease_cell(self.where, settings.ledger, self.clock, self.environ)
                yield CellLease(cell, who, self.clock, self.chance, _is_gone)
            case LeaseKind.KUBERNETES:
                from controller.daemon.cluster import open_cluster_cell  # noqa: PLC0415 - needs the extra

                async with open_cluster_cell(self.lease_name, self.clock.now) as there:
                    yield CellLease(there, who, self.clock, self.chance)
            case LeaseKind.NONE:
                yield NoLease(who)

    def place(self) -> str:
        """The folder and repository that ``--root`` leads to now."""
        return "" if self.where.repo is not None else identity(self.where.root)

    async def is_current(self, opened: Workplace) -> bool:
        """Whether gitune.yaml still says the same."""
        return await read_settings(self.where, await opened.ports.source.tree()) == opened.settings


def check_lease(kind: LeaseKind) -> None:
    """Raises `ControllerError` where such a lease has no library or no cluster: time mends neither."""
    if kind is not LeaseKind.KUBERNETES:
        return
    if importlib.util.find_spec(_LIBRARY) is None:
        raise ControllerError(
            f"--lease kubernetes needs {_LIBRARY}, which is not installed", hint="pip install 'gitune[kubernetes]'"
        )
    from controller.daemon.cluster import check_cluster  # noqa: PLC0415 - needs the extra

    check_cluster()


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
