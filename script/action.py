"""A step of a workflow to `gitune action`: the locked dependencies in a folder of the runner, then the command.

Run by action.yml as `python3 -I script/action.py`. The checked-out repository is never on Python's path: what a pull
request holds is read as data and not as code.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from script import environment  # noqa: E402 - its folder is only now on the path


def main() -> NoReturn:
    """Install, then become the command."""
    venv = Path(os.environ.get("RUNNER_TEMP") or ROOT) / "gitune-venv"
    try:
        uv = environment.uv_on_path() or environment.uv_of_tools(ROOT)
        words: list[str | Path] = [uv, "sync", "--locked", "--no-default-groups", "--no-editable"]
        given = environment.uv_environment(ROOT) | {"UV_PROJECT_ENVIRONMENT": str(venv)}
        environment.call([*words, "--python", environment.own_python()], ROOT, given)
    except (environment.NoEnvironment, OSError) as error:
        sys.exit(f"::error title=Gitune::{error}".replace("\n", "%0A"))
    config = os.environ.get("GITUNE_CONFIG", "")
    options = ["--config", config] if config else []
    os.chdir(os.environ.get("GITUNE_WORKING_DIRECTORY") or ".")
    os.execv(venv / "bin" / "gitune", ["gitune", "action", *options])  # noqa: S606 - our own command


if __name__ == "__main__":
    main()
