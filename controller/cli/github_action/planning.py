"""A step of a workflow to a plan: posted where its token may write, and always in outputs and a summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.cli.exit_codes import ExitCode
from controller.cli.github_action import outputs
from controller.cli.github_action.inputs import FailOn, Inputs
from controller.cli.options import GlobalOptions
from controller.engine.reconcile import preview, preview_offline
from controller.errors import CodeHostError, ControllerError, Severity, SourceError
from controller.forges.github.events import PullRequest
from controller.plan.actions import WORDS, Plan
from controller.ports.code_host import CodeHost
from controller.report.formatting import json_text
from controller.report.phrases import summary
from controller.report.plan_comment import plan_comment
from controller.report.render_plan import as_json
from controller.review import fork_plan
from controller.review.planning import (
    CHECK,
    Planned,
    Reviewed,
    is_current,
    plan_alone,
    plan_pull,
    show,
    with_config_change,
)
from controller.settings import SETTINGS_FILE
from controller.system import SystemChance
from controller.wiring import Where, open_ports

_READ_ONLY = (
    "this job's token may not write (a fork's or Dependabot's, or permissions that lack `checks: write`): "
    "the plan is made from the ledger alone and stands in the job's summary"
)


def place_of(asked: GlobalOptions, revision: str | None = None) -> Where:
    """The repository at a revision. The configuration is a path in it: on a pull request the base branch's is read."""
    path = asked.config.as_posix() if asked.config is not None else SETTINGS_FILE
    return Where(asked.folder, revision=revision, settings_path=path.removeprefix("./"))


async def plan_event(asked: GlobalOptions, inputs: Inputs, event: PullRequest, host: CodeHost | None) -> int:
    """Plan, show, and say by the exit code whether it could be made whole. ``host`` None: nothing is posted.

    What the token may do decides how: one that may not write has no secrets beside it, and asks no provider.
    """
    begun, failure = await _begin(host, event)
    offline = event.is_fork if begun is None else not begun
    planned = await planned_at(asked, await _reviewed(asked, inputs, event, offline=offline))
    if host is not None and begun and failure is None:
        try:
            if not await show(host, event.number, planned):
                outputs.notice("the pull request has moved on: this plan is not posted")
        except CodeHostError as error:
            failure = error
    report(inputs, planned)
    if offline:
        fork_plan.write(inputs.scratch / fork_plan.FILE, event.number, planned)
        outputs.notice(_READ_ONLY)
    if failure is not None:
        raise failure
    return verdict(planned, inputs.fail_on or FailOn.ERROR)


async def _begin(host: CodeHost | None, event: PullRequest) -> tuple[bool | None, CodeHostError | None]:
    """Whether the token may write, None where that does not matter; and what went wrong in asking."""
    if host is None:
        return None, None
    try:
        if not await is_current(host, event.number, event.head, event.base_branch):
            outputs.notice("the pull request is not open at this commit any more: its plan is not posted")
            return None, None
        return await host.begin(CHECK, event.head), None
    except CodeHostError as error:
        return None, error


async def planned_at(asked: GlobalOptions, reviewed: Reviewed) -> Planned:
    """The plan of a commit by the configuration of its base. Raises `ControllerError`."""
    async with open_ports(place_of(asked, reviewed.base)) as opened:
        return await with_config_change(await plan_pull(opened, reviewed), opened)


async def plan_commit(asked: GlobalOptions, inputs: Inputs, *, offline: bool) -> int:
    """Plan the commit that was checked out, for outputs and the job's summary alone.

    With ``offline`` its specs and datasets are checked and no provider is asked. Every problem becomes an annotation.
    """
    ask = preview_offline if offline else preview
    async with open_ports(place_of(asked, inputs.sha or None)) as opened:
        shown = await ask(opened.ports, opened.settings)
        planned = plan_alone(opened, shown, offline=offline, job=inputs.run_url)
        report(inputs, planned)
        return verdict(planned, inputs.fail_on or FailOn.ERROR)


async def _reviewed(asked: GlobalOptions, inputs: Inputs, event: PullRequest, *, offline: bool) -> Reviewed:
    """The merge that GitHub prepared, where it is checked out; else the head itself."""
    commit, base = event.head, event.base
    if inputs.sha and inputs.sha != event.head and inputs.ref.startswith("refs/pull/"):
        first_parent = f"{inputs.sha}^1"
        if await tip_at(asked, first_parent) is not None:
            commit, base = inputs.sha, first_parent
    return Reviewed(
        commit=commit,
        base=base,
        head=event.head,
        branch=event.base_branch,
        applied=inputs.branch or event.base_branch,
        offline=offline,
        job=inputs.run_url,
    )


async def tip_at(asked: GlobalOptions, revision: str) -> str | None:
    """The commit that a revision leads to; None where the clone does not have it."""
    try:
        async with open_ports(place_of(asked, revision)) as opened:
            return await opened.ports.source.tip()
    except SourceError:
        return None


def report(inputs: Inputs, planned: Planned) -> None:
    """The job's summary, annotations, the plan file and outputs. Raises `ControllerError`."""
    view, plan = planned.view, planned.head.plan
    outputs.annotate(planned.problems)
    said, markdown = f"{summary(view.plan)}; plan {plan.digest}", plan_comment(view, outputs.SUMMARY_LIMIT).body
    written(inputs, view.plan, plan, said, markdown)


def written(inputs: Inputs, plan: Plan, whole: Plan, said: str, markdown: str) -> None:
    """Write what was ``said`` to the log, the plan to outputs, the ``whole`` of it to a file, and the summary."""
    chance = SystemChance()
    outputs.say(said, chance)
    outputs.write_outputs(inputs.output, plan_outputs(plan, whole.digest, write_plan(inputs.scratch, whole)), chance)
    outputs.write_summary(inputs.summary, markdown)


def write_plan(folder: Path, plan: Plan) -> Path:
    """The whole plan as JSON, in a file of the runner's own folder. Raises `ControllerError`."""
    file = folder / "gitune-plan.json"
    try:
        file.write_text(json_text(as_json(plan)) + "\n", encoding="utf-8")
    except OSError as error:
        raise ControllerError(f"{file} cannot be written: {error.strerror}", hint="RUNNER_TEMP names it.") from error
    return file


def plan_outputs(plan: Plan, digest: str, file: Path) -> Mapping[str, str]:
    """What later steps read: ``changes``, ``plan-digest``, ``plan-file``, ``summary``, and one count per action."""
    changes = any(action.acts for action in plan.actions)
    counts = {f"to-{word}": str(sum(a.word == word for a in plan.actions)) for word in WORDS if word != "none"}
    said = {"changes": str(changes).lower(), "plan-digest": digest, "plan-file": str(file), "summary": summary(plan)}
    return {**said, **counts}


def verdict(planned: Planned, fail_on: FailOn) -> int:
    """The step's exit code: the worst that it was told to end on."""
    levels = list(FailOn)
    asked = levels.index(fail_on)
    broken = planned.head.world.desired.errors or planned.view.unreadable
    if asked >= levels.index(FailOn.ERROR) and broken:
        return ExitCode.FAILED
    if asked >= levels.index(FailOn.HOLD) and planned.view.plan.guards:
        return ExitCode.HOLDS
    warnings = any(p.severity is Severity.WARNING for p in planned.problems)
    return ExitCode.FAILED if asked >= levels.index(FailOn.WARNING) and warnings else ExitCode.WELL
