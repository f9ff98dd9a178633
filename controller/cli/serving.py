"""Where to listen to a running tuning API."""

from __future__ import annotations

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.options import Asked
from controller.server.serve import ServeOptions
from controller.server.serve import serve as run


def serve(asked: Asked, options: ServeOptions) -> int:
    """Serve until SIGINT, SIGTERM or idleness, whatever ``--output`` says: the one line on stdout is JSON."""
    logs.configure(asked)
    return Code.FAILED if run(options) else Code.WELL
