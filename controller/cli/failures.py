"""Errors to what a person and a program read of them: one line, the next step, every problem with its place."""

from __future__ import annotations

import traceback

from rich.console import Group, RenderableType
from rich.text import Text

from controller.cli.codes import Code
from controller.cli.options import Asked, Format
from controller.cli.output import Screen
from controller.cli.verdicts import of_error
from controller.errors import ControllerError, Problem, SpecInvalid
from controller.report.escape import json_text, terminal
from controller.report.problems import problem_json, problems_text

_LONGEST = 2000
ISSUES = "please report this, with what `--debug` prints"


def refused(error: ControllerError, asked: Asked) -> Code:
    """Tell of an error that Gitune raised on purpose."""
    _tell(asked, type(error).__name__, error.message, error.hint, _problems(error))
    return of_error(error)


def misused(message: str, hint: str, asked: Asked) -> Code:
    """Tell of a command line that cannot be understood."""
    _tell(asked, "UsageError", message, hint, ())
    return Code.FAILED


def incomplete(error: ModuleNotFoundError, asked: Asked) -> Code:
    """Tell of a package that is not installed: a slim installation lacks what only some commands need."""
    package = (error.name or "").partition(".")[0]
    if not package or package == "controller":
        return broken(error, asked)
    hint = f"`pip install gitune` brings all of them, `pip install {package}` this one."
    _tell(asked, "NotInstalled", f"this command needs the package {package}, which is not installed", hint, ())
    return Code.FAILED


def broken(error: BaseException, asked: Asked) -> Code:
    """Tell of an error nobody foresaw. Its traceback is for those who ask for it, since it may quote data."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _tell(asked, "InternalError", f"this should not have happened: {said}", ISSUES, ())
    if asked.debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            Screen(asked).tell(Text(terminal(line, _LONGEST)))
    return Code.FAILED


def error_json(name: str, message: str, hint: str, problems: tuple[Problem, ...]) -> dict[str, object]:
    """``{class, message, hint, problems}``."""
    return {"class": name, "message": message, "hint": hint, "problems": [problem_json(p) for p in problems]}


def error_text(message: str, hint: str, problems: tuple[Problem, ...]) -> RenderableType:
    """``error: …``, ``hint: …``; problems take the place of the message, which only quotes the first of them."""
    lines: list[RenderableType] = []
    if problems:
        lines.append(problems_text(problems))
    else:
        lines.append(Text.assemble(("error: ", "bold red"), terminal(message, _LONGEST)))
    if hint:
        lines.append(Text.assemble(("hint: ", "bold cyan"), terminal(hint, _LONGEST)))
    return Group(*lines)


def _tell(asked: Asked, name: str, message: str, hint: str, problems: tuple[Problem, ...]) -> None:
    screen = Screen(asked)
    if asked.format is Format.JSON:
        said = {"schemaVersion": 1, "error": error_json(name, message, hint, problems)}
        screen.write(json_text(said) + "\n")
    else:
        screen.tell(error_text(message, hint, problems))


def _problems(error: ControllerError) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, SpecInvalid) else ()
