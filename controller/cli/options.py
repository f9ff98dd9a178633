"""What can be typed behind each command, to one value for all of its options and one for those that every command has.

It is read before every command, so nothing heavy is imported here.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from controller import __version__
from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat

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


class SchemaName(StrEnum):
    """What kind of file a schema is of."""

    TUNED_MODEL = "tunedmodel"
    CONTROLLER = "controller"
    DAEMON = "daemon"


def flag(*names: str, help: str) -> Any:  # noqa: A002, ANN401 - as typer calls it, and as it types it
    """An option that is given or not."""
    return typer.Option(*names, help=help, show_default=False)


def valued(name: str, metavar: str, help: str) -> Any:  # noqa: A002, ANN401 - as typer calls it, and as it types it
    """An option that takes a value."""
    return typer.Option(name, metavar=metavar, help=help)


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What the options that every command has say; None where they were not given."""

    root: Annotated[Path | None, valued("--root", "DIR", "The repository. [default: here]")] = None
    config: Annotated[Path | None, valued("--config", "FILE", "Another gitune.yaml.")] = None
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", metavar="text|json|markdown", help="How results are written. [default: text]"),
    ] = None
    log_format: Annotated[
        LogFormat | None, valued("--log-format", "console|json", "How the log on stderr is written. [default: console]")
    ] = None
    no_color: Annotated[bool | None, flag("--no-color", help="No colours, as with NO_COLOR.")] = None
    verbose: Annotated[bool | None, flag("--verbose", "-v", help="Log what happens.")] = None
    debug: Annotated[bool | None, flag("--debug", help="Log more; show tracebacks.")] = None

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

    def over(self, earlier: GlobalOptions) -> GlobalOptions:
        """These options where they were given, else the earlier ones."""
        said = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(earlier, **said)


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What `gitune plan` was asked."""

    detailed: Annotated[bool, flag("--detailed-exitcode", help="Exit 2 where there are changes.")] = False
    base: Annotated[str | None, valued("--base", "REV", "Show only what differs from the plan of REV.")] = None
    offline: Annotated[bool, flag("--offline", help="Ask no provider: plan from the ledger.")] = False
    explain: Annotated[str | None, valued("--explain", "NAME", "Show why NAME gets what it gets, rule by rule.")] = None


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """What `gitune apply` was asked for."""

    wait: Annotated[bool, flag("--wait", help="Follow the runs until they end.")] = False
    digest: Annotated[str | None, valued("--plan-digest", "D", "Apply only the plan with this digest.")] = None
    allow: Annotated[
        list[str] | None, valued("--allow", "WORD", "Pass a guard, as in delete:NAME; may be given again.")
    ] = None
    worktree: Annotated[bool, flag("--worktree", help="Apply uncommitted files, on providers that cost nothing.")] = (
        False
    )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `gitune run` was asked for."""

    worktree: Annotated[bool, flag("--worktree", help="Follow uncommitted files, for providers that cost nothing.")] = (
        False
    )
    repo: Annotated[str | None, valued("--repo", "URL", "Follow a branch behind an address, not --root.")] = None
    branch: Annotated[str | None, valued("--branch", "B", "The branch of --repo. [default: main]")] = None
    repositories: Annotated[
        Path | None, valued("--repositories", "FILE", "Follow the repositories that a file lists.")
    ] = None
    interval: Annotated[
        float, typer.Option("--interval", metavar="S", min=1, max=86400, help="Seconds between two checks when idle.")
    ] = 60.0
    lease: Annotated[
        LeaseKind, valued("--lease", "ledger|kubernetes|none", "Where several daemons agree on which one works.")
    ] = LeaseKind.LEDGER
    lease_name: Annotated[str | None, valued("--lease-name", "NAME", "The Lease in the cluster. [default: gitune]")] = (
        None
    )
    listen: Annotated[str | None, valued("--listen", "HOST:PORT", "Serve the status page, health and metrics.")] = None
    webhook_secret_file: Annotated[
        Path | None, valued("--webhook-secret-file", "F", "Take GitHub webhooks signed with this.")
    ] = None
    notify_url_file: Annotated[
        Path | None, valued("--notify-url-file", "F", "Send notices to the address in this file.")
    ] = None
    notify_format: Annotated[NoticeFormat, valued("--notify-format", "json|slack", "How notices are written.")] = (
        NoticeFormat.JSON
    )
    notify_on: Annotated[NoticeFilter, valued("--notify-on", "all|problems", "Which notices are sent.")] = (
        NoticeFilter.ALL
    )


def command(function: Callable[Concatenate[GlobalOptions, P], int]) -> Callable[..., int]:
    """The function as typer reads it: a parameter that is a dataclass is typed as one option for each of its fields.

    Its first parameter are the options that every command has; they come last, and those before the name count too.
    """
    shared, *own = inspect.signature(function, eval_str=True).parameters.values()
    groups = {p.name: p.annotation for p in own if is_dataclass(p.annotation)}
    typed = [one for p in own for one in (_options(p.annotation) if p.name in groups else [p])]

    @functools.wraps(function)
    def with_options(ctx: typer.Context, **given: Any) -> int:  # noqa: ANN401 - typer converted them
        def taken(kind: Any) -> Any:  # noqa: ANN401 - a dataclass, and a value of it
            return kind(**{f.name: given.pop(f.name) for f in fields(kind)})

        said = taken(shared.annotation).over(ctx.obj or GlobalOptions())
        grouped = {name: taken(kind) for name, kind in groups.items()}
        return function(said, **grouped, **given)  # type: ignore[call-arg] # the parameters that it has

    return _as_typer_reads_it(with_options, [*typed, *_options(GlobalOptions)])


def remembered(ctx: typer.Context, *, version: bool, **given: Any) -> int:  # noqa: ANN401, ARG001 - answered when it is read
    """Keep the shared options that stand before the name of the command, for the command to find."""
    ctx.obj = GlobalOptions(**given)
    return 0


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it with what was typed
    if asked:
        typer.echo(f"gitune {__version__}")
        raise typer.Exit


def _options(kind: Any) -> list[inspect.Parameter]:  # noqa: ANN401 - a dataclass of options
    notes: Mapping[str, object] = get_type_hints(kind, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(f.name, keyword, default=f.default, annotation=notes[f.name]) for f in fields(kind)]


def _as_typer_reads_it(function: Callable[..., int], parameters: list[inspect.Parameter]) -> Callable[..., int]:
    """Typer reads a signature and annotations: give it these, behind the context."""
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    read = [context, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters)]
    function.__signature__ = inspect.Signature(read, return_annotation=int)  # type: ignore[attr-defined] # inspect reads it
    function.__annotations__ = {p.name: p.annotation for p in read}
    return function


Version = Annotated[
    bool,
    typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True, show_default=False),
]
_version = inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Version)
_as_typer_reads_it(remembered, [_version, *_options(GlobalOptions)])
