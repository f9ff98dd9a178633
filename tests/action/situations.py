"""What a team does, in one call each: a change, its plan, a merge, a push of something else, a terminal's command."""

from __future__ import annotations

import contextlib
import io
import os
from unittest import mock

from controller.cli.main import run
from controller.state.recorded import Record
from controller.state.reviews import Decision, Origin, Review
from tests.action.conftest import House
from tests.action.workflow import Step, push_payload
from tests.e2e.stand import Answer, spec
from tests.forge.stand_in import REPOSITORY

LONG = 400  # epochs: it tunes for as long as a test looks


def change(house: House, number: int, files: dict[str, str], branch: str = "main", repository: str = REPOSITORY) -> str:
    """A pull request that writes these files; its head. No job has seen it yet."""
    house.branch(f"change-{number}", branch)
    head = _commit(house, files, f"change {number}")
    house.forge.open_pull(number, head, house.clone.git("rev-parse", branch), repository, branch)
    return head


def numbers(epochs: int = 3, extra: str = "") -> dict[str, str]:
    """The spec of the model `numbers`, asking for so many epochs."""
    return {"specs/numbers.yaml": spec(epochs=epochs, extra=extra)}


def model(name: str, epochs: int = 2) -> dict[str, str]:
    """The spec of another model on the same data."""
    return {f"specs/{name}.yaml": spec(name, epochs=epochs)}


def planned(house: House, number: int, files: dict[str, str], branch: str = "main") -> str:
    """The same, and its plan job has run."""
    head = change(house, number, files, branch)
    well(house.workflow.pull_request(number, "opened"))
    return head


def land(house: House, number: int, how: str = "merge") -> Step:
    """Merge it, and run the job of the push."""
    return house.workflow.push(house.merge(number, how))


def directly(house: House, files: dict[str, str], message: str = "change") -> str:
    """A commit on main that belongs to no pull request, pushed; no job has seen it yet."""
    house.clone.git("checkout", "-q", "main")
    return _commit(house, files, message)


def _commit(house: House, files: dict[str, str], message: str) -> str:
    """A commit on the current branch, pushed."""
    for path, text in files.items():
        house.clone.write(path, text)
    house.clone.git("add", "-A")
    house.clone.git("commit", "-q", "--allow-empty", "-m", message)
    house.clone.git("push", "-q", "-f", "origin", "HEAD")
    return house.clone.git("rev-parse", "HEAD")


def unrelated(house: House) -> Step:
    """Somebody pushes a README, and the job of that push runs."""
    return house.workflow.push(directly(house, {"README.md": f"{house.workflow.count} words\n"}))


def branch_pushed(house: House, branch: str) -> Step:
    """The job of a push to another branch."""
    tip = house.clone.git("rev-parse", f"origin/{branch}")
    return house.workflow.step("push", push_payload(tip, branch), tip, f"refs/heads/{branch}")


def dispatched(house: House, branch: str) -> Step:
    """Somebody starts the workflow by hand, and chooses a branch."""
    tip = house.clone.git("rev-parse", f"origin/{branch}")
    payload = {"ref": f"refs/heads/{branch}", "repository": {"full_name": REPOSITORY, "default_branch": "main"}}
    return house.workflow.step("workflow_dispatch", payload, tip, f"refs/heads/{branch}")


def serving(house: House) -> str:
    """The first model serves, as a commit of no pull request asked for; that commit."""
    main = house.clone.git("rev-parse", "main")
    well(house.workflow.push(main, GITUNE_WAIT="true"))
    assert house.creates == 1
    return main


def terminal(house: House, *words: str) -> Answer:
    """`gitune` at a terminal, in the clone as it is."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {"NO_COLOR": "1"}),
        contextlib.chdir(house.clone.root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(list(words))
    return Answer(code, out.getvalue(), err.getvalue())


def well(step: Step) -> Step:
    """A step that had to go well, and did."""
    assert step.answer.code == 0, step.answer.out + step.answer.err
    return step


def held(step: Step, *words: str) -> Step:
    """A step that holds something for a person, and says why."""
    assert step.answer.code == 3, step.answer.out + step.answer.err
    for word in words:
        assert word in step.answer.out, step.answer.out
    return step


def failed(step: Step, *words: str) -> Step:
    """A step that ended with an error, and says which."""
    assert step.answer.code == 1, step.answer.out + step.answer.err
    for word in words:
        assert word in step.answer.out, step.answer.out
    return step


def cancels(house: House) -> list[str]:
    return [path for _, path in house.proxy.changes if path.endswith(":cancel")]


def patches(house: House) -> list[str]:
    return [path for method, path in house.proxy.changes if method == "PATCH"]


def writes(house: House) -> list[tuple[str, str]]:
    """What was asked of the code host that would change something."""
    return [(method, path) for method, path in house.forge.requests if method != "GET"]


def granted(record: Record) -> list[Review]:
    return [review for review in record.reviews if review.verdict is Decision.GRANTED]


def refused(record: Record) -> list[Review]:
    return [review for review in record.reviews if review.verdict is Decision.REFUSED]


def origins(record: Record) -> list[Origin]:
    return [review.origin for review in granted(record)]
