"""Actions and what people did with plans to what is held for want of a review, and to the reviews that are recorded.

What a pull request's plan showed, what its merge grants, and what an apply is about to do are all compared as a
`Basis`: by what the spec asks for, and by the facts that decided the action.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from controller.plan.actions import Action, Adopt, Cancel, Create, Hold, Nothing, Orphan, Retune, Reuse, Tune, Update
from controller.plan.approval import ALLOW_REVIEW, digested
from controller.plan.world import ReviewRule, World
from controller.settings import RequireReview
from controller.state.changing import changed
from controller.state.desired import Desired, DesiredModel
from controller.state.reasons import Reason, traits_of
from controller.state.recorded import Answer, Record, Run, Slot
from controller.state.reviews import Basis, Decision, Origin, Review

NOT_ON_RECORD = "nobody has reviewed this: no grant of it is on record"
REFUSALS = 100  # of one model, on record
GRANTS = 40  # of one model, those that were spent longest ago leave first

_PAYS = frozenset({Create.word, Retune.word})
_DIGITS = 32
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, default=str)


def needs_grant(action: Action, world: World) -> bool:
    """Whether the action pays, stops, marks for deletion or changes something because a spec asks for it.

    What follows from a granted state needs none, nor does a create that may have been paid for and goes on by the
    grant it was sent on.
    """
    record = world.recorded.records.get(action.name)
    match action:
        case Create() | Retune():
            return not _goes_on(action, world)
        case Cancel():
            return action.reason is Reason.SPEC_REMOVED or (
                action.reason is Reason.SUPERSEDED and not _is_double(action, world)
            )
        case Update():
            return action.reason is Reason.FIELDS_CHANGED
        case Hold():
            return action.reason is Reason.DELETE_PENDING and record is not None and _is_first(record, world)
        case _:
            return False


def _goes_on(action: Tune, world: World) -> bool:
    """Whether this very create may have made something, and a grant of all that is asked for stands, if of other facts.

    What was spent meanwhile, because something else was asked for, orders nothing any more; what was refused neither.
    """
    record = world.record_of(action.desired)
    intent = record.intent if record else None
    create = (action.fingerprint, action.attempt, action.model)
    if record is None or intent is None or (intent.fingerprint, intent.attempt, intent.model) != create:
        return False
    wanted, reviews = basis(action, world), record.reviews
    granted = any(r.verdict is Decision.GRANTED and not r.spent and r.basis.asked == wanted.asked for r in reviews)
    return intent.answer is not Answer.REFUSED and granted and standing_refusal(reviews, wanted) is None


def _is_double(action: Cancel, world: World) -> bool:
    """A second run of the create that an open intent tells of: nobody asked for that one."""
    model = world.spec(action.name)
    record = world.record_of(model) if model else None
    intent = record.intent if record else None
    return intent is not None and (intent.fingerprint, intent.attempt) == (action.fingerprint, action.attempt)


def _is_first(record: Record, world: World) -> bool:
    """Whether a model has no tombstone yet, or one whose commit has left history."""
    return not all(world.history.has_tombstone(slot) for slot in record.slots)


def reviewed(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """The same actions; where one of a name needs a grant that is not there, all of that name that need one are held.

    Without a code host only a refusal holds, unless the policy asks for a review of everything.
    """
    for name, group in groupby(actions, key=lambda action: action.name):
        these = tuple(group)
        why = unreviewed(name, these, world)
        for action in these:
            yield action.held(Reason.NOT_REVIEWED, why) if why and needs_grant(action, world) else action


def unreviewed(name: str, actions: Iterable[Action], world: World) -> str:
    """Why the actions of one name may not be carried out; "" where they may."""
    if world.review is ReviewRule.NOTHING or name in world.allowed:
        return ""
    for action in actions:
        if not needs_grant(action, world):
            continue
        reviews, wanted = reviews_of(action.name, world), basis(action, world)
        if covered(reviews, wanted):
            continue
        refusal = standing_refusal(reviews, wanted)
        if refusal is not None:
            return refusal.why or "it was refused"
        if world.review is ReviewRule.GRANTS or world.policy.require_review is RequireReview.PULL_REQUEST:
            return NOT_ON_RECORD
    return ""


def reviews_of(name: str, world: World) -> tuple[Review, ...]:
    """What is on record for a name, its former names included."""
    model = world.spec(name)
    record = world.record_of(model) if model else world.recorded.records.get(name)
    return record.reviews if record else ()


def covered(reviews: Iterable[Review], wanted: Basis) -> bool:
    """Whether a grant on record is for just this. One that paid is spent; words may be gone back to for nothing."""
    return any(
        r.verdict is Decision.GRANTED and (not r.spent or wanted.action == Update.word) and covers(r.basis, wanted)
        for r in reviews
    )


def covers(granted: Basis, wanted: Basis) -> bool:
    """Whether what was shown to a reviewer, and granted, is what would be done now."""
    if granted.asked != wanted.asked:
        return False
    if granted.digest == wanted.digest or wanted.action == Update.word:
        return True
    return wanted.action in _PAYS and _announces(granted)


def _announces(granted: Basis) -> bool:
    """Whether it was shown as a wait for what it now does: for a run before it, for a place in the queue."""
    return granted.action == Cancel.word or traits_of(granted.reason).announces


def standing_refusal(reviews: Iterable[Review], wanted: Basis) -> Review | None:
    """The refusal of these inputs that is on record, if any: a grant takes it away."""
    refusals = [r for r in reviews if r.verdict is Decision.REFUSED and _same_inputs(r.basis, wanted)]
    return refusals[-1] if refusals else None


def _same_inputs(refused: Basis, wanted: Basis) -> bool:
    if refused.asked == wanted.asked:
        return True
    pays = refused.action in _PAYS and wanted.action in _PAYS
    return pays and (refused.fingerprint, refused.attempt) == (wanted.fingerprint, wanted.attempt)


def with_allowed(world: World, wanted: Mapping[str, Sequence[Basis]], by: str, now: str) -> dict[str, Record]:
    """The records with a grant for whatever a person lets pass without a review. ``now`` is RFC 3339 UTC.

    ``wanted`` is what nobody has granted yet, by name, whether or not there is room or money for it just now.
    """
    records = dict(world.recorded.records)
    for name, bases in wanted.items():
        model = world.spec(name)
        record = (world.record_of(model) if model else None) or records.get(name)
        if record is None and model is None:
            continue
        held = record.name if record is not None else name
        provider = model.provider if model is not None else record.provider if record is not None else ""
        for asked in bases:
            given = Review(
                verdict=Decision.GRANTED,
                origin=Origin.ALLOWED,
                basis=asked,
                by=by,
                at=now,
                why=f"allowed with --allow {ALLOW_REVIEW}{name}",
                commit=world.desired.revision or "",
            )
            records[held] = with_review(records.get(held) or Record(name=held, provider=provider), given)
    return records


def is_run_of(record: Record, pull: int) -> bool:
    """Whether the pending run was paid for by a grant of that pull request, so that it may stop it."""
    pending = record.pending
    return pending is not None and any(review.pull == pull for review in payments(record, pending))


def payments(record: Record, paid: Slot | Run) -> tuple[Review, ...]:
    """The reviews by which a run was paid for."""
    inputs = (paid.fingerprint, paid.attempt)
    return tuple(r for r in record.reviews if r.spent and (r.basis.fingerprint, r.basis.attempt) == inputs)


def is_removal_of(record: Record, pull: int) -> bool:
    """Whether a grant of that pull request covers that the spec is gone, so that it may end the grace period."""
    return any(r.pull == pull for r in removals(record))


def removals(record: Record) -> tuple[Review, ...]:
    """The grants that cover a spec's removal."""
    return tuple(r for r in record.reviews if r.verdict is Decision.GRANTED and r.basis.asked == ABSENT)


