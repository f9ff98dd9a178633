"""A merged pull request to the plan that it was reviewed with, or to why there is none that grants anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.plan.grants import parts_moved
from controller.ports.code_host import CodeHost, Comment, Pull
from controller.report.formatting import listed
from controller.review.memory import Memory, Stamp, StoryStage, read
from controller.review.sticky import find
from controller.review.trail import moment
from controller.state.reviews import Basis, Decision, Origin, Review


@dataclass(frozen=True, slots=True)
class Evidence:
    """One merged pull request and the plan that it was merged with; ``why`` says why there is none, as a predicate."""

    pull: Pull
    memory: Memory | None = None
    why: str = ""

    def stamps(self, name: str) -> tuple[Stamp, ...]:
        """What the plan says of one model."""
        return tuple(stamp for stamp in self.all_stamps if stamp.name == name)

    @property
    def all_stamps(self) -> tuple[Stamp, ...]:
        """What the plan says of all that it names."""
        return (self.memory.stamps or ()) if self.memory is not None else ()

    def grants(self) -> Iterator[tuple[str, Review]]:
        """What its merge grants, model by model: what the plan names, and nothing else."""
        for stamp in self.all_stamps:
            yield stamp.name, _grant(self.pull, stamp.basis)

    def refusal(self, name: str, wanted: Basis, config: str) -> str:
        """Why it does not cover what would now be done for a name; ``config`` digests the configuration of now."""
        number = self.pull.number
        if self.memory is None:
            return f"pull request {number} {self.why}"
        stamps = self.stamps(name)
        if not stamps:
            return f"the plan of pull request {number} does not name {name}"
        parts = (
            *parts_moved(stamps[0].basis, wanted),
            *(("the configuration",) if self.memory.config != config else ()),
        )
        moved = listed(parts)
        return f"not as it was reviewed in pull request {number}: {moved} of {name} moved"


async def evidence_of(host: CodeHost, pull: Pull, branch: str) -> Evidence:
    """The plan that was posted while the pull request was open, at the head that was merged, into the applied branch.

    Everything is asked of the host at this moment. Raises `CodeHostError`.
    """
    comment = await find(host, pull.number)
    memory = read(comment.memory) if comment is not None else None
    why = _why_not(pull, comment, memory, branch)
    return Evidence(pull, None, why) if why else Evidence(pull, memory)


def _why_not(pull: Pull, comment: Comment | None, memory: Memory | None, branch: str) -> str:
    if not pull.merged or pull.base_branch != branch:
        return f"was not merged into {branch}"
    if comment is None:
        return "was merged without a plan"
    if memory is None:
        return "has a plan that cannot be read"
    if memory.stage is StoryStage.FOREIGN:
        return "was planned by a fork's own job alone, which grants nothing"
    if memory.stage is not StoryStage.PLANNED:
        return "was already decided on, and nothing that was granted then covers this"
    written, merged = moment(memory.posted or comment.updated), moment(pull.merged_at)
    if written is None or merged is None or written >= merged:  # in the same second: nobody can tell
        return "got its plan after it was merged"
    if memory.head != pull.head:
        return "was pushed to after its plan: what was merged was not reviewed"
    if memory.base != branch:
        return f"was planned for another branch than {branch}"
    if memory.stamps is None:
        return "has a plan with more models than a comment can remember"
    return ""


def _grant(pull: Pull, basis: Basis) -> Review:
    return Review(
        verdict=Decision.GRANTED,
        origin=Origin.PULL_REQUEST,
        basis=basis,
        pull=pull.number,
        head=pull.head,
        branch=pull.base_branch,
        commit=pull.merge_commit,
        by=pull.merged_by,
        at=pull.merged_at,
        why="merged as it was planned",
    )
