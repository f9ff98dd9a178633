"""What a code host says of pull requests, and what is said there: comments, checks, commit statuses.

Its words are those of every code host; each adapter translates them into its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a conversation, as it is now.

    ``author`` is a login; ``pull`` is 0 where the answer does not name the number. ``memory`` is the hidden text that
    was posted with it, "" where there is none. ``updated`` is when its text was written last, by the host's own clock
    (RFC 3339).
    """

    id: int
    author: str
    body: str = field(repr=False)
    url: str = ""
    pull: int = 0
    memory: str = field(default="", repr=False)
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be said in a comment: Markdown, and a text that the host keeps with it and shows to nobody."""

    body: str = field(repr=False)
    memory: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull request. ``head``, ``base`` are commit ids, ``head_repository`` is ``owner/name`` ("" once deleted).

    ``merged_at`` is by the host's own clock (RFC 3339), "" where it is not merged; ``merge_commit`` is the last commit
    that the merge put on the base branch, whichever way it was merged. ``commits`` is how many it has, 0 where the
    answer does not say.
    """

    number: int
    head: str
    base: str
    base_branch: str
    head_repository: str = ""
    merged: bool = False
    merged_at: str = ""
    merged_by: str = ""
    merge_commit: str = ""
    is_open: bool = True
    commits: int = 0


@dataclass(frozen=True, slots=True)
class Authored:
    """What stays of a commit when it is put on top of another one: who wrote it, when (RFC 3339), and the message."""

    author: str
    at: str
    message: str = field(repr=False)


class Level(StrEnum):
    """How much an annotation matters."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on one line of one file, lines counted from 1."""

    path: str
    line: int
    level: Level
    message: str
    title: str = ""


class CheckState(StrEnum):
    """How a check came out."""

    PASSED = "passed"
    FAILED = "failed"
    NOTHING = "nothing"  # there was nothing to check
    NEEDS_PERSON = "needs a person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A finished check of one commit. ``summary`` is Markdown that is safe as it is."""

    name: str
    head: str
    result: CheckState
    title: str
    summary: str = field(repr=False)
    annotations: tuple[Annotation, ...] = ()


class StatusState(StrEnum):
    """The three states of a line beside a commit."""

    PENDING = "pending"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One line beside a commit; ``description`` is cut to what the host shows on its way out."""

    context: str
    state: StatusState
    description: str = ""


class Sign(StrEnum):
    """How a comment that asks for something is answered."""

    SEEN = "seen"
    DONE = "done"
    FAILED = "failed"
    NOT_ALLOWED = "not allowed"


class CodeHost(Protocol):
    """Where plans are shown, reviewed and merged. All of it raises `CodeHostError`."""

    @property
    def comment_limit(self) -> int:
        """How many bytes a comment may have, its memory included."""
        ...

    async def login(self) -> str:
        """Who our comments are written by."""
        ...

    async def default_branch(self) -> str:
        """The branch that is applied where nobody names another one."""
        ...

    async def tip(self, branch: str) -> str:
        """The commit a branch stands on."""
        ...

    async def pull(self, number: int) -> Pull:
        """One pull request as it is now."""
        ...

    async def pulls_of(self, commit: str) -> Sequence[Pull]:
        """The pull requests that a commit belongs to, open and merged ones."""
        ...

    async def commits_of(self, pull: int) -> Sequence[Authored]:
        """The commits of a pull request, as they were before it was merged."""
        ...

    async def comment(self, number: int) -> Comment | None:
        """One comment as it is now; None where it is gone."""
        ...

    async def comments(self, pull: int) -> Sequence[Comment]:
        """Every comment of its conversation, the oldest first."""
        ...

    async def latest_comments(self, pages: int) -> Sequence[Comment]:
        """The comments of the whole repository that were changed last, newest first, a hundred a page."""
        ...

    async def create_comment(self, pull: int, said: Said) -> Comment:
        """Say something new. `CodeHostError.lost` where it may have been said although no answer came."""
        ...

    async def edit_comment(self, comment: int, said: Said) -> Comment:
        """Put another text in its place."""
        ...

    async def delete_comment(self, comment: int) -> None:
        """Take one of our own comments away; one that is gone already is no error."""
        ...

    async def answer(self, comment: int, sign: Sign) -> None:
        """Answer a comment with a sign."""
        ...

    async def may_write(self, login: str) -> bool:
        """Whether somebody may push to the repository at this moment."""
        ...

    async def begin(self, check: str, head: str) -> bool:
        """Show that a check of a commit is being made; False where this token may not write."""
        ...

    async def publish(self, check: Check) -> None:
        """Show a check beside its commit; one of the same name is replaced."""
        ...

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        """Show a line beside a commit; the last one of a context counts."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