def with_review(record: Record, review: Review) -> Record:
    """The record with one more review. A grant ends the refusals of its inputs; no news changes nothing."""
    known = [r for r in record.reviews if _is_same(r, review)]
    if any(r.verdict is Decision.GRANTED or r.why == review.why for r in known):
        return record
    ended = [r for r in record.reviews if r.verdict is Decision.REFUSED and _same_inputs(r.basis, review.basis)]
    kept = [r for r in record.reviews if not any(r is one for one in ended)]
    return replace(record, reviews=_bounded((*kept, review)))


def _is_same(known: Review, review: Review) -> bool:
    """Whether a review is on record already.

    A grant is new again where another commit brings its inputs back, where history was put back to its commit, or where
    a person allows it once more at a terminal.
    """
    this = (review.verdict, review.origin, review.pull, review.head, review.comment, review.basis)
    same = (known.verdict, known.origin, known.pull, known.head, known.comment, known.basis) == this
    anew = known.commit != review.commit or (known.spent and review.origin in {Origin.ALLOWED, Origin.COMMIT})
    return same and (review.verdict is Decision.REFUSED or not anew)


def _bounded(reviews: Sequence[Review]) -> tuple[Review, ...]:
    refused = [r for r in reviews if r.verdict is Decision.REFUSED]
    granted = [r for r in reviews if r.verdict is Decision.GRANTED]
    spare = len(granted) - GRANTS
    spent = [r for r in granted if r.spent][: max(0, spare)]
    dropped = {id(r) for r in (*spent, *refused[: max(0, len(refused) - REFUSALS)])}
    return tuple(r for r in reviews if id(r) not in dropped)


