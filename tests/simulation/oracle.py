"""Events to violations: the promises, held against what happened, and a second, sequential account of every create.

Names are those of the list of invariants: S1 never twice, S2 only ours, S3 not on half a picture, S4 an intent first,
S5 the status claims what was seen, S7 nothing wanted is cancelled or deleted, S8 the budget, S9 nothing leaks, S10 what
was approved, S11 few requests and no blind create, S12 few commits; P3 the deletion policy; L1 it settles, L2 it is
then quiet, L4 one bad spec stops no other, L5 no effect is in vain, L6 what nothing asks for is superseded. S6
(nobody's refs are rewritten) has no port here: the source cannot be written at all, and the real git is held to it in
tests/ledger. L3 is the loop's step cap. R1 to R5, who reviewed what, are in an account of their own, `review_oracle`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from controller.state.conditions import ConditionType, Truth
from controller.state.desired import DeletionPolicy
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run, RunOutcome
from tests.simulation.events import (
    Asked,
    Changed,
    Committed,
    Created,
    Drafted,
    Ended,
    Event,
    Fault,
    Generated,
    PassBegan,
    PassEnded,
    Person,
    Saved,
    Seen,
    Stands,
    Told,
)
from tests.simulation.review_oracle import Reviews
from tests.simulation.wishes import CANARY, Inputs, Wish

INSTANCE = "example.com/models"
_MARK = re.compile(r"gitune: (\S+)/([a-z0-9-]+) attempt=(\d+) sha256=([0-9a-f]{64})")
_AWAKE = 120.0  # seconds that a request may be on its way after the last look before it
_AGAIN = 3  # effects in vain, one after the other, that two controllers and a replica may come to
_HARMLESS = ("read.", "list.", "run.", "create.", "host.")  # faults after which no effect is sent again
_PASSES = 5
_BAD_ENDS = frozenset({Reason.RUN_FAILED, Reason.RUN_CANCELLED, Reason.DEADLINE_EXCEEDED, Reason.LOST, Reason.DRIFTED})
_REQUESTS = 80  # a pass of a few specs: a listing, a look at each, their operations, all of it tried four times

Key: TypeAlias = tuple[str, Inputs, int]


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, when and how."""

    invariant: str
    at: float
    what: str


