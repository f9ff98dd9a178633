"""What goes wrong around an apply, and who tries to steer it: nothing is paid that was not reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.review.memory import StoryStage
from tests.action.conftest import House, memory_of
from tests.action.workflow import Workflow
from tests.e2e.stand import Repository, rows, settings, spec
from tests.forge.stand_in import Failure

pytestmark = pytest.mark.slow


def opened(house: House, number: int = 1, epochs: int = 3) -> str:
    base = house.clone.git("rev-parse", "main")
    house.branch(f"change-{number}")
    house.clone.write("specs/numbers.yaml", spec(epochs=epochs))
    head = house.commit()
    house.forge.open_pull(number, head, base)
    return head


def test_a_code_host_that_is_down_stops_no_pass_but_what_it_would_have_shown_as_reviewed_is_held(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    merged = house.merge(1)
    house.forge.failures.append(Failure("GET", 503, "down", times=10_000))

    down = house.workflow.push(merged)

    assert down.answer.code == 1
    assert house.creates == 0
    assert "no grant of it is on record" in down.answer.out
    house.forge.failures.clear()
    assert house.workflow.schedule(merged).answer.code == 0
    assert house.creates == 1


def test_a_comment_that_cannot_be_written_ends_in_an_error_after_the_pass(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    merged = house.merge(1)
    house.forge.failures.append(Failure("PATCH .*comments", 403, "Resource not accessible by integration", times=10))

    step = house.workflow.push(merged)

    assert step.answer.code == 1
    assert house.creates == 1
    assert any("may not do this" in command for command in step.commands)


def test_a_plan_that_cannot_be_posted_still_stands_in_the_summary(house: House) -> None:
    opened(house)
    house.forge.failures.append(Failure("POST .*comments", 403, "Resource not accessible by integration", times=10))

    step = house.workflow.pull_request(1)

    assert step.answer.code == 1
    assert "1 to create" in step.summary
    assert step.outputs["to-create"] == "1"


def test_a_comment_lost_on_its_way_back_is_looked_for_and_not_repeated(house: House) -> None:
    opened(house)
    house.forge.failures.append(Failure("POST .*comments", 502, "bad gateway", after=True))

    assert house.workflow.pull_request(1).answer.code == 0
    assert len(house.forge.bodies(1)) == 1


def test_a_push_after_the_plan_is_not_reviewed_and_not_paid_for(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    house.clone.write("specs/numbers.yaml", spec(epochs=999))
    house.forge.push(1, house.commit())  # and no workflow saw it

    step = house.workflow.push(house.merge(1))

    assert step.answer.code == 3
    assert house.creates == 0
    assert "was pushed to after its plan" in house.forge.bodies(1)[0]


def test_a_marker_that_somebody_else_wrote_approves_nothing(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    [planned] = house.forge.bodies(1)
    house.forge.said.clear()
    house.forge.say(1, "mallory", planned)

    step = house.workflow.push(house.merge(1))

    assert step.answer.code == 3
    assert house.creates == 0


def test_a_comment_that_was_tampered_with_approves_nothing(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    for broken in ("", "<!-- gitune: {", '<!-- gitune: {"v":1,"purpose":"plan"} -->\nlooks fine'):
        house.forge.said[0]["body"] = broken
        merged = house.merge(1) if not house.forge.pulls[1]["merged_at"] else house.clone.git("rev-parse", "main")
        assert house.workflow.push(merged).answer.code == 3
    assert house.creates == 0


def test_a_run_that_the_branch_started_meanwhile_makes_another_plan_which_is_refused(house: House) -> None:
    opened(house)
    house.workflow.pull_request(1)
    assert house.workflow.push(house.clone.git("rev-parse", "main")).answer.code == 0
    creates = house.creates

    step = house.workflow.push(house.merge(1))

    assert step.answer.code == 3  # what was reviewed as the first run of a model would now end another one
    assert house.creates == creates
    assert "numbers moved" in house.forge.bodies(1)[0]


def test_two_reviewed_pull_requests_merged_one_after_the_other_are_both_applied(house: House) -> None:
    opened(house, 1)
    house.workflow.pull_request(1)
    base = house.clone.git("rev-parse", "main")
    house.branch("change-2")
    house.clone.write("specs/others.yaml", spec("others", epochs=2))
    house.forge.open_pull(2, house.commit(), base)
    house.workflow.pull_request(2)
    house.merge(1)
    merged = house.merge(2)  # the push of the first was never seen: a pending run is dropped

    step = house.workflow.push(merged)

    assert step.answer.code == 0, step.answer.out + step.answer.err
    assert house.creates == 2
    stages = [marker.stage for n in (1, 2) if (marker := memory_of(house, n)) is not None]
    assert len(stages) == 2
    assert StoryStage.PLANNED not in stages
    assert StoryStage.REFUSED not in stages


def test_the_configuration_of_a_pull_request_is_not_its_own(house: House) -> None:
    opened(house)
    house.clone.write("gitune.yaml", settings("http://127.0.0.1:9"))
    house.forge.push(1, house.commit())
    before = len(house.proxy.requests)

    step = house.workflow.pull_request(1)

    assert step.answer.code == 0, step.answer.out
    assert len(house.proxy.requests) > before
    assert "`gitune.yaml` changes here" in house.forge.bodies(1)[0]


def test_a_bad_spec_is_annotated_on_its_line_and_fails_the_check_but_hides_no_good_one(house: House) -> None:
    opened(house)
    house.clone.write("specs/bad.yaml", spec("bad").replace("epochCount: 2", "epochCount: zero"))
    house.forge.push(1, house.commit())

    step = house.workflow.pull_request(1)

    assert step.answer.code == 1
    [check] = house.forge.checks
    assert (check["name"], check["conclusion"]) == ("gitune/plan", "failure")
    assert ("specs/bad.yaml", 7) in {(note["path"], note["start_line"]) for note in check["notes"]}
    assert any(c.startswith("::error file=specs/bad.yaml,line=7,") for c in step.commands), step.commands
    assert step.outputs["to-create"] == "1"


def test_what_a_file_says_never_becomes_a_command_of_the_runner(house: House) -> None:
    opened(house)
    house.clone.write("specs/x%0A::error::y.yaml", spec("numbers").replace("numbers", "'a\n::add-mask::x\n##[error]b'"))
    house.clone.write("specs/rows.jsonl", rows(20) + '{"text_input": "::error::", "output": "##[error]"}\n')
    house.forge.push(1, house.commit())

    step = house.workflow.pull_request(1)

    kinds = {command.split(" ", 1)[0].split("::")[1] for command in step.commands}
    assert kinds <= {"error", "warning", "notice"}
    assert all(" title=Gitune" in command or ",title=Gitune" in command for command in step.commands)
    assert "##[" not in step.answer.out + step.answer.err


def test_nothing_secret_leaves_the_step(house: House) -> None:
    opened(house)

    step = house.workflow.pull_request(1, GEMINI_API_KEY="made-up-key-of-a-provider")

    everything = f"{step.answer}{step.outputs}{step.summary}{house.forge.said}{house.forge.checks}"
    for secret in ("made-up-key-of-a-provider", "made-up-workflow-token"):
        assert secret not in everything


def test_an_input_nobody_knows_is_told_with_those_there_are(house: House) -> None:
    opened(house)

    step = house.workflow.pull_request(1, GITUNE_COMMAND="destroy")

    assert step.answer.code == 1
    assert "auto, validate, plan, apply, comment" in step.answer.out


def test_a_step_without_a_checkout_is_told_to_make_one(house: House, tmp_path: Path) -> None:
    opened(house)
    elsewhere = Workflow(Repository(tmp_path / "empty"), house.forge, tmp_path / "elsewhere")
    elsewhere.clone.root.mkdir()

    step = elsewhere.step("schedule", {}, "a" * 40)

    assert step.answer.code == 1
    assert "actions/checkout with `fetch-depth: 0`" in step.answer.out


def test_without_a_pull_request_the_branch_is_what_is_asked_for(house: House) -> None:
    main = house.clone.git("rev-parse", "main")

    assert house.workflow.push(main, GITUNE_WAIT="true").answer.code == 0
    assert house.creates == 1
    step = house.workflow.step("push", {"ref": "refs/heads/other", "after": main}, main)
    assert step.answer.code == 0
    assert house.creates == 1


def test_validate_and_plan_only_look(house: House) -> None:
    main = house.clone.git("rev-parse", "main")
    asked = len(house.proxy.requests)

    assert house.workflow.push(main, GITUNE_COMMAND="validate").answer.code == 0
    assert len(house.proxy.requests) == asked
    assert house.workflow.push(main, GITUNE_COMMAND="plan").outputs["to-create"] == "1"
    assert house.creates == 0
    assert [method for method, _ in house.forge.requests if method != "GET"] == []
