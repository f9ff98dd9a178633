"""What can be typed: every command with its arguments and its help, and the function that carries it out."""

from __future__ import annotations

from controller.cli.grammar import PATH, TEXT, Argument, Choice, Command, Each, Number, Option, Parameter

_FORMAT = Choice("text|json|markdown", "controller.cli.options:Format")
_LOG_FORMAT = Choice("console|json", "controller.cli.options:LogFormat")
_LEASE = Choice("ledger|kubernetes|none", "controller.daemon.choices:LeaseKind")
_NOTICE_FORMAT = Choice("json|slack", "controller.daemon.choices:NoticeFormat")
_NOTICE_FILTER = Choice("all|problems", "controller.daemon.choices:NoticeFilter")
_ROWS = Choice("evaluation|training", "controller.cli.options:Rows")
_SCHEMA = Choice("tunedmodel|controller|daemon", "controller.cli.options:SchemaName")

FIRST = ("help", "version", "install_completion", "show_completion")  # what is answered in place of a command
_HELP = Option("--help -h", help="Show this message and exit.")

# Every command has these; before its name they count too. `controller.cli.options.GlobalOptions` is their value.
SHARED = (
    Option("--root", "DIR", "The repository. [default: here]", kind=PATH),
    Option("--config", "FILE", "Another gitune.yaml.", kind=PATH),
    Option("--output -o", "text|json|markdown", "How results are written. [default: text]", kind=_FORMAT),
    Option("--log-format", "console|json", "How the log on stderr is written. [default: console]", kind=_LOG_FORMAT),
    Option("--no-color", help="No colours, as with NO_COLOR."),
    Option("--verbose -v", help="Log what happens."),
    Option("--debug", help="Log more; show tracebacks."),
)
_NAME = Argument("NAME", "The metadata.name of a spec.", required=True)


def _command(name: str, does: str, help: str, *more: Parameter, takes: str = "") -> Command:  # noqa: A002
    return Command(name, f"controller.cli.{does}", help, *more, *SHARED, _HELP, takes=takes)


PROGRAM = Command(
    "gitune",
    "",
    "Tuned language models, declared in git and kept in agreement with a provider.",
    Option("--version", help="Print the version."),
    *SHARED,
    Option("--install-completion", help="Install completion for the current shell."),
    Option("--show-completion", help="Print the script of it, for you to install."),
    _HELP,
)

