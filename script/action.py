"""A step of a workflow to `gitune action`: the locked packages it needs in a folder of the runner, then the command.

Run by action.yml as `python3 -I script/action.py`. The checked-out repository is never on Python's path: what a pull
request holds is read as data and not as code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from script import environment  # noqa: E402 - its folder is only now on the path

NEEDS_ALL = 3  # what the question answers where the embedded server has to be started


def main() -> NoReturn:
    """Install what commands need; where a server has to be started, all; then become the command."""
    venv = Path(os.environ.get("RUNNER_TEMP") or ROOT) / "gitune-venv"
    python = venv / "bin" / "python"
    folder = os.environ.get("GITUNE_WORKING_DIRECTORY") or "."
    try:
        install(venv, "--only-group", "runner", "--no-install-project")
        if ask(python, folder) == NEEDS_ALL:
            install(venv, "--no-default-groups", "--no-editable")
    except (environment.NoEnvironment, OSError) as error:
        sys.exit(f"::error title=Gitune::{error}".replace("\n", "%0A"))
    config = os.environ.get("GITUNE_CONFIG", "")
    options = ["--config", config] if config else []
    os.chdir(folder)
    os.execv(python, [str(python), *started("controller"), "action", *options])  # noqa: S606 - our own command


def install(venv: Path, *words: str) -> None:
    """Make the environment hold just these packages, by the digests of uv.lock. Raises `NoEnvironment`."""
    uv = environment.uv_on_path() or environment.uv_of_tools(ROOT)
    given = environment.uv_environment(ROOT) | {"UV_PROJECT_ENVIRONMENT": str(venv)}
    environment.call([uv, "sync", "--locked", *words, "--python", environment.own_python()], ROOT, given)


def ask(python: Path, folder: str) -> int:
    """Whether the embedded server is needed. Its code is ours, and runs outside the checked-out repository."""
    words = [str(python), *started("controller.cli.github_action.needs")]
    return subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode


def started(module: str) -> list[str]:
    """The words that run a module of this checkout, which need not be installed."""
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module({module!r}, run_name='__main__')"
    return ["-I", "-c", code]


if __name__ == "__main__":
    main()
