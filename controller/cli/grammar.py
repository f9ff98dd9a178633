"""What can be typed behind a command's name, and the words that were, to values.

The help of `gitune` and completion in a shell are read from the same declarations. Nothing is imported here that a
command may do without: `gitune --help` answers in the time that Python takes to start.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` calls so; importing that takes as long as all of the help does
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, NoReturn


class UsageError(Exception):
    """A command line that says nothing that can be done, and the name of the command as far as it was told."""

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.command = command


class Kind:
    """What a value is, and how the word for it becomes one. This one is text."""

    words: tuple[str, ...] = ()
    bounds = ""
    repeats = False  # all of its values count, not only the last

    def of(self, word: str) -> object:
        """The value of a word. Raises `ValueError` with the end of a sentence that begins with the word."""
        return word


class PathKind(Kind):
    """A file or folder."""

    def of(self, word: str) -> object:
        """A path as it was typed."""
        from pathlib import Path  # noqa: PLC0415 - help needs none

        return Path(word)


class Choice(Kind):
    """One of a few words, each the value of a member of an enumeration (``module:Class``)."""

    def __init__(self, words: str, enumeration: str) -> None:
        self.words = tuple(words.split("|"))
        self.enumeration = enumeration

    def of(self, word: str) -> object:
        """The member."""
        if word not in self.words:
            raise ValueError(f"is not one of {', '.join(map(repr, self.words))}.")
        member: object = found(self.enumeration)(word)
        return member


class Number(Kind):
    """A number between bounds, whole or not. ``greatest`` None: there is none."""

    def __init__(self, least: int, greatest: int | None, *, whole: bool) -> None:
        self.least = least
        self.greatest = greatest
        self.whole = whole
        self.bounds = f"{least} or more" if greatest is None else f"{least} to {greatest}"

    def of(self, word: str) -> object:
        """The number."""
        try:
            value = int(word) if self.whole else float(word)
        except ValueError:
            raise ValueError(f"is not a {'whole number' if self.whole else 'number'}.") from None
        if not self.least <= value <= (value if self.greatest is None else self.greatest):
            raise ValueError(f"is not {'a whole number' if self.whole else 'a number'}: it must be {self.bounds}.")
        return value


class Each(Kind):
    """Any number of values of a kind."""

    repeats = True

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def of(self, word: str) -> object:
        """One of them."""
        return self.kind.of(word)


TEXT, PATH = Kind(), PathKind()


class Parameter:
    """What has a value: what it says of itself, the name of its value, and the value where it is not given."""

    def __init__(self, metavar: str, help: str, kind: Kind, to: str, default: object) -> None:  # noqa: A002
        self.metavar = metavar
        self.help = help
        self.kind = kind
        self.to = to
        self.default = default

    @property
    def title(self) -> str:
        """How an error calls it."""
        return f"'{self.metavar}'"

    def none(self) -> object:
        """Its value where it is not given."""
        return self.kind.of(self.default) if isinstance(self.default, str) else self.default


class Option(Parameter):
    """What is given by name. Without a ``metavar`` it is given or not; without ``help`` it is not shown."""

    def __init__(
        self,
        names: str,
        metavar: str = "",
        help: str = "",  # noqa: A002 - what it is called everywhere
        *,
        kind: Kind = TEXT,
        to: str = "",
        default: object = None,
    ) -> None:
        self.names = tuple(names.split(" "))
        super().__init__(metavar, help, kind, to or self.names[0].removeprefix("--").replace("-", "_"), default)

    @property
    def title(self) -> str:
        """How an error calls it."""
        return " / ".join(f"'{name}'" for name in self.names)


class Argument(Parameter):
    """A word without a name, ``required`` or with a ``default``."""

    def __init__(
        self,
        metavar: str,
        help: str,  # noqa: A002 - as above
        *,
        kind: Kind = TEXT,
        to: str = "",
        default: str | None = None,
        required: bool = False,
    ) -> None:
        super().__init__(metavar, help, kind, to or metavar.lower(), default)
        self.required = required

    @property
    def usage(self) -> str:
        """How the first line of the help shows it."""
        return f"[{self.metavar}]..." if self.kind.repeats else self.metavar if self.required else f"[{self.metavar}]"


class Command:
    """A command: its name, what it does, what can be typed behind it, and where the function is that does it.

    The function is ``does`` (``module:function``). It takes the shared options and then its own by name, or as one
    value of the class ``takes`` (``module:Class``).
    """

    def __init__(
        self,
        name: str,
        does: str,
        help: str,  # noqa: A002 - as above
        *more: Parameter,
        takes: str = "",
    ) -> None:
        self.name = name
        self.does = does
        self.help = help
        self.takes = takes
        self.options = tuple(one for one in more if isinstance(one, Option))
        self.arguments = tuple(one for one in more if isinstance(one, Argument))
        self.parameters: tuple[Parameter, ...] = (*self.options, *self.arguments)


class Given:
    """What was typed: values by their names, what is left where a command's name follows, and what comes first.

    ``first`` is the option that was asked to answer in place of the command, such as ``--help``; "" for none.
    """

    def __init__(self, values: Mapping[str, object], rest: Sequence[str] = (), first: str = "") -> None:
        self.values = values
        self.rest = rest
        self.first = first


def parse(command: Command, words: Sequence[str], first: Sequence[str], *, to_the_name: bool = False) -> Given:
    """The values of a command line. Raises `UsageError`.

    An option of those named in ``first`` answers in place of the command, whatever else is there or missing.
    ``to_the_name``: the first word that is no option is the name of a command, and is left with all behind it.
    """
    options, texts, rest = _split(command, words, to_the_name=to_the_name)
    if asked := next((option.to for option, _ in options if option.to in first), ""):
        return Given({}, rest, asked)
    values = {option.to: option.none() for option in command.options if option.to not in first}
    for option, word in options:
        value: object = True if word is None else _value(command, option, word)
        if option.kind.repeats:
            earlier = values[option.to]
            values[option.to] = [*(earlier if isinstance(earlier, list) else ()), value]
        else:
            values[option.to] = value
    left = list(texts)
    for argument in command.arguments:
        taken, left = (left, []) if argument.kind.repeats else (left[:1], left[1:])
        if not taken and argument.required:
            _refuse(command, f"Missing argument {argument.title}.")
        read = [_value(command, argument, word) for word in taken]
        values[argument.to] = argument.none() if not read else read if argument.kind.repeats else read[0]
    if left:
        _refuse(command, f"Got unexpected extra argument(s) ({' '.join(left)})")
    return Given(values, rest)


def found(place: str) -> Any:  # noqa: ANN401 - a function or a class, as its place says
    """What is at a place, ``module:name``, imported now."""
    from importlib import import_module  # noqa: PLC0415 - help needs none

    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def close(word: str, words: Sequence[str], most: int, least: float = 0.6) -> list[str]:
    """The words that may have been meant, in their order."""
    from difflib import get_close_matches  # noqa: PLC0415 - nothing is misspelt where all goes well

    return sorted(get_close_matches(word, words, most, least))


def _split(
    command: Command, words: Sequence[str], *, to_the_name: bool
) -> tuple[list[tuple[Option, str | None]], list[str], list[str]]:
    """The options that were typed, each with the word of its value; the other words; and what a name leaves."""
    known = {name: option for option in command.options for name in option.names}
    options: list[tuple[Option, str | None]] = []
    texts: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--" or (to_the_name and not _is_option(word)):
            rest = [*([] if word == "--" else [word]), *left]
            return (options, texts, rest) if to_the_name else (options, [*texts, *rest], [])
        if word.startswith("--"):
            options.append(_long(command, known, word, left))
        elif _is_option(word):
            options.extend(_short(command, known, word, left))
        else:
            texts.append(word)
    return options, texts, []


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _long(command: Command, known: Mapping[str, Option], word: str, left: Iterator[str]) -> tuple[Option, str | None]:
    name, equals, value = word.partition("=")
    option = known.get(name)
    if option is None:
        _unknown(command, name, known)
    if not option.metavar:
        if equals:
            _refuse(command, f"Option '{name}' does not take a value.")
        return option, None
    return option, value if equals else _next(command, name, left)


def _short(
    command: Command, known: Mapping[str, Option], word: str, left: Iterator[str]
) -> Iterator[tuple[Option, str | None]]:
    """One letter each: ``-vo json``, ``-vojson``."""
    for place, letter in enumerate(word[1:], 2):
        name = f"-{letter}"
        option = known.get(name)
        if option is None:
            _unknown(command, name, {})
        if option.metavar:
            yield option, word[place:] or _next(command, name, left)
            return
        yield option, None


def _next(command: Command, name: str, left: Iterator[str]) -> str:
    value = next(left, None)
    if value is None:
        _refuse(command, f"Option '{name}' requires an argument.")
    return value


def _value(command: Command, asked: Parameter, word: str) -> object:
    try:
        return asked.kind.of(word)
    except ValueError as error:
        _refuse(command, f"Invalid value for {asked.title}: {word!r} {error}")


def _unknown(command: Command, name: str, known: Mapping[str, Option]) -> NoReturn:
    meant = close(name, [one for one in known if one.startswith("--")], 3)
    _refuse(command, f"No such option: {name}" + (f" (Possible options: {', '.join(meant)})" if meant else ""))


def _refuse(command: Command, message: str) -> NoReturn:
    raise UsageError(message, command.name)
