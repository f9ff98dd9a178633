"""The event that started a workflow to what is done about it."""

from __future__ import annotations

import asyncio
import os
from typing import assert_never

from controller.cli import logs
from controller.cli.codes import Code
from controller.cli.on_github import outputs
from controller.cli.on_github.applying import apply_now
from controller.cli.on_github.inputs import Command, Inputs, read_inputs
from controller.cli.on_github.planning import plan_commit, plan_pull, validate_commit
from controller.cli.on_github.posting import post_foreign
from controller.cli.on_github.verbs import obey
from controller.cli.options import Asked
from controller.errors import ControllerError
from controller.forge.event import Other, PullRequest, Push, RunEnded, Said, Timer
from controller.git.layout import find_repository
from controller.ports import Forge
from controller.wiring import open_forge


def action(asked: Asked) -> int:
    """Do what the step's inputs and its event ask for; the exit code is the step's."""
    logs.configure(asked)
    try:
        inputs = read_inputs(os.environ)
        _see_a_checkout(asked)
        return asyncio.run(_act(asked, inputs))
    except ControllerError as error:
        outputs.error(f"{error.message} {error.hint}".strip())
        raise


def _see_a_checkout(asked: Asked) -> None:
    if find_repository(asked.folder) is None:
        hint = "Let the step before be actions/checkout with `fetch-depth: 0`."
        raise ControllerError(f"{asked.folder} is in no git repository", hint=hint)


async def _act(asked: Asked, inputs: Inputs) -> int:
    forge = open_forge(inputs.repository, os.environ, inputs.author)
    try:
        return await _dispatch(asked, inputs, forge)
    finally:
        await forge.close()


async def _dispatch(asked: Asked, inputs: Inputs, forge: Forge) -> int:
    match inputs.command, inputs.event:
        case Command.VALIDATE, _:
            return await validate_commit(asked, inputs)
        case Command.PLAN, Push() | Timer():
            return await plan_commit(asked, inputs)
        case Command.COMMENT, RunEnded() as event:
            return await post_foreign(inputs, event, forge)
        case Command.COMMENT, _:
            raise ControllerError("`command: comment` posts what another run planned", hint="Use it on workflow_run.")
        case _:
            return await _by_event(asked, inputs, forge)


async def _by_event(asked: Asked, inputs: Inputs, forge: Forge) -> int:
    match inputs.event:
        case PullRequest() as event:
            if inputs.command is Command.APPLY:
                raise ControllerError("a pull request is never applied", hint="Apply on push to the default branch.")
            if event.action == "closed":
                return Code.WELL
            return await plan_pull(asked, inputs, event, forge if inputs.comments else None)
        case Push(branch=branch, default_branch=default):
            if branch != default and inputs.command is not Command.APPLY:
                outputs.notice("not the default branch: nothing is applied")
                return Code.WELL
            return await apply_now(asked, inputs, forge)
        case Timer():
            return await apply_now(asked, inputs, forge)
        case Said() as event:
            return await obey(asked, inputs, event, forge)
        case RunEnded() as event:
            return await post_foreign(inputs, event, forge)
        case Other(name=name):
            outputs.notice(f"the event {name} says nothing to Gitune")
            return Code.WELL
        case never:
            assert_never(never)
