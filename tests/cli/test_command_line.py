"""Help, completion, versions, wrong uses and interruptions of the command itself."""

import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from controller import __version__
from controller.cli import main
from controller.cli.app import app
from controller.cli.main import glimpsed, run
from controller.cli.options import Format, GlobalOptions
from tests.cli.running import Commit, Process, WriteSpec

COMMANDS = [
    *("init", "schema", "validate", "plan", "apply", "status", "run", "serve", "evaluate"),
    *("promote", "resolve", "cancel", "approve-delete", "adopt", "forget", "generate", "doctor", "trust", "action"),
]
SHARED = ("--root", "--config", "--output", "--log-format", "--no-color", "--verbose", "--debug")


def test_help_names_every_command(process: Process) -> None:
    done = process("--help")
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert {command.name for command in app.registered_commands} == set(COMMANDS)


def test_every_declaration_has_the_parameters_of_what_carries_it_out() -> None:
    declared = 0
    for registered in app.registered_commands:
        carry_out = getattr(registered.callback, "__wrapped__", None)
        declaration = getattr(carry_out, "__wrapped__", None)
        if declaration is None or not inspect.isfunction(carry_out):
            continue
        module = importlib.import_module(str(inspect.getclosurevars(carry_out).nonlocals["module"]))
        target = getattr(module, declaration.__name__)
        assert list(inspect.signature(target).parameters) == list(inspect.signature(declaration).parameters), target
        declared += 1
    assert declared == len(COMMANDS) - 1  # `serve` is carried out where it is declared


def test_help_cuts_no_sentence_short(gitune: Process) -> None:
    assert "..." not in gitune("--help").stdout.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("command", "usage"), [("status", "[NAME]"), ("validate", "[PATH]..."), ("trust", "[ADDRESS]")]
)
def test_an_argument_that_may_be_left_out_has_one_pair_of_brackets(gitune: Process, command: str, usage: str) -> None:
    assert gitune(command, "--help").stdout.splitlines()[0] == f"Usage: gitune {command} [OPTIONS] {usage}"


def test_no_arguments_at_all_show_the_help(process: Process) -> None:
    assert process().stdout == process("--help").stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_takes_the_shared_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in SHARED)


def test_help_imports_nothing_heavy() -> None:
    heavy = ("rich", "httpx", "pydantic", "numpy", "structlog", "git", "asyncio", "ruamel", "google", "starlette")
    script = (
        f"import sys; from controller.cli.main import run; run(['-h']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_printed_with_other_options_too(process: Process) -> None:
    assert process("--version").stdout == f"gitune {__version__}\n"
    assert process("--no-color", "--version").stdout == f"gitune {__version__}\n"


def test_the_shell_completes_commands_and_options(process: Process) -> None:
    def complete(words: str) -> list[str]:
        shown = process(_GITUNE_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
        return shown.stdout.split()

    assert complete("gitune pl") == ["plan"]
    assert complete("gitune plan --det") == ["--detailed-exitcode"]
    assert "_GITUNE_COMPLETE=complete_bash" in process(_GITUNE_COMPLETE="source_bash").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--nope"), "No such option: --nope"),
        (("nope",), "No such command 'nope'"),
        (("resolve",), "Missing argument 'NAME'"),
        (("status", "-o", "xml"), "xml"),
        (("serve", "--port", "70000"), "65535"),
    ],
)
def test_a_wrong_use_is_one_error_with_a_hint_and_exits_1(
    gitune: Process, arguments: tuple[str, ...], said: str
) -> None:
    done = gitune(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Value error" not in done.stderr
    assert done.stderr.splitlines()[0].startswith("error: ")
    assert "--help` shows what there is" in done.stderr.splitlines()[-1]


def test_a_wrong_use_is_json_where_json_was_asked_for(gitune: Process) -> None:
    done = gitune("-o", "json", "plan", "--nope")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, done.stderr) == (1, "")
    assert error["class"] == "UsageError"
    assert error["hint"] == "`gitune plan --help` shows what there is."


@pytest.mark.parametrize("words", [["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]])
def test_the_format_of_an_error_is_that_of_the_command_line(words: list[str]) -> None:
    assert glimpsed(["plan", *words]).format is Format.JSON
    assert glimpsed(["plan", *words, "--debug"]).debug is True


@pytest.mark.parametrize("words", [[], ["-o"], ["-o", "xml"], ["--output="]])
def test_a_format_that_is_none_leaves_an_error_text(words: list[str]) -> None:
    assert glimpsed(words).format is Format.TEXT


def test_shared_options_may_stand_before_the_command_and_the_later_one_wins(gitune: Process, spec: WriteSpec) -> None:
    spec("good")
    assert json.loads(gitune("-o", "json", "validate").stdout)["problems"] == []
    assert gitune("-o", "json", "validate", "-o", "text").stdout.startswith("no problems")
    assert GlobalOptions(verbose=True).over(GlobalOptions(output=Format.JSON)) == GlobalOptions(
        output=Format.JSON, verbose=True
    )


def test_an_error_nobody_foresaw_is_one_line_and_its_traceback_only_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    def fails(*_: object, **_named: object) -> int:
        raise ZeroDivisionError("key=AIzaNotAKeyButLooksLikeOne")

    monkeypatch.setattr("controller.cli.init.init", fails)
    assert main.run(["init", "--root", str(folder)]) == 1
    said = capsys.readouterr().err
    assert said.splitlines()[0] == "error: this should not have happened: ZeroDivisionError: key=***"
    assert "please report" in said
    assert "Traceback" not in said
    assert main.run(["init", "--debug"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "AIza" not in said


def test_no_escape_sequence_is_written_where_no_terminal_reads(gitune: Process, spec: WriteSpec) -> None:
    spec("good")
    for done in (gitune("validate"), gitune("validate", NO_COLOR="1"), gitune("validate", "--no-color")):
        assert "\x1b" not in done.stdout + done.stderr


def on_a_terminal(arguments: list[str], cwd: Path, **environ: str) -> str:
    """What a terminal of 40 columns is sent."""
    outer, inner = os.openpty()
    told = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "40", **environ}
    command = [sys.executable, "-m", "controller", *arguments]
    with subprocess.Popen(command, cwd=cwd, env=told, stdout=inner, stderr=subprocess.DEVNULL) as process:
        os.close(inner)
        shown = b""
        while True:
            try:
                part = os.read(outer, 65536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not part:
                break
            shown += part
        process.wait(timeout=60)
    os.close(outer)
    return shown.decode()


def test_a_terminal_gets_colours_and_no_line_wider_than_it_is(folder: Path, spec: WriteSpec) -> None:
    spec("good", "  hyperparameters: {epochCount: 0}\n")
    shown = on_a_terminal(["validate"], folder)
    assert "\x1b[1;31merror" in shown
    plain = on_a_terminal(["validate", "--no-color"], folder)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 40
    assert on_a_terminal(["validate"], folder, NO_COLOR="1") == plain


def test_a_reader_that_goes_away_is_no_error_message(folder: Path, spec: WriteSpec) -> None:
    for n in range(400):
        spec(f"bad{n}", "  wrong: true\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", "validate", "-o", "json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert said == ""


def test_an_interrupted_command_exits_130_without_a_word(folder: Path, spec: WriteSpec, commit: Commit) -> None:
    spec("good")
    commit("one")
    command = [sys.executable, "-m", "controller", "generate", "good", "-"]
    # A shell's background job ignores SIGINT, and so does what it starts: a handler of ours is the default in a child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdin is not None
    process.stdin.write(b"a" * (1 << 20))  # more than a pipe holds: once that is gone, it reads its prompt and waits
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")
