"""Texts of users to ref names, commit ids and revisions that can be put into a git command, or an error. Pure."""

from __future__ import annotations

import re
from typing import Final

from controller.git.failures import NotFound

COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 1024
# git-check-ref-format(1): no control character, space, ~ ^ : ? * [ \, no "..", "@{", "//", no end in "/" or "."
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_STEPS = re.compile(r"(?:[~^][0-9]{0,6}){0,8}")


def is_commit_id(text: str) -> bool:
    """Whether the text is a whole commit id: 40 or 64 lower-case hex digits."""
    return COMMIT_ID.fullmatch(text) is not None


def is_ref_name(text: str) -> bool:
    """Whether git would take the text as the name of a branch or tag; never one that reads as an option."""
    if not text or len(text) > _LONGEST or text == "@" or text[0] in "-/" or text[-1] in "/.":
        return False
    if _FORBIDDEN.search(text):
        return False
    return all(part and not part.startswith(".") and not part.endswith(".lock") for part in text.split("/"))


def branch_ref(branch: str) -> str:
    """``refs/heads/<branch>``. Raises `NotFound` for a name git would refuse."""
    if not is_ref_name(branch) or not is_ref_name(f"refs/heads/{branch}"):
        raise NotFound(f"{branch!r} is not a name a branch can have", hint="See `git help check-ref-format`.")
    return f"refs/heads/{branch}"


def split_revision(text: str) -> tuple[str, str]:
    """A revision as its name and its steps: ``main~2`` to ``("main", "~2")``.

    A name is a ref, a commit id or ``HEAD``; steps are ``~n`` and ``^n``. Raises `NotFound` for anything else.
    """
    cut = min((at for sign in "~^" if (at := text.find(sign)) >= 0), default=len(text))
    name, steps = text[:cut], text[cut:]
    if not is_ref_name(name) or not _STEPS.fullmatch(steps):
        raise NotFound(
            f"{text[:200]!r} is not a revision Gitune reads",
            hint="Give a branch, a tag, a whole commit id or HEAD, with ~n or ^n behind it where needed.",
        )
    return name, steps
