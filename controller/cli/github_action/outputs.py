"""Results to the runner: outputs, the job's summary, annotations and a log that holds no command of anybody else."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from controller.errors import ControllerError, Problem, Severity
from controller.ports import Chance
from controller.report.formatting import terminal
from controller.rest import redact

SUMMARY_LIMIT = 1_000_000  # bytes; above 1 MiB the runner drops a step's whole summary
_MOST = 10  # annotations of one kind that GitHub shows of a step
_KEY = re.compile(r"[a-z][a-z0-9-]{0,60}")
_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.ADVICE: "notice"}


def write_outputs(path: Path | None, values: Mapping[str, str], chance: Chance) -> None:
    """Append outputs, each behind a delimiter nobody can foresee. Raises `ControllerError`."""
    _append(path, "".join(_block(key, redact(value), chance) for key, value in values.items()))


def write_summary(path: Path | None, markdown: str) -> None:
    """Append to the job's summary. Raises `ControllerError`."""
    _append(path, redact(markdown))


def annotate(problems: Iterable[Problem]) -> None:
    """One annotation a problem on its line, the worst first, as many of a kind as GitHub shows."""
    found = sorted(problems, key=lambda p: list(_KINDS).index(p.severity))
    for severity, kind in _KINDS.items():
        for problem in [p for p in found if p.severity is severity][:_MOST]:
            _say(_command(kind, problem))


def say(text: str, chance: Chance) -> None:
    """Lines for the log, in which the runner is told to obey nothing."""
    stop = chance.nonce() + chance.nonce()
    lines = [terminal(line, 2000) for line in text.splitlines()]
    _say("\n".join([f"::stop-commands::{stop}", *lines, f"::{stop}::"]))


def error(message: str, hint: str = "") -> None:
    """One error that stands at no line, and its hint as a sentence of its own."""
    told = f"{message.removesuffix('.')}. {hint}" if hint else message
    _say(f"::error title=Gitune::{_data(told)}")


def notice(message: str) -> None:
    """One remark that stands at no line."""
    _say(f"::notice title=Gitune::{_data(message)}")


def _command(kind: str, problem: Problem) -> str:
    place = [f"file={_property(problem.file)}"] if problem.file else []
    if problem.line:
        place += [f"line={problem.line}", f"col={max(1, problem.column)}"]
    place.append(f"title={_property(f'Gitune {problem.code}')}")
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"::{kind} {','.join(place)}::{_data(problem.message + hint)}"


def _data(text: str) -> str:
    """A message as the runner unpacks it again: one line, with nothing hidden in it."""
    return terminal(redact(text), 1000).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _block(key: str, value: str, chance: Chance) -> str:
    if not _KEY.fullmatch(key):
        raise AssertionError("an output's name is ours")
    delimiter = f"gitune-{chance.nonce()}{chance.nonce()}"
    if delimiter in value:
        raise ControllerError("an output holds its own delimiter", hint="Run the job again.")
    return f"{key}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(path: Path | None, text: str) -> None:
    if path is None:
        return
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ControllerError(f"{path} cannot be written: {error.strerror}", hint="The runner names it.") from error


def _say(line: str) -> None:
    sys.stdout.write(redact(line) + "\n")
    sys.stdout.flush()
