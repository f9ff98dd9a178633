"""Settings and a folder to the ledger and the cell of a lease that are to be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from controller.errors import LedgerError
from controller.git.failures import translated
from controller.git.layout import find_repository
from controller.ledger.branch import BranchCell, BranchLedger, Now, find_ref
from controller.ledger.directory import DirectoryLedger, FileCell
from controller.ports import Ledger
from controller.settings import LedgerSettings

OUTSIDE_GIT = ".gitune"


def open_ledger(
    settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str] = os.environ
) -> Ledger:
    """The ledger of the specs in ``root``; nothing is read or written before its first use. Raises `LedgerError`.

    A directory where the settings name one; else the branch, on the remote they name, or on ``origin`` where the
    repository has one, or in the repository itself; outside git the directory ``.gitune``.
    """
    if settings.directory is not None:
        return DirectoryLedger(root / settings.directory)
    with translated(LedgerError):
        repository = find_repository(root)
    if repository is None and settings.remote is None:
        return DirectoryLedger(root / OUTSIDE_GIT)
    return BranchLedger(partial(find_ref, settings, root, home, now, environ), now)


def described(ledger: Ledger, settings: LedgerSettings) -> str:
    """What the ledger is, as people know it: a branch or a directory, with its name."""
    if isinstance(ledger, DirectoryLedger):
        return f"directory {settings.directory or OUTSIDE_GIT}"
    return f"branch {settings.branch}"


def open_cell(
    settings: LedgerSettings, root: Path, home: Path, now: Now, environ: Mapping[str, str] = os.environ
) -> BranchCell | FileCell:
    """The cell for a lease, beside the ledger that `open_ledger` gives. Raises `LedgerError`."""
    match open_ledger(settings, root, home, now, environ):
        case DirectoryLedger() as ledger:
            return FileCell(ledger.path)
        case _:
            beside = replace(settings, branch=f"{settings.branch}-lease")
            return BranchCell(partial(find_ref, beside, root, home, now, environ), now)
