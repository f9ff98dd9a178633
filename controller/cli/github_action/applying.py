"""A step of a workflow to a pass over the tip of the applied branch, whatever started it, and to what is said of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from controller.cli.exit_codes import ExitCode, of_pass
from controller.cli.github_action import outputs
from controller.cli.github_action.inputs import FailOn, Inputs
from controller.cli.github_action.planning import place_of, plan_at, plan_outputs, write_plan
from controller.cli.options import GlobalOptions
from controller.daemon.reporter import LogReporter
from controller.errors import CodeHostError, ControllerError, SourceError
from controller.ports import Opened
from controller.ports.code_host import CodeHost, Pull
from controller.report.render_plan import applied_markdown, applied_summary, plan_markdown
from controller.review.applying import Applied, Applying, apply
from controller.review.grants import ApplyOrder
from controller.review.planning import Reviewed
from controller.review.story import tell
from controller.settings import Settings
from controller.system import SystemChance
from controller.wiring import open_ports


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch that is applied, and the commit it stands on."""

    name: str
    tip: str


async def applied_branch(asked: GlobalOptions, inputs: Inputs, host: CodeHost) -> Branch:
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
        try:
            async with open_ports(place_of(asked, revision), LogReporter()) as opened:
                return Branch(name, await opened.ports.source.tip())
        except SourceError:
            continue
    hint = "Let the step before be actions/checkout with `fetch-depth: 0`."
    raise ControllerError(f"this clone does not have the branch {name}, which is what is applied", hint=hint)


async def apply_now(asked: GlobalOptions, inputs: Inputs, host: CodeHost, order: ApplyOrder | None = None) -> int:
    """One pass (with ``wait``, passes until nothing tunes), then the comments. The exit code is the pass's own.

    What the code host does not do stops no pass; it is raised at the end.
    """
    branch = await applied_branch(asked, inputs, host)
    return await _apply(asked, inputs, host, Applying(branch.name, branch.tip, order, inputs.wait))


async def _apply(asked: GlobalOptions, inputs: Inputs, host: CodeHost, what: Applying) -> int:
    async with open_ports(place_of(asked, what.revision), LogReporter()) as opened:
        applied = await apply(host, opened, what)
        failures = [applied.failure] if applied.failure is not None else []
        steps = (_telling(opened, inputs, host, what, applied), _reporting(inputs, applied))
        for step in steps:
            try:
                await step
            except ControllerError as error:  # one that fails keeps none of the others back
                failures.append(error)
    for failure in failures[1:]:
        outputs.error(f"{failure.message} {failure.hint}".strip())
    if failures:
        raise failures[0]
    return _verdict(applied, inputs.fail_on or FailOn.HOLD)


async def _telling(opened: Opened, inputs: Inputs, host: CodeHost, what: Applying, applied: Applied) -> None:
    if inputs.comments:
        await tell(host, opened, what, applied, _curves(opened.settings, inputs))


def _curves(settings: Settings, inputs: Inputs) -> str:
    ledger = settings.ledger
    safe = all(c.isascii() and (c.isalnum() or c in "-_./") for c in ledger.branch)
    if ledger.directory is not None or not inputs.repository or not safe:
        return ""
    return f"{inputs.server}/{inputs.repository}/blob/{ledger.branch}/curves"


async def _reporting(inputs: Inputs, applied: Applied) -> None:
    """Annotations, the log, outputs and the job's summary. Raises `ControllerError`."""
    chance = SystemChance()
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
        outputs.error(f"{said} {refusal.hint}")
    else:
        return
    outputs.annotate(world.desired.errors)
    outputs.say(said, chance)
    file = write_plan(inputs.scratch, plan)
    outputs.write_outputs(inputs.output, {**plan_outputs(plan, plan.digest, file)}, chance)
    outputs.write_summary(inputs.summary, markdown)


def _verdict(applied: Applied, fail_on: FailOn) -> int:
    code = ExitCode(of_pass(applied.done.world, applied.done.outcomes)) if applied.done else ExitCode.HOLDS
    if fail_on is FailOn.NEVER:
        return ExitCode.WELL
    if code is ExitCode.HOLDS and fail_on is FailOn.ERROR:
        return ExitCode.WELL
    return code


@dataclass(frozen=True, slots=True)
class StepWork:
    """What a comment may set in motion in this step."""

    asked: GlobalOptions
    inputs: Inputs
    host: CodeHost
    at: Branch

    @property
    def branch(self) -> str:
        """The branch that is applied."""
        return self.at.name

    @property
    def revision(self) -> str:
        """Its tip."""
        return self.at.tip

    async def plan(self, pull: Pull) -> None:
        """Plan a pull request at its head beside the tip of its base branch."""
        base = self.at.tip if pull.base_branch == self.at.name else pull.base
        reviewed = Reviewed(
            commit=pull.head,
            base=base,
            head=pull.head,
            branch=pull.base_branch,
            applied=self.at.name,
            job=self.inputs.run_url,
        )
        await plan_at(self.asked, self.inputs, self.host, pull.number, reviewed)

    async def apply(self, order: ApplyOrder) -> bool:
        """Apply on a person's order."""
        what = Applying(self.at.name, self.at.tip, order, self.inputs.wait)
        return await _apply(self.asked, self.inputs, self.host, what) == ExitCode.WELL

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Opened]:
        """Ports at the tip."""
        async with open_ports(place_of(self.asked, self.at.tip), LogReporter()) as opened:
            yield opened
