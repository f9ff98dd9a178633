"""Where the Action is to be taken from and the default branch, to the workflows a repository needs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources

from controller.errors import ControllerError

_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}@(?:[0-9a-f]{40}|[0-9a-f]{64})")
_OWN = re.compile(r"uses: \./ #[^\n]*")  # how the workflows of this very repository name it
_BRANCH = "main"
_PUSHES = f"branches: [{_BRANCH}]"  # and where this very repository is pushed to
_PATTERN = re.compile(r"[+!]")  # git allows them in a name, GitHub takes them for a pattern unless escaped


def workflows(action: str, branch: str = "") -> Mapping[str, str]:
    """The workflow files by their path, for pushes to a branch, "" where there is none yet.

    Raises `ControllerError` for an action that is not pinned by a commit.
    """
    if not _ACTION.fullmatch(action):
        hint = "Write it as OWNER/NAME@COMMIT with the whole commit id: a tag can be moved, a commit cannot."
        raise ControllerError(f"{action[:120]!r} does not pin the Action", hint=hint)
    folder = resources.files("controller.cli.github_action") / "workflows"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yml")}
    pushes = _PUSHES if branch in {"", _BRANCH} else f"branches: [{_quoted(branch)}]"
    return {
        f".github/workflows/{name}": _OWN.sub(f"uses: {action}", text).replace(_PUSHES, pushes)
        for name, text in sorted(texts.items())
    }


def _quoted(branch: str) -> str:
    """A branch as YAML reads a text, whatever it is called, and as GitHub matches it to itself alone."""
    return json.dumps(_PATTERN.sub(r"\\\g<0>", branch), ensure_ascii=False)
