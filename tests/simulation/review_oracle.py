"""Events to a second account of who reviewed what: grants, refusals and commands, held against what was done.

R1: an effect that needs a grant (a create, the cancel of a superseded or removed run, a first tombstone, an update that
a spec asks for) has one for exactly its inputs that was valid when it was given; commits of no pull request give one
while the policy lets them and no refusal stands. A daemon or a terminal needs none where nothing was refused. R2: a
refusal ends only by a grant. R3: a command acts once, on the word of somebody who may write, and only on what its own
pull request asked for. R4: what careful people merged is not refused. R5: a plan is posted only where its pull request
is open, and still at that head.

Nothing here reads what the product keeps of reviews, but for one thing: that a refusal is still on record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from controller.state.conditions import ConditionType
from controller.state.reasons import Reason
from controller.state.recorded import Record
from controller.state.reviews import Decision, Origin, Review
from tests.simulation.events import (
    Allowed,
    Changed,
    Committed,
    Created,
    Drafted,
    Event,
    JobBegan,
    JobEnded,
    Merged,
    Moved,
    Obeyed,
    PassBegan,
    PassEnded,
    Person,
    Posted,
    Rights,
    Saved,
    Spoke,
    Told,
)
from tests.simulation.wishes import Inputs, Wish

MAIN = "main"
ABSENT, BROKEN = "absent", "broken"
Words: TypeAlias = tuple[str, str]
Ask: TypeAlias = tuple[Inputs, int, str, str] | str
_ACTED = frozenset({"create", "retune", "update", "reuse", "none", "orphan", "promote"})
_VAGUE = frozenset({"hold", "wait"})
_RACE = 10.0  # seconds between a job's last look at a pull request and what it says there
_UNLUCKY = 3  # jobs in which a fault came between the look that judges and the look that acts
_MOST_REFUSALS = 90  # of one model, on record: beyond that the oldest may leave


@dataclass
class _Grant:
    """What was granted: ``spent`` once a run was made of it, ``lapsed`` since something else was held as unreviewed."""

    lineage: str
    ask: Ask
    at: float
    pull: int
    origin: Origin
    place: int = 0  # how many commits there were
    spent: bool = False
    lapsed: float | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A plan as its reader sees it: for which head and base branch, and what its names ask for there."""

    head: str
    branch: str
    asks: Mapping[str, Ask]
    firm: frozenset[str] = frozenset()  # what it says will be done, without an if
    since: float = 0.0


@dataclass
class _Job:
    """One job, or one pass of a controller: the commit it acts on, and when it began."""

    began: JobBegan | None = None
    revision: str = ""
    since: float = 0.0
    may: bool = False  # its author may write at some moment of it
    says: bool = False  # its comment says at some moment of it what it said when it was made
    over: bool = False


