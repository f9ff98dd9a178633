"""The staircase and the doors hold, and each rule fails where it is broken: a check that cannot fail is no check."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# For each contract of pyproject.toml: a module, and the line that breaks the contract when it is put there.
BREACHES = {
    "the staircase: a room imports only from rooms below it": ("state/breach.py", "import controller.plan.actions"),
    "one folder a provider, and what they share below them": (
        "providers/google/breach.py",
        "import controller.providers.gemini.facts",
    ),
    "no circle between the modules of a room": ("plan/rules/breach.py", "import controller.plan.planner"),
    "pure rooms import no I/O, clock, chance or logger": ("plan/breach.py", "import datetime"),
    "one door to HTTP": ("engine/breach.py", "import httpx"),
    "one door to the file system's events": ("daemon/breach.py", "import watchfiles"),
    "pages and metrics are the daemon's alone": ("report/breach.py", "import jinja2"),
    "one door to git": ("ledger/breach.py", "import git"),
    "one door to YAML": ("specs/breach.py", "import ruamel.yaml"),
    "one engine knows the libraries of large models": ("engine/torch_breach.py", "import torch"),
    "the embedded server and its client share nothing": ("providers/breach.py", "import controller.server"),
    "the embedded server and the client's way to HTTP share nothing": ("rest/breach.py", "import controller.server"),
    "the embedded server stands on no room of the controller": ("server/breach.py", "import controller.errors"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    return {m[1]: m[2] for m in re.finditer(r"^(.+?) (KEPT|BROKEN)\b", plain, re.MULTILINE)}


def test_every_contract_is_kept(root: Path) -> None:
    done = lint(root)

    assert done.returncode == 0, done.stdout
    assert set(verdicts(done).values()) == {"KEPT"}


def test_every_contract_is_broken_by_the_import_it_forbids(copy: Path) -> None:
    for module, line in BREACHES.values():
        (copy / "controller" / module).write_text(f"{line}\n")

    done = lint(copy)

    assert done.returncode == 1
    assert verdicts(done) == dict.fromkeys(BREACHES, "BROKEN")


def test_there_is_a_breach_for_each_contract(root: Path) -> None:
    rules = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {rule["name"] for rule in rules} == set(BREACHES)


@pytest.mark.parametrize("room", ["utils", "common"])
def test_a_room_that_no_step_names_is_refused(copy: Path, room: str) -> None:
    (copy / "controller" / room).mkdir()
    (copy / "controller" / room / "__init__.py").touch()

    done = lint(copy)

    assert done.returncode == 1
    assert room in done.stdout


def test_an_import_for_types_alone_counts(copy: Path) -> None:
    breach = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import controller.engine\n"
    (copy / "controller" / "plan" / "breach.py").write_text(breach)

    assert verdicts(lint(copy))["the staircase: a room imports only from rooms below it"] == "BROKEN"
