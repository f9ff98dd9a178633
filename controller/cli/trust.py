"""A repository to what its gitune.yaml would send where, which of it this machine allows, and a change of that."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import begin
from controller.errors import ControllerError, Rejected
from controller.providers import Sending, Trust, Trusted, TrustFile, sending_of
from controller.report.formatting import cell, listed, terminal
from controller.rest import checked_endpoint, covers
from controller.settings import Settings, home
from controller.wiring import Where, folder_of, read_settings, source_of, trust_of


@dataclass(frozen=True, slots=True)
class WantedSending:
    """What one provider of gitune.yaml would send by its word. ``place`` is that of its endpoint there."""

    provider: str
    sending: Sending
    place: str
    allowed: bool


def trust(asked: GlobalOptions, endpoint: str | None, *, remove: bool) -> int:
    """Allow an address, or take it back; then show what is asked for, and what `gitune trust` has allowed."""
    screen = begin(asked)
    if remove and endpoint is None:
        raise ControllerError("--remove needs an address", hint="`gitune trust` lists those that are trusted.")
    settings = asyncio.run(_settings(asked))
    file, folder = TrustFile(home()), folder_of(asked.folder)
    if endpoint is not None and remove:
        if not file.remove(folder, checked_endpoint(endpoint)):
            raise ControllerError(f"{endpoint} is not trusted here", hint="`gitune trust` lists those that are.")
    elif endpoint is not None:
        address = checked_endpoint(endpoint)
        file.add(folder, address, _secrets(settings, address))
    wishes, kept = tuple(_wishes(settings, trust_of(Where(asked.folder)))), file.of(folder)
    screen.show(
        text=lambda _: _table(wishes, kept),
        json=lambda: _json(wishes, kept),
        markdown=lambda: _markdown(wishes),
    )
    return ExitCode.WELL


async def _settings(asked: GlobalOptions) -> Settings:
    where = Where(asked.folder, asked.config, worktree=True)
    source = source_of(where)
    try:
        return read_settings(where, await source.tree())
    finally:
        await source.close()


def _wishes(settings: Settings, said: Trust) -> Iterator[WantedSending]:
    for key, one in settings.providers.items():
        with suppress(Rejected):  # an endpoint that is asked nothing: `gitune plan` says why
            if (sending := sending_of(one, os.environ, said.visible(os.environ))) is not None:
                yield WantedSending(key, sending, one.place, said.allows(sending))


def _secrets(settings: Settings, endpoint: str) -> frozenset[str]:
    """What gitune.yaml as it is now would send there: no more is allowed. Raises `ControllerError` for nothing."""
    wishes = tuple(_wishes(settings, Trust()))
    found = frozenset(one.sending.secret for one in wishes if covers(endpoint, one.sending.endpoint))
    if not found:
        asked_for = listed(sorted({one.sending.endpoint for one in wishes}))
        hint = (
            f"What it asks for is {asked_for}."
            if wishes
            else "Name the address as the `endpoint` of a provider in gitune.yaml first, then allow it."
        )
        raise ControllerError(f"gitune.yaml sends no secret of yours to {endpoint}", hint=hint)
    return found


def _table(wishes: Sequence[WantedSending], kept: Sequence[Trusted]) -> Table | Text:
    if not wishes and not kept:
        return Text("gitune.yaml sends no secret to an address that its providers do not know by themselves")
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for one in wishes:
        sign = Text("trusted", "green") if one.allowed else Text("not trusted", "bold red")
        sent = terminal(f"{one.sending.secret} to {one.sending.endpoint}")
        table.add_row(sign, Text(terminal(one.provider), "bold"), Text(sent), Text(terminal(one.place), "dim"))
    for trusted in kept:
        if not any(covers(trusted.endpoint, one.sending.endpoint) for one in wishes):
            sent = terminal(f"{listed(sorted(trusted.secrets or ()))} to {trusted.endpoint}")
            table.add_row(Text("trusted", "green"), Text(""), Text(sent), Text("not asked for any more", "dim"))
    return table


def _json(wishes: Sequence[WantedSending], kept: Sequence[Trusted]) -> dict[str, object]:
    """``{schemaVersion, asked: [{provider, secret, endpoint, place, trusted}], trusted: [{endpoint, secrets}]}``."""
    return {
        "schemaVersion": 1,
        "asked": [
            {
                "provider": one.provider,
                "secret": one.sending.secret,
                "endpoint": one.sending.endpoint,
                "place": one.place,
                "trusted": one.allowed,
            }
            for one in wishes
        ],
        "trusted": [{"endpoint": one.endpoint, "secrets": sorted(one.secrets or ())} for one in kept],
    }


def _markdown(wishes: Sequence[WantedSending]) -> str:
    rows = [
        f"| {'✅' if one.allowed else '❌'} | {cell(one.provider)} | {cell(one.sending.secret)} "
        f"| {cell(one.sending.endpoint)} |"
        for one in wishes
    ]
    return "\n".join(["| trusted | provider | secret | endpoint |", "|---|---|---|---|", *rows, ""])
