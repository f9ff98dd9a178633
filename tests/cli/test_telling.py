"""What is told while a command works: lines, bars, logs; and nothing secret in any of them."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys

import pytest
import structlog
from rich.console import Console

from controller.cli.exit_codes import broken, explained, incomplete
from controller.cli.options import Format, GlobalOptions
from controller.cli.output import Screen
from controller.cli.progress import Bars, Lines, following, progress_line
from controller.daemon.reporter import LogReporter
from controller.errors import SpecInvalid, Transient
from controller.plan.actions import Cancel, Done, Held, Nothing
from controller.rest import know
from controller.state.observed import LossPoint, Progress, RemoteModel, RemoteState
from controller.state.reasons import Reason
from tests.cli.running import Process, WriteSpec

pytestmark = pytest.mark.usefixtures("log_setup")

MODEL = "tunedModels/numbers-aaaaaaaaaa-1"
CANARY = "canary-4711-secret"


def seen(step: int, state: RemoteState = RemoteState.CREATING, total: int = 100) -> RemoteModel:
    losses = (LossPoint(step, 1, 0.5),)
    return RemoteModel(name=MODEL, state=state, progress=Progress(total, step), losses=losses)


def cancelled(name: str = "numbers") -> Cancel:
    return Cancel(name=name, provider="local", reason=Reason.SUPERSEDED, message="", model=MODEL, operation="o")


def test_a_pipe_is_told_each_tenth_of_a_run_once_and_its_end_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Screen(GlobalOptions()))
    for step in (0, 5, 9, 10, 12, 31):
        lines.observed(seen(step))
    for _ in range(2):
        lines.observed(seen(100, RemoteState.ACTIVE, total=0))
    told = [line.split(": ")[1].split(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["0 %", "10 %", "31 %", "Active"]


def test_a_pipe_is_told_what_was_done_and_not_what_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Screen(GlobalOptions()))
    lines.ended(Done(cancelled()))
    lines.ended(Held(cancelled(), Reason.QUOTA_EXCEEDED, "later"))
    lines.ended(Done(Nothing(name="n", provider="local", reason=Reason.UP_TO_DATE, message="")))
    assert capsys.readouterr().err == f"x cancel  numbers  {MODEL}  Superseded\n"


def test_a_line_of_progress_says_how_far_and_how_well() -> None:
    assert progress_line(seen(31)) == f"{MODEL}: 31 %, 31/100 steps, loss 0.5"
    assert progress_line(seen(31, RemoteState.CANCELLED, total=0)) == f"{MODEL}: Cancelled, 31 steps, loss 0.5"


def test_a_terminal_shows_a_bar_a_run_that_reaches_its_end() -> None:
    screen = Screen(GlobalOptions())
    sink = io.StringIO()
    screen.err = Console(file=sink, force_terminal=True, width=100, markup=False, emoji=False)
    know(CANARY)
    with following(screen) as bars:
        assert isinstance(bars, Bars)
        bars.observed(seen(31))
        bars.drawn.refresh()
        bars.ended(Done(cancelled(f"[bold]x[/] {CANARY}")))
        bars.observed(seen(100, RemoteState.ACTIVE, total=0))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sink.getvalue())
    assert "31/100 steps, loss 0.5" in shown
    assert "[bold]x[/] ***" in shown
    assert CANARY not in shown
    last = shown.rstrip().splitlines()[-1]
    assert last.startswith("numbers-aaaaaaaaaa-1 ")
    assert "Active, 100 steps, loss 0.5" in last


def test_programs_are_told_nothing_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    for form in (Format.JSON, Format.MARKDOWN):
        with following(Screen(GlobalOptions(output=form))) as quiet:
            assert type(quiet) is LogReporter
            quiet.started(cancelled())
            quiet.observed(seen(10))
            quiet.ended(Done(cancelled()))
    with following(Screen(GlobalOptions())) as piped:
        assert type(piped) is Lines
    assert capsys.readouterr().out == ""


def test_no_result_and_no_error_shows_a_known_secret(capsys: pytest.CaptureFixture[str]) -> None:
    know(CANARY)
    for form in Format:
        asked = GlobalOptions(output=form, debug=True)
        Screen(asked).show(lambda _: CANARY, lambda: {"a": CANARY}, lambda: f"{CANARY}\n")
        explained(Transient(f"m {CANARY}", hint=f"h {CANARY}"), asked)
        broken(ValueError(CANARY), asked)
    written = capsys.readouterr()
    assert "***" in written.out
    assert "***" in written.err
    assert CANARY not in written.out + written.err


def test_an_error_without_a_message_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert broken(KeyError(), GlobalOptions()) == 1
    assert capsys.readouterr().err.startswith("error: this should not have happened: KeyError\n")
    assert explained(SpecInvalid(()), GlobalOptions()) == 1
    assert capsys.readouterr().err == "error: no problem named\n"


LOGGING = f"""
import logging, structlog, warnings
from controller.cli.output import configure
from controller.cli.options import GlobalOptions, LogFormat
from controller.rest import know
know({CANARY!r})
configure(GlobalOptions(log_format=LogFormat.FORMAT, verbose=True))
structlog.stdlib.get_logger("gitune").info("run.created", model="m", key={CANARY!r}, row="a\\n::error::b\\x1b[31m")
logging.getLogger("foreign").warning("GET /x?key=%s", {CANARY!r})
logging.getLogger("httpx").info("never shown")
logging.getLogger("foreign").warning("no number: %d", {CANARY!r})
structlog.stdlib.get_logger("gitune").debug("too.fine")
warnings.warn("old " + {CANARY!r})
try:
    raise ValueError({CANARY!r})
except ValueError:
    logging.getLogger("foreign").exception("it broke")
"""


@pytest.mark.parametrize("form", ["JSON", "CONSOLE"])
def test_a_log_event_is_one_line_on_stderr_without_secrets_and_commands(form: str) -> None:
    script = LOGGING.replace("FORMAT,", f"{form},")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert (done.stdout, len(lines)) == ("", 4)
    assert CANARY not in done.stderr
    assert done.stderr.count("***") >= 4
    assert "\x1b" not in done.stderr
    assert not any(line.lstrip().startswith("::") for line in lines)
    if form == "JSON":
        first = json.loads(lines[0])
        assert (first["event"], first["level"], first["model"]) == ("run.created", "info", "m")
        assert "ValueError" in json.loads(lines[-1])["exception"]
    else:
        assert " info    run.created model='m' key='***'" in lines[0]


def test_logging_says_nothing_by_default_and_more_when_asked(gitune: Process, spec: WriteSpec) -> None:
    spec("good")
    assert gitune("validate").stderr == ""
    assert logging.getLogger().level == logging.WARNING
    gitune("validate", "-v")
    assert logging.getLogger().level == logging.INFO
    gitune("validate", "--debug")
    assert logging.getLogger().level == logging.DEBUG
    assert structlog.is_configured()


def test_a_package_that_is_not_installed_is_named_with_the_way_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        incomplete(ModuleNotFoundError("No module named 'uvicorn.config'", name="uvicorn.config"), GlobalOptions()) == 1
    )

    told = " ".join(capsys.readouterr().err.split())
    assert "error: this command needs the package uvicorn, which is not installed" in told
    assert "`pip install gitune` brings all of them" in told


def test_a_part_of_gitune_that_is_missing_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    incomplete(ModuleNotFoundError("No module named 'controller.nothing'", name="controller.nothing"), GlobalOptions())

    assert "this should not have happened" in capsys.readouterr().err