def after_action(record: Record, action: Action, model: DesiredModel | None, world: World) -> Record:
    """The record after an action was done: what its spec asks for was acted on, and a grant that paid is spent.

    ``model`` is the spec, None where it is gone. What was granted and is not asked for any more is spent too: whoever
    brings it back brings something new.
    """
    acts = isinstance(action, Tune | Update | Reuse | Orphan) or needs_grant(action, world)
    makes_way = isinstance(action, Cancel) and model is not None  # what the spec asks for is still to come
    agrees = isinstance(action, Nothing) and model is not None and record.asked
    if (acts and not makes_way) or agrees:
        record = changed(record, asked=asked_for(model) if model else ABSENT)
    if not record.reviews:
        return record
    if not world.history.may_be_old and (model is not None or _is_gone(record.name, world)):
        asked = asked_for(model) if model is not None else ABSENT
        record = _spent(record, lambda one: one.asked != asked, world.history.ahead)
    if isinstance(action, Adopt):
        made = (action.fingerprint, action.attempt)
        return _spent(
            record, lambda one: (one.action in _PAYS or _announces(one)) and (one.fingerprint, one.attempt) == made
        )
    if isinstance(action, Tune):
        done = basis(action, world)
        return _spent(record, lambda one: covers(one, done))
    return record


def _is_gone(name: str, world: World) -> bool:
    return world.desired.complete and name not in world.desired.names


def _spent(record: Record, which: Callable[[Basis], bool], kept: frozenset[str] = frozenset()) -> Record:
    """``kept`` are commits whose grants stay: whoever sees an older commit does not know what they ask for."""

    def ends(one: Review) -> bool:
        fresh = one.verdict is Decision.GRANTED and not one.spent and one.commit not in kept
        return fresh and which(one.basis)

    reviews = tuple(replace(r, spent=True) if ends(r) else r for r in record.reviews)
    return record if reviews == record.reviews else replace(record, reviews=reviews)


# ── what an action rests on ──────────────────────────────────────────────────────────────────────────────────────────


