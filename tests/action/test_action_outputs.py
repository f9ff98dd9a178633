"""What the runner reads: outputs nobody can break out of, annotations of one line, a log that orders nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cli.github_action import outputs
from controller.errors import ControllerError, Problem, Severity
from controller.system import SystemChance
from tests.action.workflow import read_outputs, runner_commands

PIECES = (*":#[]%\r\n, =<>", "\u2028", "\x85", "\x1b", "a", "::error::", "##[group]", "EOF")
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


@ANY
@given(value=HOSTILE)
def test_an_output_comes_back_as_it_was_and_brings_no_other(tmp_path: Path, value: str) -> None:
    path = tmp_path / "output"
    path.unlink(missing_ok=True)

    outputs.write_outputs(path, {"summary": value.replace("\r", ""), "changes": "true"}, SystemChance())

    assert set(read_outputs(path)) == {"summary", "changes"}
    assert read_outputs(path)["changes"] == "true"


class Foreseen:
    """Chance that somebody has guessed."""

    def nonce(self) -> str:
        return "0" * 16

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


def test_an_output_that_holds_its_own_delimiter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ControllerError, match="its own delimiter"):
        outputs.write_outputs(tmp_path / "output", {"summary": f"x\ngitune-{'0' * 32}\ny"}, Foreseen())


@ANY
@given(file=HOSTILE, message=HOSTILE, code=HOSTILE, hint=HOSTILE)
def test_a_problem_is_one_command_whatever_it_says(
    capsys: pytest.CaptureFixture[str], file: str, message: str, code: str, hint: str
) -> None:
    capsys.readouterr()

    outputs.annotate([Problem(file, 3, 1, code, message, Severity.WARNING, hint)])

    log = capsys.readouterr().out
    assert len(log.splitlines()) == 1
    assert len(runner_commands(log)) == 1
    properties = log.partition("::")[2].partition("::")[0].removeprefix("warning ")
    assert [part.partition("=")[0] for part in properties.split(",")] == (
        ["file", "line", "col", "title"] if file else ["line", "col", "title"]
    )


@ANY
@given(text=HOSTILE)
def test_the_log_holds_no_command_of_anybody_else(capsys: pytest.CaptureFixture[str], text: str) -> None:
    capsys.readouterr()

    outputs.say(text, SystemChance())

    assert runner_commands(capsys.readouterr().out) == []


def test_the_worst_ten_of_a_kind_are_annotated_first(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        Problem("a.yaml", n, 1, "GT203", "x", severity) for severity in reversed(Severity) for n in range(1, 16)
    ]

    outputs.annotate(problems)

    kinds = [command.split(" ")[0] for command in runner_commands(capsys.readouterr().out)]
    assert kinds == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10


def test_an_error_and_its_hint_are_two_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    outputs.error("the branch main has no commit yet", "Commit the specs.")
    outputs.error("nothing was found")
    assert capsys.readouterr().out.splitlines() == [
        "::error title=Gitune::the branch main has no commit yet. Commit the specs.",
        "::error title=Gitune::nothing was found",
    ]


def test_a_secret_is_blotted_out_of_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = "ghp_" + "x" * 30

    outputs.write_outputs(tmp_path / "o", {"summary": token}, SystemChance())
    outputs.write_summary(tmp_path / "s", token)
    outputs.error(token)

    assert token not in (tmp_path / "o").read_text() + (tmp_path / "s").read_text() + capsys.readouterr().out
