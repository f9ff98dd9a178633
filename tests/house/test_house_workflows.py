"""What runs elsewhere: workflows that can do little, actions pinned by commit, CI that is the README's own command."""

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

WORKFLOWS = sorted((Path(__file__).resolve().parents[2] / ".github" / "workflows").glob("*.yml"))
# What a workflow has to write, and nothing else may be: the comment, the check, a line beside a commit, the ledger.
WRITES = {
    "gitune-plan.yml": {"pull-requests", "checks"},
    "gitune-comment.yml": {"pull-requests"},
    "gitune-apply.yml": {"contents", "pull-requests", "statuses"},
    "gitune-verbs.yml": {"contents", "pull-requests", "checks", "statuses"},
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_nothing_unless_a_job_says_so(workflow: Path) -> None:
    document = YAML(typ="safe").load(workflow.read_text())

    assert document["permissions"] == {}
    written = {name for job in document["jobs"].values() for name, may in job["permissions"].items() if may != "read"}
    assert written == WRITES.get(workflow.name, set())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_say_their_release(workflow: Path) -> None:
    uses = [line for line in re.findall(r"\buses: (.+)", workflow.read_text()) if not line.startswith("./")]

    assert uses
    assert [line for line in uses if not re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_no_event_text_reaches_a_shell(workflow: Path) -> None:
    document = YAML(typ="safe").load(workflow.read_text())
    steps = [step for job in document["jobs"].values() for step in job["steps"]]

    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    assert all(step["with"]["persist-credentials"] is False for step in steps if "actions/checkout" in str(step))


def test_ci_runs_the_readmes_test_command(root: Path) -> None:
    assert "script/test" in (root / ".ci/run").read_text()
    assert "./script/test" in (root / "README.md").read_text()
    assert any("run: .ci/run" in workflow.read_text() for workflow in WORKFLOWS)


def test_hooks_take_their_tools_from_the_lock_file(root: Path) -> None:
    document = YAML(typ="safe").load((root / ".pre-commit-config.yaml").read_text())

    assert [repo["repo"] for repo in document["repos"]] == ["local"]
    entries = [hook["entry"] for hook in document["repos"][0]["hooks"]]
    assert [entry for entry in entries if not entry.startswith("uv run --locked ")] == []


def test_shell_scripts_are_posix(root: Path) -> None:
    for script in ("script/bootstrap", "script/demo", "script/lint", "script/test", ".ci/run"):
        assert (root / script).read_text().startswith("#!/bin/sh\n"), script
        assert subprocess.run(["sh", "-n", root / script], check=False).returncode == 0, script


def test_whatever_is_installed_from_an_index_is_checked_by_its_hash(root: Path) -> None:
    places = [root / "Dockerfile", root / "action.yml", *WORKFLOWS, *sorted((root / "script").iterdir())]
    bare = [
        f"{path.name}: {line.strip()}"
        for path in places
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()
        if "pip install" in line and "--require-hashes" not in line
    ]

    assert bare == []
