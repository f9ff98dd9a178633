"""A pull request to its plan: one comment, a check with annotations, the job's summary and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli.codes import Code
from controller.cli.on_github import outputs
from controller.cli.on_github.inputs import FailOn, Inputs
from controller.cli.on_github.notes import loose_problems, notes
from controller.cli.on_github.sticky import find, publish
from controller.cli.options import Asked
from controller.cli.planning import only_new
from controller.cli.progress import Quiet
from controller.cli.verdicts import unreadable
from controller.engine.reconcile import Preview, preview, preview_offline
from controller.errors import ControllerError, ForgeError, Problem, Severity, SourceError, Unreadable
from controller.forge.event import PullRequest
from controller.plan.actions import WORDS, Hold, Nothing, Plan, Wait
from controller.ports import Forge
from controller.report.approval import config_digest, stamps
from controller.report.comment import LIMIT, plan_comment, plan_summary
from controller.report.comment_notes import View
from controller.report.escape import json_text
from controller.report.marker import Marker, Stage
from controller.report.phrases import summary
from controller.report.plan_json import as_json
from controller.settings import SETTINGS_FILE, Settings
from controller.state.review import Annotation, Check, Conclusion, Level
from controller.wiring import Opened, Where, open_ports

CHECK = "gitune/plan"
_LEVELS = {Severity.ERROR: Level.FAILURE, Severity.WARNING: Level.WARNING, Severity.ADVICE: Level.NOTICE}
_MOST_ANNOTATIONS = 500
_CHECK_SUMMARY = 60_000  # bytes of a check's summary; GitHub refuses more than 65,535


@dataclass(frozen=True, slots=True)
class Planned:
    """A pull request's plan, as it is shown and as it is remembered."""

    head: Preview
    view: View
    marker: Marker


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What is to be planned: a commit against the one it is to be merged into; ``head`` is the pull request's own."""

    commit: str
    base: str
    head: str
    offline: bool = False


def place_of(asked: Asked, revision: str | None = None) -> Where:
    """The repository at a revision. The configuration is a path in it: on a pull request the base branch's is read."""
    path = asked.config.as_posix() if asked.config is not None else SETTINGS_FILE
    return Where(asked.folder, revision=revision, settings_path=path.removeprefix("./"))


async def plan_pull(asked: Asked, inputs: Inputs, event: PullRequest, forge: Forge | None) -> int:
    """Plan, show, and say by the exit code whether it could be made whole. ``forge`` None: nothing is posted."""
    reviewed = await _reviewed(asked, inputs, event)
    planned = await plan_for(asked, inputs, reviewed)
    posted: ForgeError | None = None
    if forge is not None and not event.is_fork:
        try:
            await show(forge, event.number, planned)
        except ForgeError as error:
            posted = error
    await report(inputs, planned)
    if posted is not None:
        raise posted
    if event.is_fork:
        from controller.cli.on_github import artifact  # noqa: PLC0415 - it writes what is planned here

        artifact.write(inputs.scratch / artifact.FILE, event.number, planned)
        outputs.notice("a fork's job may not comment: the plan stands in the job's summary")
    return verdict(planned, inputs.fail_on or FailOn.ERROR)


async def plan_for(asked: Asked, inputs: Inputs, reviewed: Reviewed) -> Planned:
    """The plan of a commit beside that of its base, with the base's configuration. Raises `ControllerError`."""
    async with open_ports(place_of(asked, reviewed.base), Quiet()) as opened:
        ask = preview_offline if reviewed.offline else preview
        head = await ask(opened.ports, opened.settings, reviewed.commit)
        base = await ask(opened.ports, opened.settings, reviewed.base)
        changed = await _config_changed(opened, reviewed)
        return _planned(opened.settings, head, base, _Extras(reviewed, inputs.run_url, changed))


async def plan_commit(asked: Asked, inputs: Inputs) -> int:
    """Plan the commit that was checked out, for outputs and the job's summary alone."""
    async with open_ports(place_of(asked, inputs.sha or None), Quiet()) as opened:
        return await _told(inputs, opened.settings, await preview(opened.ports, opened.settings), offline=False)


async def validate_commit(asked: Asked, inputs: Inputs) -> int:
    """Check the commit's specs and datasets, offline; every problem becomes an annotation on its line."""
    async with open_ports(place_of(asked, inputs.sha or None), Quiet()) as opened:
        found = await preview_offline(opened.ports, opened.settings)
        return await _told(inputs, opened.settings, found, offline=True)


async def _told(inputs: Inputs, settings: Settings, found: Preview, *, offline: bool) -> int:
    commit = found.plan.revision or ""
    planned = _planned(settings, found, None, _Extras(Reviewed(commit, "", commit, offline), inputs.run_url))
    await report(inputs, planned)
    return verdict(planned, inputs.fail_on or FailOn.ERROR)


@dataclass(frozen=True, slots=True)
class _Extras:
    reviewed: Reviewed
    url: str
    config_changed: bool = False


