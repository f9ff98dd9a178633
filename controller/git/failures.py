"""What git did not do, as exceptions that source and ledger turn into their own.

GitFailed           git answered with an error, or not in time
├── NoRepository    there is no repository at that place, or one we cannot read (reftable, SHA-256 objects)
├── NotFound        a ref, commit or object is not there
└── SwapLost        a ref is not at the commit it was compared with
"""

from __future__ import annotations

from controller.errors import ControllerError


class GitFailed(ControllerError):
    """Git did not do what was asked. The message carries no password and no token."""


class NoRepository(GitFailed):
    """No repository that can be read is at this place."""


class NotFound(GitFailed):
    """A ref, a commit or an object is not in this repository."""


class SwapLost(GitFailed):
    """The ref moved, appeared or vanished since it was read."""
