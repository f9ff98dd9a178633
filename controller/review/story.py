"""What a pass did to the comments of the merged pull requests it is about, and to the lines beside their commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.ports import Opened
from controller.ports.code_host import CodeHost, Comment, CommitStatus, Said, StatusState
from controller.report.formatting import figure
from controller.report.model_state import StateWord, latest_run, state_of
from controller.report.progress_comment import Story, is_settled, progress_comment
from controller.review.applying import Applied, Applying
from controller.review.grants import COMMENT_PAGES
from controller.review.memory import Memory, StoryStage, read, written
from controller.review.sticky import find, ours, publish
from controller.state.desired import Evaluation
from controller.state.recorded import Record

_OPEN = frozenset({StoryStage.REFUSED, StoryStage.APPLYING})
_FRAME = 100  # bytes that a code host may put around a memory


@dataclass(frozen=True, slots=True)
class _Told:
    """One pull request, its comment where there is one, and what that remembers."""

    pull: int
    comment: Comment | None
    memory: Memory


async def tell(host: CodeHost, opened: Opened, what: Applying, applied: Applied, curves_url: str = "") -> None:
    """Move every open story on: its comment, and a line beside the commit for each of its models.

    Raises `CodeHostError`.
    """
    records = applied.done.records if applied.done else (await opened.ports.ledger.load()).records
    for told in await _stories(host, applied):
        names = _names(told, records)
        refusal = _refusal(applied)
        if not names or (refusal and told.memory.stage is StoryStage.APPLYING):
            continue
        story = Story(
            pull=told.pull,
            commit=told.memory.commit or what.revision,
            names=names,
            records=records,
            refused={name: why for name, why in applied.unreviewed.items() if name in names},
            refusal=refusal,
            curves_url=curves_url,
            asked=_asked(applied, names),
            currency=opened.settings.currency,
            allow=_allow(applied),
            is_held_up=applied.refusal is None and bool(refusal),
        )
        await publish(host, told.pull, _said(story, told, applied, host.comment_limit))
        await _statuses(host, story)


async def _stories(host: CodeHost, applied: Applied) -> list[_Told]:
    """Those of the pull requests that were looked at, and every other one whose story goes on."""
    found: dict[int, _Told] = {}
    for number in sorted(applied.pulls):
        comment = await find(host, number)
        memory = read(comment.memory) if comment is not None else None
        found[number] = _Told(number, comment, memory or Memory(StoryStage.REFUSED, ""))
    for comment in await ours(host, await host.latest_comments(COMMENT_PAGES)):
        memory = read(comment.memory)
        if comment.pull and memory is not None and memory.stage in _OPEN:
            found.setdefault(comment.pull, _Told(comment.pull, comment, memory))
    return list(found.values())


def _names(told: _Told, records: Mapping[str, Record]) -> tuple[str, ...]:
    """The models a pull request is about: those it was reviewed or refused for, and those its plan named."""
    reviewed = [name for name, record in records.items() if any(r.pull == told.pull for r in record.reviews)]
    planned = [stamp.name for stamp in told.memory.stamps or () if told.memory.stage is StoryStage.PLANNED]
    return tuple(dict.fromkeys((*told.memory.names, *planned, *sorted(reviewed))))


def _refusal(applied: Applied) -> str:
    """Why nothing at all was applied."""
    if applied.refusal is not None:
        return applied.refusal.message
    if applied.done is None and applied.failure is not None:
        return f"{applied.failure.message} {applied.failure.hint}".strip()
    return ""


def _allow(applied: Applied) -> tuple[str, ...]:
    """The words that let pass what refused the plan, where there are such words."""
    return (
        tuple(word for guard in applied.refusal.preview.plan.guards for word in guard.allow) if applied.refusal else ()
    )


def _asked(applied: Applied, names: Sequence[str]) -> Mapping[str, Evaluation]:
    """The evaluations of the specs as the pass has read them."""
    if applied.done is None:
        return {}
    specs = ((name, applied.done.world.spec(name)) for name in names)
    return {name: spec.evaluation for name, spec in specs if spec is not None and spec.evaluation is not None}


def _said(story: Story, told: _Told, applied: Applied, limit: int) -> Said:
    """The comment. A plan that could not be taken into the ledger stays remembered, with the time of its posting."""
    memory = told.memory
    if (
        applied.done is None
        and applied.refusal is None
        and memory.stage is StoryStage.PLANNED
        and told.comment is not None
    ):
        memory = replace(memory, posted=memory.posted or told.comment.updated)
    else:
        stage = _stage(story)
        commit = story.commit if stage is not StoryStage.REFUSED else ""
        memory = replace(memory, stage=stage, stamps=(), names=tuple(story.names), commit=commit, posted="")
    remembered = written(memory)
    return Said(progress_comment(story, limit - len(remembered) - _FRAME), remembered)


def _stage(story: Story) -> StoryStage:
    if story.refusal or story.refused:
        return StoryStage.REFUSED
    return StoryStage.DONE if is_settled(story) else StoryStage.APPLYING


async def _statuses(host: CodeHost, story: Story) -> None:
    for name in story.names:
        record = story.records.get(name)
        if record is not None and name not in story.refused and record.conditions:
            await host.set_status(story.commit, _status(name, record))


def _status(name: str, record: Record) -> CommitStatus:
    stands, run = state_of(record), latest_run(record)
    context = f"gitune/{name}"
    match stands.word:
        case StateWord.READY:
            loss = f", final loss {figure(run.last_loss)}" if run and run.last_loss is not None else ""
            return CommitStatus(context, StatusState.GOOD, f"serves{loss}")
        case StateWord.STALLED:
            return CommitStatus(context, StatusState.BAD, f"waits on a person: {stands.reason}")
        case _:
            return CommitStatus(context, StatusState.PENDING, f"{stands.reason}, {record.tenths * 10} %")
