"""What would be done now, the history of the applied branch and its pull requests to grants and refusals, by model.

Everything is asked at the moment of acting, and what came of it is written to the ledger before anything is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from controller.engine.snapshot import offline_snapshot, snapshot
from controller.errors import ControllerError, RevisionConflict, SourceError
from controller.plan.grants import INVALID, asks_else, covered, parts_moved, reviews_of, standing_refusal, with_review
from controller.plan.planner import ungranted
from controller.plan.world import ReviewRule, World, names_of
from controller.ports import Opened, Relation, written_now
from controller.ports.code_host import CodeHost, Pull
from controller.report.formatting import listed, short
from controller.review.evidence import Evidence, evidence_of
from controller.review.memory import StoryStage, config_digest, read
from controller.review.sticky import ours
from controller.review.trail import History, Origins, Step
from controller.settings import RequireReview
from controller.state.recorded import Record
from controller.state.reviews import Basis, Decision, Origin, Review

COMMENT_PAGES: Final = 5  # of a hundred comments each: what was merged lately
_RACES: Final = 5
_COMMANDS: Final = 50  # ids on record for a model; of an older one nobody can tell, so it is not taken
_SHOWN: Final = 20  # names in a commit's subject
_NO_BASIS: Final = Basis(action="", reason="", asked="", digest="")
_UNTOLD: Final = "nothing in the history of the branch says what asked for it"


@dataclass(frozen=True, slots=True)
class ApplyOrder:
    """A person's `/gitune apply`: on which pull request, by whom, in which comment, and the guards it lets pass."""

    pull: int
    by: str
    comment: int
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decided:
    """The reviews of this pass by model, and the pull requests that were looked at.

    ``holders`` are the names of the records that keep them, where a spec was renamed.
    """

    reviews: Mapping[str, tuple[Review, ...]] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)
    pulls: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Case:
    """What one model would get without a grant, what is on record for it, and what made it ask for that."""

    bases: Sequence[Basis]
    known: Sequence[Review]
    steps: Sequence[Step]


