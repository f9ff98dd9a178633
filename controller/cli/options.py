"""The options that every command takes, before its name or after it, to one value."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import typer

from controller import __version__

P = ParamSpec("P")


class Format(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class LogFormat(StrEnum):
    """How log lines on stderr are written."""

    CONSOLE = "console"
    JSON = "json"


class Rows(StrEnum):
    """Which rows of a spec a run is asked."""

    EVALUATION = "evaluation"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options that every command has say; None where they were not given."""

    root: Path | None = None
    config: Path | None = None
    output: Format | None = None
    log_format: LogFormat | None = None
    no_color: bool | None = None
    verbose: bool | None = None
    debug: bool | None = None

    @property
    def folder(self) -> Path:
        """The repository: ``--root``, else the working directory."""
        return self.root or Path.cwd()

    @property
    def format(self) -> Format:
        """``--output``, else text."""
        return self.output or Format.TEXT

    @property
    def colorless(self) -> bool:
        """Whether ``--no-color`` or a NO_COLOR that is not empty (https://no-color.org) asks for plain text."""
        return bool(self.no_color) or bool(os.environ.get("NO_COLOR"))

    def over(self, earlier: Asked) -> Asked:
        """These options where they were given, else the earlier ones."""
        said = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(earlier, **said)


Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="The repository. [default: here]")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Another gitune.yaml.")]
Output = Annotated[
    Format | None,
    typer.Option("--output", "-o", metavar="text|json|markdown", help="How results are written. [default: text]"),
]
LogForm = Annotated[
    LogFormat | None,
    typer.Option("--log-format", metavar="console|json", help="How the log on stderr is written. [default: console]"),
]
NoColor = Annotated[bool | None, typer.Option("--no-color", help="No colours, as with NO_COLOR.", show_default=False)]
Verbose = Annotated[bool | None, typer.Option("--verbose", "-v", help="Log what happens.", show_default=False)]
Debug = Annotated[bool | None, typer.Option("--debug", help="Log more; show tracebacks.", show_default=False)]

SHARED: Mapping[str, object] = {
    "root": Root,
    "config": Config,
    "output": Output,
    "log_format": LogForm,
    "no_color": NoColor,
    "verbose": Verbose,
    "debug": Debug,
}


def shared(command: Callable[Concatenate[Asked, P], int]) -> Callable[..., int]:
    """The command with the shared options added to its own; it is handed what they say as its first argument."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @functools.wraps(command)
    def with_options(ctx: typer.Context, **given: object) -> int:
        said = _said({name: given.pop(name) for name in SHARED})
        return command(said.over(ctx.obj or Asked()), **given)  # type: ignore[call-arg, arg-type] # typer converted them

    return _as_typer_reads_it(with_options, own)


def remembered(ctx: typer.Context, *, version: bool, **given: object) -> int:  # noqa: ARG001 - answered when it is read
    """Keep the shared options that stand before the name of the command, for the command to find."""
    ctx.obj = _said(given)
    return 0


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it with what was typed
    if asked:
        typer.echo(f"gitune {__version__}")
        raise typer.Exit


def _said(given: Mapping[str, object]) -> Asked:
    return Asked(**given)  # type: ignore[arg-type] # typer converted each to the type of its annotation


def _as_typer_reads_it(function: Callable[..., int], own: list[inspect.Parameter]) -> Callable[..., int]:
    """Typer reads a signature and annotations: give it the command's own parameters, then the shared ones."""
    kind = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    extra = [inspect.Parameter(name, kind, default=None, annotation=note) for name, note in SHARED.items()]
    parameters = [context, *(p.replace(kind=kind) for p in own), *extra]
    function.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined] # inspect reads it
    function.__annotations__ = {p.name: p.annotation for p in parameters}
    return function


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True, show_default=False),
]
_as_typer_reads_it(
    remembered, [inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Version)]
)
