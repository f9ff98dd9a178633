"""What started a workflow: the name of an event and its payload to one of a closed set of values.

Payloads are read leniently: fields come and go between versions and servers, and only what is needed is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.forges.github.fields import at, flag, number, text
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


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved. ``branch`` is "" for a tag."""

    branch: str


@dataclass(frozen=True, slots=True)
class Timer:
    """A schedule, or somebody who started the workflow by hand or by the API."""


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
    """Another workflow's run ended: the commit it ran on, the event that had started it, whose repository it is in."""

    head: str
    event: str
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
        case "schedule" | "workflow_dispatch" | "repository_dispatch":
            return Timer()
        case "issue_comment":
            return _said(name, payload)
        case "workflow_run":
            return _run_ended(name, payload)
        case _:
            return Other(name)


def _pull_request(name: str, payload: JSON) -> Event:
    pull = at(payload, "pull_request")
    found, head = number(pull, "number") or number(payload, "number"), text(pull, "head", "sha")
    if not found or not head:
        return Other(name)
    theirs = text(pull, "head", "repo", "full_name")
    ours = text(payload, "repository", "full_name") or text(pull, "base", "repo", "full_name")
    return PullRequest(
        number=found,
        action=text(payload, "action"),
        head=head,
        base=text(pull, "base", "sha"),
        base_branch=text(pull, "base", "ref"),
        is_fork=not theirs or theirs.lower() != ours.lower(),
    )


def _push(name: str, payload: JSON) -> Event:
    ref = text(payload, "ref")
    if not text(payload, "after") or flag(payload, "deleted"):
        return Other(name)
    return Push(ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else "")


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
    run = at(payload, "workflow_run")
    if not number(run, "id") or not text(run, "head_sha"):
        return Other(name)
    return RunEnded(text(run, "head_sha"), text(run, "event"), text(run, "head_repository", "full_name"))
