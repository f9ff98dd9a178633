"""What can be typed: every command with its arguments, each handed on to the module that does it.

Those modules are imported when their command runs: `--help` and completion must answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli import run_options
from controller.cli.options import Asked, Rows, remembered, shared
from controller.daemon.choices import LeaseKind, NoticeFilter, NoticeFormat

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
@shared
def init(
    asked: Asked,
    *,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", metavar="OWNER/NAME@COMMIT", help="Write the workflows too, with the Action from there."
        ),
    ] = None,
) -> int:
    """Write gitune.yaml, an example spec and its dataset. Nothing that exists is overwritten."""
    from controller.cli.starting import init as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, action)


@app.command("validate")
@shared
def validate(
    asked: Asked,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Spec files or folders. [default: all]", show_default=False),
    ] = None,
) -> int:
    """Check specs, datasets and references, offline. Reads the working tree; exits 1 on errors."""
    from controller.cli.validating import validate as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, tuple(paths or ()))


@app.command("plan")
@shared
def plan(
    asked: Asked,
    *,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 where there are changes.", show_default=False)
    ] = False,
    base: Annotated[
        str | None, typer.Option("--base", metavar="REV", help="Show only what differs from the plan of REV.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no provider: plan from the ledger.", show_default=False)
    ] = False,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="NAME", help="Show why NAME gets what it gets, rule by rule.")
    ] = None,
) -> int:
    """Show what apply would do. Reads the working tree, the ledger and the providers."""
    from controller.cli.planning import Question  # noqa: PLC0415 - see the module's docstring
    from controller.cli.planning import plan as run  # noqa: PLC0415 - as above

    return run(asked, Question(detailed=detailed, base=base, offline=offline, explain=explain))


@app.command("apply")
@shared
def apply(
    asked: Asked,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the runs until they end.", show_default=False)] = False,
    digest: Annotated[
        str | None, typer.Option("--plan-digest", metavar="D", help="Apply only the plan with this digest.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="WORD", help="Pass a guard, as in delete:NAME; may be given again."),
    ] = None,
    worktree: Annotated[
        bool,
        typer.Option("--worktree", help="Apply uncommitted files, on providers that cost nothing.", show_default=False),
    ] = False,
) -> int:
    """Bring the providers to what is committed, in one pass. Exits 3 where something waits on a person."""
    from controller.cli.applying import apply as run  # noqa: PLC0415 - see the module's docstring
    from controller.cli.order import Order  # noqa: PLC0415 - as above

    return run(asked, Order(wait=wait, digest=digest, allow=frozenset(allow or ()), worktree=worktree))


@app.command("status")
@shared
def status(
    asked: Asked,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One model, with its loss curve.", show_default=False)
    ] = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not fetch the ledger from its remote.", show_default=False)
    ] = False,
) -> int:
    """Show the ledger: conditions, runs and loss curves."""
    from controller.cli.showing import status as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name, offline=offline)


@app.command("serve")
@shared
def serve(
    asked: Asked,
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
    from controller.cli.serving import serve as run  # noqa: PLC0415 - see the module's docstring
    from controller.server.serve import ServeOptions  # noqa: PLC0415 - as above
    from controller.settings import home  # noqa: PLC0415 - as above

    store = data or home() / "serve"
    options = ServeOptions(data=store, host=host, port=port, api_key_file=api_key_file, idle_exit=idle_exit)
    return run(asked, options)


@app.command("run")
@shared
def run(
    asked: Asked,
    *,
    worktree: run_options.Worktree = False,
    repo: run_options.Repo = None,
    branch: run_options.Branch = None,
    repositories: run_options.Repositories = None,
    interval: run_options.Interval = 60.0,
    lease: run_options.Lease = LeaseKind.LEDGER,
    lease_name: run_options.LeaseName = None,
    listen: run_options.Listen = None,
    webhook_secret_file: run_options.WebhookSecretFile = None,
    notify_url_file: run_options.NotifyUrlFile = None,
    notify_format: run_options.NotifyFormat = NoticeFormat.JSON,
    notify_on: run_options.NotifyOn = NoticeFilter.ALL,
) -> int:
    """Keep a repository and its models in agreement. Goes on until SIGTERM or SIGINT."""
    from controller.cli.running import Daemon  # noqa: PLC0415 - see the module's docstring
    from controller.cli.running import run as follow  # noqa: PLC0415 - as above

    wish = Daemon(
        worktree=worktree,
        repo=repo,
        branch=branch,
        repositories=repositories,
        interval=interval,
        lease=lease,
        lease_name=lease_name,
        listen=listen,
        webhook_secret_file=webhook_secret_file,
        notify_url_file=notify_url_file,
        notify_format=notify_format,
        notify_on=notify_on,
    )
    return follow(asked, wish)


@app.command("evaluate")
@shared
def evaluate(
    asked: Asked,
    name: Name,
    rows: Annotated[
        Rows,
        typer.Option("--rows", metavar="evaluation|training", help="The rows to ask; only evaluation is recorded."),
    ] = Rows.EVALUATION,
) -> int:
    """Score the newest finished run. It is asked its evaluation rows, and the score is recorded."""
    from controller.cli.acting import evaluate as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name, rows)


@app.command("promote")
@shared
def promote(asked: Asked, name: Name) -> int:
    """Let the finished run serve that the spec asks for. Its score does not matter."""
    from controller.cli.acting import promote as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name)


@app.command("resolve")
@shared
def resolve(asked: Asked, name: Name) -> int:
    """Print what callers use. That is the remote model that serves, and the prefix to send before each input."""
    from controller.cli.acting import resolve as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name)


@app.command("cancel")
@shared
def cancel(asked: Asked, name: Name) -> int:
    """Stop the pending run. It is not run again until its inputs change or spec.attempt rises."""
    from controller.cli.acting import cancel as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name)


@app.command("approve-delete")
@shared
def approve_delete(asked: Asked, name: Name) -> int:
    """End the grace period of a deletion. The next pass deletes the models of the removed spec for good."""
    from controller.cli.acting import approve_delete as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name)


@app.command("adopt")
@shared
def adopt(
    asked: Asked,
    name: Name,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its full name: tunedModels/…", show_default=False)],
) -> int:
    """Take over a finished remote model. Our mark is written to it, and it serves under the spec's name."""
    from controller.cli.acting import adopt as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name, model)


