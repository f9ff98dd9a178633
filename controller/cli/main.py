"""Arguments to an exit code: the one place where errors become words."""

from __future__ import annotations

import os
from collections.abc import Sequence

from controller.cli.app import COMMANDS, PROGRAM, SHARED
from controller.cli.grammar import UsageError, found, parser_of

TYPE_CHECKING = False  # what `typing` calls so; importing that takes as long as the rest of the help
if TYPE_CHECKING:
    from controller.cli.options import GlobalOptions


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Nothing is raised: every way out is an exit code."""
    given = list(arguments) or ["--help"]
    try:
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what a line may go on with
            import argcomplete  # noqa: PLC0415 - no command needs it

            argcomplete.autocomplete(parser_of(PROGRAM, COMMANDS))
        return _run(given)
    except SystemExit as end:  # help or the version was printed
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: what nobody foresaw is one line too
        from controller.cli.exit_codes import explained  # noqa: PLC0415 - where all goes well nobody needs it

        return explained(error, glimpsed(given), _hint(given))


def _run(words: list[str]) -> int:
    given, unknown = parser_of(PROGRAM, COMMANDS, words).parse_known_args(words)
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}")
    values = vars(given)
    name = values.pop("command")
    command = next(command for command in COMMANDS if command.name == name)

    from controller.cli.options import GlobalOptions  # noqa: PLC0415 - help needs none

    shared = {parameter.names[-1].removeprefix("--").replace("-", "_") for parameter in SHARED}
    asked = GlobalOptions(**{key: value for key, value in values.items() if key in shared})
    own = {key: value for key, value in values.items() if key not in shared}
    function = found(command.does)
    return int(function(asked, found(command.takes)(**own)) if command.takes else function(asked, **own))


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


def _hint(arguments: Sequence[str]) -> str:
    """Where a wrong line is explained, and what may have been meant."""
    import difflib  # noqa: PLC0415 - nothing is misspelt where all goes well

    command = next((command for command in COMMANDS if command.name in arguments), None)
    options = [name for parameter in (command or PROGRAM).parameters for name in parameter.names if name[:2] == "--"]
    known = options if command else [*options, *(command.name for command in COMMANDS)]
    close = (difflib.get_close_matches(word, known, 1) for word in arguments if word not in known)
    meant = next((f"Did you mean {match[0]}? " for match in close if match), "")
    return f"{meant}`{f'gitune {command.name}' if command else 'gitune'} --help` shows what there is."
