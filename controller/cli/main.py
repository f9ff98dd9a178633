"""Arguments to an exit code: the one place where errors become words."""

from __future__ import annotations

import os
import sys

from controller.cli.app import COMMANDS, FIRST, PROGRAM, SHARED
from controller.cli.grammar import Command, Given, UsageError, close, found, parse

TYPE_CHECKING = False  # as in the grammar
if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.cli.options import GlobalOptions

_COMPLETES = "_GITUNE_COMPLETE"  # the variable by which a shell asks what a line may go on with


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Nothing is raised: every way out is an exit code."""
    given = list(arguments) or ["--help"]
    try:
        if asked := os.environ.get(_COMPLETES):
            return _complete(asked)
        return _run(given)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: what nobody foresaw is one line too
        from controller.cli.exit_codes import explained  # noqa: PLC0415 - where all goes well nobody needs it

        return explained(error, glimpsed(given), _help(given))


def _run(words: list[str]) -> int:
    before = parse(PROGRAM, words, FIRST, to_the_name=True)
    if before.first:
        return _answer(PROGRAM, before.first)
    if not before.rest:
        raise UsageError("Missing command.")
    name, *rest = before.rest
    command = _named(name)
    given = parse(command, rest, FIRST)
    return _answer(command, given.first) if given.first else _carry_out(command, before, given)


def _named(name: str) -> Command:
    known = {command.name: command for command in COMMANDS}
    if name not in known:
        meant = close(name, tuple(known), 3)
        raise UsageError(
            f"No such command {name!r}." + (f" Did you mean {' or '.join(map(repr, meant))}?" if meant else "")
        )
    return known[name]


def _carry_out(command: Command, before: Given, given: Given) -> int:
    from controller.cli.options import GlobalOptions  # noqa: PLC0415 - help needs none

    shared = {option.to for option in SHARED}
    said = GlobalOptions(**{k: v for k, v in given.values.items() if k in shared})  # type: ignore[arg-type] # a test compares them
    asked = said.over(GlobalOptions(**before.values))  # type: ignore[arg-type] # likewise
    own = {k: v for k, v in given.values.items() if k not in shared}
    function = found(command.does)
    if command.takes:
        return int(function(asked, found(command.takes)(**own)))
    return int(function(asked, **own))


def _answer(command: Command, first: str) -> int:
    """What is said in place of carrying a command out."""
    if first == "version":
        from controller import __version__  # noqa: PLC0415 - nothing else needs it

        said = f"gitune {__version__}\n"
    elif first == "help":
        from controller.cli.help_page import page  # noqa: PLC0415 - nothing else needs it

        said = page(command, COMMANDS if command is PROGRAM else (), "" if command is PROGRAM else PROGRAM.name)
    else:
        from controller.cli import completion  # noqa: PLC0415 - nothing else needs it

        shell = completion.shell_of(os.environ, os.getppid())
        said = completion.install(shell) if first == "install_completion" else completion.script(shell)
    sys.stdout.write(said)
    return 0


def _complete(asked: str) -> int:
    from controller.cli.completion import answer  # noqa: PLC0415 - no command needs it

    sys.stdout.write(answer(asked, os.environ))
    return 0


def glimpsed(arguments: Sequence[str]) -> GlobalOptions:
    """What can be told of the output options of a command line that failed, perhaps before it was understood."""
    from controller.cli.options import Format, GlobalOptions  # noqa: PLC0415 - help needs none

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
    names = {command.name for command in COMMANDS}
    known = next((word for word in arguments if word in names), "")
    return f"`gitune {known} --help` shows what there is." if known else "`gitune --help` shows what there is."
