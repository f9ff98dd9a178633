"""Where to listen to a running tuning API."""

from __future__ import annotations

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.options import Asked
from controller.errors import ControllerError
from controller.server.serve import CannotServe, ServeOptions
from controller.server.serve import serve as run


def serve(asked: Asked, options: ServeOptions) -> int:
    """Serve until SIGINT, SIGTERM or idleness, whatever ``--output`` says: the one line on stdout is JSON.

    Raises `ControllerError` where that cannot be done as asked.
    """
    logs.configure(asked)
    try:
        run(options)
    except CannotServe as fault:
        raise ControllerError(fault.message, hint=fault.hint) from fault
    return Code.WELL