def basis(action: Action, world: World) -> Basis:
    """What the action rests on: what its spec asks for, and the facts that decided it."""
    model = world.spec(action.name)
    record = world.record_of(model) if model else world.recorded.records.get(action.name)
    if model is None:
        return Basis(
            action=action.word,
            reason=action.reason,
            asked=asked_by(world.desired, (action.name,)),  # one that cannot be read is not one that is gone
            digest=_removal(action, record),
            fingerprint=action.fingerprint,
            attempt=action.attempt,
        )
    return Basis(
        action=action.word,
        reason=action.reason,
        asked=asked_for(model),
        digest=(action.digest or digested(action).digest)[:_DIGITS],
        fingerprint=model.fingerprint,  # an action may be about the run before it
        attempt=model.attempt,
        spec=_short(_spec(model)),
        dataset=_short([model.dataset.digest, model.evaluation.dataset.digest if model.evaluation else ""]),
        base=_short(repr(model.base)),
        observed=_short(_observed(action, record)),
    )


def asked_for(model: DesiredModel) -> str:
    """A digest (32 hex digits) of what a spec asks of its provider: what is trained, and what is updated in place."""
    fields = [model.provider, model.display_name, model.description, repr(model.sampling)]
    return _sha([model.fingerprint, model.attempt, *fields])[:_DIGITS]


def asked_by(desired: Desired, names: Sequence[str]) -> str:
    """The same of one name, or of one it had, in what a whole revision asks for."""
    for name in names:
        model = desired.model(name)
        if model is not None:
            return asked_for(model)
        if any(broken.name == name for broken in desired.invalid):
            return INVALID
    return ABSENT if desired.complete else INVALID


def asks_else(head: Desired, base: Desired) -> frozenset[str]:
    """The names of the specs that ask their provider for something else than they did, or that were not there."""
    before = {model.name: asked_for(model) for model in base.models}
    return frozenset(model.name for model in head.models if before.get(model.name) != asked_for(model))


def parts_moved(granted: Basis, wanted: Basis) -> tuple[str, ...]:
    """The parts of a basis that differ, in words."""
    differs = {
        "the dataset": granted.dataset != wanted.dataset,
        "the spec": granted.spec != wanted.spec,
        "the base model": granted.base != wanted.base,
        "what the provider and the ledger say": granted.observed != wanted.observed,
    }
    return tuple(part for part, does in differs.items() if does) or ("the action",)


def _removal(action: Action, record: Record | None) -> str:
    """All that becomes of a removed spec rests on the same facts: its models, and what its policy does with them."""
    models = sorted(slot.model for slot in record.slots) if record else []
    return _sha([action.name, "removed", record.deletion_policy if record else "", models])[:_DIGITS]


def _spec(model: DesiredModel) -> list[object]:
    said = (model.hyperparameters, model.sampling, model.attempt, model.provider, model.display_name, model.description)
    bar = (model.evaluation.metric, model.evaluation.min_score) if model.evaluation else None
    kept = (model.suspend, model.when_superseded, model.deletion_policy, model.run_history_limit, model.max_duration)
    return [repr(said), repr(bar), repr(kept)]


def _observed(action: Action, record: Record | None) -> list[object]:
    if isinstance(action, Hold):
        return [str(action.reason)]
    if isinstance(action, Tune):
        # The name of a model that is to be made, and what changes, follow from its inputs.
        serving = [slot.model for slot in (record.active, record.pending) if slot] if record else []
        return [str(action.reason), action.base, serving]
    return [str(action.reason), action.model, [(c.field, c.before) for c in action.changes]]


def _sha(value: object) -> str:
    return hashlib.sha256(_JSON.encode(value).encode()).hexdigest()


def _short(value: object) -> str:
    return _sha(value)[:6]


ABSENT = _sha("no such spec")[:_DIGITS]
INVALID = _sha("a spec that cannot be used")[:_DIGITS]
