"""What can be typed: every command with its arguments, each handed on to the module that does it.

Those modules are imported when their command runs: `--help` and completion must answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.options import ApplyOptions, GlobalOptions, PlanOptions, Rows, RunOptions, command, remembered
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


@app.command("init")
@command
def init(
    asked: GlobalOptions,
    *,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", metavar="OWNER/NAME@COMMIT", help="Write the workflows too, with the Action from there."
        ),
    ] = None,
) -> int:
    """Write gitune.yaml, an example spec and its dataset. Nothing that exists is overwritten."""
    from controller.cli.init import init as run

    return run(asked, action)


@app.command("validate")
@command
def validate(
    asked: GlobalOptions,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Spec files or folders. [default: all]", show_default=False),
    ] = None,
) -> int:
    """Check specs, datasets and references, offline. Reads the working tree; exits 1 on errors."""
    from controller.cli.validate import validate as run

    return run(asked, tuple(paths or ()))


@app.command("plan")
@command
def plan(asked: GlobalOptions, options: PlanOptions) -> int:
    """Show what apply would do. Reads the working tree, the ledger and the providers."""
    from controller.cli.plan import plan as run

    return run(asked, options)


@app.command("apply")
@command
def apply(asked: GlobalOptions, options: ApplyOptions) -> int:
    """Bring the providers to what is committed, in one pass. Exits 3 where something waits on a person."""
    from controller.cli.apply import apply as run

    return run(asked, options)


@app.command("status")
@command
def status(
    asked: GlobalOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One model, with its loss curve.", show_default=False)
    ] = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not fetch the ledger from its remote.", show_default=False)
    ] = False,
) -> int:
    """Show the ledger: conditions, runs and loss curves."""
    from controller.cli.status import status as run

    return run(asked, name, offline=offline)


@app.command("serve")
@command
def serve(
    asked: GlobalOptions,
    *,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 is any free one.")] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="The folder of the store. [default: in GITUNE_HOME]")
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option("--api-key-file", metavar="FILE", help="Accepted keys, one a line.")
    ] = None,
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


@app.command("run")
@command
def run(asked: GlobalOptions, options: RunOptions) -> int:
    """Keep a repository and its models in agreement. Goes on until SIGTERM or SIGINT."""
    from controller.cli.run import run as follow

    return follow(asked, options)


@app.command("evaluate")
@command
def evaluate(
    asked: GlobalOptions,
    name: Name,
    rows: Annotated[
        Rows,
        typer.Option("--rows", metavar="evaluation|training", help="The rows to ask; only evaluation is recorded."),
    ] = Rows.EVALUATION,
) -> int:
    """Score the newest finished run. It is asked its evaluation rows, and the score is recorded."""
    from controller.cli.model_commands import evaluate as run

    return run(asked, name, rows)


@app.command("promote")
@command
def promote(asked: GlobalOptions, name: Name) -> int:
    """Let the finished run serve that the spec asks for. Its score does not matter."""
    from controller.cli.model_commands import promote as run

    return run(asked, name)


@app.command("resolve")
@command
def resolve(asked: GlobalOptions, name: Name) -> int:
    """Print what callers use. That is the remote model that serves, and the prefix to send before each input."""
    from controller.cli.model_commands import resolve as run

    return run(asked, name)


@app.command("cancel")
@command
def cancel(asked: GlobalOptions, name: Name) -> int:
    """Stop the pending run. It is not run again until its inputs change or spec.attempt rises."""
    from controller.cli.model_commands import cancel as run

    return run(asked, name)


@app.command("approve-delete")
@command
def approve_delete(asked: GlobalOptions, name: Name) -> int:
    """End the grace period of a deletion. The next pass deletes the models of the removed spec for good."""
    from controller.cli.model_commands import approve_delete as run

    return run(asked, name)


@app.command("adopt")
@command
def adopt(
    asked: GlobalOptions,
    name: Name,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its full name: tunedModels/…", show_default=False)],
) -> int:
    """Take over a finished remote model. Our mark is written to it, and it serves under the spec's name."""
    from controller.cli.model_commands import adopt as run

    return run(asked, name, model)


@app.command("forget")
@command
def forget(
    asked: GlobalOptions,
    name: Name,
    *,
    intent: Annotated[
        bool,
        typer.Option("--intent", help="Only the open intent: its create is known to have made nothing."),
    ] = False,
) -> int:
    """Drop a model whose spec is gone. The remote models stay."""
    from controller.cli.model_commands import forget as run

    return run(asked, name, intent=intent)


@app.command("generate")
@command
def generate(
    asked: GlobalOptions,
    name: Name,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The input; `-` reads it from stdin.", show_default=False)
    ],
    *,
    system: Annotated[str | None, typer.Option("--system", hidden=True)] = None,
    json_mode: Annotated[bool, typer.Option("--json-mode", hidden=True)] = False,
) -> int:
    """Ask the model that serves. Its prefix is put before the prompt."""
    from controller.cli.model_commands import generate as run
    from controller.cli.model_commands import refuse_what_is_not_text

    refuse_what_is_not_text(system, json_mode=json_mode)
    return run(asked, name, prompt)


@app.command("doctor")
@command
def doctor(asked: GlobalOptions) -> int:
    """Check git, the ledger and the providers. Each failure comes with its fix."""
    from controller.cli.doctor import doctor as run

    return run(asked)


@app.command("action")
@command
def action(asked: GlobalOptions) -> int:
    """Do what a GitHub workflow's event asks for. This is what action.yml calls; `--config` is a path in the commit."""
    from controller.cli.github_action.command import action as run

    return run(asked)
