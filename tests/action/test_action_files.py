"""action.yml and the workflows as their linters see them, and as `gitune init` writes them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from controller.cli.github_action.inputs import Command, FailOn
from controller.cli.github_action.planning import plan_outputs
from controller.cli.main import run
from controller.plan.actions import Plan

ROOT = Path(__file__).resolve().parents[2]
ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text("utf-8"))
PIN = "acme/gitune@" + "0123456789" * 4
OWN = sorted((ROOT / ".github" / "workflows").glob("gitune-*.yml"))


def lint(tool: str, *words: str | Path, cwd: Path = ROOT) -> None:
    program = Path(sys.executable).with_name(tool)
    done = subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_action_yml_is_one() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    lint("zizmor", "--offline", "--no-progress", "action.yml", ".github")


def test_nothing_is_put_together_in_a_shell() -> None:
    steps = ACTION["runs"]["steps"]

    assert ACTION["runs"]["using"] == "composite"
    assert [step["run"] for step in steps if "${{" in step["run"]] == []


def test_every_output_that_is_promised_is_written_and_the_other_way_round() -> None:
    written = plan_outputs(Plan(None, ()), "", Path("plan.json"))

    assert set(ACTION["outputs"]) == set(written)
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.gitune.outputs.{name} }}}}"


def test_every_input_reaches_the_command() -> None:
    [step] = ACTION["runs"]["steps"]
    named = set(re.findall(r"inputs\.([a-z-]+)", " ".join(step["env"].values())))

    assert named == set(ACTION["inputs"])
    for choices, name in ((Command, "command"), (FailOn, "fail-on")):
        assert all(str(choice) in ACTION["inputs"][name]["description"] for choice in choices)


def test_the_workflow_that_plans_has_no_secret_in_it_and_none_runs_a_forks_code() -> None:
    for workflow in OWN:
        text = workflow.read_text("utf-8")
        assert "secrets." not in text
        assert "pull_request_target" not in text
        assert "head.sha" not in text
        assert "head_sha" not in text


def test_init_writes_the_workflows_of_this_repository_with_the_action_pinned(tmp_path: Path) -> None:
    assert run(["init", "--root", str(tmp_path), "--action", PIN]) == 0

    written = sorted((tmp_path / ".github" / "workflows").iterdir())
    assert [path.name for path in written] == [path.name for path in OWN]
    for path, own in zip(written, OWN, strict=True):
        assert path.read_text("utf-8") == re.sub(r"uses: \./ #.*", f"uses: {PIN}", own.read_text("utf-8"))
        assert PIN in path.read_text("utf-8")
    lint("actionlint", *written, cwd=tmp_path)
    lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *written)


@pytest.mark.parametrize(
    ("branch", "written"),
    [("main", "main"), ("master", '"master"'), ("1.0", '"1.0"'), ("c++/x", r'"c\\+\\+/x"'), ("déjà,", '"déjà,"')],
)
def test_the_workflow_that_applies_is_started_by_pushes_to_the_repositorys_own_branch(
    tmp_path: Path, branch: str, written: str
) -> None:
    subprocess.run(["git", "init", "-q", "-b", branch, str(tmp_path)], check=True)
    assert run(["init", "--root", str(tmp_path), "--action", PIN]) == 0

    workflow = tmp_path / ".github" / "workflows" / "gitune-apply.yml"
    assert f"    branches: [{written}]\n" in workflow.read_text("utf-8")
    lint("actionlint", workflow, cwd=tmp_path)
    lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


@pytest.mark.parametrize("action", ["acme/gitune@v1", "acme/gitune@main", "./", "acme/gitune", "a b/c@" + "0" * 40])
def test_an_action_that_is_not_pinned_is_refused_and_nothing_is_written(tmp_path: Path, action: str) -> None:
    assert run(["init", "--root", str(tmp_path), "--action", action]) == 1
    assert list(tmp_path.iterdir()) == []
