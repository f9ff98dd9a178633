"""Command-line arguments to an exit code; `python -m controller` and `gitune` start here."""

from __future__ import annotations

import sys

from controller import __version__


def main() -> int:
    """Run the command that was typed and give its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # answered before anything heavy is imported
        sys.stdout.write(f"gitune {__version__}\n")
        return 0
    try:
        from controller.cli.main import run  # noqa: PLC0415 - see above

        return run(arguments)
    except KeyboardInterrupt:  # while it was still importing
        return 130


if __name__ == "__main__":
    sys.exit(main())
