"""Declared commands to the parser that reads a command line, writes the help and is asked for completions."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # what `typing` calls so; importing that takes longer than argparse does
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

_NARROWEST, _USUAL, _WIDEST = 50, 80, 100  # columns
_NAMES = 34  # columns of the options' names; behind a longer one the text begins on a line of its own


class UsageError(Exception):
    """A command line that says nothing that can be done."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Parameter:
    """An option or an argument, by what `argparse.ArgumentParser.add_argument` takes."""

    def __init__(self, *names: str, **settings: Any) -> None:  # noqa: ANN401 - as argparse types them
        self.names = names
        self.settings = settings


class Command:
    """A command: its name, the function that carries it out (``module:function``), its help and its parameters.

    The function takes the shared options and then its own by name, or as one value of the class ``takes``.
    """

    def __init__(self, name: str, does: str, help: str, *parameters: Parameter, takes: str = "") -> None:  # noqa: A002
        self.name = name
        self.does = does
        self.help = help
        self.parameters = parameters
        self.takes = takes

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return self.help.partition(". ")[0].removesuffix(".") + "."


class Parser(argparse.ArgumentParser):
    """A parser of which nothing ends the process: a wrong use raises `UsageError`."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as argparse types them
        super().__init__(formatter_class=_help_formatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(message)


class _CommandParser(Parser):
    """The parser of one command: its arguments and options stand in any order."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as in the base
        if self._mixing:  # up to Python 3.12 the mixed reading is made of two plain ones
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


class PrintCompletion(argparse.Action):
    """Print the script that teaches a shell to complete, and end."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:  # noqa: ANN401 - as in the base
        """Raises `argparse.ArgumentError` for a shell that there is no script for."""
        shell = given[1]
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - nothing else needs it

        if shell not in ("bash", "zsh", "fish", "tcsh", "powershell"):
            raise argparse.ArgumentError(self, f"there is no script for {shell!r}")
        sys.stdout.write(shellcode([parser.prog], shell=shell))
        parser.exit()


def _help_formatter(prog: str) -> argparse.HelpFormatter:
    width = max(_NARROWEST, min(_columns(), _WIDEST)) - 2
    return argparse.HelpFormatter(prog, max_help_position=_NAMES, width=width)


def _columns() -> int:
    """As `shutil.get_terminal_size` has it, whose import costs half of what the help does."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _USUAL if sys.__stdout__ else _USUAL
    except (OSError, ValueError):
        return _USUAL


def parser_of(program: Command, commands: Sequence[Command], words: Sequence[str] | None = None) -> Parser:
    """The parser of the whole program. Only commands among the ``words`` get their parameters; None: all do."""
    parser = Parser(prog=program.name, description=program.help, usage=f"{program.name} [OPTIONS] COMMAND [ARGS]...")
    _declare(parser, program)
    rooms = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, parser_class=_CommandParser
    )
    for command in commands:
        own = rooms.add_parser(
            command.name,
            help=command.summary,
            description=command.help,
            usage=" ".join([program.name, command.name, "[OPTIONS]", *map(_usage, command.parameters)]).rstrip(),
        )
        if words is None or command.name in words:
            _declare(own, command)
    return parser


def _declare(parser: argparse.ArgumentParser, command: Command) -> None:
    for parameter in command.parameters:
        parser.add_argument(*parameter.names, **parameter.settings)


def _usage(parameter: Parameter) -> str:
    if parameter.names[0].startswith("-"):
        return ""
    name = str(parameter.settings["metavar"])
    return {"?": f"[{name}]", "*": f"[{name}]..."}.get(parameter.settings.get("nargs", ""), name)


def found(place: str) -> Any:  # noqa: ANN401 - a function or a class, as its place says
    """What is at a place, ``module:name``, imported now."""
    from importlib import import_module  # noqa: PLC0415 - help needs none

    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def path(word: str) -> object:
    """A path as it was typed."""
    from pathlib import Path  # noqa: PLC0415 - help needs none

    return Path(word)


class Choice:
    """One of a few words to the member of an enumeration (``module:Class``) that has it as its value."""

    def __init__(self, words: str, enumeration: str) -> None:
        self.words = words.split("|")
        self.enumeration = enumeration

    def __call__(self, word: str) -> Any:  # noqa: ANN401 - a member
        """The member. Raises `argparse.ArgumentTypeError`."""
        if word not in self.words:
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(map(repr, self.words))}")
        return found(self.enumeration)(word)


def number(least: int, most: int | None = None, *, whole: bool) -> Callable[[str], float]:
    """What reads a number between bounds, or of at least ``least``."""
    kind = "a whole number" if whole else "a number"
    bounds = f"{least} or more" if most is None else f"{least} to {most}"

    def read(word: str) -> float:
        try:
            value = int(word) if whole else float(word)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{word!r} is not {kind}") from None
        if not least <= value <= (value if most is None else most):
            raise argparse.ArgumentTypeError(f"{word!r} is not {kind} of {bounds}")
        return value

    return read
