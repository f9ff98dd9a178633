"""A pull request to its plan, one comment and one check. What the plan names is what its merge grants."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.engine.reconcile import Preview, preview, preview_offline
from controller.errors import Problem, Severity, Unreadable
from controller.plan.actions import Plan
from controller.plan.admission import budget_use
from controller.plan.approval import only_new
from controller.plan.grants import asks_else, basis
from controller.plan.world import ReviewRule
from controller.ports import Opened
from controller.ports.code_host import Annotation, Check, CheckState, CodeHost, Level, Said
from controller.report.phrases import summary
from controller.report.plan_comment import PlanView, plan_comment
from controller.report.render_problems import unreadable
from controller.review.memory import Memory, Stamp, StoryStage, config_digest, written
from controller.review.notes import loose_problems, notes
from controller.review.sticky import find, publish
from controller.settings import SETTINGS_FILE
from controller.threads import in_thread

CHECK = "gitune/plan"
_LEVELS = {Severity.ERROR: Level.ERROR, Severity.WARNING: Level.WARNING, Severity.ADVICE: Level.ADVICE}
_MOST_ANNOTATIONS = 500
_CHECK_SUMMARY = 60_000  # bytes of a check's summary; GitHub refuses more than 65,535
_FRAME = 100  # bytes that a code host may put around a memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What is to be planned: a commit against the one it is to be merged into; ``head`` is the pull request's own.

    ``branch`` is the one it is to be merged into, ``applied`` the one that is applied; ``offline`` says that no secret
    is in reach. ``job`` is where the job's summary stands, "" where there is none.
    """

    commit: str
    base: str
    head: str
    branch: str = ""
    applied: str = ""
    offline: bool = False
    job: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """A pull request's plan, as it is shown and as it is remembered."""

    reviewed: Reviewed
    head: Preview
    view: PlanView
    memory: Memory

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of the head's problems."""
        return self.head.world.desired.problems


async def plan_pull(opened: Opened, reviewed: Reviewed) -> Planned:
    """The plan of a commit beside that of its base. ``opened`` has the base's configuration. Raises `ControllerError`.

    Refusals on record hide nothing: the plan shows what its merge would grant.
    """
    ask = preview_offline if reviewed.offline else preview
    head = await ask(opened.ports, opened.settings, reviewed.commit, ReviewRule.NOTHING)
    base = await ask(opened.ports, opened.settings, reviewed.base, ReviewRule.NOTHING)
    asks = asks_else(head.world.desired, base.world.desired)
    plan = only_new(head.plan, base.plan, asks)
    return _planned(opened, reviewed, head, (base, plan))


def plan_alone(opened: Opened, shown: Preview, *, offline: bool, job: str) -> Planned:
    """The plan of one commit, not beside another: for outputs and a job's summary."""
    commit = shown.plan.revision or ""
    plan = only_new(shown.plan, replace(shown.plan, actions=()))
    reviewed = Reviewed(commit=commit, base="", head=commit, offline=offline, job=job)
    return _planned(opened, reviewed, shown, (None, plan))


def _planned(opened: Opened, reviewed: Reviewed, head: Preview, beside: tuple[Preview | None, Plan]) -> Planned:
    base, plan = beside
    elsewhere = reviewed.applied if reviewed.branch != reviewed.applied else ""
    view = PlanView(
        plan=plan,
        head=reviewed.head,
        unchanged=len(head.plan.actions) - len(plan.actions),
        notes=notes(plan, head, base),
        loose=loose_problems(plan, head.world),
        unreadable=() if reviewed.offline else _silent(head),
        offline=reviewed.offline,
        applied_branch=elsewhere,
        summary_url=reviewed.job,
        budget=budget_use(head.world, head.world.recorded),
        in_pull=beside[0] is not None,
    )
    memory = Memory(
        stage=StoryStage.PLANNED,
        head=reviewed.head,
        base=reviewed.branch,
        config=config_digest(opened.settings),
        stamps=tuple(Stamp(action.name, basis(action, head.world)) for action in plan.actions),
    )
    return Planned(reviewed, head, view, memory)


async def with_config_change(planned: Planned, opened: Opened) -> Planned:
    """The plan with a remark where the pull request changes the configuration, which is read from the base."""
    texts = []
    for revision in (planned.reviewed.base, planned.reviewed.commit):
        tree = await opened.ports.source.tree(revision)
        try:
            texts.append(await in_thread(tree.read, SETTINGS_FILE, 1 << 20))
        except Unreadable:
            texts.append(b"")
    return replace(planned, view=replace(planned.view, config_changed=texts[0] != texts[1]))


def _silent(head: Preview) -> tuple[str, ...]:
    return tuple(part for part in unreadable(head.world) if part.startswith("provider "))


async def show(host: CodeHost, number: int, planned: Planned) -> bool:
    """Post the comment, unless nothing is or was to be said, and the check of its commit. Raises `CodeHostError`.

    False where the pull request has moved on meanwhile: an older head's plan never takes the place of a newer one, and
    what is merged or closed is not planned any more.
    """
    current = await is_current(host, number, planned.reviewed.head, planned.reviewed.branch)
    if current and (planned.view.plan.actions or planned.view.loose or await find(host, number) is not None):
        await publish(host, number, said(planned, host.comment_limit))
    await host.publish(_check(planned))
    return current


async def is_current(host: CodeHost, number: int, head: str, branch: str) -> bool:
    """Whether a pull request is open, at that head, and to be merged into that branch. Raises `CodeHostError`."""
    pull = await host.pull(number)
    return pull.is_open and (pull.head, pull.base_branch) == (head, branch)


def said(planned: Planned, limit: int) -> Said:
    """The comment. What it remembers comes first; where that leaves too little room for the table it is given up."""
    for memory in (planned.memory, replace(planned.memory, stamps=None)):
        remembered = written(memory)
        shown = plan_comment(planned.view, limit - len(remembered) - _FRAME)
        if shown.all_rows or memory.stamps is None:
            break
    return Said(shown.body, remembered)


def _check(planned: Planned) -> Check:
    view = planned.view
    remarks = [
        Annotation(p.file, p.line, _LEVELS[p.severity], _told(p), f"Gitune {p.code}")
        for p in sorted(planned.problems, key=lambda p: list(_LEVELS).index(p.severity))
        if p.file
    ]
    return Check(
        name=CHECK,
        head=view.head,
        result=_result(planned),
        title=summary(view.plan) if view.plan.actions else "no model changes",
        summary=plan_comment(replace(view, loose=()), _CHECK_SUMMARY).body,
        annotations=tuple(remarks[:_MOST_ANNOTATIONS]),
    )


def _told(problem: Problem) -> str:
    return f"{problem.message} ({problem.hint})" if problem.hint else problem.message


def _result(planned: Planned) -> CheckState:
    if planned.head.world.desired.errors or planned.view.unreadable:
        return CheckState.FAILED
    if planned.view.plan.guards:
        return CheckState.NEEDS_PERSON
    return CheckState.PASSED if planned.view.plan.actions else CheckState.NOTHING
