"""The event that started a workflow to what is done about it."""

from __future__ import annotations

import asyncio
import os
from typing import assert_never

from controller.cli import logs
from controller.cli.exit_codes import ExitCode
from controller.cli.github_action import outputs
from controller.cli.github_action.applying import StepWork, applied_branch, apply_now
from controller.cli.github_action.inputs import Command, Inputs, read_inputs
from controller.cli.github_action.planning import plan_commit, plan_event, validate_commit
from controller.cli.options import GlobalOptions
from controller.errors import ControllerError
from controller.forges.github.events import Commented, Other, PullRequest, Push, RunEnded, Timer
from controller.git.layout import find_repository
from controller.ports.code_host import CodeHost
from controller.review import fork_plan
from controller.review.commands import Spoken, obey, parse_verb
from controller.wiring import open_code_host


def action(asked: GlobalOptions) -> int:
    """Do what the step's inputs and its event ask for; the exit code is the step's."""
    logs.configure(asked)
    try:
        inputs = read_inputs(os.environ)
        _see_a_checkout(asked)
        return asyncio.run(_act(asked, inputs))
    except ControllerError as error:
        outputs.error(f"{error.message} {error.hint}".strip())
        raise


def _see_a_checkout(asked: GlobalOptions) -> None:
    if find_repository(asked.folder) is None:
        hint = "Let the step before be actions/checkout with `fetch-depth: 0`."
        raise ControllerError(f"{asked.folder} is in no git repository", hint=hint)


async def _act(asked: GlobalOptions, inputs: Inputs) -> int:
    host = open_code_host(inputs.repository, os.environ, inputs.author)
    try:
        return await _dispatch(asked, inputs, host)
    finally:
        await host.close()


async def _dispatch(asked: GlobalOptions, inputs: Inputs, host: CodeHost) -> int:
    match inputs.command, inputs.event:
        case Command.VALIDATE, _:
            return await validate_commit(asked, inputs)
        case Command.PLAN, Push() | Timer():
            return await plan_commit(asked, inputs)
        case Command.COMMENT, RunEnded() as event:
            return await _post_fork_plan(inputs, event, host)
        case Command.COMMENT, _:
            raise ControllerError("`command: comment` posts what another run planned", hint="Use it on workflow_run.")
        case _:
            return await _by_event(asked, inputs, host)


async def _by_event(asked: GlobalOptions, inputs: Inputs, host: CodeHost) -> int:
    match inputs.event:
        case PullRequest() as event:
            if inputs.command is Command.APPLY:
                raise ControllerError("a pull request is never applied", hint="Apply on push to the default branch.")
            if event.action == "closed":
                return ExitCode.WELL
            return await plan_event(asked, inputs, event, host if inputs.comments else None)
        case Push(branch=branch):
            if branch != inputs.branch:
                outputs.notice(f"only {inputs.branch} is applied: a push to another branch is none of Gitune's")
                return ExitCode.WELL
            return await apply_now(asked, inputs, host)
        case Timer():
            return await apply_now(asked, inputs, host)
        case Commented() as event:
            return await _obey(asked, inputs, event, host)
        case RunEnded() as event:
            return await _post_fork_plan(inputs, event, host)
        case Other(name=name):
            outputs.notice(f"the event {name} says nothing to Gitune")
            return ExitCode.WELL
        case never:
            assert_never(never)


async def _obey(asked: GlobalOptions, inputs: Inputs, event: Commented, host: CodeHost) -> int:
    """What a comment asks for. Those of bots, edits, and comments that speak to somebody else are not listened to."""
    if not event.created or event.by_bot or parse_verb(event.body) is None:
        return ExitCode.WELL
    work = StepWork(asked, inputs, host, await applied_branch(asked, inputs, host))
    told = await obey(host, Spoken(event.comment, event.pull, event.author, event.body), work)
    if told:
        outputs.notice(told)
    return ExitCode.WELL


async def _post_fork_plan(inputs: Inputs, event: RunEnded, host: CodeHost) -> int:
    """Post what a run without rights has planned."""
    if event.event != "pull_request" or inputs.artifact is None or not inputs.artifact.exists():
        outputs.notice("that run left no plan of a fork: nothing is posted")
        return ExitCode.WELL
    await fork_plan.post(host, inputs.artifact, fork_plan.EndedRun(event.head, event.head_repository))
    return ExitCode.WELL
