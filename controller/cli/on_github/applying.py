"""The commit of the default branch to one pass, as far as it was reviewed, and to the stories it moves on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.cli.codes import Code
from controller.cli.on_github import outputs
from controller.cli.on_github.inputs import FailOn, Inputs
from controller.cli.on_github.planning import place_of, plan_outputs, write_plan
from controller.cli.on_github.reviews import Review, does_something, merged_reviews, withheld
from controller.cli.on_github.sticky import find, publish
from controller.cli.options import Asked
from controller.cli.progress import Quiet
from controller.cli.verdicts import of_pass
from controller.engine.desire import read_desired
from controller.engine.reconcile import Approval, Pass, Preview, Refused, follow, preview, reconcile
from controller.errors import ForgeError, RevisionConflict, SourceError
from controller.plan.withheld import withhold
from controller.ports import Forge
from controller.report.applied import applied_markdown, applied_summary
from controller.report.approval import config_digest, stamps
from controller.report.comment_story import Story, is_settled, story_comment
from controller.report.marker import Stage, read
from controller.report.plan_markdown import plan_markdown
from controller.report.standing import Word, latest_run, standing
from controller.report.wording import figure
from controller.state.recorded import Record
from controller.state.review import CommitStatus, StatusState
from controller.system import SystemChance
from controller.wiring import Opened, open_ports

_TRIES = 5  # passes that were overtaken by another writer, or by a world that moved between look and act
_OFTEN, _SELDOM = 1.0, 10.0  # seconds between two looks at runs: at a server of one's own, at a service


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One apply: the pass where there was one, else the refusal; ``held`` are the names that were not reviewed."""

    now: Preview
    held: Mapping[str, str]
    done: Pass | None = None
    refusal: Refused | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is applied: the guards a person lets pass, and the pull request for whose review that person's word stands
    (0: none).
    """

    allow: frozenset[str] = frozenset()
    approved: int = 0


async def apply_now(asked: Asked, inputs: Inputs, forge: Forge, order: Order | None = None) -> int:
    """One pass (with ``wait``, passes until nothing tunes), then the comments. The exit code is the pass's own.

    A code host that fails never stops the pass: what needs a review is held then, all else goes on, and the error is
    raised at the end.
    """
    async with open_ports(place_of(asked, inputs.sha or None), Quiet()) as opened:
        given = order or Order()
        reviews, failed = await _reviews(forge, inputs.sha)
        if given.approved:
            reviews = await _with_approved(opened, inputs, forge, reviews, given.approved)
        outcome = await _apply(opened, inputs, reviews, given)
        _report(inputs, outcome)
        if failed is None and inputs.comments:
            try:
                await tell(opened, inputs, forge, reviews or (), outcome)
            except ForgeError as error:
                failed = error
    if failed is not None:
        raise failed
    return _verdict(outcome, inputs.fail_on or FailOn.HOLD)


async def _reviews(forge: Forge, commit: str) -> tuple[Sequence[Review] | None, ForgeError | None]:
    """None where they cannot be known: then nothing is approved."""
    try:
        return await merged_reviews(forge, commit), None
    except ForgeError as error:
        return None, error


async def _with_approved(
    opened: Opened, inputs: Inputs, forge: Forge, reviews: Sequence[Review] | None, number: int
) -> Sequence[Review]:
    """The reviews, that of one pull request renewed: a person has seen what would now be done, and wants that."""
    if reviews is None:
        raise ForgeError("what was reviewed cannot be read", hint="Run the job again.")
    now = await preview(opened.ports, opened.settings, inputs.sha or None)
    comment = await find(forge, number)
    marker = read(comment.body) if comment else None
    if comment is None or marker is None:
        raise ForgeError("the comment with the plan is gone", hint="Say /gitune plan on a pull request that is open.")
    names = {stamp.name for stamp in marker.stamps or ()}
    acting = [a for a in now.plan.actions if a.name in names or marker.stamps is None]
    renewed = replace(
        marker,
        stage=Stage.PLANNED,
        digest=now.plan.digest,
        config=config_digest(opened.settings),
        stamps=stamps(acting, now.world),
    )
    kept = [review for review in reviews if review.pull != number]
    return (*kept, Review(number, comment, renewed, renewed.head))


async def _apply(opened: Opened, inputs: Inputs, reviews: Sequence[Review] | None, order: Order) -> _Outcome:
    """Look, hold what was not reviewed, and carry out exactly that; what moved in between is looked at again."""
    changed = await _changed(opened, inputs.sha) if any(r.marker is None for r in reviews or ()) else frozenset()
    for attempt in range(_TRIES):
        now = await preview(opened.ports, opened.settings, inputs.sha or None)
        held = _held(opened, now, reviews, changed)
        digest = withhold(now.plan, held, now.world).digest
        approval = Approval(digest, order.allow, inputs.sha or now.plan.revision, held)
        try:
            return _Outcome(now, held, done=await _pass(opened, approval, wait=inputs.wait))
        except RevisionConflict:
            if attempt == _TRIES - 1:
                raise
        except Refused as refusal:
            moved_on = withhold(refusal.preview.plan, held, refusal.preview.world).digest != digest
            if not moved_on or attempt == _TRIES - 1:
                return _Outcome(refusal.preview, held, refusal=refusal)
    raise AssertionError("the last try returns or raises")


def _held(opened: Opened, now: Preview, reviews: Sequence[Review] | None, changed: frozenset[str]) -> Mapping[str, str]:
    if reviews is None:
        acting = {action.name for action in now.plan.actions if does_something(action)}
        return dict.fromkeys(acting, "GitHub could not be asked whether this was reviewed")
    return withheld(reviews, now, config_digest(opened.settings), changed)


async def _pass(opened: Opened, approval: Approval, *, wait: bool) -> Pass:
    """The pass that was decided on; with ``wait``, then passes on the same commit until nothing tunes any more."""
    last = await reconcile(opened.ports, opened.settings, approval)
    if not wait:
        return last
    free = all(provider.capabilities.free for provider in opened.ports.providers.values())
    # Without the digest: a run that waits in a queue was reviewed with the plan that named its place.
    going_on = replace(approval, digest=None)
    async for done in follow(opened.ports, opened.settings, going_on, _OFTEN if free else _SELDOM):
        last = done
    return last


async def _changed(opened: Opened, commit: str) -> frozenset[str]:
    """The names that a commit changes over its first parent; every name where there is none at hand."""
    capabilities = {key: provider.capabilities for key, provider in opened.ports.providers.items()}
    source = opened.ports.source
    now = await read_desired(await source.tree(commit or None), opened.settings, capabilities)
    try:
        before = await read_desired(await source.tree(f"{commit or 'HEAD'}^1"), opened.settings, capabilities)
    except SourceError:
        return now.names | frozenset((await opened.ports.ledger.load()).records)
    old = {model.name: model for model in before.models}
    new = {model.name: model for model in now.models}
    return frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


async def tell(opened: Opened, inputs: Inputs, forge: Forge, reviews: Sequence[Review], outcome: _Outcome) -> None:
    """Move every open story on: its comment, and a commit status for each of its models. Raises `ForgeError`."""
    records = outcome.done.records if outcome.done else (await opened.ports.ledger.load()).records
    for review in reviews:
        marker = review.marker
        if marker is None or not review.is_open:
            continue
        names = review.names or tuple(sorted(records))
        held = {name: why for name, why in outcome.held.items() if name in names}
        refusal = outcome.refusal.message if outcome.refusal and marker.stage is not Stage.APPLYING else ""
        if not names and not refusal:
            continue
        commit = marker.commit or inputs.sha
        story = Story(
            commit=commit,
            names=names,
            records=records,
            withheld=held,
            refusal=refusal,
            curves_url=_curves(opened, inputs),
        )
        stage = _stage(story)
        applied = replace(marker, stage=stage, commit=commit if stage is not Stage.REFUSED else "")
        await publish(forge, review.pull, story_comment(story, applied))
        await _statuses(forge, story)


def _stage(story: Story) -> Stage:
    if story.refusal or story.withheld:
        return Stage.REFUSED
    return Stage.DONE if is_settled(story) else Stage.APPLYING


def _curves(opened: Opened, inputs: Inputs) -> str:
    ledger = opened.settings.ledger
    safe = all(c.isascii() and (c.isalnum() or c in "-_./") for c in ledger.branch)
    if ledger.directory is not None or not inputs.repository or not safe:
        return ""
    return f"{inputs.server}/{inputs.repository}/blob/{ledger.branch}/curves"


async def _statuses(forge: Forge, story: Story) -> None:
    for name in story.names:
        record = story.records.get(name)
        if record is not None and name not in story.withheld:
            await forge.set_status(story.commit, _status(name, record))


def _status(name: str, record: Record) -> CommitStatus:
    stands, run = standing(record), latest_run(record)
    context = f"gitune/{name}"
    match stands.word:
        case Word.READY:
            loss = f", final loss {figure(run.losses[-1].mean_loss)}" if run and run.losses else ""
            return CommitStatus(context, StatusState.SUCCESS, f"serves{loss}")
        case Word.STALLED:
            return CommitStatus(context, StatusState.FAILURE, f"waits on a person: {stands.reason}")
        case _:
            return CommitStatus(context, StatusState.PENDING, f"{stands.reason}, {record.tenths * 10} %")


def _report(inputs: Inputs, outcome: _Outcome) -> None:
    chance = SystemChance()
    plan = outcome.now.plan
    if outcome.done is not None:
        markdown = applied_markdown(outcome.done.plan, outcome.done.outcomes)
        said = applied_summary(outcome.done.plan, outcome.done.outcomes)
    else:
        markdown = plan_markdown(plan)
        said = outcome.refusal.message if outcome.refusal else ""
        outputs.error(f"{said} {outcome.refusal.hint}" if outcome.refusal else said)
    for name, why in outcome.held.items():
        outputs.error(f"{name}: {why}")
    outputs.write_summary(inputs.summary, markdown)
    outputs.annotate(outcome.now.world.desired.errors)
    outputs.say(said, chance)
    file = write_plan(inputs.scratch, plan)
    outputs.write_outputs(inputs.output, {**plan_outputs(plan, plan.digest, file)}, chance)


def _verdict(outcome: _Outcome, fail_on: FailOn) -> int:
    code = Code(of_pass(outcome.done.world, outcome.done.outcomes)) if outcome.done else Code.HOLDS
    if fail_on is FailOn.NEVER:
        return Code.WELL
    if code is Code.HOLDS and fail_on is FailOn.ERROR:
        return Code.WELL
    return code