COMMANDS = (
    _command(
        "init",
        "init:init",
        "Write gitune.yaml, an example spec and its dataset. Nothing that exists is overwritten.",
        Option("--action", "OWNER/NAME@COMMIT", "Write the workflows too, with the Action from there."),
    ),
    _command(
        "schema",
        "schema:schema",
        "Print the schema that editors check a file by. With `--refresh` the repository's copies are written anew.",
        Argument("tunedmodel|controller|daemon", "The kind of file.", kind=_SCHEMA, to="name", default="tunedmodel"),
        Option("--refresh", help="Write the repository's copies in .gitune-schemas anew.", default=False),
    ),
    _command(
        "validate",
        "validate:validate",
        "Check specs, datasets and references, offline. Reads the working tree; exits 1 on errors.",
        Argument("PATH", "Spec files or folders. [default: all]", kind=Each(PATH), to="paths"),
    ),
    _command(
        "plan",
        "plan:plan",
        "Show what apply would do. Reads the working tree, the ledger and the providers.",
        Option("--detailed-exitcode", help="Exit 2 where there are changes.", to="detailed", default=False),
        Option("--base", "REV", "Show only what differs from the plan of REV."),
        Option("--offline", help="Ask no provider: plan from the ledger.", default=False),
        Option("--explain", "NAME", "Show why NAME gets what it gets, rule by rule."),
        takes="controller.cli.plan:PlanOptions",
    ),
    _command(
        "apply",
        "apply:apply",
        "Bring the providers to what is committed, in one pass. Exits 3 where something waits on a person.",
        Option("--wait", help="Follow the runs until they end.", default=False),
        Option("--plan-digest", "D", "Apply only the plan with this digest.", to="digest"),
        Option("--allow", "WORD", "Pass a guard, as in delete:NAME; may be given again.", kind=Each(TEXT)),
        Option("--worktree", help="Apply uncommitted files, on providers that cost nothing.", default=False),
        takes="controller.cli.apply:ApplyOptions",
    ),
    _command(
        "status",
        "status:status",
        "Show every model: conditions, runs and loss curves.",
        Argument("NAME", "One model, with its loss curve."),
        Option("--offline", help="Ask no provider, fetch no ledger from its remote.", default=False),
    ),
    _command(
        "serve",
        "serve:serve",
        "Run the embedded tuning API. Its URL is printed as one JSON line when it answers.",
        Option("--host", "ADDRESS", "The address to listen on.", default="127.0.0.1"),
        Option("--port", "N", "The port; 0 is any free one.", kind=Number(0, 65535, whole=True), default="0"),
        Option("--data", "DIR", "The folder of the store. [default: in GITUNE_HOME]", kind=PATH),
        Option("--api-key-file", "FILE", "Accepted keys, one a line.", kind=PATH),
        Option("--idle-exit", "SECONDS", "End after this long without work.", kind=Number(0, None, whole=False)),
    ),
    _command(
        "run",
        "run:run",
        "Keep a repository and its models in agreement. Goes on until SIGTERM or SIGINT.",
        Option("--worktree", help="Follow uncommitted files, for providers that cost nothing.", default=False),
        Option("--repo", "URL", "Follow a branch behind an address, not --root."),
        Option("--branch", "B", "The branch of --repo. [default: main]"),
        Option("--repositories", "FILE", "Follow the repositories that a file lists.", kind=PATH),
        Option(
            "--interval",
            "S",
            "Seconds between two checks when idle.",
            kind=Number(1, 86400, whole=False),
            default="60",
        ),
        Option(
            "--lease",
            "ledger|kubernetes|none",
            "Where several daemons agree on which one works.",
            kind=_LEASE,
            default="ledger",
        ),
        Option("--lease-name", "NAME", "The Lease in the cluster. [default: gitune]"),
        Option("--listen", "HOST:PORT", "Serve the status page, health and metrics."),
        Option("--webhook-secret-file", "F", "Take GitHub webhooks signed with this.", kind=PATH),
        Option("--notify-url-file", "F", "Send notices to the address in this file.", kind=PATH),
        Option("--notify-format", "json|slack", "How notices are written.", kind=_NOTICE_FORMAT, default="json"),
        Option("--notify-on", "all|problems", "Which notices are sent.", kind=_NOTICE_FILTER, default="all"),
        takes="controller.cli.run:RunOptions",
    ),
    _command(
        "evaluate",
        "model_commands:evaluate",
        "Score the newest finished run. It answers the evaluation rows, and the score is recorded.",
        _NAME,
        Option(
            "--rows",
            "evaluation|training",
            "The rows to ask; only evaluation is recorded.",
            kind=_ROWS,
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
        Argument("MODEL", "Its full name: tunedModels/…", required=True),
    ),
    _command(
        "forget",
        "model_commands:forget",
        "Drop a model whose spec is gone. The remote models stay.",
        _NAME,
        Option("--intent", help="Only the open intent: its create is known to have made nothing.", default=False),
    ),
    _command(
        "generate",
        "model_commands:generate",
        "Ask the model that serves. Its prefix is put before the prompt.",
        _NAME,
        Argument("PROMPT", "The input; `-` reads it from stdin.", required=True),
        Option("--system", "TEXT"),
        Option("--json-mode", default=False),
    ),
    _command("doctor", "doctor:doctor", "Check git, the ledger and the providers. Each failure comes with its fix."),
    _command(
        "trust",
        "trust:trust",
        "Show or change where your keys may be sent. Kept on this machine, for this repository alone.",
        Argument("ADDRESS", "Such as https://host. [default: show]", to="endpoint"),
        Option("--remove", help="Take the address back.", default=False),
    ),
    _command(
        "action",
        "github_action.command:action",
        "Do what a GitHub workflow's event asks for. It is what action.yml calls; `--config` is a path in the commit.",
    ),
)
