"""google-generativeai 0.8.6, unchanged and in an environment of its own, lives through a model's life on the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import Served

ROOT = Path(__file__).resolve().parents[2]
STORY = ROOT / "tests" / "google_client" / "story.py"

# The way to PyPI from here, as it was before a test took it out of the environment.
WAY_OUT = {n: v for n, v in os.environ.items() if n.upper().endswith("_PROXY") or n.upper().startswith("SSL_CERT_")}


def uv() -> str:
    """The uv executable: the one that runs us, the one on the PATH, or the one script/bootstrap fetched."""
    of_tools = ROOT / ".tools" / "bin" / "uv"
    found = os.environ.get("UV") or shutil.which("uv") or (str(of_tools) if of_tools.exists() else None)
    if found is None:
        pytest.fail(
            "uv is needed to give Google's client an environment of its own: put it on the PATH or name it in UV"
        )
    return found


def environment() -> dict[str, str]:
    """Ours, less what would lead uv into our own venv; a mirror of PyPI named for pip holds for uv too."""
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}}
    index = kept.get("UV_DEFAULT_INDEX") or kept.get("UV_INDEX_URL") or kept.get("PIP_INDEX_URL")
    return kept | WAY_OUT | ({"UV_DEFAULT_INDEX": index} if index else {})


def run(*command: str) -> str:
    ended = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def facts(serving: Callable[..., Served], tmp_path: Path) -> Any:
    # Exported rather than run from the lock: the lock names PyPI's own addresses, which a mirror's users cannot reach.
    pins = tmp_path / "pins.txt"
    run(uv(), "export", "--quiet", "--frozen", "--only-group", "google-client", "--output-file", str(pins))
    alone = ("--isolated", "--no-project", "--python", sys.executable, "--with-requirements", str(pins))
    return json.loads(run(uv(), "run", *alone, "python", str(STORY), serving().url))


@pytest.mark.slow
def test_googles_client_creates_follows_updates_uses_cancels_and_deletes(facts: Any) -> None:
    assert facts["bases"] == ["models/tiny"]
    assert facts["total_steps"] == facts["snapshots"] == 120
    assert 0 < facts["last_bar_step"] <= 120
    assert facts["result"] == "tunedModels/counting"
    assert (facts["state"], facts["base_model"]) == ("ACTIVE", "models/tiny")
    assert facts["hyperparameters"] == [40, 4]
    assert facts["last_loss"] < 0.2
    assert facts["first_loss"] > 2
    assert facts["second_create"] == "conflict"
    assert facts["answers"] == {"3": "4", "ten": "eleven", "XI": "XII"}
    assert facts["tokens"] == [1, 1]
    assert facts["description"] == "Says the next number"
    assert facts["listed"] == ["tunedModels/counting"]
    assert (facts["source"], facts["source_base"]) == ("tunedModels/counting", "models/tiny")
    assert (facts["cancel"], facts["after_cancel"]) == ("cancelled", "FAILED")
    assert "Tuned model tunedModels/counting does not exist." in facts["gone"]
    assert facts["left"] == []
