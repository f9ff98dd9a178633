"""A finished workflow run of a fork to the comment on its pull request, after the code host has confirmed both."""

from __future__ import annotations

from controller.cli.codes import Code
from controller.cli.on_github import outputs
from controller.cli.on_github.artifact import read
from controller.cli.on_github.inputs import Inputs
from controller.cli.on_github.sticky import find, publish
from controller.errors import ControllerError
from controller.forge.event import RunEnded
from controller.ports import Forge
from controller.report.comment_foreign import foreign_comment


async def post_foreign(inputs: Inputs, event: RunEnded, forge: Forge) -> int:
    """Post a fork's plan. Raises `ControllerError` where the artifact speaks of another pull request or commit."""
    if event.event != "pull_request" or inputs.artifact is None or not inputs.artifact.exists():
        outputs.notice("that run left no plan of a fork: nothing is posted")
        return Code.WELL
    plan = read(inputs.artifact)
    pull = await forge.pull(plan.pull)
    same_place = pull.head_repository.lower() == event.head_repository.lower()
    if not pull.is_open or not same_place or not pull.head == event.head == plan.head:
        raise ControllerError(
            "the artifact does not belong to the pull request it names, as that now is",
            hint="Nothing is posted: a newer push brings a newer plan.",
        )
    if plan.actions or plan.problems or await find(forge, plan.pull) is not None:
        await publish(forge, plan.pull, foreign_comment(plan))
    return Code.WELL
