"""A workflow's runner: a clone of a bare repository, the environment of a step, and the real command in it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from controller.cli.main import run
from tests.e2e.stand import Answer, Repository
from tests.forge.stand_in import REPOSITORY, StandIn

TOKEN = "made-up-workflow-token"


@dataclass
class Step:
    """What one step left behind."""

    answer: Answer
    outputs: dict[str, str]
    summary: str

    @property
    def commands(self) -> list[str]:
        """The lines of the log that the runner obeys."""
        return runner_commands(self.answer.out) + runner_commands(self.answer.err)


@dataclass
class Workflow:
    """Steps run in a clone, each with its own event."""

    clone: Repository
    forge: StandIn
    scratch: Path
    environ: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def step(self, event: str, payload: dict[str, Any], sha: str, ref: str = "refs/heads/main", **environ: str) -> Step:
        """`gitune action` as action.yml calls it."""
        self.count += 1
        folder = self.scratch / f"step-{self.count}"
        folder.mkdir(parents=True)
        (folder / "event.json").write_text(json.dumps(payload))
        given = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.forge.url,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": sha,
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_TOKEN": TOKEN,
            "RUNNER_TEMP": str(folder),
            **self.environ,
            **environ,
        }
        answer = self._run(given)
        return Step(answer, read_outputs(folder / "output"), _text(folder / "summary.md"))

    def _run(self, given: dict[str, str]) -> Answer:
        """The command in this process: a start of Python for every step would take most of the time."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {"NO_COLOR": "1", **given}),
            contextlib.chdir(self.clone.root),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(["action"])
        return Answer(code, out.getvalue(), err.getvalue())

    def pull_request(self, number: int, action: str = "synchronize", **environ: str) -> Step:
        """The event of a pull request, on the merge that GitHub prepares of it."""
        pull = self.forge.pulls[number]
        merge = self.merge_ref(pull["head"]["sha"], pull["base"]["sha"])
        payload = pull_payload(pull, action)
        return self.step("pull_request", payload, merge, f"refs/pull/{number}/merge", **environ)

    def merge_ref(self, head: str, base: str) -> str:
        """A merge commit of head into base, which no branch points to."""
        tree = self.clone.git("merge-tree", "--write-tree", base, head).splitlines()[0]
        return self.clone.git("commit-tree", tree, "-p", base, "-p", head, "-m", "Merge")

    def push(self, commit: str, **environ: str) -> Step:
        """The event of a push to the default branch."""
        return self.step("push", push_payload(commit), commit, **environ)

    def schedule(self, commit: str, **environ: str) -> Step:
        """The event of a timer."""
        return self.step("schedule", {"schedule": "*/15 * * * *", "repository": _repository()}, commit, **environ)


def _repository() -> dict[str, Any]:
    return {"full_name": REPOSITORY, "default_branch": "main"}


def pull_payload(pull: dict[str, Any], action: str) -> dict[str, Any]:
    shown = {**pull, "merged": pull["merged_at"] is not None}
    return {"action": action, "number": pull["number"], "pull_request": shown, "repository": _repository()}


def push_payload(commit: str, branch: str = "main") -> dict[str, Any]:
    return {"ref": f"refs/heads/{branch}", "after": commit, "deleted": False, "repository": _repository()}


def read_outputs(path: Path) -> dict[str, str]:
    """GITHUB_OUTPUT as the runner reads it."""
    found: dict[str, str] = {}
    lines = iter(_text(path).splitlines())
    for line in lines:
        key, _, delimiter = line.partition("<<")
        value = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        found[key] = "\n".join(value)
    return found


def runner_commands(log: str) -> list[str]:
    """The workflow commands in a log, as the runner's parser finds them: ``::name`` at a line's start, ``##[``."""
    found = []
    stopped = ""
    for line in log.splitlines():
        stripped = line.lstrip()
        if stopped:
            stopped = "" if stripped == f"::{stopped}::" else stopped
            continue
        if stripped.startswith("::stop-commands::"):
            stopped = stripped.removeprefix("::stop-commands::")
        elif stripped.startswith("::") or "##[" in line:
            found.append(stripped)
    return found


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def bare_and_clone(folder: Path) -> tuple[Path, Repository]:
    """An empty bare repository, and a clone whose origin it is."""
    bare = folder / "models.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    clone = Repository(folder / "clone")
    subprocess.run(["git", "clone", "-q", str(bare), str(clone.root)], check=True, capture_output=True)
    clone.git("checkout", "-q", "-B", "main")
    return bare, clone
