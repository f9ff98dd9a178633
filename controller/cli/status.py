"""The ledger to tables and loss curves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import begin
from controller.engine.commands import record_of
from controller.ledger.opening import open_ledger
from controller.ports import Ledger, Opened
from controller.report.render_status import status_detail, status_json, status_markdown, status_table
from controller.settings import Environment, home
from controller.source.tree import top_of
from controller.state.recorded import Record
from controller.wiring import Where, open_ports


def status(asked: GlobalOptions, name: str | None, *, offline: bool) -> int:
    """Show every model, or one with its runs and its curve."""
    screen = begin(asked)
    with screen.waiting("reading the ledger"):
        records = asyncio.run(_records(asked, offline=offline))
    if name is not None:
        records = {name: record_of(records, name)}
    screen.show(
        text=lambda width: status_table(records, width) if name is None else status_detail(records[name], width),
        json=lambda: status_json(records),
        markdown=lambda: status_markdown(records),
    )
    return ExitCode.WELL


async def _records(asked: GlobalOptions, *, offline: bool) -> Mapping[str, Record]:
    async with open_ports(Where(asked.folder, asked.config)) as opened:
        ledger = _here(asked, opened) if offline else opened.ports.ledger
        return (await ledger.load()).records


def _here(asked: GlobalOptions, opened: Opened) -> Ledger:
    """The ledger as this repository has it, its own branch of that name, whatever the remote has."""
    top = top_of(asked.folder)
    own = (
        opened.settings.ledger
        if opened.settings.ledger.directory
        else replace(opened.settings.ledger, remote=f"{top}/")
    )
    return open_ledger(own, top, home(), opened.ports.clock.now, Environment(os.environ))
