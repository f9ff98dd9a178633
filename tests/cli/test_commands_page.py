"""docs/commands.md names every command, option, exit code and JSON key that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.cli.app import COMMANDS
from controller.cli.exit_codes import ExitCode
from controller.cli.main import run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text("utf-8")
NAMES = sorted(command.name for command in COMMANDS)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_the_command_and_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    assert f"gitune {name}" in PAGE
    assert [option for option in options if f"`{option}" not in PAGE] == []


@pytest.mark.parametrize("code", ExitCode)
def test_the_page_explains_the_exit_code(code: ExitCode) -> None:
    assert re.search(rf"^\| {code.value} \| \S", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", ["plan.json", "applied.json", "status.json", "problems.json"])
def test_the_page_names_every_key_of_a_document(name: str) -> None:
    golden = Path(__file__).resolve().parents[1] / "report" / "golden" / name
    keys = set(re.findall(r'^ +"(\w+)":', golden.read_text("utf-8"), re.MULTILINE))
    counted = {"create", "retune", "wait", "hold", "none", "epochCount", "batchSize", "learningRate"}
    assert {k for k in keys - counted - {"learningRateMultiplier"} if not re.search(rf"\b{k}\b", PAGE)} == set()
