"""The main job on a causal model: a spec in git, an apply, a question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hf.conftest import BASE, fetched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SPEC = f"""\
apiVersion: gitune.dev/v1alpha1
kind: TunedModel
metadata: {{name: next-number}}
spec:
  provider: local
  baseModel: {BASE}
  dataset: {{path: ../rows.jsonl}}
  hyperparameters: {{epochCount: 2, batchSize: 4, learningRate: 0.01}}
"""


def test_a_fetched_model_is_tuned_by_apply_and_answers(tmp_path: Path) -> None:
    home, repository = tmp_path / "home", tmp_path / "repository"
    fetched(home)
    (repository / "specs").mkdir(parents=True)
    (repository / "specs" / "next-number.yaml").write_text(SPEC)
    rows = [json.dumps({"text_input": str(n), "output": str(n + 1)}) for n in range(24)]
    (repository / "rows.jsonl").write_text("\n".join(rows))
    (repository / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\n")

    def run(*words: str) -> str:
        environ = os.environ | {"GITUNE_HOME": str(home)}
        return subprocess.run(words, cwd=repository, env=environ, check=True, capture_output=True, text=True).stdout

    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "start")):
        run("git", "-c", "user.name=t", "-c", "user.email=t@t", *words)
    gitune = (sys.executable, "-m", "controller")
    try:
        run(*gitune, "apply", "--wait")
        [status] = json.loads(run(*gitune, "status", "-o", "json"))["models"]
        assert status["active"]["model"].startswith("tunedModels/next-number-")
        assert len(status["runs"][0]["losses"]) == 12
        run(*gitune, "generate", "next-number", "3")
    finally:
        server = json.loads((home / "local" / "server.json").read_text())["pid"]
        os.kill(server, 15)
