"""What was typed behind `gitune apply` to an order that can be carried out, or to what is wrong with it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final

from controller.errors import ControllerError
from controller.plan.approval import ALLOW_DELETE, ALLOW_REVIEW, ALLOW_WORDS, is_allowance, is_review_allowance
from controller.state.identity import NAME

_DIGEST: Final = re.compile("[0-9a-f]{64}")
_SHOWN = 80  # characters of a wrong word


@dataclass(frozen=True, slots=True)
class Order:
    """What `gitune apply` was asked for."""

    wait: bool = False
    digest: str | None = None
    allow: frozenset[str] = frozenset()
    worktree: bool = False

    def check(self) -> None:
        """Raises `ControllerError` for a word that no guard has, and for a digest that no plan can have."""
        for word in sorted(self.allow):
            if not is_allowance(word) and not is_review_allowance(word):
                message = f"--allow {word[:_SHOWN]!r} is no word that a guard has"
                known = f"{', '.join(ALLOW_WORDS)}, {ALLOW_DELETE}NAME and {ALLOW_REVIEW}NAME"
                raise ControllerError(message, hint=f"{_meant(word)}The words are {known}.")
        if self.digest is not None and not _DIGEST.fullmatch(self.digest):
            message = f"--plan-digest {self.digest[:_SHOWN]!r} is no digest of a plan: that has 64 digits, 0-9 and a-f"
            raise ControllerError(message, hint="`gitune plan` ends with the digest of its plan: give all of it.")


def _meant(word: str) -> str:
    """The word that was most likely meant, as a question; "" where nothing comes near."""
    before, colon, name = word.partition(":")
    if close := difflib.get_close_matches(before.lower(), [*ALLOW_WORDS, "delete", "review"], 1):
        found = close[0] if close[0] in ALLOW_WORDS else f"{close[0]}:{name or 'NAME'}"
        return f"Did you mean {found}? " if found != word else ""
    return f"Did you mean {ALLOW_DELETE}{word}? " if not colon and NAME.fullmatch(word) else ""
