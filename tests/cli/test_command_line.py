"""Help, completion, versions, wrong uses and interruptions of the command itself."""

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import pytest

from controller import __version__
from controller.cli import main
from controller.cli.app import COMMANDS, PROGRAM, SHARED
from controller.cli.grammar import Choice, Command, found, parser_of
from controller.cli.main import glimpsed, run
from controller.cli.options import Format, GlobalOptions
from tests.cli.running import Commit, Process, WriteSpec

NAMES = [
    *("init", "schema", "validate", "data", "plan", "apply", "status", "run", "serve", "models", "evaluate"),
    *("promote", "resolve", "cancel", "approve-delete", "adopt", "forget", "generate", "doctor", "pin"),
    *("trust", "action"),
]
NAMES_IN_ORDER = [command.name for command in COMMANDS]


def read(*words: str) -> dict[str, object]:
    """What a line is read to."""
    return vars(parser_of(PROGRAM, COMMANDS, words).parse_args(words))


def test_help_names_every_command(process: Process) -> None:
    done = process("--help")
    assert done.returncode == 0
    assert all(f"\n    {name} " in done.stdout for name in NAMES)
    assert [command.name for command in COMMANDS if command.name not in NAMES] == []


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES_IN_ORDER)
def test_every_declaration_has_the_parameters_of_what_carries_it_out(command: Command) -> None:
    function = found(command.does)
    assert callable(function)
    arguments = {
        "models": ["list"],
        "data": ["inspect", "p"],
        "resolve": ["a"],
        "adopt": ["a", "m"],
        "generate": ["a", "p"],
        "pin": ["s"],
    }
    wants_name = command.name in {"evaluate", "promote", "cancel", "approve-delete", "forget"}
    given = read(command.name, *arguments.get(command.name, ["a"] if wants_name else []))
    del given["command"]
    takes = list(inspect.signature(function).parameters)
    if command.takes:
        assert len(takes) == 2
        assert {f.name: f.default for f in fields(found(command.takes))} == given
    else:
        assert takes[1:] == list(given) or set(takes[1:]) == set(given)


def test_the_shared_options_are_the_fields_of_their_value() -> None:
    words = ("--root", "a", "--config", "b", "-o", "json", "--log-format", "json", "--no-color", "-v", "--debug")
    given = {**read("doctor", *words)}
    del given["command"]
    assert [f.name for f in fields(GlobalOptions)] == list(given)
    assert len(SHARED) == len(given)
    assert read(*words, "doctor") == read("doctor", *words)


def test_a_choice_is_between_the_members_of_its_enumeration() -> None:
    kinds = {p.settings["type"] for c in (PROGRAM, *COMMANDS) for p in c.parameters if "type" in p.settings}
    choices = [kind for kind in kinds if isinstance(kind, Choice)]
    assert len(choices) == 9
    for kind in choices:
        members = found(kind.enumeration)
        assert isinstance(members, type)
        assert issubclass(members, StrEnum)
        assert kind.words == [member.value for member in members]


def test_the_word_for_a_value_names_what_it_is_chosen_from() -> None:
    for command in COMMANDS:
        for one in command.parameters:
            kind = one.settings.get("type")
            assert not isinstance(kind, Choice) or one.settings["metavar"] == "|".join(kind.words)


def test_help_cuts_no_sentence_short(gitune: Process) -> None:
    assert "..." not in gitune("--help").stdout.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("command", "usage"), [("status", "[NAME]"), ("validate", "[PATH]..."), ("trust", "[ADDRESS]")]
)
def test_an_argument_that_may_be_left_out_has_one_pair_of_brackets(gitune: Process, command: str, usage: str) -> None:
    assert gitune(command, "--help").stdout.splitlines()[0] == f"usage: gitune {command} [OPTIONS] {usage}"


def test_no_arguments_at_all_show_the_help(process: Process) -> None:
    assert process().stdout == process("--help").stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_and_takes_the_shared_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option.names[-1] in shown for option in SHARED)


