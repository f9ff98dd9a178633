"""What a code host says of pull requests, and what is said there: comments, checks, statuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment of a conversation. ``author`` is a login; ``pull`` 0 where the answer does not name the number."""

    id: int
    author: str
    body: str = field(repr=False)
    url: str = ""
    pull: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull request. ``head``, ``base`` are commit ids, ``head_repository`` is ``owner/name`` ("" once deleted)."""

    number: int
    head: str
    base: str
    base_branch: str
    head_repository: str = ""
    merged: bool = False
    merge_commit: str = ""
    is_open: bool = True


class Level(StrEnum):
    """How much an annotation matters, in the code host's words."""

    FAILURE = "failure"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on one line of one file, lines counted from 1."""

    path: str
    line: int
    level: Level
    message: str
    title: str = ""


class Conclusion(StrEnum):
    """How a check came out."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A finished check of one commit. ``summary`` is Markdown that is safe as it is."""

    name: str
    head: str
    conclusion: Conclusion
    title: str
    summary: str = field(repr=False)
    annotations: tuple[Annotation, ...] = ()


class StatusState(StrEnum):
    """The four states of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One line beside a commit; ``description`` is cut to 140 characters on its way out."""

    context: str
    state: StatusState
    description: str = ""


class Reaction(StrEnum):
    """What a comment is answered with."""

    SEEN = "eyes"
    DONE = "+1"
    FAILED = "-1"
    CONFUSED = "confused"