@app.command("forget")
@shared
def forget(
    asked: Asked,
    name: Name,
    *,
    intent: Annotated[
        bool,
        typer.Option("--intent", help="Only the open intent: its create is known to have made nothing."),
    ] = False,
) -> int:
    """Drop a model whose spec is gone. The remote models stay."""
    from controller.cli.acting import forget as run  # noqa: PLC0415 - see the module's docstring

    return run(asked, name, intent=intent)


@app.command("generate")
@shared
def generate(
    asked: Asked,
    name: Name,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The input; `-` reads it from stdin.", show_default=False)
    ],
    *,
    system: Annotated[str | None, typer.Option("--system", hidden=True)] = None,
    json_mode: Annotated[bool, typer.Option("--json-mode", hidden=True)] = False,
) -> int:
    """Ask the model that serves. Its prefix is put before the prompt."""
    from controller.cli.acting import generate as run  # noqa: PLC0415 - see the module's docstring
    from controller.cli.acting import refuse_what_is_not_text  # noqa: PLC0415 - as above

    refuse_what_is_not_text(system, json_mode=json_mode)
    return run(asked, name, prompt)


@app.command("doctor")
@shared
def doctor(asked: Asked) -> int:
    """Check git, the ledger and the providers. Each failure comes with its fix."""
    from controller.cli.examining import doctor as run  # noqa: PLC0415 - see the module's docstring

    return run(asked)


@app.command("action")
@shared
def action(asked: Asked) -> int:
    """Do what a GitHub workflow's event asks for. This is what action.yml calls; `--config` is a path in the commit."""
    from controller.cli.github_action.command import action as run  # noqa: PLC0415 - see the module's docstring

    return run(asked)
