"""What people did with plans: grants and refusals of what one model asks for, as the ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What a review came to."""

    GRANTED = "Granted"
    REFUSED = "Refused"


class Origin(StrEnum):
    """Where a review came from."""

    PULL_REQUEST = "PullRequest"  # merged into the applied branch, its plan posted while it was open
    COMMAND = "Command"  # `/gitune apply` of somebody who might write at that moment
    COMMIT = "Commit"  # commits of no pull request, where policy.requireReview lets them
    ALLOWED = "Allowed"  # `gitune apply --allow review:NAME`


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What one action rests on. All digests are hex.

    ``action`` and ``reason`` are the action's words; ``asked`` (32 digits) digests what the spec asks for, as far as it
    reaches a provider, and can be told from a commit alone; ``digest`` (32) digests the action with all the facts that
    decided it. The last four (6 each) decide nothing: they tell in words which part has moved.
    """

    action: str
    reason: str
    asked: str
    digest: str
    fingerprint: str = ""
    attempt: int = 0
    spec: str = ""
    dataset: str = ""
    base: str = ""
    observed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One grant or refusal: what of, where (pull request, its head, the branch, the commit), by whom, when and why.

    ``comment`` is the id of the comment that gave a command, ``at`` RFC 3339, ``spent`` whether the action was done.
    """

    verdict: Decision
    origin: Origin
    basis: Basis
    pull: int = 0
    head: str = ""
    branch: str = ""
    commit: str = ""
    by: str = ""
    at: str = ""
    comment: int = 0
    why: str = ""
    spent: bool = False
