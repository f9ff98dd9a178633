"""The options of `gitune serve` to a server that runs until it is told to end."""

from __future__ import annotations

from pathlib import Path

from controller.cli.options import GlobalOptions
from controller.cli.output import configure
from controller.errors import ControllerError
from controller.server.serve import CannotServe, ServeOptions
from controller.server.serve import serve as start
from controller.settings import home


def serve(
    asked: GlobalOptions, *, host: str, port: int, data: Path | None, api_key_file: Path | None, idle_exit: float | None
) -> int:
    """Run the embedded tuning API. Raises `ControllerError` where it cannot be started as asked."""
    configure(asked)
    store = data or home() / "serve"
    try:
        start(ServeOptions(data=store, host=host, port=port, api_key_file=api_key_file, idle_exit=idle_exit))
    except CannotServe as fault:
        raise ControllerError(fault.message, hint=fault.hint) from fault
    return 0
