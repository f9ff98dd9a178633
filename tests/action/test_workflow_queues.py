"""The workflow files: whose jobs wait for each other, since GitHub keeps one waiting job a group and drops the rest."""

from __future__ import annotations

from pathlib import Path

import yaml

FLOWS = Path(__file__).parents[2] / ".github" / "workflows"


def test_a_comment_takes_no_waiting_jobs_place_in_the_queue() -> None:
    flow = yaml.safe_load((FLOWS / "gitune-verbs.yml").read_text("utf-8"))

    assert "concurrency" not in flow  # it would be taken before the job's `if:` is asked
    for name, job in flow["jobs"].items():
        assert "startsWith(github.event.comment.body, '/gitune')" in job["if"], name
        assert "github.event.comment.id" in job["concurrency"]["group"], name
        assert list(job).index("if") < list(job).index("concurrency"), name


def test_no_other_workflow_waits_in_the_group_of_a_comment() -> None:
    groups: dict[str, str] = {}
    for path in sorted(FLOWS.glob("gitune-*.yml")):
        flow = yaml.safe_load(path.read_text("utf-8"))
        for scope in (flow, *flow["jobs"].values()):
            if "concurrency" in scope:
                group = str(scope["concurrency"]["group"])
                assert groups.setdefault(group, path.name) == path.name, group
