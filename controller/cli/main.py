"""Arguments to an exit code: the one place where errors become words."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from controller.cli.app import app
from controller.cli.options import Format, GlobalOptions


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Nothing is raised: every way out is an exit code."""
    command = typer.main.get_command(app)
    given = list(arguments) or ["--help"]
    try:
        return int(command(args=given, prog_name="gitune", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: what nobody foresaw is one line too
        from controller.cli.exit_codes import explained  # noqa: PLC0415 - help and completion need none of it

        return explained(error, glimpsed(given), _help(given))


def glimpsed(arguments: Sequence[str]) -> GlobalOptions:
    """What can be told of the output options of a command line that failed, perhaps before it was understood."""
    said: dict[str, str] = {}
    for position, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in ("-o", "--output"):
            said["output"] = value if equals else "".join(arguments[position + 1 : position + 2])
        elif word.startswith("-o"):
            said["output"] = word[2:]
    form = next((f for f in Format if f == said.get("output")), None)
    return GlobalOptions(output=form, no_color="--no-color" in arguments or None, debug="--debug" in arguments or None)


def _help(arguments: Sequence[str]) -> str:
    names = {command.name for command in app.registered_commands}
    known = next((word for word in arguments if word in names), "")
    return f"`gitune {known} --help` shows what there is." if known else "`gitune --help` shows what there is."