@dataclass
class Judge:
    """One look at what is to be done without a grant, and at who reviewed it."""

    host: CodeHost
    opened: Opened
    branch: str
    revision: str
    order: ApplyOrder | None = None
    _evidence: dict[int, Evidence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Share one view of the history and of the pull requests behind it."""
        self._history = History(self.opened)
        self._origins = Origins(self.host, self.opened, self.branch, self.revision)

    async def decide(self) -> Decided:
        """Every grant and refusal that this pass needs. Raises `CodeHostError`, `SourceError`, `LedgerError`.

        A merge grants all that its plan names, also what is not due yet: its comment is written over afterwards.
        """
        world = replace(
            await snapshot(self.opened.ports, self.opened.settings, self.revision), review=ReviewRule.GRANTS
        )
        await self._see_merged()
        wanted = ungranted(world)
        trails = {name: await self._trail(name, world) for name in wanted}
        given: dict[str, list[Review]] = {}
        for evidence in self._evidence.values():
            for name, review in evidence.grants():
                if world.spec(name) is not None or name in world.recorded.records:
                    given.setdefault(name, []).append(review)
        for name, bases in wanted.items():
            known = (*reviews_of(name, world), *given.get(name, ()))
            missing = [basis for basis in bases if not covered(known, basis)]
            if missing:
                given.setdefault(name, []).extend(await self._judged(name, _Case(bases, known, trails[name])))
        holders = {name: record.name for name in given if (record := _record(name, world)) is not None}
        return Decided({name: tuple(found) for name, found in given.items()}, holders, frozenset(self._evidence))

    async def changed_by(self, pull: Pull) -> frozenset[str]:
        """The names of the records of what a merged pull request made ask for something else. Raises `SourceError`."""
        names: set[str] = set()
        most = max(1, pull.commits)
        for landing in await self.opened.ports.source.landings(pull.merge_commit, "", frozenset(), most):
            if all(one.number != pull.number for one in await self._origins.of(landing)):
                break
            after = await self._history.desired(landing.commit)
            before = await self._history.desired(landing.parent) if landing.parent else replace(after, models=())
            there = {model.name for model in before.models} | {broken.name for broken in before.invalid}
            names |= asks_else(after, before) | (there - after.names)
        world = await offline_snapshot(self.opened.ports, self.opened.settings, self.revision)
        holders = {name: _record(name, world) for name in names}
        return frozenset(record.name if record is not None else name for name, record in holders.items())

    async def _see_merged(self) -> None:
        """The pull requests that were merged and whose comment still shows the plan."""
        for comment in await ours(self.host, await self.host.latest_comments(COMMENT_PAGES)):
            memory = read(comment.memory)
            if comment.pull and memory is not None and memory.stage in {StoryStage.PLANNED, StoryStage.FOREIGN}:
                pull = await self.host.pull(comment.pull)
                if pull.merged and pull.base_branch == self.branch and await self._has_landed(pull):
                    await self._look_at(pull)

    async def _has_landed(self, pull: Pull) -> bool:
        """Whether the commit that is applied has the merge: one that came since is the next pass's."""
        commits = frozenset({pull.merge_commit})
        relations = await self.opened.ports.source.relations(self.revision, commits)
        return relations[pull.merge_commit] in {Relation.AHEAD, Relation.SAME}

    async def _look_at(self, pull: Pull) -> Evidence:
        if pull.number not in self._evidence:
            whole = await self.host.pull(pull.number)
            self._evidence[pull.number] = await evidence_of(self.host, whole, self.branch)
        return self._evidence[pull.number]

    async def _trail(self, name: str, world: World) -> tuple[Step, ...]:
        record = _record(name, world)
        steps = await self._history.steps(self.revision, _names(name, world), record)
        for step in steps:
            for pull in await self._origins.of(step.landing):
                await self._look_at(pull)
        return steps

    async def _judged(self, name: str, case: _Case) -> Sequence[Review]:
        """What nobody has granted yet: an order or a commit of no pull request may grant it, else it is refused."""
        if case.steps and INVALID == case.steps[0].asked != case.bases[0].asked:
            raise SourceError(f"the commit that asks for {name} could not be read whole a second time")
        order = self.order
        if order is not None and await self._is_ordered(name, case, order):
            why = f"ordered with /gitune apply on pull request {order.pull}"
            given = self._review(Origin.COMMAND, why, pull=order.pull, by=order.by, comment=order.comment)
            return [replace(given, basis=basis) for basis in case.bases]
        refused = await self._refusal(name, case)
        newest = case.steps[0].landing if case.steps else None
        pulls = await self._origins.of(newest) if newest is not None else ()
        if not refused and newest is not None:
            given = self._review(Origin.COMMIT, "committed without a pull request", commit=newest.commit)
            given = replace(given, by=newest.author, at=newest.landed or given.at)
            return [replace(given, basis=basis) for basis in case.bases]
        first = next(iter(pulls), None)
        given = self._review(Origin.PULL_REQUEST if first else Origin.COMMIT, refused or _UNTOLD)
        given = replace(
            given, verdict=Decision.REFUSED, pull=first.number if first else 0, head=first.head if first else ""
        )
        # What is on record says why it was refused at first: afterwards the comment shows the refusal, not the plan.
        standing = (standing_refusal(case.known, basis) for basis in case.bases)
        if all(one is not None and one.pull == given.pull for one in standing):
            return []
        return [replace(given, basis=basis) for basis in case.bases]

    def _review(
        self, origin: Origin, why: str, *, pull: int = 0, by: str = "", comment: int = 0, commit: str = ""
    ) -> Review:
        return Review(
            verdict=Decision.GRANTED,
            origin=origin,
            basis=_NO_BASIS,
            pull=pull,
            branch=self.branch,
            commit=commit or self.revision,
            by=by,
            at=written_now(self.opened.ports.clock),
            comment=comment,
            why=why,
        )

    async def _is_ordered(self, name: str, case: _Case, order: ApplyOrder) -> bool:
        """Whether the pull request of the order asks for this as it is now: nothing unreviewed landed on top of it."""
        for step in case.steps:
            if any(pull.number == order.pull for pull in await self._origins.of(step.landing)):
                return True
            if await self._step_refused(name, step, case):
                return False
        return False

    async def _refusal(self, name: str, case: _Case) -> str:
        """Why what is asked for now is refused; "" where it came from commits of no pull request, and may."""
        if not case.steps:
            return _UNTOLD
        for step in case.steps:
            if why := await self._step_refused(name, step, case):
                return why
        for pull in await self._origins.of(case.steps[0].landing):
            return self._moved(name, case) or self._why(self._evidence[pull.number], name, case)
        standing = (standing_refusal(case.known, basis) for basis in case.bases)
        return next((found.why for found in standing if found is not None), "")

    async def _step_refused(self, name: str, step: Step, case: _Case) -> str:
        """Why one landing was not reviewed as it is; "" where it was, or needs no review."""
        pulls = await self._origins.of(step.landing)
        if not pulls:
            if self.opened.settings.policy.require_review is RequireReview.NONE:
                return ""
            what = f"commit {short(step.landing.commit)} came from no pull request"
            return f"{what}, and policy.requireReview asks for one"
        found = [self._evidence[pull.number] for pull in pulls]
        shown = {stamp.basis.asked for evidence in found for stamp in evidence.stamps(name)}
        granted = {r.basis.asked for r in case.known if r.verdict is Decision.GRANTED}
        return "" if step.asked in shown | granted else self._why(found[0], name, case)

    def _why(self, evidence: Evidence, name: str, case: _Case) -> str:
        return evidence.refusal(name, case.bases[0], config_digest(self.opened.settings))

    def _moved(self, name: str, case: _Case) -> str:
        """What has moved since a grant on record, where one is of the same spec and data."""
        wanted = case.bases[0]
        same = [r for r in case.known if r.verdict is Decision.GRANTED and r.basis.asked == wanted.asked]
        if not same:
            return ""
        moved = listed(parts_moved(same[-1].basis, wanted))
        return f"not as it was granted before: {moved} of {name} moved"


async def write_reviews(opened: Opened, decided: Decided, claim: Claim | None = None) -> None:
    """Write reviews to the ledger, and with them the claim of the command that brought them.

    Raises `TakenBefore` where that command was taken already, `LedgerError`, `RevisionConflict` after too many races.
    """
    for race in range(_RACES):
        recorded = await opened.ports.ledger.load()
        records = dict(recorded.records)
        for name, reviews in decided.reviews.items():
            record = _held(records, decided.holders.get(name, name), opened)
            for review in reviews:
                record = record if _was_refused_since(record, review) else with_review(record, review)
            records[record.name] = record
        if claim is not None:
            for name in claim.holders:
                record = _held(records, name, opened)
                records[name] = _claimed(record, claim.comment)
        if records == dict(recorded.records):
            return
        try:
            await opened.ports.ledger.save(records, recorded.tip, _message(decided, claim))
        except RevisionConflict:
            if race == _RACES - 1:
                raise
        else:
            return


def _was_refused_since(record: Record, review: Review) -> bool:
    """Commits of no pull request grant only what is not refused, be it by somebody who looked at the same time."""
    is_commit = review.verdict is Decision.GRANTED and review.origin is Origin.COMMIT
    return is_commit and standing_refusal(record.reviews, review.basis) is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """A command that is about to be carried out: the id of its comment, and the records of the models it is for."""

    comment: int
    holders: frozenset[str]


class TakenBefore(ControllerError):
    """The command of a comment was carried out before: it acts once."""


def _claimed(record: Record, comment: int) -> Record:
    known = record.commands
    forgotten = len(known) >= _COMMANDS and comment < known[0]
    if comment in known or forgotten:
        raise TakenBefore("this comment's command was taken before", hint="Write a new comment for a new order.")
    return replace(record, commands=tuple(sorted({*known, comment}))[-_COMMANDS:])


def _held(records: Mapping[str, Record], name: str, opened: Opened) -> Record:
    return records.get(name) or Record(name=name, provider=opened.settings.default_provider)


def _message(decided: Decided, claim: Claim | None) -> str:
    names = sorted({*decided.reviews, *(claim.holders if claim else ())})
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"Review of {shown}"


def _record(name: str, world: World) -> Record | None:
    """The record of a name; of one that a spec has taken over, that spec's."""
    model = world.spec(name) or next((m for m in world.desired.models if name in m.former_names), None)
    return world.record_of(model) if model is not None else world.recorded.records.get(name)


def _names(name: str, world: World) -> tuple[str, ...]:
    """A spec's name and those it had; of a spec that is gone those that its record remembers."""
    model, record = world.spec(name), world.recorded.records.get(name)
    had = names_of(model)[1:] if model is not None else record.former_names if record is not None else ()
    return (name, *had)