def _planned(settings: Settings, head: Preview, base: Preview | None, extras: _Extras) -> Planned:
    plan = only_new(head.plan, base.plan if base else replace(head.plan, actions=()))
    view = View(
        plan=plan,
        head=extras.reviewed.head,
        unchanged=len(head.plan.actions) - len(plan.actions),
        notes=notes(plan, head, base),
        loose=loose_problems(plan, head.world),
        unreadable=() if extras.reviewed.offline else _silent(head),
        offline=extras.reviewed.offline,
        config_changed=extras.config_changed,
        summary_url=extras.url,
    )
    marker = Marker(
        stage=Stage.PLANNED,
        head=extras.reviewed.head,
        digest=head.plan.digest,
        config=config_digest(settings),
        stamps=stamps(plan.actions, head.world),
    )
    return Planned(head, view, marker)


def _silent(head: Preview) -> tuple[str, ...]:
    return tuple(part for part in unreadable(head.world) if part.startswith("provider "))


async def _reviewed(asked: Asked, inputs: Inputs, event: PullRequest) -> Reviewed:
    """The merge that GitHub prepared, where it is checked out; else the head itself."""
    if inputs.sha and inputs.sha != event.head and inputs.ref.startswith("refs/pull/"):
        merged = Reviewed(inputs.sha, f"{inputs.sha}^1", event.head, offline=event.is_fork)
        if await _is_there(asked, merged.base):
            return merged
    return Reviewed(event.head, event.base, event.head, offline=event.is_fork)


async def _is_there(asked: Asked, revision: str) -> bool:
    try:
        async with open_ports(place_of(asked, revision), Quiet()):
            return True
    except SourceError:
        return False


async def _config_changed(opened: Opened, reviewed: Reviewed) -> bool:
    source = opened.ports.source
    trees = [await source.tree(revision) for revision in (reviewed.base, reviewed.commit)]
    texts = []
    for tree in trees:
        try:
            texts.append(await tree.read(SETTINGS_FILE, 1 << 20))
        except Unreadable:
            texts.append(b"")
    return texts[0] != texts[1]


async def show(forge: Forge, pull: int, planned: Planned) -> None:
    """The comment, unless nothing is or was to be said, and the check. Raises `ForgeError`."""
    body = plan_comment(planned.view, planned.marker, LIMIT).body
    if planned.view.plan.actions or planned.view.loose or await find(forge, pull) is not None:
        await publish(forge, pull, body)
    await forge.publish(_check(planned))


async def report(inputs: Inputs, planned: Planned) -> None:
    """The job's summary, annotations, the plan file and outputs."""
    from controller.system import SystemChance  # noqa: PLC0415 - one of the two doors a workflow's step opens itself

    chance = SystemChance()
    view = planned.view
    outputs.write_summary(inputs.summary, plan_summary(view, outputs.SUMMARY_LIMIT).body)
    outputs.annotate(_problems(planned))
    outputs.say(f"{summary(view.plan)}; plan {planned.head.plan.digest}", chance)
    file = write_plan(inputs.scratch, planned.head.plan)
    outputs.write_outputs(inputs.output, plan_outputs(view.plan, planned.head.plan.digest, file), chance)


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
    changes = any(not isinstance(action, Hold | Nothing | Wait) for action in plan.actions)
    counts = {f"to-{word}": str(sum(a.word == word for a in plan.actions)) for word in WORDS if word != "none"}
    said = {"changes": str(changes).lower(), "plan-digest": digest, "plan-file": str(file), "summary": summary(plan)}
    return {**said, **counts}


def verdict(planned: Planned, fail_on: FailOn) -> int:
    """The step's exit code: the worst that it was told to end on."""
    world = planned.head.world
    levels = list(FailOn)
    asked = levels.index(fail_on)
    if asked >= levels.index(FailOn.ERROR) and (world.desired.errors or planned.view.unreadable):
        return Code.FAILED
    if asked >= levels.index(FailOn.HOLD) and planned.view.plan.guards:
        return Code.HOLDS
    warnings = any(p.severity is Severity.WARNING for p in _problems(planned))
    return Code.FAILED if asked >= levels.index(FailOn.WARNING) and warnings else Code.WELL


def _problems(planned: Planned) -> tuple[Problem, ...]:
    return planned.head.world.desired.problems


def _check(planned: Planned) -> Check:
    view, problems = planned.view, _problems(planned)
    notes_ = [
        Annotation(p.file, p.line, _LEVELS[p.severity], _said(p), f"Gitune {p.code}")
        for p in sorted(problems, key=lambda p: list(_LEVELS).index(p.severity))
        if p.file
    ]
    return Check(
        name=CHECK,
        head=view.head,
        conclusion=_conclusion(planned),
        title=summary(view.plan) if view.plan.actions else "no model changes",
        summary=plan_summary(replace(view, loose=()), _CHECK_SUMMARY).body,
        annotations=tuple(notes_[:_MOST_ANNOTATIONS]),
    )


def _said(problem: Problem) -> str:
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def _conclusion(planned: Planned) -> Conclusion:
    if planned.head.world.desired.errors or planned.view.unreadable:
        return Conclusion.FAILURE
    if planned.view.plan.guards:
        return Conclusion.ACTION_REQUIRED
    return Conclusion.SUCCESS if planned.view.plan.actions else Conclusion.NEUTRAL