@dataclass
class Reviews:
    """The account. ``say`` is called with each broken promise."""

    say: Callable[[str, str], None]
    now: Callable[[], float]
    strict: bool = False  # policy.requireReview: pullRequest
    orderly: bool = False
    commits: dict[str, Committed | Drafted] = field(default_factory=dict)
    grants: list[_Grant] = field(default_factory=list)
    refused: dict[tuple[str, Ask], float] = field(default_factory=dict)
    hosted: bool = False

    def __post_init__(self) -> None:
        """Nothing has happened yet."""
        self._plans: dict[int, dict[int, _Plan | None]] = defaultdict(dict)  # by pull request and comment
        self._planning: dict[str, JobBegan] = {}
        self._jobs: dict[str, _Job] = defaultdict(_Job)
        self._rights = {"ann", "bob", "dan"}
        self._spoken: dict[int, Spoke] = {}
        self._landed: dict[int, tuple[str, ...]] = {}
        self._acted: dict[str, Ask] = {}
        self._words: dict[str, Words] = {}
        self._lineages: dict[str, str] = {}
        self._asked_by: dict[str, set[int]] = defaultdict(set)  # a model, and the pull requests that asked for it
        self._doomed_by: dict[str, set[int]] = defaultdict(set)
        self._doers: dict[int, set[str]] = defaultdict(set)
        self._allowed: dict[str, frozenset[str]] = {}
        self._intents: set[str] = set()
        self._tombstones: set[tuple[str, str]] = set()  # a model, and since when it is to go
        self._untold_often: Counter[tuple[str, Ask]] = Counter()
        self._said_at: dict[int, float] = {}
        self._merged_at: dict[int, float] = {}
        self._hurried: set[str] = set()
        self._place = 0
        self._places: dict[str, int] = {}
        self._stands: dict[int, tuple[float, Moved]] = {}
        self._planned_at: dict[str, float] = {}
        self._firm: dict[tuple[str, Ask], float] = {}  # when the plan was begun that says so without an if
        self._moved: dict[str, float] = {}  # when what stands under a lineage became something else
        self._held: dict[str, object] = {}
        self._known: set[tuple[str, Review]] = set()
        self._untied: set[str] = set()

    def see(self, event: Event) -> None:
        """One event."""
        match event:
            case Committed() | Drafted():
                self._committed(event)
            case JobBegan():
                self._job_began(event)
            case JobEnded():
                self._job_ended(event)
            case Told() | PassBegan():
                self._looked(event)
            case Posted():
                self._posted(event)
            case Merged() | Moved():
                self._moved_on(event)
            case Spoke() | Rights():
                self._spoke(event)
            case Created():
                self._created(event)
            case PassEnded():
                self._pass_ended(event)
            case _:
                self._done_by_hand(event)

    def _done_by_hand(self, event: Event) -> None:
        match event:
            case Obeyed():
                self._obeyed(event.by, event.comment)
            case Allowed():
                self._allowed[event.by] = frozenset(event.names)
            case Person():
                self._forgotten(event)
            case _:
                pass

    def _forgotten(self, event: Person) -> None:
        """A person says that a create made nothing: what was granted for it is not spent."""
        lineage = self.lineage(event.about) if event.what == "forget --intent" else None
        for grant in self.grants:
            grant.spent = grant.spent and grant.lineage != lineage

    # What people ask for, and how it came about

    def _committed(self, event: Committed | Drafted) -> None:
        self.commits[event.revision] = event
        if isinstance(event, Committed):
            self._place += 1
            self._places[event.revision] = self._place
            if event.forced:
                self._untie(event.revision)
        for wish in event.wishes:
            self._lineages[wish.name] = wish.lineage

    def ask(self, revision: str, lineage: str) -> Ask:
        """What a commit asks for under a lineage."""
        commit = self.commits.get(revision)
        wish = next((w for w in commit.wishes if w.lineage == lineage), None) if commit is not None else None
        if commit is None or wish is None:
            return ABSENT
        return BROKEN if wish.name in commit.broken else _ask(wish)

    def _steps(self, revision: str, lineage: str) -> Iterator[Committed | Drafted]:
        """The commits that changed what is asked for, the newest first."""
        at = self.commits.get(revision)
        while at is not None:
            before = self.ask(at.parent, lineage) if at.parent else ABSENT
            if self.ask(at.revision, lineage) != before:
                yield at
            at = self.commits.get(at.parent)

    def _pull_of(self, commit: Committed | Drafted) -> int:
        return commit.pull if isinstance(commit, Committed) and commit.revision not in self._untied else 0

    def _untie(self, head: str) -> None:
        """After history was rewritten: the commits of a rebase whose last one is gone are tied to no pull request."""
        there: set[str] = set()
        while head in self.commits:
            there.add(head)
            head = self.commits[head].parent
        self._untied = {
            one for landed in self._landed.values() if landed[-1] not in there for one in landed if one in there
        }

    def lineage(self, name: str) -> str:
        """Whose name it is, or was last."""
        return self._lineages.get(name, name)

    # Plans and merges

    def _posted(self, event: Posted) -> None:
        there = self._plans[event.pull]
        if event.helps:
            return
        if event.rows is None:
            there.pop(event.comment, None)
            return
        began = self._planning.get(event.by)
        if began is None or began.pull != event.pull:
            there[event.comment] = None  # what a fork's own job says, or a story
            return
        if self._is_old(began):
            self.say("R5", f"{event.by} posted a plan of {began.head[:8]} on {event.pull}, which had moved on")
        asks = {self.lineage(name): self.ask(began.revision, self.lineage(name)) for name, _ in event.rows}
        firm = frozenset(self.lineage(name) for name, word in event.rows if word not in _VAGUE)
        vague = frozenset(self.lineage(name) for name, word in event.rows if word in _VAGUE)
        since = self._planned_at[event.by]
        there[event.comment] = _Plan(began.head, began.branch, asks, firm - vague, since)

    def _moved_on(self, event: Merged | Moved) -> None:
        if isinstance(event, Merged):
            self._merged(event)
        else:
            self._stands[event.pull] = (self.now(), event)

    def _is_old(self, began: JobBegan) -> bool:
        """Whether a pull request had long moved on from what is now posted as its plan."""
        since, stands = self._stands.get(began.pull, (self.now(), None))
        current = stands is not None and stands.is_open and (stands.head, stands.branch) == (began.head, began.branch)
        return not current and self.now() - since > _RACE

    def _merged(self, event: Merged) -> None:
        self._merged_at[event.pull] = self.now()
        if event.branch != MAIN:
            return
        self._landed[event.pull] = event.landed
        there = self._plans[event.pull]
        plan = there[min(there)] if there else None  # of two, the younger one goes
        if plan is None or plan.head != event.head or plan.branch != MAIN:
            return
        for lineage, ask in plan.asks.items():
            self._give(lineage, ask, event.pull, Origin.PULL_REQUEST)
            if lineage in plan.firm:
                self._firm[lineage, ask] = plan.since

    def _give(self, lineage: str, ask: Ask, pull: int, origin: Origin) -> None:
        self.grants.append(_Grant(lineage, ask, self.now(), pull, origin, self._place))
        if origin is not Origin.COMMIT:
            self.refused.pop((lineage, ask), None)

    # Jobs and commands

    def _job_began(self, event: JobBegan) -> None:
        if event.kind == "plan":
            self._planning[event.by], self._planned_at[event.by] = event, self.now()
            return
        job = self._jobs[event.by]
        job.began, job.revision, job.since = event, event.revision, self.now()
        if event.kind == "command":
            self._heard(job)

    def _job_ended(self, event: JobEnded) -> None:
        if event.error.startswith("!"):
            self.say("X", f"{event.by} ended with {event.error}")
        job = self._jobs.get(event.by)
        if job is None:
            return
        job.over = True
        for name in event.untold:
            self._untold(name, job, event.by)
        for name, why in event.unreviewed:
            lineage = self.lineage(name)
            ask = self.ask(job.revision, lineage)
            self.refused.setdefault((lineage, ask), self.now())
            if self.orderly and self._firm.get((lineage, ask), -1.0) > self._moved.get(lineage, 0.0):
                self.say("R4", f"{name} was reviewed by everybody, and {event.by} says: {why}")

    def _untold(self, name: str, job: _Job, by: str) -> None:
        """R2: what is held for want of a review is on record soon, unless each job's two looks saw something else."""
        lineage = self.lineage(name)
        held = (lineage, self.ask(job.revision, lineage))
        self._untold_often[held] += 1
        if self._untold_often[held] > _UNLUCKY:
            self.say("R2", f"{by} holds {name} for want of a review, once more, and no refusal is on record")

    def _looked(self, event: Told | PassBegan) -> None:
        job = self._jobs[event.by]
        if isinstance(event, PassBegan):
            job.since = self.now()
            if job.began is None:
                job.revision = ""
        elif job.began is None and not job.revision:
            job.revision = event.revision

    def _spoke(self, event: Spoke | Rights) -> None:
        if isinstance(event, Spoke):
            self._spoken[event.comment] = event
            self._said_at[event.comment] = self.now()
        else:
            self._rights = self._rights | {event.who} if event.may else self._rights - {event.who}
        for job in list(self._jobs.values()):
            if job.began is not None and job.began.kind == "command" and not job.over:
                self._heard(job)

    def _heard(self, job: _Job) -> None:
        """Whether somebody who may write gives this command just now."""
        began = job.began
        assert began is not None
        there = self._spoken.get(began.comment)
        late = self._said_at.get(began.comment, 0.0) >= self._merged_at.get(began.pull, 0.0)
        job.may |= began.author in self._rights
        job.says |= late and there is not None and there.author == began.author and _words(there.body) == _said(began)
        if began.verb == "apply" and job.may and job.says and not job.over:
            self._order(began)

    def _order(self, began: JobBegan) -> None:
        """All that the pull request asks for as it is now, where nothing unreviewed has landed on top."""
        for landed in self._landed.get(began.pull, ()):
            commit = self.commits[landed]
            before = self.commits.get(commit.parent)
            wishes = (*commit.wishes, *(before.wishes if before is not None else ()))
            for lineage in {wish.lineage for wish in wishes}:
                if any(step.revision == landed for step in self._steps(landed, lineage)):
                    self._order_one(began, lineage)

    def _order_one(self, began: JobBegan, lineage: str) -> None:
        ask = self.ask(began.revision, lineage)
        for step in self._steps(began.revision, lineage):
            if self._pull_of(step) == began.pull:
                self._give(lineage, ask, began.pull, Origin.COMMAND)
                return
            if not self._may_land(step, lineage):
                return

    def _may_land(self, step: Committed | Drafted, lineage: str) -> bool:
        """Whether one landing was reviewed as it is, or needs no review."""
        pull, ask = self._pull_of(step), self.ask(step.revision, lineage)
        if not pull:
            return not self.strict
        return ask == BROKEN or any((g.lineage, g.ask) == (lineage, ask) for g in self.grants)

    def _obeyed(self, by: str, comment: int) -> None:
        """R3: no second job acts on one comment, and none on the word of somebody who may not give it."""
        doers = self._doers[comment]
        doers.add(by)
        if len(doers) > 1:
            self.say("R3", f"the command of comment {comment} was carried out by {' and '.join(sorted(doers))}")
        job = self._jobs[by]
        if not (job.may and job.says):
            self.say("R3", f"{by} did what comment {comment} says, which nobody who may write said at that moment")

    def asked_by(self, name: str, revision: str) -> int:
        """The pull request that last changed what is asked for under a name; 0 where none did."""
        newest = next(self._steps(revision, self.lineage(name)), None)
        return self._pull_of(newest) if newest is not None else 0

    # What is done

    def may(self, lineage: str, ask: Ask, by: str, *, spent: bool = False) -> bool:
        """Whether something may be done for this ask: a grant, commits of no pull request, or a daemon unrefused."""
        if not self.hosted:
            return True
        job = self._jobs[by]
        if any((g.lineage, g.ask) == (lineage, ask) and (spent or _stands(g, job)) for g in self.grants):
            return True
        names = self._allowed.get(by, frozenset())
        if any(self.lineage(name) == lineage for name in names):
            return True
        if job.began is not None:
            return self._from_commits(lineage, ask, job)
        return not self._is_refused(lineage, ask, job.since) and not self.strict

    def _is_refused(self, lineage: str, ask: Ask, since: float) -> bool:
        """Whether that was refused before somebody began to act on it."""
        at = self.refused.get((lineage, ask))
        return at is not None and at < since

    def _from_commits(self, lineage: str, ask: Ask, job: _Job) -> bool:
        if self.strict or self._is_refused(lineage, ask, job.since):
            return False
        acted = self._acted.get(lineage)
        newest, whole = True, {0}  # the pull requests of which the last commit was reviewed: a rebase leaves all
        for step in self._steps(job.revision, lineage):
            pull = self._pull_of(step)
            if newest and (pull or self.ask(step.revision, lineage) != ask):
                return False
            if (not pull or pull not in whole) and not self._may_land(step, lineage):
                return False
            newest = False
            whole.add(pull)
            before = self.ask(step.parent, lineage) if step.parent else ABSENT
            if acted in {before, ask}:
                return True
        return not newest

    def _created(self, event: Created) -> None:
        if event.twin:
            return
        revision = self._jobs[event.by].revision
        commit = self.commits.get(revision)
        for wish in commit.wishes if commit is not None else ():
            if (wish.inputs, wish.attempt) == (event.inputs, _attempt(event.mark)) and _name(event.mark) == wish.name:
                self._was_created(event, wish, revision)

    def _was_created(self, event: Created, wish: Wish, revision: str) -> None:
        if not self.may(wish.lineage, _ask(wish), event.by):
            self.say("R1", f"{event.by} created {event.model}, and nothing that grants {_ask(wish)} stands any more")
        self._acted[wish.lineage], self._words[wish.lineage] = _ask(wish), (wish.display, wish.description)
        newest = next(self._steps(revision, wish.lineage), None)
        pulls = self._asked_by[event.model]
        if newest is not None:
            pulls.add(self._pull_of(newest))
        for grant in self.grants:
            if grant.lineage == wish.lineage and grant.ask == _ask(wish):
                pulls.add(grant.pull)
        for grant in self.grants:
            inputs = isinstance(grant.ask, tuple) and grant.ask[:2] == (wish.inputs, wish.attempt)
            if grant.lineage == wish.lineage and inputs:
                grant.spent = True

    def cancelled(self, event: Changed, lineage: str, wish: Wish | None, *, wanted: bool) -> bool:
        """A run was stopped; whether a person's command did it. ``wanted``: its spec asks for just this run."""
        job = self._jobs[event.by]
        began = job.began
        if began is not None and began.verb == "cancel":
            self._obeyed(event.by, began.comment)
            asked = self._asked_by.get(event.model)
            if asked is not None and began.pull not in asked:
                self.say("R3", f"{event.model} was stopped by comment {began.comment} of {began.pull}, not of {asked}")
            return True
        if not wanted:
            ask = _ask(wish) if wish is not None else ABSENT
            if not self.may(lineage, ask, event.by, spent=True):
                self.say("R1", f"{event.by} cancelled {event.model}, and nobody granted {ask}")
            if wish is None:
                self._acted[lineage] = ABSENT
        return False

    def updated(self, event: Changed, wish: Wish | None) -> None:
        """Words were written to a model: those of a spec need a grant, what is put back does not."""
        if wish is None:
            return
        words = (wish.display, wish.description)
        had = self._words.get(wish.lineage)
        new = [
            w
            for w, h, is_now in zip(words, had or ("", ""), (event.display, event.text), strict=True)
            if w != h and w == is_now
        ]
        if had is not None and any(new) and not self.may(wish.lineage, _ask(wish), event.by, spent=True):
            self.say("R1", f"{event.by} wrote {words} to {event.model}, and nobody granted that")
        self._words[wish.lineage], self._acted[wish.lineage] = words, _ask(wish)

    def _pass_ended(self, event: PassEnded) -> None:
        job = self._jobs[event.by]
        commit = self.commits.get(job.revision)
        if event.error or commit is None:
            return
        for name, word, reason, _ in event.actions:
            lineage = self.lineage(name)
            if (word, reason) == ("hold", Reason.NOT_REVIEWED):
                self._lapse(lineage, job)
            if word not in _ACTED:
                continue
            self._acted[lineage] = self.ask(job.revision, lineage)
            wish = next((w for w in commit.wishes if w.lineage == lineage), None)
            if wish is not None and word == "none":
                self._words[lineage] = (wish.display, wish.description)

    def _lapse(self, lineage: str, job: _Job) -> None:
        """What was granted before lapses once a pass that saw something newer held that: it is not asked for."""
        ask, place = self.ask(job.revision, lineage), self._places.get(job.revision, 0)
        for grant in self.grants:
            older = grant.at <= job.since and grant.place < place
            if grant.lineage == lineage and grant.ask not in {ask, ABSENT} and older and grant.lapsed is None:
                grant.lapsed = self.now()

    # What is recorded

    def saved(self, event: Saved, before: Mapping[str, Record]) -> None:
        """One more version of the ledger, on top of the one ``before``."""
        if not self.hosted:
            return
        job = self._jobs[event.by]
        for record in event.records.values():
            self._reviewed(event, record)
            self._move(record)
            self._intended(event, record)
            self._doomed(event, record, job)
            self._never_ran(event, record, job)
        for record in before.values():
            if not event.message.startswith("Forget"):
                self._kept(record, event.records)
        if event.message.startswith("Approve the deletion") and job.began is not None:
            self._obeyed(event.by, job.began.comment)
            self._approved(event, job.began, before)
        if event.message.startswith("Status"):
            self._there_again(job)

    def _move(self, record: Record) -> None:
        """Whether other models stand there than before: a run that ends is no move."""
        held = (sorted(slot.model for slot in record.slots), record.intent and record.intent.fingerprint)
        lineage = self.lineage(record.name)
        if self._held.get(lineage) != held:
            self._held[lineage], self._moved[lineage] = held, self.now()

    def _reviewed(self, event: Saved, record: Record) -> None:
        """A grant of kind commit, or of a person at a terminal, is one that this account would give too."""
        job, lineage = self._jobs[event.by], self.lineage(record.name)
        for review in record.reviews:
            if review.verdict is not Decision.GRANTED or review.spent or (lineage, review) in self._known:
                continue
            self._known.add((lineage, review))
            ask = self.ask(job.revision, lineage)
            if review.origin is Origin.ALLOWED:
                self._give(lineage, ask, 0, Origin.ALLOWED)
            elif review.origin is Origin.COMMIT and job.began is not None and event.message.startswith("Review"):
                if not self._from_commits(lineage, ask, job):
                    self.say("R1", f"{event.by} granted {record.name} {ask} as a commit of no pull request")
                self._give(lineage, ask, 0, Origin.COMMIT)
            elif review.origin is Origin.COMMAND and job.began is not None and job.began.comment == review.comment:
                self._obeyed(event.by, review.comment)

    def _intended(self, event: Saved, record: Record) -> None:
        """R1, for a create: before its request leaves. What is sent again was granted when it was sent first."""
        intent = record.intent
        if intent is None or intent.nonce in self._intents:
            return
        self._intents.add(intent.nonce)
        lineage = self.lineage(record.name)
        ask = self.ask(intent.revision, lineage)
        if not self.may(lineage, ask, event.by):
            self.say("R1", f"{event.by} is about to create {record.name} {ask}, and nobody granted that")
        self._acted[lineage] = ask

    def _never_ran(self, event: Saved, record: Record, job: _Job) -> None:
        """That a spec went before it had a run is acted on once it is written, whether or not the pass heard so."""
        lineage = self.lineage(record.name)
        says = any(c.type is ConditionType.READY and c.reason == Reason.SPEC_REMOVED for c in record.conditions)
        agrees = not record.slots and self.ask(job.revision, lineage) == ABSENT
        if event.message.startswith("Status") and says and agrees:
            self._acted[lineage] = ABSENT

    def _doomed(self, event: Saved, record: Record, job: _Job) -> None:
        lineage = self.lineage(record.name)
        gone = self.ask(job.revision, lineage) == ABSENT
        for slot in record.slots:
            if not slot.tombstone or (slot.model, slot.tombstone) in self._tombstones:
                continue
            self._tombstones.add((slot.model, slot.tombstone))
            newest = next(self._steps(job.revision, lineage), None)
            if not gone or not event.message.startswith("Status"):
                continue
            granted = {g.pull for g in self.grants if (g.lineage, g.ask) == (lineage, ABSENT)}
            self._doomed_by[slot.model] |= granted | ({self._pull_of(newest)} if newest is not None else set())
            if not self.may(lineage, ABSENT, event.by):
                self.say("R1", f"{event.by} set a tombstone on {slot.model}, and nobody granted that it goes")
            self._acted[lineage] = ABSENT

    def is_approved(self, model: str) -> bool:
        """Whether a person has ended the grace of its deletion."""
        return model in self._hurried

    def _approved(self, event: Saved, began: JobBegan, before: Mapping[str, Record]) -> None:
        """R3: the grace of a deletion that another pull request asked for is not ended."""
        for name, record in event.records.items():
            known = before.get(name)
            if not record.delete_approved or known is None or known.delete_approved:
                continue
            self._hurried |= {slot.model for slot in record.slots if slot.tombstone}
            asked = [self._doomed_by[slot.model] for slot in record.slots if slot.tombstone]
            if asked and not any(began.pull in pulls for pulls in asked):
                self.say("R3", f"the deletion of {name} was approved on {began.pull}, which did not ask for it")

    def _kept(self, record: Record, now: Mapping[str, Record]) -> None:
        """R2: what was refused is still on record, or was granted."""
        heirs = [r for r in now.values() if r.name == record.name or record.name in r.former_names] or list(
            now.values()
        )
        there = [review for heir in heirs for review in heir.reviews]
        refusals = [r for r in record.reviews if r.verdict is Decision.REFUSED]
        for review in refusals if len(refusals) < _MOST_REFUSALS else ():
            if not any(_ends(other, review) and other not in record.reviews for other in there) and review not in there:
                self.say("R2", f"the refusal of {record.name} ({review.why}) is gone, and nobody granted it")

    def _there_again(self, job: _Job) -> None:
        """A spec that a pass saw takes what was granted for its removal away; not one that saw what was before it."""
        place = self._places.get(job.revision, 0)
        for grant in self.grants:
            there = self.ask(job.revision, grant.lineage) not in {ABSENT, BROKEN}
            if grant.ask == ABSENT and there and grant.at <= job.since and grant.place < place:
                grant.spent = True

    def lost(self) -> None:
        """The ledger is gone or was put back: what was refused, spent and taken is nowhere written."""
        self.refused.clear()
        self._doers.clear()
        for grant in self.grants:
            grant.spent, grant.lapsed = False, None


def _stands(grant: _Grant, job: _Job) -> bool:
    """Whether a grant may still be used by somebody who began then."""
    return not grant.spent and (grant.lapsed is None or grant.lapsed > job.since)


def _ends(other: Review, refused: Review) -> bool:
    """Whether one review takes the place of a refusal: another refusal, or a grant that somebody gave."""
    one, two = other.basis, refused.basis
    same = one.asked == two.asked or (one.fingerprint, one.attempt) == (two.fingerprint, two.attempt)
    return same and (other.verdict is Decision.REFUSED or other.origin is not Origin.COMMIT)


def _ask(wish: Wish) -> Ask:
    return wish.inputs, wish.attempt, wish.display, wish.description


def _said(began: JobBegan) -> tuple[str, ...]:
    return (began.verb, began.about) if began.about else (began.verb,)


def _words(body: str) -> tuple[str, ...]:
    first = body.split("\n", 1)[0].split()
    return tuple(first[1:]) if first[:1] == ["/gitune"] else ()


def _attempt(mark: str) -> int:
    return int(mark.partition("attempt=")[2].partition(" ")[0] or 0)


def _name(mark: str) -> str:
    return mark.partition(" attempt=")[0].rpartition("/")[2]
