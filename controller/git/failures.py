"""What git did not do, as exceptions that source and ledger turn into their own.

GitFailed           git answered with an error, or not in time
├── NoRepository    there is no repository at that place, or one we cannot read (reftable, SHA-256 objects)
├── NotFound        a ref, commit or object is not there
└── SwapLost        a ref is not at the commit it was compared with
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from controller.errors import ControllerError


class GitFailed(ControllerError):
    """Git did not do what was asked. The message carries no password and no token."""


class NoRepository(GitFailed):
    """No repository that can be read is at this place."""


class NotFound(GitFailed):
    """A ref, a commit or an object is not in this repository."""


class SwapLost(GitFailed):
    """The ref moved, appeared or vanished since it was read."""


@contextmanager
def translated(other: type[ControllerError], lost: type[ControllerError] | None = None) -> Iterator[None]:
    """What git does not do in the block, as an error of the caller's own; ``lost`` is the one of a lost race."""
    try:
        yield
    except GitFailed as error:
        kind = lost if lost is not None and isinstance(error, SwapLost) else other
        raise kind(error.message, hint=error.hint) from error
