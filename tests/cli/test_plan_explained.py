"""`gitune plan --explain NAME`: why one name gets what it gets."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.running import Commit, Process, WriteSpec


@pytest.fixture(autouse=True)
def held(spec: WriteSpec, commit: Commit) -> None:
    """One committed spec that is only observed."""
    spec("numbers", "  suspend: true\n")
    commit("one")


def test_a_held_spec_is_shown_with_the_rule_that_holds_it(gitune: Process) -> None:
    done = gitune("plan", "--offline", "--explain", "numbers")
    head, _, titles, decides, *stages = done.stdout.splitlines()
    assert done.returncode == 0
    assert head.split()[:4] == ["!", "hold", "numbers", "Suspended"]
    assert re.split(r"  +", titles) == ["rule", "why not", "situation"]
    assert re.split(r"  +", decides) == ["suspended", "decides", "suspend: true"]
    assert [line.split()[0] for line in stages] == [
        "listed_whole",
        "reviewed",
        "settled",
        "in_the_queue",
        "within_budget",
        "worth_a_cancel",
    ]


def test_the_same_as_json_has_null_for_the_rule_that_decides(gitune: Process) -> None:
    shown = json.loads(gitune("plan", "--offline", "--explain", "numbers", "-o", "json").stdout)
    first, *others = shown["tried"]
    assert (shown["schemaVersion"], shown["name"]) == (1, "numbers")
    assert [(a["action"], a["reason"], a["model"]) for a in shown["actions"]] == [("hold", "Suspended", "")]
    assert first == {"row": "suspended", "situation": "`suspend: true`", "whyNot": None}
    assert all(one["whyNot"] for one in others)


def test_a_name_that_nobody_has_is_an_error(gitune: Process) -> None:
    done = gitune("plan", "--offline", "--explain", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: no spec and no record is named nobody\nhint: `gitune plan` and `gitune status` list the names.\n"
    )


def test_an_explanation_leaves_nothing_out_for_a_base_and_does_not_say_so(gitune: Process) -> None:
    done = gitune("plan", "--offline", "--base", "HEAD", "--explain", "numbers")
    assert "Suspended" in done.stdout
    assert "left out" not in done.stderr
