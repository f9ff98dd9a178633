"""What a shell is offered while a line is typed, and the scripts by which it asks."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.completion import answer, install, script, shell_of, suggestions
from controller.errors import ControllerError
from tests.cli.running import Process


def offered(line: str) -> list[str]:
    *words, begun = line.split(" ")
    return [value for value, _ in suggestions(words[1:], begun)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("gitune pl", ["plan"]),
        ("gitune --no-color pl", ["plan"]),
        ("gitune --root plan st", ["status"]),
        ("gitune --vers", ["--version", "--verbose"][:1]),
        ("gitune plan --det", ["--detailed-exitcode"]),
        ("gitune plan -o ", ["text", "json", "markdown"]),
        ("gitune plan --output j", ["json"]),
        ("gitune plan --base ", []),
        ("gitune run --lease k", ["kubernetes"]),
        ("gitune schema c", ["controller"]),
        ("gitune generate --sys", []),
        ("gitune plan ", []),
    ],
)
def test_what_may_come_next_is_offered(line: str, values: list[str]) -> None:
    assert offered(line) == values


def test_bash_is_given_words_and_other_shells_what_they_mean() -> None:
    assert answer("complete_bash", {"COMP_WORDS": "gitune pl", "COMP_CWORD": "1"}) == "plan\n"
    assert answer("complete_bash", {"COMP_WORDS": "gitune plan --det", "COMP_CWORD": "2"}) == "--detailed-exitcode\n"
    assert answer("complete_fish", {"_GITUNE_LINE": "gitune pl"}) == "plan\tShow what apply would do.\n"
    assert answer("complete_zsh", {"_GITUNE_LINE": "gitune pl"}) == (
        '_arguments \'*: :(("plan":"Show what apply would do."))\'\n'
    )
    assert answer("complete_zsh", {"_GITUNE_LINE": "gitune plan --base "}) == "_files\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_script_that_asks_us(shell: str) -> None:
    assert "_GITUNE_COMPLETE" in script(shell)
    assert f"complete_{shell}" in answer(f"source_{shell}", {})


def test_a_shell_without_a_script_is_refused() -> None:
    with pytest.raises(ControllerError):
        answer("source_tcsh", {})
    with pytest.raises(ControllerError):
        script("")


def test_the_shell_is_the_one_that_started_us_else_the_users_own() -> None:
    none = 2**22 + 1  # no process has this number
    assert shell_of({"SHELL": "/usr/bin/zsh"}, none) == "zsh"
    assert shell_of({"SHELL": "/usr/bin/pwsh"}, none) == "powershell"
    assert shell_of({"SHELL": "/bin/tcsh"}, none) == ""
    assert shell_of({}, none) == ""


@pytest.mark.parametrize(("shell", "startup"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", "")])
def test_the_script_is_installed_once_where_the_shell_looks(
    shell: str, startup: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    if startup:
        (tmp_path / startup).write_text("export A=1")
    install(shell)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert install(shell).startswith(f"{shell} completion is installed in {tmp_path}")
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert script(shell) in before.values()
    assert not startup or before[tmp_path / startup].startswith("export A=1\n")


def test_a_shell_without_such_a_folder_is_told_what_to_do() -> None:
    with pytest.raises(ControllerError) as caught:
        install("powershell")
    assert "$PROFILE" in caught.value.hint


def test_bash_completes_a_line_by_the_script(process: Process, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    gitune = tmp_path / "gitune"
    gitune.write_text(f'#!/bin/sh\nexec {sys.executable} -m controller "$@"\n')
    gitune.chmod(0o755)
    told = process(_GITUNE_COMPLETE="source_bash").stdout
    line = f"COMP_WORDS=({gitune} plan --off); COMP_CWORD=2; _gitune_completion {gitune}; echo ${{COMPREPLY[*]}}"
    done = subprocess.run([bash, "-c", f"{told}\n{line}"], capture_output=True, text=True, check=True)
    assert done.stdout == "--offline\n"