def test_help_imports_nothing_heavy() -> None:
    heavy = ("typing", "dataclasses", "pathlib", "rich", "pydantic", "httpx", "structlog", "asyncio")
    script = (
        f"import sys; from controller.cli.main import run; run(['-h']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_printed_with_other_options_too(process: Process) -> None:
    assert process("--version").stdout == f"gitune {__version__}\n"
    assert process("--no-color", "--version").stdout == f"gitune {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--nope"), "unrecognized arguments: --nope"),
        (("nope",), "argument COMMAND: invalid choice: 'nope'"),
        (("resolve",), "the following arguments are required: NAME"),
        (("status", "-o", "xml"), "argument -o/--output: 'xml' is not one of 'text', 'json', 'markdown'"),
        (("serve", "--port", "70000"), "argument --port: '70000' is not a whole number of 0 to 65535"),
        (("serve", "--port", "http"), "argument --port: 'http' is not a whole number"),
        (("serve", "--idle-exit", "-1"), "argument --idle-exit: '-1' is not a number of 0 or more"),
        (("serve", "--idle-exit", "nan"), "is not a number of 0 or more"),
        (("plan", "--offline=1"), "argument --offline: ignored explicit argument '1'"),
        (("plan", "--base"), "argument --base: expected one argument"),
        (("plan", "-vo"), "argument -o/--output: expected one argument"),
        (("plan", "--explian", "a"), "Did you mean --explain?"),
        (("plan", "--expl", "a"), "unrecognized arguments: --expl a"),
        (("plan", "--version"), "unrecognized arguments: --version"),
        (("--wait", "apply"), "unrecognized arguments: --wait"),
        (("--no-color",), "the following arguments are required: COMMAND"),
        (("pln",), "Did you mean plan?"),
        (("promote", "a", "b"), "unrecognized arguments: b"),
        (("adopt", "a"), "the following arguments are required: MODEL"),
        (("schema", "specs"), "'specs' is not one of 'tunedmodel', 'controller', 'daemon'"),
        (("--completion", "csh"), "argument --completion: there is no script for 'csh'"),
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
    assert error["hint"] == "Did you mean --explain? `gitune plan --help` shows what there is."


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


def test_values_are_read_in_every_way_that_they_are_written() -> None:
    plain = read("apply")

    def more(*words: str) -> dict[str, object]:
        return {key: value for key, value in read("apply", *words).items() if plain.get(key, ...) != value}

    assert more("--allow", "a", "--wait", "--allow=b") == {"allow": ["a", "b"], "wait": True}
    assert more("-vojson") == more("-v", "-o", "json") == more("--output=json", "--verbose")
    assert more("--root=--wait") == {"root": Path("--wait")}
    assert more("--plan-digest", "a", "--plan-digest", "") == {"digest": ""}


def test_arguments_and_options_stand_in_any_order() -> None:
    given = read("validate", "a", "-v", "b", "--root", "r", "-", "--", "-c")
    assert given["paths"] == [Path("a"), Path("b"), Path("-"), Path("-c")]
    assert (given["root"], given["verbose"]) == (Path("r"), True)
    assert read("validate")["paths"] == []
    assert read("status", "-v", "a")["name"] == read("status", "a", "-v")["name"] == "a"
    assert read("adopt", "a", "-v", "m")["model"] == "m"


def test_help_is_shown_whatever_else_is_missing(gitune: Process) -> None:
    shown = gitune("resolve", "--help").stdout
    assert shown.startswith("usage: gitune resolve [OPTIONS] NAME\n")
    assert gitune("resolve", "-h", "-o", "xml").stdout == shown


@pytest.mark.parametrize("columns", ["30", "60", "100", "300", "no"])
def test_help_is_as_wide_as_it_is_read_well(gitune: Process, columns: str) -> None:
    widest = max(len(line) for line in gitune("run", "--help", COLUMNS=columns).stdout.splitlines())
    assert widest <= {"30": 54, "60": 58, "no": 78}.get(columns, 98)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "powershell"])
def test_each_shell_has_a_script_that_asks_us(gitune: Process, shell: str) -> None:
    assert "gitune" in gitune("--completion", shell).stdout


def test_bash_completes_a_line_by_the_script(process: Process, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    gitune = tmp_path / "gitune"
    gitune.write_text(f'#!/bin/sh\nexec {sys.executable} -m controller "$@"\n')
    gitune.chmod(0o755)
    script = process("--completion", "bash").stdout
    line = f"COMP_LINE='{gitune} plan --off' COMP_POINT={len(str(gitune)) + 11} COMP_TYPE=9"
    asked = f"{script}\n{line}; _python_argcomplete {gitune}; echo ${{COMPREPLY[*]}}"
    done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "--offline"


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