@dataclass
class _Pass:
    """What one controller has seen and done in the pass it is in."""

    seen: dict[str, str] = field(default_factory=dict)
    shown: dict[str, list[frozenset[tuple[str, str]]]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    saves: int = 0
    began: float = 0.0
    recorded: Mapping[str, Record] = field(default_factory=dict)  # what the ledger held when it began
    acted: frozenset[str] = frozenset()  # the revisions that stood as acted on when it began
    planned: Told | None = None  # the tree that it decided on; a later look is another one
    approved: frozenset[tuple[str, str]] | None = None
    # As they were when it wrote its record: it may sleep before it ends.
    records: Mapping[str, Record] = field(default_factory=dict)
    policies: Mapping[str, bool] = field(default_factory=dict)


@dataclass
class _Model:
    """The sequential account of one model that was paid for."""

    key: Key
    name: str
    attempt: int
    fingerprint: str
    states: set[str] = field(default_factory=set)
    by_hand: bool = False
    unmarked: bool = False
    twin: bool = False
    passed_over: int = 0  # passes that saw it tune, with nothing asking for it, and let it
    deleted: bool = False
    gone: bool = False
    stopped: bool = False
    truth: str = "CREATING"
    born: float = 0.0
    month: int = 0
    price: int = 0  # in millionths


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds in this run: the budget of a month, the grace of a deletion, how far a mirror may lag."""

    budget: float | None = None
    grace: float = 3600.0
    lag: float = 300.0
    orderly: bool = False
    strict: bool = False
    hosted: bool = False
    settle: float | None = None  # while a run is younger, no other one is begun in its place


class Oracle:
    """Sees every event as it happens. ``found`` is called with each violation."""

    def __init__(self, bounds: Bounds, found: Callable[[Violation], None], now: Callable[[], float]) -> None:
        self.bounds = bounds
        self.models: dict[str, _Model] = {}
        self.paid: Counter[Key] = Counter()
        self.excused: Counter[Key] = Counter()
        self.counts: Counter[str] = Counter()
        self.commits: dict[str, Committed] = {}
        self.policies: dict[str, bool] = {}
        self.quiet = False
        self.allows_all = False  # a person lets every guard pass
        self.healed = False
        self._found = found
        self._now = now
        self._passes: dict[str, _Pass] = defaultdict(_Pass)
        self._told: dict[str, Told] = {}
        self._heads: list[tuple[float, str]] = []
        self._let_go: set[str] = set()
        self._gone_at: dict[str, float] = {}  # when a pass found last that no spec asks for the model
        self._policy_of: dict[str, float] = {}  # when the pass began that a name's policy is taken from
        self._wanted: dict[Key, float] = {}
        self._intents: dict[tuple[str, str, int], dict[str, None]] = defaultdict(dict)
        self._settled: dict[tuple[str, str, int], float] = {}
        self._doomed: dict[tuple[str, str], float] = {}
        self._lifted: dict[str, tuple[float, float]] = {}  # when a tombstone was set, and when it was taken away
        self._tombstones: dict[tuple[str, str], float] = {}
        self._spent: Counter[int] = Counter()
        self._answers: dict[str, set[str]] = defaultdict(set)
        self._spoken: set[str] = set()
        self._records: Mapping[str, Record] = {}
        self._tip = ""
        self._late = False
        self._lost = False
        self._dooms: set[str] = set()
        self._renames: dict[str, str] = {}
        self._vain: Counter[tuple[str, str]] = Counter()  # by verb and model
        self._strikes = 0  # faults after which an effect may be sent again
        self.reviews = Reviews(self.say, now, bounds.strict, bounds.orderly, hosted=bounds.hosted)

    def see(self, event: Event) -> None:
        """One event."""
        if self.bounds.hosted:
            self.reviews.see(event)
        match event:
            case Committed() | Drafted():
                self._committed(event)
            case Told():
                self._was_told(event)
            case PassBegan():
                self._passes[event.by] = _Pass(
                    approved=event.approved, began=self._now(), acted=self._acted(), recorded=self._records
                )
            case Seen() | Generated():
                self._was_shown(event)
            case Asked():
                self._asked(event)
            case Created():
                self._created(event)
            case Changed():
                self._changed(event)
            case Ended():
                self._ended(event)
            case Saved():
                self._saved(event)
            case PassEnded():
                self._pass_ended(event)
            case _:
                self._struck(event)

    def _struck(self, event: Event) -> None:
        if isinstance(event, Person) and event.what == "console.unmarked" and event.about in self.models:
            self.models[event.about].unmarked = True
        if not isinstance(event, Fault):
            return
        self._strikes += not event.kind.startswith(_HARMLESS)
        self._late |= event.kind == "pause.ledger"

    def say(self, invariant: str, what: str) -> None:
        """A promise is broken."""
        self._found(Violation(invariant, self._now(), what))

    # What people and mirrors say

    def _committed(self, event: Committed | Drafted) -> None:
        if isinstance(event, Drafted):  # on no branch that is applied: it is looked up, and never the head
            self.commits[event.revision] = Committed(event.revision, event.parent, event.wishes, event.broken)
            return
        self.commits[event.revision] = event
        self._heads.append((self._now(), event.revision))
        self._dooms |= {word for wish in event.wishes if wish.delete for word in (wish.lineage, wish.name)}

    def _was_told(self, event: Told) -> None:
        self._told[event.by] = event
        facts = self._passes[event.by]
        if facts.planned is None or (facts.planned.look == event.look and not event.whole):
            facts.planned = event

    def _was_shown(self, event: Seen | Generated) -> None:
        if isinstance(event, Generated):
            self._spoken.add(event.model)
            return
        facts = self._passes[event.by]
        self._answers[event.model].add(event.state)
        if event.description is not None:
            facts.seen[event.model] = event.description
            facts.states[event.model] = event.state
            facts.shown[event.model].append(event.fields)

    def _names(self, revision: str) -> set[str]:
        wishes = self.commits[revision].wishes
        return {wish.name for wish in wishes} | {name for wish in wishes for name in wish.former}

    def _wish(self, revision: str, name: str) -> Wish | None:
        commit = self.commits.get(revision)
        found = (w for w in commit.wishes if name == w.name or name in w.former) if commit else ()
        return next(iter(found), None)

    def _asks_for(self, revision: str, account: _Model) -> Wish | None:
        """The spec that a model belongs to, by the name it is marked with, or by what that name became."""
        commit = self.commits.get(revision)
        found = self._wish(revision, account.name)
        kin = (wish for wish in commit.wishes if wish.lineage == account.key[0]) if commit else ()
        return found or next(iter(kin), None)

    # What reaches the service

    def _asked(self, event: Asked) -> None:
        facts = self._passes[event.by]
        facts.asked[event.verb] += 1
        if facts.asked.total() > _REQUESTS:
            self.say("S11", f"{event.by} sent more than {_REQUESTS} requests in a pass")
            facts.asked.clear()
        if self.quiet and event.verb != "read":
            self.say("L2", f"{event.by} sent {event.verb} {event.what} after everything had settled")

    def _created(self, event: Created) -> None:
        self.counts["create"] += 1
        mark = _MARK.fullmatch(event.mark)
        if mark is None or mark[1] != INSTANCE:
            self.say("S2", f"{event.model} was made without our mark: {event.mark!r}")
            return
        name, attempt, digest = mark[2], int(mark[3]), mark[4]
        self._explain(event, name, attempt, digest)
        lineage = self._lineage(name, digest, attempt)
        key: Key = (lineage, event.inputs, attempt)
        if self._cannot_know(event.by, name, key):
            self.excused[key] += 1
        self._not_in_haste(event, key)
        self.models[event.model] = _Model(key, name, attempt, digest, twin=event.twin, born=self._now())
        if event.twin:
            return
        self.paid[key] += 1
        if self.paid[key] > 1 + self.excused[key]:
            self.say("S1", f"{event.model} is run {self.paid[key]} of {name} attempt {attempt} {event.inputs}")
        self._approved(event.by, "create", event.model)
        self._not_behind(event.by, f"made {event.model}")
        self._bill(event)

    def _not_in_haste(self, event: Created, key: Key) -> None:
        """S7: what is edited on within the time to settle is not paid for again meanwhile."""
        lineage, *inputs = key
        for name, made in self.models.items():
            age = self._now() - made.born
            if (
                made.key[0] == lineage
                and [*made.key[1:]] != inputs
                and (made.truth == "CREATING" or made.stopped)
                and age < (self.bounds.settle or 0.0)
            ):
                self.say("S7", f"{event.model} was made {age:.0f} s after {name}, which had no time to settle")

    def _cannot_know(self, by: str, name: str, key: Key) -> bool:
        """Whether a mirror that lags shows the name of before a rename, and the ledger that told of it is lost."""
        told = self._passes[by].planned
        behind = told is not None and told.revision != self._heads[-1][1]
        known = {made.name for made in self.models.values() if made.key == key}
        return self._lost and behind and bool(known) and name not in known

    def _bill(self, event: Created) -> None:
        if self.bounds.budget is None or self._lost:
            return  # what was spent before the record was lost is nowhere written
        month, price = int(self._now() // (31 * 86_400)), round(event.price * 1_000_000)
        self._spent[month] += price
        self.models[event.model].month, self.models[event.model].price = month, price
        if self._spent[month] > self.bounds.budget * 1_000_000:
            self.say("S8", f"{self._spent[month] / 1e6:.6f} was spent of {self.bounds.budget}")

    def _explain(self, event: Created, name: str, attempt: int, digest: str) -> None:
        """Exactly one open intent, durable before, of a commit that asked for just this, explains the create."""
        settled = self._settled_since((name, digest, attempt))
        if settled > _AWAKE:
            self.say("S4", f"the intent of {event.model} had been settled {settled:.0f} s before it was made")
        revisions = list(self._intents.get((name, digest, attempt), ()))
        if not revisions:
            self.say("S4", f"no intent was durable before {event.model} was made")
            return
        for revision in revisions:
            wish = self._wish(revision, name)
            if wish is not None and (wish.inputs, wish.attempt) == (event.inputs, attempt):
                return
        self.say("S4", f"no commit with an intent for {event.model} asks for {event.inputs} attempt {attempt}")

    def _settled_since(self, asked: tuple[str, str, int]) -> float:
        """For how many seconds no open intent asks for this; 0 where one does, or the record was lost."""
        if self._lost or asked not in self._settled:
            return 0.0
        return self._now() - self._settled[asked]

    def _lineage(self, name: str, digest: str, attempt: int) -> str:
        for revision in reversed(list(self._intents.get((name, digest, attempt), ()))):
            wish = self._wish(revision, name)
            if wish is not None:
                return wish.lineage
        return name

    def _approved(self, by: str, verb: str, model: str) -> None:
        approved = self._passes[by].approved
        if approved is not None and (verb, model) not in approved and (verb, "") not in approved:
            self.say("S10", f"{by} did {verb} {model}, which was not in the approved plan")

    def _acted(self) -> frozenset[str]:
        """The revisions that the ledger says were acted on: a durable intent is an act, and so is a rename."""
        records = self._records.values()
        told = {record.attempted for record in records} | {
            record.intent.revision for record in records if record.intent
        }
        told |= {at for name, at in self._renames.items() if name in self._records}
        return frozenset(told - {""})

    def _not_behind(self, by: str, did: str) -> None:
        """S7: what a newer commit asked for, and was acted on, is not undone by a mirror that shows an older one."""
        facts = self._passes[by]
        here = facts.planned.revision if facts.planned else ""
        for newer in self._newer(here, facts.acted & self._acted()) if not self.allows_all else ():
            self.say("S7", f"{by} {did} as {here[:8]} asks, and {newer[:8]}, which came later, was acted on")

    def _newer(self, here: str, acted: Iterable[str]) -> Iterator[str]:
        """Those of the commits that a commit is among the ancestors of."""
        for newer in acted:
            parent = self.commits[newer].parent if newer in self.commits else ""
            while parent and parent != here:
                parent = self.commits[parent].parent
            if parent:
                yield newer

    def _changed(self, event: Changed) -> None:
        account = self.models.get(event.model)
        if event.by == "person":
            self._vain = Counter({key: n for key, n in self._vain.items() if key[1] != event.model})
            if account:
                account.by_hand, account.gone = True, account.gone or event.verb == "delete"
                if event.verb == "delete" and any(model == event.model for _, model in self._doomed):
                    # It was to be deleted anyway: where nobody looks before that is due, it counts as done by us.
                    self.excused[account.key] += 1
                if not self._is_recorded(event.model):
                    # Made, its answer (or the record) lost, and taken out of our hands before anybody could write
                    # it down: nobody can know of it.
                    self.excused[account.key] += 1
                    self._spent[account.month] -= account.price
            return
        self.counts[event.verb] += 1
        description = self._passes[event.by].seen.get(event.model)
        mark = None
        for line in (description or "").splitlines():
            mark = mark or _MARK.fullmatch(line.strip())
        if account is None or mark is None or mark[1] != INSTANCE:
            self.say("S2", f"{event.by} did {event.verb} {event.model}, which it had not seen under our mark")
            return
        account.name = mark[2]  # a renamed spec has taken its model along
        self._approved(event.by, event.verb, event.model)
        self._not_behind(event.by, f"did {event.verb} {event.model}")
        self._not_in_vain(event)
        if event.verb == "update":
            self.reviews.updated(event, self._asks_for(self._told[event.by].revision, account))
        if event.verb == "cancel":
            self._cancelled(event, account)
        if event.verb == "delete":
            self._deleted(event, account)

    def _not_in_vain(self, event: Changed) -> None:
        """L5: nothing is sent that was shown to be so, nor again and again what leaves the model as it is."""
        shown = self._passes[event.by].shown[event.model]
        if event.sent and shown and all(event.sent <= one for one in shown):
            self.say("L5", f"{event.by} sent {sorted(event.sent)} to {event.model}, which it was shown to have")
        key = (event.verb, event.model)
        self._vain[key] = self._vain[key] + 1 if event.vain else 0
        if self._vain[key] > _AGAIN + self._strikes:
            self.say("L5", f"{event.by} did {event.verb} {event.model} for the {self._vain[key]}th time in vain")

    def _is_recorded(self, model: str) -> bool:
        return any(record.run(model) is not None for record in self._records.values())

    def _cancelled(self, event: Changed, account: _Model) -> None:
        again, account.stopped = account.stopped, True  # it may have ended well before: still it is never promoted
        if not event.deaf and event.state == "CREATING":
            account.truth = "CANCELLED"
        if again and event.state == "CREATING":
            return  # it was asked to stop before, rightly or not, and went on
        told = self._told[event.by]
        wish = self._asks_for(told.revision, account)
        if self._is_commanded(event, account, wish):
            pass
        elif wish is None:
            if not told.whole:
                self.say("S3", f"{event.model} was cancelled on half a picture")
            elif event.model not in self._let_go and self._now() - self._gone_at.get(event.model, -_AWAKE) >= _AWAKE:
                self.say("S3", f"{event.model} was cancelled, and no pass before had found its spec gone")
        elif (wish.inputs, wish.attempt) == account.key[1:] and not wish.limit and event.state == "CREATING":
            if sum(other.key == account.key for other in self.models.values()) == 1:
                self.say("S7", f"{event.model} was cancelled, and {told.revision[:8]} asks for it")
        elif wish.limit and event.state == "CREATING" and (wish.inputs, wish.attempt) == account.key[1:]:
            age = self._now() - account.born
            if age < int(wish.limit.removesuffix("m")) * 60:
                self.say("S7", f"{event.model} was cancelled after {age:.0f} s, and its limit is {wish.limit}")
        elif wish.finish and event.state == "CREATING" and not wish.limit:
            self.say("S7", f"{event.model} was cancelled, and its spec says whenSuperseded: Finish")

    def _is_commanded(self, event: Changed, account: _Model, wish: Wish | None) -> bool:
        """Whether a person's command stopped it; where a pass did, somebody granted what it makes way for."""
        wanted = wish is not None and (wish.inputs, wish.attempt) == account.key[1:]
        doubled = sum(other.key == account.key for other in self.models.values()) > 1
        lineage = wish.lineage if wish is not None else account.key[0]
        return self.reviews.cancelled(event, lineage, wish, wanted=wanted or doubled)

    def _deleted(self, event: Changed, account: _Model) -> None:
        told = self._told[event.by]
        wish = self._asks_for(told.revision, account)
        if not told.whole:
            self.say("S3", f"{event.model} was deleted on half a picture")
        if not {account.key[0], account.name} & self._dooms:
            self.say("P3", f"{event.model} was deleted, and no commit ever said deletionPolicy: Delete")
        if wish is not None and (wish.inputs, wish.attempt) == account.key[1:]:
            self.say("S7", f"{event.model} was deleted, and {told.revision[:8]} asks for it")
        since = min((at for (_, model), at in self._doomed.items() if model == event.model), default=None)
        if self._lost:  # the ledger that was put back shows an older tombstone
            since = min((at for (model, _), at in self._tombstones.items() if model == event.model), default=since)
        stood, lifted = self._lifted.get(event.model, (0.0, -_AWAKE))
        if since is None and self._now() - lifted < _AWAKE:
            since = stood  # its request was on its way when somebody lifted the tombstone
        if since is None:
            self.say("S7", f"{event.model} was deleted without a tombstone")
        elif self._now() - since < self.bounds.grace - 1.0 and not self.reviews.is_approved(event.model):
            self.say("S7", f"{event.model} was deleted {self._now() - since:.0f} s after its tombstone")
        asked_for = self._wanted.get(account.key, -self.bounds.grace)
        # A rename that was undone without formerNames left a twin of the same inputs: the one that is asked for stays.
        twins = sum(_kin(other) == _kin(account) and not other.gone for other in self.models.values()) > 1
        early = asked_for <= self._passes[event.by].began < asked_for + self.bounds.grace - 1.0
        early = early and not self.reviews.is_approved(event.model)
        if early and not twins and not self._lost:
            self.say("S7", f"{event.model} was deleted {self._now() - asked_for:.0f} s after a pass had it wanted")
        head_since, head = self._heads[-1]
        asked = self._asks_for(head, account)
        wanted = asked is not None and (asked.inputs, asked.attempt) == account.key[1:]
        if wanted and not self._late and self._now() - head_since > self.bounds.lag + 120.0:
            self.say("S7", f"{event.model} was deleted, and HEAD has asked for it for long")
        account.deleted = account.gone = True
        self.excused[account.key] += 1

    def _ended(self, event: Ended) -> None:
        if event.model in self.models:
            self.models[event.model].truth = event.state

    # What is recorded

    def _saved(self, event: Saved) -> None:
        facts = self._passes[event.by]
        if event.message.startswith("Intend"):
            self._intended(event)
        elif event.message.startswith("Status"):
            self._agreed(event)
            facts.policies = dict(self.policies)
            facts.records = self._records if event.same else event.records
        if event.same:
            return
        self.counts["commit"] += 1
        if event.message.startswith(("Status", "Intend")):  # else a person's act or a review, not a pass
            self._passes[event.by].saves += 1
        if event.leaks:
            self.say("S9", f"a key or a dataset row is in {event.leaks}")
        if self.quiet:
            self.say("L2", f"{event.by} wrote {event.message!r} after everything had settled")
        if self._passes[event.by].saves > 2:
            self.say("S12", f"{event.by} wrote the ledger {self._passes[event.by].saves} times in one pass")
        before = self._records if event.base == self._tip else {}
        self._renamed(event)
        self.reviews.saved(event, before)
        for name, record in event.records.items():
            self._remember(name, record)
            self._refusals(event.by, record)
            self._claims(record, before.get(name))
        if before and not event.message.startswith("Forget"):
            self._nothing_lost(before, event.records)
        self._settle(before, event.records)
        self._records, self._tip = event.records, event.tip

    def _renamed(self, event: Saved) -> None:
        """What the ledger holds under another name than before was moved by the revision that asks for it so.

        Not while the former name holds it still: then the new one waits.
        """
        told = self._passes[event.by].planned
        if told is None:
            return
        new = event.records.keys() - self._records.keys()
        gone = self._records.keys() - event.records.keys()
        for wish in self.commits[told.revision].wishes:
            if wish.name in new and any(name in gone for name in wish.former):
                self._renames[wish.name] = told.revision

    def _refusals(self, by: str, record: Record) -> None:
        """S5: a deletion that was carried out is not said to be refused, where nothing else is asked of the name."""
        told = self._passes[by].planned
        if told is None or stalled(record) is not Reason.PROVIDER_REJECTED or record.name in self._names(told.revision):
            return
        done = [m for m in (self.models.get(slot.model) for slot in record.slots) if m is not None and m.deleted]
        if done:
            self.say("S5", f"the provider is said to refuse the deletion of {done[0].name}, which was done")

    def _nothing_lost(self, before: Mapping[str, Record], now: Mapping[str, Record]) -> None:
        """S5: what was paid for stays on record, if need be under another name."""
        kept = {run.model for record in now.values() for run in record.runs}
        for record in before.values():
            lost = [run.model for run in record.runs if run.model not in kept]
            if lost:
                self.say("S5", f"the record of {record.name} forgot the run {lost[0]}")

    def _intended(self, event: Saved) -> None:
        """An intent keeps the deletion policy of the spec that asks for it."""
        facts = self._passes[event.by]
        commit = self.commits.get(facts.planned.revision) if facts.planned else None
        for wish in commit.wishes if commit else ():
            record = (event.records or self._records).get(wish.name)
            keeps = record is not None and (record.deletion_policy is DeletionPolicy.DELETE) is wish.delete
            if record is not None and record.intent is not None and keeps:
                self.policies[wish.name], self._policy_of[wish.name] = wish.delete, facts.began

    def _agreed(self, event: Saved) -> None:
        """A pass came to its record: of what it was told whole, remember which runs no spec asks for, and which do."""
        told = self._passes[event.by].planned
        if told is None:
            return
        began, commit = self._passes[event.by].began, self.commits[told.revision]
        records = event.records or self._records
        for wish in commit.wishes:
            # Of half a picture nobody knows which half was read: a record that says what the commit says has read it.
            record = records.get(wish.name)
            read = record is not None and (record.deletion_policy is DeletionPolicy.DELETE) is wish.delete
            agreed = (told.whole and not commit.broken) or (read and wish.name not in commit.broken)
            if wish.delete and not read and any(self._newer(told.revision, self._acted())):
                continue  # an older commit does not bring back what a newer one took away
            if agreed and began >= self._policy_of.get(wish.name, 0.0):  # else it slept while a newer one was read
                self.policies[wish.name], self._policy_of[wish.name] = wish.delete, began
        if not told.whole:
            return
        there, names = {wish.name for wish in commit.wishes}, self._names(told.revision)
        for name, record in records.items():
            models = {slot.model for slot in record.slots}
            if name in there:  # a pass that slept while another found the spec gone does not bring it back
                self._let_go -= {model for model in models if began >= self._gone_at.get(model, 0.0)}
            elif name not in names:
                self._let_go |= models
                self._gone_at |= dict.fromkeys(models, self._now())
        for wish in commit.wishes:
            if wish.name not in commit.broken:
                key = (wish.lineage, wish.inputs, wish.attempt)
                # It may have slept since: what it was told is as old as that.
                self._wanted[key] = max(began, self._wanted.get(key, 0.0))

    def _remember(self, name: str, record: Record) -> None:
        intent = record.intent
        if intent is not None:
            known = self._intents[(name, intent.fingerprint, intent.attempt)]
            known.pop(intent.revision, None)
            known[intent.revision] = None  # the last one said is the one a create rests on
            self._settled.pop((name, intent.fingerprint, intent.attempt), None)
        for slot in record.slots:
            if slot.tombstone:
                # A ledger that was put back shows an old tombstone again: it is as old as it was.
                stood = self._tombstones.setdefault((slot.model, slot.tombstone), self._now())
                self._doomed.setdefault((name, slot.model), stood)
            elif (name, slot.model) in self._doomed:
                self._lifted[slot.model] = (self._doomed.pop((name, slot.model)), self._now())

    def _settle(self, before: Mapping[str, Record], now: Mapping[str, Record]) -> None:
        """Which intents are open no more, be it under another name."""
        still = {record.intent.nonce for record in now.values() if record.intent is not None}
        for name, record in before.items():
            intent = record.intent
            if intent is not None and intent.nonce not in still:
                self._settled[name, intent.fingerprint, intent.attempt] = self._now()

    def _claims(self, record: Record, before: Record | None) -> None:
        """S5: every claim has been seen, and none is taken back."""
        for run in record.runs:
            self._run_claim(record, run)
            old = before.run(run.model) if before else None
            if old and old.outcome is not RunOutcome.TUNING and old.outcome is not run.outcome:
                self.say("S5", f"{run.model} was {old.outcome} and is {run.outcome} now")
        for slot in record.slots:
            if slot.state == "Active" and "ACTIVE" not in self._answers[slot.model]:
                self.say("S5", f"{slot.model} is said to be active and was never seen so")
        if record.active is not None and record.active.model not in self._spoken:
            self.say("S5", f"{record.active.model} of {record.name} is said to serve and never gave an answer")
        ready = next((c for c in record.conditions if c.type is ConditionType.READY), None)
        if ready and ready.status is Truth.TRUE:
            active = record.active
            if active is None or "ACTIVE" not in self._answers[active.model]:
                self.say("S5", f"{record.name} is said to be ready, and no active model was seen")

    def _run_claim(self, record: Record, run: Run) -> None:
        seen = self._answers[run.model]
        if run.outcome is RunOutcome.SUCCEEDED and "ACTIVE" not in seen:
            self.say("S5", f"{run.model} of {record.name} is said to have succeeded and was never seen active")
        if run.outcome is RunOutcome.FAILED and not seen & {"FAILED", "CANCELLED"}:
            self.say("S5", f"{run.model} of {record.name} is said to have failed and was never seen so")

    def _pass_ended(self, event: PassEnded) -> None:
        facts = self._passes[event.by]
        if event.error.startswith("!"):
            self.say("X", f"{event.by} ended a pass with {event.error}")
        self._orphans(event)
        self._superseded(event)
        self._taken_up(event)
        paid = sum(word in {"create", "retune"} for _, word, _, _ in event.actions)
        if not event.error and facts.asked["create"] > paid:
            self.say("S11", f"{event.by} sent {facts.asked['create']} creates for {paid} actions")
        if CANARY in event.error:
            self.say("S9", "an error quotes a dataset row")

    def _orphans(self, event: PassEnded) -> None:
        """What is let go rests on a whole picture, and a policy that was seen is remembered."""
        facts = self._passes[event.by]
        told = facts.planned
        if told is None or event.error:
            return
        for name, word, reason, _ in event.actions:
            if word == "orphan" and reason == Reason.SPEC_REMOVED:
                if not told.whole:
                    self.say("S3", f"{name} was let go on half a picture")
                record = facts.records.get(name)
                kept = [slot.model for slot in record.slots] if record and record.orphaned else []
                if facts.policies.get(name) and any(not self.models[m].gone for m in kept if m in self.models):
                    self.say("P3", f"{name} was let go, and its deletion policy was Delete")

    def _taken_up(self, event: PassEnded) -> None:
        """S5: what the record says was deleted is never thought to be there."""
        facts = self._passes[event.by]
        gone = {run.model for record in facts.recorded.values() for run in record.runs if run.deleted}
        for name, word, _, model in event.actions:
            if word in {"promote", "reuse", "adopt"} and model in gone:
                self.say("S5", f"{event.by} was to {word} {model} for {name}, which is on record as deleted")

    def _superseded(self, event: PassEnded) -> None:
        """L6: what tunes and nothing asks for is cancelled within five passes that saw both.

        Not under `Finish`, `suspend`, on half a picture, nor while what takes its place may not be paid for: then a
        row holds its name. A run that ended badly is no such hold: nothing takes the place of it.
        """
        facts = self._passes[event.by]
        told = facts.planned
        if event.error or self._lost or told is None or not told.whole or told.revision != self._heads[-1][1]:
            return
        if self.commits[told.revision].broken:
            return
        held = {name for name, word, reason, _ in event.actions if word == "hold" and reason not in _BAD_ENDS}
        stopped = {model for _, word, _, model in event.actions if word == "cancel"}
        for name, made in self.models.items():
            if made.truth != "CREATING" or facts.states.get(name) != "CREATING" or name in stopped:
                continue
            wish = self._asks_for(told.revision, made)
            asked = wish is not None and ((wish.inputs, wish.attempt) == made.key[1:] or wish.suspend or wish.finish)
            names = {made.name, *((wish.name,) if wish is not None else ())}
            if asked or made.by_hand or made.unmarked or made.twin or names & held:
                continue
            made.passed_over += 1
            if made.passed_over > _PASSES:
                self.say("L6", f"{name} tunes on, and {made.passed_over} passes saw that nothing asks for it")

    def forgotten(self) -> list[str]:
        """The models that were paid for and are still there, and that no record and no open intent leads to.

        Of two that one request made, one is told of, and stopped where it still tunes, and no more; which, is open.
        """
        if self._lost:
            return []
        records = self._records.values()
        known = {run.model for record in records for run in record.runs}
        doubled = {made.key for made in self.models.values() if made.twin}
        asked = {(one.fingerprint, one.attempt) for one in (record.intent for record in records) if one is not None}
        return [
            name
            for name, made in sorted(self.models.items())
            if not (made.gone or made.by_hand or made.key in doubled)
            and name not in known
            and (made.fingerprint, made.attempt) not in asked
        ]

    def excuse_the_lost(self) -> None:
        """The record is gone: what left no model behind, or none with a mark, cannot be known to have been paid for."""
        self._lost = True
        self.reviews.lost()
        self.policies.clear()
        self._renames.clear()
        self._records = {}
        for account in self.models.values():
            if account.gone or account.unmarked:
                self.excused[account.key] += 1


def _kin(account: _Model) -> tuple[str, object, int]:
    """The key without what tells a lineage from the one that it was before its name came back."""
    lineage, inputs, attempt = account.key
    return lineage.partition("@")[0], inputs, attempt


def stalled(record: Record) -> Reason | None:
    """Why a record is not ready; None where it is."""
    ready = next((c for c in record.conditions if c.type is ConditionType.READY), None)
    if ready is None or ready.status is Truth.TRUE:
        return None
    return Reason(ready.reason)


def person_acts(events: list[Event]) -> set[str]:
    """What people did by hand, as words."""
    return {event.what for event in events if isinstance(event, Person)}


def standing(events: list[Event]) -> dict[str, Stands]:
    """The models as they truly are at the end."""
    return {event.model: event for event in events if isinstance(event, Stands)}
