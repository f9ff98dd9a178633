"""What can be typed to the page that `--help` prints, for a width."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in the grammar
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from controller.cli.grammar import Command, Option, Parameter

_LEAST, _USUAL, _MOST = 50, 80, 100  # columns
_NAMES = 34  # columns of the options' names; a longer one has a line of its own


def page(command: Command, commands: Sequence[Command], of: str = "") -> str:
    """The page of a command, and of the program with its ``commands``."""
    width = max(_LEAST, min(_columns(), _MOST) - 2)
    name = f"{of} {command.name}".strip()
    words = ["[OPTIONS]", *(["COMMAND", "[ARGS]..."] if commands else [a.usage for a in command.arguments])]
    lines = [f"Usage: {' '.join([name, *words])}", "", *(f"  {line}" for line in folded(command.help, width - 2))]
    arguments = [(one.metavar, _shown(one)) for one in command.arguments]
    options = [(_names(one), _shown(one)) for one in command.options if one.help]
    named = [(one.name, summary(one)) for one in commands]
    for title, rows, column in (
        ("Arguments", arguments, _widest(arguments)),
        ("Options", options, _NAMES),
        ("Commands", named, _widest(named)),
    ):
        if rows:
            lines += ["", f"{title}:", *_table(rows, column, width)]
    return "".join(f"{line}\n" for line in lines)


def summary(command: Command) -> str:
    """The first sentence of what a command says of itself."""
    return command.help.partition(". ")[0].removesuffix(".") + "."


def folded(text: str, width: int) -> list[str]:
    """The lines of a text, none wider than the width unless a word is."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _names(option: Option) -> str:
    names = ", ".join(sorted(option.names, key=len))
    return f"{names} {option.metavar}".rstrip()


def _shown(one: Parameter) -> str:
    default = "" if one.default is None or one.default is False else f"default: {one.default}"
    more = "; ".join(part for part in (default, one.kind.bounds) if part)
    return f"{one.help} [{more}]" if more else one.help


def _widest(rows: Iterable[tuple[str, str]]) -> int:
    return max((len(name) for name, _ in rows), default=0) + 4


def _table(rows: Iterable[tuple[str, str]], column: int, width: int) -> Iterator[str]:
    for name, text in rows:
        first, *more = folded(text, width - column)
        if len(name) + 4 > column:
            yield f"  {name}"
            yield f"{'':{column}}{first}"
        else:
            yield f"{f'  {name}':{column}}{first}"
        yield from (f"{'':{column}}{line}" for line in more)


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or _USUAL if sys.__stdout__ else _USUAL
    except (OSError, ValueError):
        return _USUAL
