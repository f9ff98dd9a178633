"""Command-line arguments in, a served tuning API out: `python -m controller.server`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from controller.server.serve import CannotServe, ServeOptions, serve


def main() -> int:
    """Parses the arguments and serves: 0, or 2 where they cannot be served, as stderr explains."""
    parser = argparse.ArgumentParser(prog="controller.server", description="The embedded tuning API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 is any free port")
    parser.add_argument("--data", type=Path, required=True, help="folder of the store")
    parser.add_argument(
        "--api-key-file", type=Path, help="accepted keys, one a line; without it any key is taken, on loopback only"
    )
    parser.add_argument(
        "--idle-exit", type=float, help="seconds without a request and without training after which to end"
    )
    parser.add_argument("--fetched", type=Path, help="folder of the base models that were fetched; default: in --data")
    parser.add_argument("--runs", type=int, help="how many runs train at once; default: the number of cores")
    try:
        serve(ServeOptions(**vars(parser.parse_args())))
    except CannotServe as fault:
        sys.stderr.write(f"{fault.message}\n{fault.hint}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
