"""The workflows that `gitune init` writes, run as a runner runs them: from a plan to what is paid for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.cli.main import run
from tests.action.conftest import House
from tests.action.workflow import TOKEN, pull_payload, push_payload
from tests.e2e.stand import spec
from tests.forge.stand_in import REPOSITORY

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PIN = "acme/gitune@" + "0123456789" * 4
_OTHERS = re.compile(r"uses: (actions/(?!checkout)[a-z-]+@[0-9a-f]{40})")


@dataclass
class Runner:
    """`act`, which runs workflows without a container: on the clone, with this checkout as the Action."""

    house: House
    folder: Path

    def prepare(self) -> None:
        """The workflows in the clone; the Action's files, and stand-ins for the actions that only GitHub has."""
        assert run(["init", "--root", str(self.folder / "written"), "--action", PIN]) == 0
        for path in (self.folder / "written" / ".github" / "workflows").iterdir():
            self.house.clone.write(f".github/workflows/{path.name}", path.read_text("utf-8"))
        self.house.clone.commit()
        self.house.clone.git("push", "-q", "origin", "main")
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
        for name in listed.stdout.decode().splitlines():
            target = self.folder / "gitune" / name
            if not name.startswith("tests/") and (ROOT / name).is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        stub = self.folder / "stub" / "action.yml"
        stub.parent.mkdir()
        stub.write_text("name: nothing\nruns: {using: composite, steps: [{shell: sh, run: 'true'}]}\n")
        config = self.folder / "home" / ".config" / "act" / "actrc"
        config.parent.mkdir(parents=True)
        config.write_text("")

    def job(self, event: str, workflow: str, payload: Mapping[str, Any]) -> None:
        """One event, its workflow, and the end of its job."""
        (self.folder / "event.json").write_text(json.dumps(payload))
        text = (self.house.clone.root / ".github" / "workflows" / workflow).read_text("utf-8")
        words: list[str | Path] = [Path(sys.executable).with_name("act"), event, "-e", self.folder / "event.json"]
        words += ["-W", f".github/workflows/{workflow}", "-P", "ubuntu-24.04=-self-hosted", "--actor", "jane"]
        words += [
            "-s",
            f"GITHUB_TOKEN={TOKEN}",
            "--var",
            "GITUNE_APPLY=true",
            "--env",
            f"GITHUB_REPOSITORY={REPOSITORY}",
        ]
        words += ["--env", f"GITHUB_API_URL={self.house.forge.url}", "--env", "GITHUB_SERVER_URL=https://github.com"]
        words += ["--local-repository", f"{PIN}={self.folder / 'gitune'}"]
        for action in sorted(set(_OTHERS.findall(text))):
            words += ["--local-repository", f"{action}={self.folder / 'stub'}"]
        home = self.folder / "home"
        cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
        given = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GITUNE_"))}
        given |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "UV_CACHE_DIR": cache}
        given |= {"XDG_CACHE_HOME": str(home / ".cache"), "XDG_DATA_HOME": str(home / "data")}
        given.pop("VIRTUAL_ENV", None)
        done = subprocess.run(words, cwd=self.house.clone.root, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.fixture
def runner(house: House, tmp_path: Path) -> Runner:
    made = Runner(house, tmp_path / "runner")
    made.folder.mkdir()
    made.prepare()
    return made


def test_a_pull_request_is_planned_merged_applied_and_cancelled_by_the_shipped_workflows(
    house: House, runner: Runner
) -> None:
    house.branch("change-1")
    house.clone.write("specs/numbers.yaml", spec(epochs=400))
    head = house.open(1)
    base = house.clone.git("rev-parse", "main")
    house.clone.git("push", "-q", "origin", f"{head}:refs/pull/1/head")
    house.clone.git("checkout", "-q", "--detach", house.workflow.merge_ref(head, base))
    runner.job("pull_request", "gitune-plan.yml", pull_payload(house.forge.pulls[1], "opened"))
    assert "1 to create" in house.forge.bodies(1)[0]
    assert house.forge.checks[-1]["conclusion"] == "success"

    merged = house.merge(1)
    runner.job("push", "gitune-apply.yml", push_payload(merged))
    assert house.creates == 1
    assert "Gitune is tuning" in house.forge.bodies(1)[0]

    house.forge.permissions["jane"] = "write"
    body = "/gitune cancel numbers"
    comment = {"id": house.forge.say(1, "jane", body), "body": body, "user": {"login": "jane", "type": "User"}}
    issue = {"number": 1, "pull_request": {"url": "https://api.github.com/x"}}
    repository = {"full_name": REPOSITORY, "default_branch": "main"}
    payload = {"action": "created", "issue": issue, "comment": comment, "repository": repository}
    runner.job("issue_comment", "gitune-verbs.yml", payload)
    assert any(path.endswith(":cancel") for _, path in house.proxy.changes)
    assert house.creates == 1
