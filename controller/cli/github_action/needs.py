"""A step's environment to whether it needs the embedded server, and with it the packages that train and serve."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from controller.cli.github_action.inputs import Command, Inputs, read_inputs
from controller.cli.github_action.planning import place_of
from controller.cli.options import GlobalOptions
from controller.errors import ControllerError, SourceError
from controller.forges.github.events import PullRequest
from controller.wiring import read_settings, source_of


def main() -> int:
    """0 where the packages for commands are enough, 3 where the embedded server is needed, or nobody can tell."""
    config = os.environ.get("GITUNE_CONFIG", "")
    try:
        inputs = read_inputs(os.environ)
        if inputs.command in {Command.VALIDATE, Command.COMMENT}:
            return 0
        return asyncio.run(_asked(inputs, GlobalOptions(config=Path(config) if config else None)))
    except ControllerError:
        return 3  # the command itself says what is wrong


async def _asked(inputs: Inputs, asked: GlobalOptions) -> int:
    """By the configuration that the step will read: on a pull request the base branch's."""
    event = inputs.event
    revision = event.base if isinstance(event, PullRequest) else f"refs/remotes/origin/{inputs.branch}"
    for known in (revision, inputs.sha or None):
        place = place_of(asked, known)
        source = source_of(place)
        try:
            providers = read_settings(place, await source.tree()).providers.values()
            return 3 if any(one.type == "local" and one.endpoint is None for one in providers) else 0
        except SourceError:
            continue
        finally:
            await source.close()
    return 3


if __name__ == "__main__":
    sys.exit(main())
