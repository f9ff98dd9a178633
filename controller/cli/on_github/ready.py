"""Where the Action is to be taken from, to the workflows a repository needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

from controller.errors import ControllerError

_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}@(?:[0-9a-f]{40}|[0-9a-f]{64})")
_OWN = re.compile(r"uses: \./ #[^\n]*")  # how the workflows of this very repository name it


def workflows(action: str) -> Mapping[str, str]:
    """The workflow files by their path. Raises `ControllerError` for an action that is not pinned by a commit."""
    if not _ACTION.fullmatch(action):
        hint = "Write it as OWNER/NAME@COMMIT with the whole commit id: a tag can be moved, a commit cannot."
        raise ControllerError(f"{action[:120]!r} does not pin the Action", hint=hint)
    folder = resources.files("controller.cli.on_github") / "workflows"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yml")}
    return {f".github/workflows/{name}": _OWN.sub(f"uses: {action}", text) for name, text in sorted(texts.items())}
