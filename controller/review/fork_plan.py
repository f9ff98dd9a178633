"""A plan made without any secret, to a file that another workflow may post, and from there to a comment.

Whoever opens a pull request from a fork decides what its job writes, so the file is a stranger's word: it is read
against a closed schema with limits, every text of it is shown as data, and it grants nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from controller.errors import ControllerError
from controller.plan.actions import WORDS
from controller.ports.code_host import CodeHost, Said
from controller.report import plan_comment as words
from controller.report.phrases import COSTS
from controller.report.plan_comment import ForeignAction, ForeignChange, ForeignPlan, Note, foreign_comment
from controller.review.memory import Memory, StoryStage, written
from controller.review.memory import read as read_memory
from controller.review.planning import Planned
from controller.review.sticky import find, publish

FILE = "gitune-plan-of-a-fork.json"
_LARGEST = 1 << 20  # bytes
_MOST = 1000


def write(path: Path, pull: int, planned: Planned) -> None:
    """Write the plan for the workflow that may comment. Raises `ControllerError`."""
    view = planned.view
    file = ForeignPlan(
        version=1,
        pull=pull,
        head=view.head,
        actions=tuple(
            ForeignAction(
                name=a.name[:300],
                word=a.word,
                reason=str(a.reason),
                message=a.message[:300],
                effort=words.effort(a, view.notes.get(a.name, Note()))[:300],
                data=words.data(view.notes.get(a.name, Note()))[:300],
                changes=tuple(
                    ForeignChange(c.field[:300], COSTS[c.change_class], c.before[:300], c.after[:300])
                    for c in a.changes[:100]
                ),
            )
            for a in view.plan.actions[:_MOST]
        ),
        problems=tuple(str(problem)[:300] for problem in planned.head.world.desired.errors[:200]),
    )
    try:
        path.write_bytes(msgspec.json.encode(file))
    except OSError as error:
        raise ControllerError(
            f"{path} cannot be written: {error.strerror}", hint="The runner names the folder."
        ) from error


@dataclass(frozen=True, slots=True)
class EndedRun:
    """The run that made the plan, as the code host tells of it: its commit, and whose repository that is in."""

    head: str
    repository: str


async def post(host: CodeHost, path: Path, run: EndedRun) -> None:
    """Post a fork's plan, after the host has confirmed its pull request and its head.

    Raises `ControllerError` where the file speaks of another pull request or commit.
    """
    plan = read(path)
    pull = await host.pull(plan.pull)
    same_place = pull.head_repository.lower() == run.repository.lower()
    if not pull.is_open or not same_place or not pull.head == run.head == plan.head:
        raise ControllerError(
            "the artifact does not belong to the pull request it names, as that now is",
            hint="Nothing is posted: a newer push brings a newer plan.",
        )
    there = await find(host, plan.pull)
    known = read_memory(there.memory) if there is not None else None
    if known is not None and known.stage is StoryStage.PLANNED and known.head == plan.head:
        return  # somebody who may write has had this very head planned: that plan stands
    if plan.actions or plan.problems or there is not None:
        memory = written(Memory(StoryStage.FOREIGN, plan.head, pull.base_branch, stamps=None))
        await publish(host, plan.pull, Said(foreign_comment(plan, host.comment_limit - len(memory) - 100), memory))


def read(path: Path) -> ForeignPlan:
    """What a stranger's job wrote. Raises `ControllerError` for anything but the closed schema."""
    try:
        with path.open("rb") as opened:
            raw = opened.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ControllerError("the artifact is larger than a plan", hint="Nothing is posted.")
        file = msgspec.json.decode(raw, type=ForeignPlan)
    except OSError as error:
        raise ControllerError(f"{path} cannot be read: {error.strerror}", hint="Download it first.") from error
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ControllerError("the artifact is not a plan of this version", hint="Nothing is posted.") from None
    if any(action.word not in WORDS for action in file.actions):
        raise ControllerError("the artifact holds an action nobody knows", hint="Nothing is posted.")
    return file
