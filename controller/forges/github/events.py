"""What started a workflow: the name of an event and its payload to one of a closed set of values.

Payloads are read leniently: fields come and go between versions and servers, and only what is needed is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.forges.github.fields import flag, number, text
from controller.rest import JSON


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request was opened, pushed to or closed. ``is_fork``: its head lies in another repository, or nowhere."""

    number: int
    action: str
    head: str
    base: str
    base_branch: str
    is_fork: bool
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved. ``branch`` is "" for a tag."""

    commit: str
    branch: str
    default_branch: str


@dataclass(frozen=True, slots=True)
class Timer:
    """A schedule, or a person who started the workflow by hand (``by_hand``)."""

    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Commented:
    """Somebody wrote a comment under a pull request. ``created`` is False for an edit or a deletion."""

    comment: int
    pull: int
    author: str
    body: str = field(repr=False)
    created: bool = True
    by_bot: bool = False


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Another workflow's run ended: ``id``, the commit it ran on, and the event that had started it."""

    id: int
    head: str
    event: str
    head_branch: str
    head_repository: str


@dataclass(frozen=True, slots=True)
class Other:
    """An event that says nothing to us."""

    name: str


Event = PullRequest | Push | Timer | Commented | RunEnded | Other


def default_branch(payload: JSON) -> str:
    """The repository's default branch, "" where the payload does not say it."""
    return text(payload, "repository", "default_branch")


def parse_event(name: str, payload: JSON) -> Event:
    """The event of that name. One that lacks what makes it usable is `Other`."""
    match name:
        case "pull_request" | "pull_request_target":
            return _pull_request(name, payload)
        case "push":
            return _push(name, payload)
        case "schedule":
            return Timer()
        case "workflow_dispatch" | "repository_dispatch":
            return Timer(by_hand=name == "workflow_dispatch")
        case "issue_comment":
            return _said(name, payload)
        case "workflow_run":
            return _run_ended(name, payload)
        case _:
            return Other(name)


def _pull_request(name: str, payload: JSON) -> Event:
    found = number(payload, "pull_request", "number") or number(payload, "number")
    head = text(payload, "pull_request", "head", "sha")
    if not found or not head:
        return Other(name)
    theirs = text(payload, "pull_request", "head", "repo", "full_name")
    ours = text(payload, "repository", "full_name") or text(payload, "pull_request", "base", "repo", "full_name")
    return PullRequest(
        number=found,
        action=text(payload, "action"),
        head=head,
        base=text(payload, "pull_request", "base", "sha"),
        base_branch=text(payload, "pull_request", "base", "ref"),
        is_fork=not theirs or theirs.lower() != ours.lower(),
        merged=flag(payload, "pull_request", "merged"),
    )


def _push(name: str, payload: JSON) -> Event:
    ref = text(payload, "ref")
    commit = text(payload, "after")
    if not commit or flag(payload, "deleted"):
        return Other(name)
    branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""
    return Push(commit, branch, text(payload, "repository", "default_branch"))


def _said(name: str, payload: JSON) -> Event:
    pull = number(payload, "issue", "number")
    comment = number(payload, "comment", "id")
    if not pull or not comment or not text(payload, "issue", "pull_request", "url"):
        return Other(name)
    return Commented(
        comment=comment,
        pull=pull,
        author=text(payload, "comment", "user", "login"),
        body=text(payload, "comment", "body"),
        created=text(payload, "action") == "created",
        by_bot=text(payload, "comment", "user", "type") == "Bot",
    )


def _run_ended(name: str, payload: JSON) -> Event:
    run = number(payload, "workflow_run", "id")
    head = text(payload, "workflow_run", "head_sha")
    if not run or not head:
        return Other(name)
    return RunEnded(
        id=run,
        head=head,
        event=text(payload, "workflow_run", "event"),
        head_branch=text(payload, "workflow_run", "head_branch"),
        head_repository=text(payload, "workflow_run", "head_repository", "full_name"),
    )
