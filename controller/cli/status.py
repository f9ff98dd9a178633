"""The ledger, and what providers say of the runs that tune, to tables and loss curves."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import Screen, begin
from controller.engine.commands import Looked, look, record_of
from controller.ledger.opening import open_ledger
from controller.ports import Ledger, Opened
from controller.report.formatting import JsonObject, fields_of
from controller.report.render_status import status_detail, status_json, status_markdown, status_table
from controller.settings import Environment, home
from controller.source.tree import has_files, top_of
from controller.wiring import Where, open_ports

_SECONDS = 10.0  # a provider has to answer


def status(asked: GlobalOptions, name: str | None, *, offline: bool) -> int:
    """Show every model, or one with its runs and its curve."""
    screen = begin(asked)
    with screen.waiting("reading the ledger" if offline else "reading the ledger and the providers"):
        looked = asyncio.run(_looked(asked, name, offline=offline))
    records = looked.records if name is None else {name: record_of(looked.records, name)}
    screen.show(
        text=lambda width: status_table(records, width) if name is None else status_detail(records[name], width),
        json=lambda: {**status_json(records), **_times(looked)},
        markdown=lambda: status_markdown(records),
    )
    if records:
        _remark(screen, looked)
    return ExitCode.WELL


async def _looked(asked: GlobalOptions, name: str | None, *, offline: bool) -> Looked:
    async with open_ports(Where(asked.folder, asked.config)) as opened:
        if offline:
            recorded = await _here(asked, opened).load()
            return Looked(recorded.records, recorded.written)
        return await look(opened.ports, frozenset({name} if name else ()), _SECONDS)


def _times(looked: Looked) -> JsonObject:
    unread = [fields_of(one, "key", "error", "hint") for one in looked.unread]
    return {"ledgerWritten": looked.written or None, "observed": looked.observed or None, "unread": unread}


def _remark(screen: Screen, looked: Looked) -> None:
    """How old what is shown is, on stderr."""
    for one in looked.unread:
        hint = f" ({one.hint})" if one.hint else ""
        screen.note(f"{one.key} cannot be read: {one.error}{hint}; its runs are shown as the ledger has them")
    ledger = f"the ledger as of {looked.written or 'its last pass'}"
    told = f"runs that tune as of {looked.observed}, the rest from {ledger}" if looked.observed else f"from {ledger}"
    screen.note(told)


def _here(asked: GlobalOptions, opened: Opened) -> Ledger:
    """The ledger as this repository has it, its own branch of that name, whatever the remote has."""
    top = top_of(asked.folder) if has_files(asked.folder) else asked.folder.resolve()
    own = (
        opened.settings.ledger
        if opened.settings.ledger.directory
        else replace(opened.settings.ledger, remote=f"{top}/")
    )
    return open_ledger(own, top, home(), opened.ports.clock.now, Environment(os.environ))
