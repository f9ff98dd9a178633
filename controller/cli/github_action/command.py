"""The event that started a workflow to what is done about it, and to what is said of that."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import assert_never

from controller.cli.exit_codes import ExitCode, of_pass
from controller.cli.github_action import outputs
from controller.cli.github_action.inputs import Command, FailOn, Inputs, read_inputs
from controller.cli.github_action.planning import place_of, plan_commit, plan_event, planned_at, report, tip_at, written
from controller.cli.options import GlobalOptions
from controller.cli.output import configure
from controller.errors import CodeHostError, ControllerError
from controller.forges.github.events import Commented, Other, PullRequest, Push, RunEnded, Timer
from controller.git.layout import find_repository
from controller.ports import Opened
from controller.ports.code_host import CodeHost, Pull
from controller.report.render_plan import applied_markdown, applied_summary, plan_markdown
from controller.review import fork_plan
from controller.review.applying import Applied, Applying, apply
from controller.review.commands import Spoken, obey, parse_verb
from controller.review.grants import ApplyOrder
from controller.review.planning import Reviewed, show
from controller.review.story import tell
from controller.settings import Settings
from controller.wiring import open_code_host, open_ports

_CHECKOUT = "Let the step before be actions/checkout with `fetch-depth: 0`."


def action(asked: GlobalOptions) -> int:
    """Do what the step's inputs and its event ask for; the exit code is the step's."""
    configure(asked)
    try:
        inputs = read_inputs(os.environ)
        return asyncio.run(_act(asked, inputs))
    except ControllerError as error:
        outputs.error(error.message, error.hint)
        raise


async def _act(asked: GlobalOptions, inputs: Inputs) -> int:
    if find_repository(asked.folder) is None:
        raise ControllerError(f"{asked.folder} is in no git repository", hint=_CHECKOUT)
    host = open_code_host(inputs.repository, os.environ, inputs.author)
    try:
        return await _dispatch(asked, inputs, host)
    finally:
        await host.close()


async def _dispatch(asked: GlobalOptions, inputs: Inputs, host: CodeHost) -> int:
    match inputs.command, inputs.event:
        case Command.VALIDATE, _:
            return await plan_commit(asked, inputs, offline=True)
        case Command.PLAN, Push() | Timer():
            return await plan_commit(asked, inputs, offline=False)
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
            return await (await at_applied_branch(asked, inputs, host)).carry_out(None)
        case Timer():
            return await (await at_applied_branch(asked, inputs, host)).carry_out(None)
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
    work = await at_applied_branch(asked, inputs, host)
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


async def at_applied_branch(asked: GlobalOptions, inputs: Inputs, host: CodeHost) -> StepWork:
    """Only this branch is ever applied: not the one that a job was started on, and not the commit it began with.

    Raises `ControllerError` where the clone does not have it.
    """
    name = inputs.branch or await host.default_branch()
    revisions = [f"refs/remotes/origin/{name}"]
    if inputs.ref == f"refs/heads/{name}" and inputs.sha:
        revisions.append(inputs.sha)
    with suppress(CodeHostError):  # what the clone knows of it is the next best; what needs a grant waits then
        revisions.insert(0, await host.tip(name))
    for revision in revisions:
        if (tip := await tip_at(asked, revision)) is not None:
            return StepWork(asked, inputs, host, name, tip)
    raise ControllerError(f"this clone does not have the branch {name}, which is what is applied", hint=_CHECKOUT)


@dataclass(frozen=True, slots=True)
class StepWork:
    """What an event may set in motion in this step, on the tip ``revision`` of ``branch``, which is applied."""

    asked: GlobalOptions
    inputs: Inputs
    host: CodeHost
    branch: str
    revision: str

    async def plan(self, pull: Pull) -> None:
        """Plan a pull request at its head beside the tip of its base branch, and post it. Raises `ControllerError`."""
        reviewed = Reviewed(
            commit=pull.head,
            base=self.revision if pull.base_branch == self.branch else pull.base,
            head=pull.head,
            branch=pull.base_branch,
            applied=self.branch,
            job=self.inputs.run_url,
        )
        planned = await planned_at(self.asked, reviewed)
        if not await show(self.host, pull.number, planned):
            raise ControllerError("the pull request was pushed to meanwhile", hint="Say /gitune plan again.")
        report(self.inputs, planned)

    async def apply(self, order: ApplyOrder) -> bool:
        """Apply on a person's order."""
        return await self.carry_out(order) == ExitCode.WELL

    def opened(self) -> AbstractAsyncContextManager[Opened]:
        """Ports at the tip."""
        return open_ports(place_of(self.asked, self.revision))

    async def carry_out(self, order: ApplyOrder | None) -> int:
        """One pass (with ``wait``, passes until nothing tunes), then the comments. The exit code is the pass's own.

        What the code host does not do stops no pass; it is raised at the end.
        """
        what = Applying(self.branch, self.revision, order, self.inputs.wait)
        async with self.opened() as opened:
            applied = await apply(self.host, opened, what)
            failures = [applied.failure] if applied.failure is not None else []
            for step in (self._tell(opened, what, applied), _report(self.inputs, applied)):
                try:
                    await step
                except ControllerError as error:  # one that fails keeps none of the others back
                    failures.append(error)
        for failure in failures[1:]:
            outputs.error(failure.message, failure.hint)
        if failures:
            raise failures[0]
        return _verdict(applied, self.inputs.fail_on or FailOn.HOLD)

    async def _tell(self, opened: Opened, what: Applying, applied: Applied) -> None:
        if self.inputs.comments:
            await tell(self.host, opened, what, applied, _curves(opened.settings, self.inputs))


def _curves(settings: Settings, inputs: Inputs) -> str:
    ledger = settings.ledger
    safe = all(c.isascii() and (c.isalnum() or c in "-_./") for c in ledger.branch)
    if ledger.directory is not None or not inputs.repository or not safe:
        return ""
    return f"{inputs.server}/{inputs.repository}/blob/{ledger.branch}/curves"


async def _report(inputs: Inputs, applied: Applied) -> None:
    """Annotations, the log, outputs and the job's summary. Raises `ControllerError`."""
    for name, why in applied.unreviewed.items():
        outputs.error(f"{name}: {why}")
    if applied.done is not None:
        done = applied.done
        world, plan = done.world, done.plan
        markdown, said = applied_markdown(plan, done.outcomes), applied_summary(plan, done.outcomes)
    elif applied.refusal is not None:
        refusal = applied.refusal
        world, plan = refusal.preview.world, refusal.preview.plan
        markdown, said = plan_markdown(plan), refusal.message
        outputs.error(said, refusal.hint)
    else:
        return
    outputs.annotate(world.desired.errors)
    written(inputs, plan, plan, said, markdown)


def _verdict(applied: Applied, fail_on: FailOn) -> int:
    code = of_pass(applied.done.world, applied.done.outcomes) if applied.done else ExitCode.HOLDS
    if fail_on is FailOn.NEVER:
        return ExitCode.WELL
    if code is ExitCode.HOLDS and fail_on is FailOn.ERROR:
        return ExitCode.WELL
    return code
