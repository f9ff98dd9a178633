"""What became of a command to its exit code (docs/commands.md) and, where it failed, to what is said of it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from enum import IntEnum

from rich.console import Group, RenderableType
from rich.text import Text

from controller.cli.grammar import UsageError
from controller.cli.options import Format, GlobalOptions
from controller.cli.output import Screen
from controller.errors import ControllerError, SpecInvalid, UnsafePlan
from controller.plan.actions import Outcome, Plan
from controller.plan.world import World
from controller.report.formatting import fields_of, json_text, terminal
from controller.report.render_plan import reason_of, waiting_on_people
from controller.report.render_problems import problem_json, problems_text, unreadable
from controller.state.reasons import Reason


class ExitCode(IntEnum):
    """2 is spoken only by ``--detailed-exitcode``: a wrong use of the command line is 1, like any failure."""

    WELL = 0
    FAILED = 1
    CHANGES = 2
    HOLDS = 3
    INTERRUPTED = 130


def of_error(error: ControllerError) -> ExitCode:
    """A plan refused by a guard or by a moved digest waits on a person; every other error is a failure."""
    return ExitCode.HOLDS if isinstance(error, UnsafePlan) else ExitCode.FAILED


def of_plan(world: World, plan: Plan, *, detailed: bool) -> ExitCode:
    """1 where a spec is invalid or a provider could not be read; 2 for changes where that was asked for."""
    if unreadable(world):
        return ExitCode.FAILED
    changes = any(action.acts for action in plan.actions)
    return ExitCode.CHANGES if detailed and changes else ExitCode.WELL


def of_pass(world: World, outcomes: Iterable[Outcome]) -> ExitCode:
    """1 where a spec is invalid or a provider could not be read; 3 where something holds that needs a person."""
    results = tuple(outcomes)
    if unreadable(world) or any(reason_of(result) is Reason.PROVIDER_UNREADABLE for result in results):
        return ExitCode.FAILED
    return ExitCode.HOLDS if waiting_on_people(results) else ExitCode.WELL


_LONGEST_LINE = 2000
ISSUES = "please report this, with what `--debug` prints"


def explained(error: BaseException, asked: GlobalOptions, usage: str = "") -> ExitCode:
    """Tell of whatever ended a command. ``usage`` is the hint for a command line that cannot be understood."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case ControllerError():
            _tell(asked, error)
            return of_error(error)
        case UsageError():
            _tell(asked, ControllerError(error.message, hint=usage), "UsageError")
            return ExitCode.FAILED
        case ModuleNotFoundError():
            return incomplete(error, asked)
        case _:
            return broken(error, asked)


def incomplete(error: ModuleNotFoundError, asked: GlobalOptions) -> ExitCode:
    """Tell of a package that is not installed: a slim installation lacks what only some commands need."""
    package = (error.name or "").partition(".")[0]
    if not package or package == "controller":
        return broken(error, asked)
    hint = f"`pip install gitune` brings all of them, `pip install {package}` this one."
    message = f"this command needs the package {package}, which is not installed"
    _tell(asked, ControllerError(message, hint=hint), "NotInstalled")
    return ExitCode.FAILED


def broken(error: BaseException, asked: GlobalOptions) -> ExitCode:
    """Tell of an error nobody foresaw. Its traceback is for those who ask for it, since it may quote data."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _tell(asked, ControllerError(f"this should not have happened: {said}", hint=ISSUES), "InternalError")
    if asked.debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            Screen(asked).tell(Text(terminal(line, _LONGEST_LINE)))
    return ExitCode.FAILED


def error_json(error: ControllerError, name: str = "") -> dict[str, object]:
    """``{class, message, hint, problems}``; the class is named by the ``name`` where there is one."""
    problems = [problem_json(p) for p in error.problems] if isinstance(error, SpecInvalid) else []
    return {"class": name or type(error).__name__, **fields_of(error, "message", "hint"), "problems": problems}


def error_text(error: ControllerError) -> RenderableType:
    """``error: …``, ``hint: …``; problems take the place of the message, which only quotes the first of them."""
    said: RenderableType = Text.assemble(("error: ", "bold red"), terminal(error.message, _LONGEST_LINE))
    if isinstance(error, SpecInvalid) and error.problems:
        said = problems_text(error.problems)
    hint = [Text.assemble(("hint: ", "bold cyan"), terminal(error.hint, _LONGEST_LINE))] if error.hint else []
    return Group(said, *hint)


def _tell(asked: GlobalOptions, error: ControllerError, name: str = "") -> None:
    screen = Screen(asked)
    if asked.format is Format.JSON:
        screen.write(json_text({"schemaVersion": 1, "error": error_json(error, name)}) + "\n")
    else:
        screen.tell(error_text(error))
