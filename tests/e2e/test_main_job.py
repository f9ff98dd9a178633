"""The main job with the real command, real git and real sockets, on models small enough for a test."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Stand
from tests.e2e.stand import rows, spec

pytestmark = pytest.mark.slow


def ledger_tip(stand: Stand) -> str:
    return stand.repository.git("rev-parse", "gitune-status")


def conditions(model: dict[str, object]) -> dict[str, str]:
    listed = model["conditions"]
    assert isinstance(listed, list)
    return {condition["type"]: condition["status"] for condition in listed}


def applied(stand: Stand, *words: str) -> list[tuple[str, str]]:
    """One `gitune apply`; what it did, by name and word."""
    answer = stand.repository.gitune("apply", "-o", "json", *words)
    assert answer.code == 0, answer.out + answer.err
    return [(action["name"], action["action"]) for action in answer.json["actions"]]


def test_a_spec_becomes_a_model_and_a_second_apply_changes_nothing(stand: Stand) -> None:
    applied(stand, "--wait")
    model = stand.repository.status("numbers")
    assert conditions(model) == {"Available": "True", "Ready": "True"}
    losses = [point["meanLoss"] for point in model["runs"][0]["losses"]]
    assert len(losses) == 10
    tip, changes = ledger_tip(stand), len(stand.proxy.changes)
    assert changes == 1, stand.proxy.changes
    assert applied(stand) == [("numbers", "none")]
    assert applied(stand, "--wait") == [("numbers", "none")]
    assert len(stand.proxy.changes) == changes
    assert ledger_tip(stand) == tip
    assert stand.repository.git("log", "--format=%s", "main").splitlines() == ["change"]
    assert stand.repository.git("status", "--porcelain") == ""


def test_a_changed_epoch_count_tunes_beside_the_model_that_answers_and_a_revert_is_free(stand: Stand) -> None:
    applied(stand, "--wait")
    first = stand.repository.status("numbers")["active"]["model"]
    stand.repository.write("specs/numbers.yaml", spec(epochs=1000))
    stand.repository.commit()
    assert applied(stand) == [("numbers", "retune")]
    status = stand.repository.status("numbers")
    assert (status["active"]["model"], conditions(status)["Available"]) == (first, "True")
    assert stand.repository.gitune("generate", "numbers", "1").code == 0
    stand.repository.write("specs/numbers.yaml", spec(epochs=2))
    stand.repository.commit()
    before = len([change for change in stand.proxy.changes if change[0] == "POST" and "tunedModelId" in change[1]])
    assert applied(stand) == [("numbers", "cancel")]
    assert applied(stand) == [("numbers", "none")]
    after = [change for change in stand.proxy.changes if change[0] == "POST" and "tunedModelId" in change[1]]
    assert len(after) == before == 2
    assert stand.repository.status("numbers")["active"]["model"] == first


def test_a_revert_after_the_new_run_serves_reuses_the_old_one_without_a_request(stand: Stand) -> None:
    applied(stand, "--wait")
    first = stand.repository.status("numbers")["active"]["model"]
    stand.repository.write("specs/numbers.yaml", spec(epochs=3))
    stand.repository.commit()
    applied(stand, "--wait")
    assert stand.repository.status("numbers")["active"]["model"] != first
    changes = len(stand.proxy.changes)
    stand.repository.write("specs/numbers.yaml", spec(epochs=2))
    stand.repository.commit()
    assert applied(stand) == [("numbers", "reuse")]
    assert stand.repository.status("numbers")["active"]["model"] == first
    assert len(stand.proxy.changes) == changes


def test_an_edited_display_name_is_one_patch(stand: Stand) -> None:
    applied(stand, "--wait")
    stand.proxy.requests.clear()
    stand.repository.write("specs/numbers.yaml", spec(extra="  displayName: Numbers\n"))
    stand.repository.commit()
    assert applied(stand) == [("numbers", "update")]
    assert [method for method, _ in stand.proxy.changes] == ["PATCH"]
    assert applied(stand) == [("numbers", "none")]
    assert [method for method, _ in stand.proxy.changes] == ["PATCH"]


def test_a_removed_spec_is_orphaned_and_its_model_stays(stand: Stand) -> None:
    applied(stand, "--wait")
    model = stand.repository.status("numbers")["active"]["model"]
    stand.proxy.requests.clear()
    (stand.repository.root / "specs/numbers.yaml").rename(stand.repository.root / "specs/other.yaml")
    stand.repository.write("specs/other.yaml", spec("other"))
    stand.repository.commit()
    assert ("numbers", "orphan") in applied(stand)
    assert all(method == "POST" and "other" in path for method, path in stand.proxy.changes)
    assert stand.repository.status("numbers")["active"]["model"] == model


def test_a_server_killed_in_mid_training_is_no_failure_and_goes_on(stand: Stand) -> None:
    stand.repository.write("specs/numbers.yaml", spec(epochs=200))
    stand.repository.commit()
    applied(stand)
    while stand.repository.gitune("apply", "-o", "json").json["actions"][0]["message"].count("step 0 of"):
        pass
    stand.server.kill()
    down = stand.repository.gitune("apply", "-o", "json")
    assert down.code == 1, down.out
    stand.server.start()
    applied(stand, "--wait")
    run = stand.repository.status("numbers")["runs"][0]
    assert run["outcome"] == "Succeeded"
    steps = [point["step"] for point in run["losses"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == 1000


def test_what_is_not_committed_is_not_applied(stand: Stand) -> None:
    stand.repository.write("specs/numbers.yaml", spec(epochs=3))
    shown = stand.repository.gitune("plan")
    assert "specs/numbers.yaml" in shown.out + shown.err, "plan says where the working tree differs"
    applied(stand)
    model = stand.repository.status("numbers")
    assert model["runs"][0]["revision"] == stand.repository.git("rev-parse", "HEAD")
    stand.repository.git("checkout", "-q", "specs/numbers.yaml")
    assert applied(stand, "--wait")[-1][0] == "numbers"
    assert len([c for c in stand.proxy.changes if c[0] == "POST"]) == 1


def test_only_the_plan_that_was_reviewed_is_applied(stand: Stand) -> None:
    digest = stand.repository.gitune("plan", "-o", "json").json["digest"]
    stand.repository.write("specs/rows.jsonl", rows(start=2))
    stand.repository.commit()
    refused = stand.repository.gitune("apply", "--plan-digest", digest)
    assert refused.code == 3
    assert stand.proxy.changes == []
    fresh = stand.repository.gitune("plan", "-o", "json").json["digest"]
    assert stand.repository.gitune("apply", "--plan-digest", fresh).code == 0


def test_invalid_specs_send_nothing_and_the_exit_code_says_so(stand: Stand) -> None:
    stand.repository.write("specs/bad.yaml", spec("bad").replace("epochCount: 2", "epochCount: 0"))
    stand.repository.commit()
    validated = stand.repository.gitune("validate", "-o", "json")
    assert validated.code == 1
    (problem,) = [p for p in validated.json["problems"] if p["severity"] == "error"]
    assert (problem["file"], problem["line"], problem["code"]) == ("specs/bad.yaml", 7, "GT012")
    assert stand.proxy.requests == []
    answer = stand.repository.gitune("apply", "-o", "json")
    assert answer.code in {1, 3}
    words = {action["name"]: action["action"] for action in answer.json["actions"]}
    assert words == {"bad": "hold", "numbers": "create"}, "one bad spec does not stop the good one"


def test_the_ledger_on_a_bare_origin_is_shared_by_two_clones(stand: Stand) -> None:
    bare = stand.repository.root.parent / "origin.git"
    stand.repository.git("clone", "-q", "--bare", str(stand.repository.root), str(bare))
    stand.repository.git("remote", "add", "origin", str(bare))
    applied(stand, "--wait")
    clone = stand.repository.root.parent / "clone"
    stand.repository.git("clone", "-q", str(bare), str(clone))
    other = type(stand.repository)(clone)
    answer = other.gitune("apply", "-o", "json")
    assert [action["action"] for action in answer.json["actions"]] == ["none"], answer.out + answer.err
    names = other.git("ls-tree", "-r", "--name-only", "origin/gitune-status").splitlines()
    assert {"README.md", "status/numbers.yaml", "curves/numbers.csv", "curves/numbers.svg"} <= set(names)
    assert [method for method, _ in stand.proxy.changes] == ["POST"]
