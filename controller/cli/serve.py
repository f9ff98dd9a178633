"""The options of `gitune serve` to a server that runs until it is told to end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.cli.bases_file import read_bases
from controller.cli.options import GlobalOptions
from controller.cli.output import configure
from controller.errors import ControllerError
from controller.server.serve import CannotServe, ServeOptions
from controller.server.serve import serve as start
from controller.settings import home


@dataclass(frozen=True, slots=True)
class ServerWords:
    """What `gitune serve` was asked for."""

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    api_key_file: Path | None = None
    bases: Path | None = None
    idle_exit: float | None = None


def serve(asked: GlobalOptions, words: ServerWords) -> int:
    """Run the embedded tuning API. Raises `ControllerError` where it cannot be started as asked."""
    configure(asked)
    options = ServeOptions(
        data=words.data or home() / "serve",
        host=words.host,
        port=words.port,
        api_key_file=words.api_key_file,
        idle_exit=words.idle_exit,
        bases=read_bases(words.bases) if words.bases else (),
        fetched=home() / "bases",
    )
    try:
        start(options)
    except CannotServe as fault:
        raise ControllerError(fault.message, hint=fault.hint) from fault
    return 0
