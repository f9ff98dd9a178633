"""What can be typed: every command with its arguments and its help, and the module that carries it out."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import (
    ApplyOptions,
    GlobalOptions,
    PlanOptions,
    Rows,
    RunOptions,
    SchemaName,
    command,
    flag,
    remembered,
    valued,
)
from controller.errors import ControllerError

app = typer.Typer(
    name="gitune",
    help="Tuned language models, declared in git and kept in agreement with a provider.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The metadata.name of a spec.", show_default=False)]


app.callback()(remembered)


def declared(module: str) -> Callable[[Callable[..., None]], None]:
    """A command by the name, parameters and docstring of a function; its namesake in the module carries it out.

    The module is imported when the command runs: `--help` and completion must answer at once.
    """

    def declare(function: Callable[..., None]) -> None:
        @functools.wraps(function)
        def carry_out(*given: object, **named: object) -> int:
            return int(getattr(importlib.import_module(module), function.__name__)(*given, **named))

        app.command(function.__name__.replace("_", "-"))(command(carry_out))

    return declare


@declared("controller.cli.init")
def init(
    asked: GlobalOptions,
    *,
    action: Annotated[
        str | None, valued("--action", "OWNER/NAME@COMMIT", "Write the workflows too, with the Action from there.")
    ] = None,
) -> None:
    """Write gitune.yaml, an example spec and its dataset. Nothing that exists is overwritten."""


@declared("controller.cli.schema")
def schema(
    asked: GlobalOptions,
    name: Annotated[SchemaName, typer.Argument(help="The kind of file.")] = SchemaName.TUNED_MODEL,
    *,
    refresh: Annotated[bool, flag("--refresh", help="Write the repository's copies in .gitune-schemas anew.")] = False,
) -> None:
    """Print the schema that editors check a file by. With `--refresh` the repository's copies are written anew."""


@declared("controller.cli.validate")
def validate(
    asked: GlobalOptions,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Spec files or folders. [default: all]", show_default=False),
    ] = None,
) -> None:
    """Check specs, datasets and references, offline. Reads the working tree; exits 1 on errors."""


@declared("controller.cli.plan")
def plan(asked: GlobalOptions, options: PlanOptions) -> None:
    """Show what apply would do. Reads the working tree, the ledger and the providers."""


@declared("controller.cli.apply")
def apply(asked: GlobalOptions, options: ApplyOptions) -> None:
    """Bring the providers to what is committed, in one pass. Exits 3 where something waits on a person."""


@declared("controller.cli.status")
def status(
    asked: GlobalOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One model, with its loss curve.", show_default=False)
    ] = None,
    *,
    offline: Annotated[bool, flag("--offline", help="Ask no provider, fetch no ledger from its remote.")] = False,
) -> None:
    """Show every model: conditions, runs and loss curves."""


@app.command("serve")
@command
def serve(
    asked: GlobalOptions,
    *,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 is any free one.")] = 0,
    data: Annotated[Path | None, valued("--data", "DIR", "The folder of the store. [default: in GITUNE_HOME]")] = None,
    api_key_file: Annotated[Path | None, valued("--api-key-file", "FILE", "Accepted keys, one a line.")] = None,
    idle_exit: Annotated[
        float | None, typer.Option("--idle-exit", metavar="SECONDS", min=0, help="End after this long without work.")
    ] = None,
) -> int:
    """Run the embedded tuning API. Its URL is printed as one JSON line when it answers."""
    from controller.cli.output import configure
    from controller.server.serve import CannotServe, ServeOptions
    from controller.server.serve import serve as run
    from controller.settings import home

    configure(asked)
    store = data or home() / "serve"
    try:
        run(ServeOptions(data=store, host=host, port=port, api_key_file=api_key_file, idle_exit=idle_exit))
    except CannotServe as fault:
        raise ControllerError(fault.message, hint=fault.hint) from fault
    return 0


@declared("controller.cli.run")
def run(asked: GlobalOptions, options: RunOptions) -> None:
    """Keep a repository and its models in agreement. Goes on until SIGTERM or SIGINT."""


@declared("controller.cli.model_commands")
def evaluate(
    asked: GlobalOptions,
    name: Name,
    rows: Annotated[
        Rows, valued("--rows", "evaluation|training", "The rows to ask; only evaluation is recorded.")
    ] = Rows.EVALUATION,
) -> None:
    """Score the newest finished run. It answers the evaluation rows, and the score is recorded."""


@declared("controller.cli.model_commands")
def promote(asked: GlobalOptions, name: Name) -> None:
    """Make the finished run of a spec the active one. Its score does not matter."""


@declared("controller.cli.model_commands")
def resolve(asked: GlobalOptions, name: Name) -> None:
    """Print what callers use. That is the remote model that serves, and the prefix to send before each input."""


@declared("controller.cli.model_commands")
def cancel(asked: GlobalOptions, name: Name) -> None:
    """Stop the pending run. It is not run again until its inputs change or spec.attempt rises."""


@declared("controller.cli.model_commands")
def approve_delete(asked: GlobalOptions, name: Name) -> None:
    """End the grace period of a deletion. The next pass deletes the models of the removed spec for good."""


@declared("controller.cli.model_commands")
def adopt(
    asked: GlobalOptions,
    name: Name,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its full name: tunedModels/…", show_default=False)],
) -> None:
    """Take over a finished remote model. Gitune's owner mark is written to it, and it serves under the spec's name."""


@declared("controller.cli.model_commands")
def forget(
    asked: GlobalOptions,
    name: Name,
    *,
    intent: Annotated[
        bool, typer.Option("--intent", help="Only the open intent: its create is known to have made nothing.")
    ] = False,
) -> None:
    """Drop a model whose spec is gone. The remote models stay."""


@declared("controller.cli.model_commands")
def generate(
    asked: GlobalOptions,
    name: Name,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The input; `-` reads it from stdin.", show_default=False)
    ],
    *,
    system: Annotated[str | None, typer.Option("--system", hidden=True)] = None,
    json_mode: Annotated[bool, typer.Option("--json-mode", hidden=True)] = False,
) -> None:
    """Ask the model that serves. Its prefix is put before the prompt."""


@declared("controller.cli.doctor")
def doctor(asked: GlobalOptions) -> None:
    """Check git, the ledger and the providers. Each failure comes with its fix."""


@declared("controller.cli.trust")
def trust(
    asked: GlobalOptions,
    endpoint: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", help="Such as https://host. [default: show]", show_default=False),
    ] = None,
    *,
    remove: Annotated[bool, flag("--remove", help="Take the address back.")] = False,
) -> None:
    """Show or change where your keys may be sent. Kept on this machine, for this repository alone."""


@declared("controller.cli.github_action.command")
def action(asked: GlobalOptions) -> None:
    """Do what a GitHub workflow's event asks for. This is what action.yml calls; `--config` is a path in the commit."""
