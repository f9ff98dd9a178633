"""All that a decision may rest on, gathered before anything is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from controller.settings import Policy, Prices
from controller.state.desired import BaseModel, Desired, DesiredModel
from controller.state.facts import Facts
from controller.state.identity import Mark, is_model_id, model_id, with_mark
from controller.state.observed import BaseModelFacts, Observed, ObservedProvider, RemoteModel, remote_state
from controller.state.recorded import Answer, Awaited, Intent, Record, Recorded, Run, RunOutcome, Slot


class When(NamedTuple):
    """One moment by two clocks, ours and a provider's (RFC 3339, "" where it did not say)."""

    ours: str
    told: str = ""


class ReviewRule(StrEnum):
    """What of the reviews on record counts in a plan."""

    NOTHING = "nothing"  # a plan for review shows what a grant of it would do
    REFUSALS = "refusals"  # without a code host: what was refused stays refused
    GRANTS = "grants"  # with one: nothing is done for a spec without a grant


@dataclass(frozen=True, slots=True)
class RevisionHistory:
    """How the revision of a pass stands to the commits on record.

    ``behind``: it is older than one that was acted on. ``lost`` are those that an earlier pass acted on or decided a
    deletion by, and which this clone does not have; ``forgiven`` those of which a person says that they are gone for
    good; ``rewritten`` those that decided on a deletion and have left HEAD's history; ``ahead`` those of grants, which
    this revision does not have yet.
    """

    behind: bool = False
    lost: frozenset[str] = frozenset()
    forgiven: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    ahead: frozenset[str] = frozenset()

    @property
    def may_be_old(self) -> bool:
        """Whether something newer was acted on, or may have been: what it says then takes nobody's place."""
        return self.behind or bool(self.lost)

    def has_tombstone(self, slot: Slot) -> bool:
        """Whether the deletion of a slot's model was decided, by a revision that history still holds."""
        return bool(slot.tombstone) and slot.tombstone_revision not in self.rewritten


@dataclass(frozen=True, slots=True)
class World:
    """Desired, recorded and observed, who we are, and what may be done.

    ``concurrency`` caps the runs of a provider key (no entry: no cap); ``prices`` are by provider key, and those of the
    ``stale_prices`` too old to keep a budget with. The rest are facts that take a clock or the history of git:
    ``overdue`` models, whose run is past its spec's ``limits.maxDuration`` by one reading of a clock;
    ``recently_created`` ones, which a provider may not show yet; ``recent_intents``, open ones, sent no longer ago;
    ``young`` models, whose run was begun less than ``policy.settle`` ago; ``quiet`` inputs, that have been awaited for
    as long; ``due`` models, whose tombstone has stood for the grace period; the ``month`` (``YYYY-MM``, UTC); what time
    it is as each provider ``told`` (RFC 3339); ``untimely`` moments on record (provider key, moment), which are ahead
    of both clocks or no times; and how the revision stands in ``history``.
    ``review`` is what of people's reviews counts; ``allowed`` are the names for which a person has said here and now
    that none is needed.
    """

    desired: Desired
    recorded: Recorded
    observed: Observed
    instance: str
    policy: Policy = field(default_factory=Policy)
    facts: Mapping[str, Facts] = field(default_factory=lambda: MappingProxyType({}))
    concurrency: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    prices: Mapping[str, Prices] = field(default_factory=lambda: MappingProxyType({}))
    stale_prices: frozenset[str] = frozenset()
    overdue: frozenset[str] = frozenset()
    recently_created: frozenset[str] = frozenset()
    recent_intents: frozenset[Intent] = frozenset()
    young: frozenset[str] = frozenset()
    quiet: frozenset[Awaited] = frozenset()
    due: frozenset[str] = frozenset()
    told: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    untimely: frozenset[tuple[str, When]] = frozenset()
    history: RevisionHistory = field(default_factory=RevisionHistory)
    month: str = ""
    review: ReviewRule = ReviewRule.REFUSALS
    allowed: frozenset[str] = frozenset()
    _by_mark: dict[str, dict[Mark, list[RemoteModel]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _gone: list[frozenset[str]] = field(default_factory=list, init=False, repr=False, compare=False)

    def spec(self, name: str) -> DesiredModel | None:
        """The valid spec of a name."""
        return self.desired.model(name)

    def forgiving(self) -> World:
        """The world in which what is lost is gone for good: its tombstones start anew, and nobody is behind it."""
        then = self.history
        rewritten = then.rewritten | then.lost
        return replace(self, history=replace(then, rewritten=rewritten, forgiven=then.lost, lost=frozenset()))

    def record_of(self, model: DesiredModel) -> Record | None:
        """The record of a spec, found by its name or a former one.

        The status of a spec that never was valid holds nothing, and an orphaned one only what was paid for: neither
        hides the record that a rename brings along.
        """
        records = self.recorded.records
        if not model.former_names:
            return records.get(model.name)
        found = [records[name] for name in names_of(model) if name in records]
        return _joined(found) if found else None

    def marks_of(self, record: Record, slot: Slot) -> tuple[str, ...]:
        """The names that the mark on a slot's model may carry where no spec speaks for the record.

        Its own, and former ones: a mark is rewritten only once its model serves. Not the name of somebody who has that
        model too, or asks for what it was made from.
        """
        return (record.name, *(name for name in record.former_names if not self._is_another_ones(name, slot)))

    def _is_another_ones(self, name: str, slot: Slot) -> bool:
        record = self.recorded.records.get(name)
        if record is not None and (record.run(slot.model) or any(other.model == slot.model for other in record.slots)):
            return True
        inputs = (slot.fingerprint, slot.attempt)
        asks = any(name in names_of(m) and (m.fingerprint, m.attempt) == inputs for m in self.desired.models)
        return asks or any(name in (broken.name, *broken.former_names) for broken in self.desired.invalid)

    def is_ours(self, remote: RemoteModel, names: tuple[str, ...], fingerprint: str, attempt: int) -> bool:
        """Whether its mark says that we made it, for one of these names, from these inputs."""
        mark = remote.mark
        return mark is not None and any(mark == Mark(self.instance, name, attempt, fingerprint) for name in names)

    def at(self, provider: str, now: str) -> When:
        """This moment. ``now`` is RFC 3339 UTC, by our clock."""
        return When(now, self.told.get(provider, ""))

    def since(self, provider: str, recorded: When, now: str) -> When:
        """Since when something waits: as recorded, else from this moment on.

        What is recorded counts for nothing where it is ahead of both clocks: what waits would do so for as long.
        """
        if not recorded.ours or (provider, recorded) in self.untimely:
            return self.at(provider, now)
        # Its provider did not say the time then: by its clock the wait begins now.
        return recorded if recorded.told else When(recorded.ours, self.told.get(provider, ""))

    def is_overdue(self, slot: Slot, record: Record | None) -> bool:
        """Whether a slot's run is past its limit now, and was so when the pass before looked: a clock can be wrong."""
        return record is not None and slot.model in self.overdue and record.overdue == slot.model

    def is_claimed(self, provider: str, model: str, names: tuple[str, ...], fingerprint: str, attempt: int) -> bool:
        """Whether a model bears our mark for these inputs, and our account's own listing does not show it."""
        remote = self.observed.model(provider, model)
        return remote is not None and not remote.owned and self.is_ours(remote, names, fingerprint, attempt)

    def is_whole(self, provider: str) -> bool:
        """Whether a provider was read whole."""
        seen = self.observed.providers.get(provider)
        return seen is not None and seen.complete

    def why_unread(self, provider: str) -> str:
        """``provider KEY: REASON``: why a provider was not read whole."""
        seen = self.observed.providers.get(provider)
        return f"provider {provider}: {seen.error if seen and seen.error else 'it could not be read whole'}"

    def is_free(self, provider: str) -> bool:
        """Whether a provider is known to cost nothing; one that has left gitune.yaml is not."""
        known = self.facts.get(provider)
        return known is not None and known.free

    def full_name(self, model: DesiredModel) -> str:
        """The remote name that the desired run of a spec has where we choose it; "" where the provider does.

        A model deleted on purpose and wanted again is another incarnation, with another id; also where it was deleted
        under another name, since a provider may keep the id of a deleted model taken. Where a create was sent and is
        not settled, its id is the lock that keeps it from happening twice, whatever the spec is called now.
        """
        known = self.facts[model.provider]
        if known.id_length is None:
            return ""
        gone = self._deleted()
        record = self.record_of(model)
        intent = record.intent if record else None
        if intent is not None and intent.model and intent.model not in gone and _is_asked_for(intent, model):
            return intent.model
        inputs = (model.name, model.fingerprint, model.attempt, known.id_length)
        names = (known.model_prefix + model_id(*inputs, 1 + n) for n in range(len(gone) + 1))
        return next(name for name in names if name not in gone)

    def marked(self, provider: str, names: tuple[str, ...], fingerprint: str, attempt: int) -> tuple[RemoteModel, ...]:
        """The models of our account under our mark for these inputs, the oldest first; none that we deleted."""
        if provider not in self._by_mark:
            self._by_mark[provider] = self._marks(provider)
        marks = (Mark(self.instance, name, attempt, fingerprint) for name in dict.fromkeys(names))
        ours = [model for mark in marks for model in self._by_mark[provider].get(mark, ())]
        return tuple(sorted(ours, key=lambda m: (m.created, m.name)))

    def may_have_made(self, provider: str, model: str, names: tuple[str, ...], fingerprint: str, attempt: int) -> bool:
        """Whether a model has an id that a create of ours could have given it, where ids are ours to choose.

        A mark can be written by anybody, and a copy bears ours: the id cannot be taken where ours stands.
        """
        known = self.facts.get(provider)
        if known is None or known.id_length is None:
            return True
        found, length = model.removeprefix(known.model_prefix), known.id_length
        return any(is_model_id(found, name, fingerprint, attempt, length) for name in names)

    def _marks(self, provider: str) -> dict[Mark, list[RemoteModel]]:
        """What a provider shows by its marks, read once: every spec asks."""
        seen = self.observed.providers.get(provider)
        gone = self._deleted()
        found: dict[Mark, list[RemoteModel]] = {}
        for model in seen.models.values() if seen else ():
            if model.owned and model.name not in gone and (mark := model.mark) is not None:
                found.setdefault(mark, []).append(model)
        return found

    def _deleted(self) -> frozenset[str]:
        """The models that we deleted on purpose, under whatever name, read once: every spec asks."""
        if not self._gone:
            records = self.recorded.records.values()
            self._gone.append(frozenset(run.model for record in records for run in record.runs if run.deleted))
        return self._gone[0]


def _joined(found: list[Record]) -> Record:
    """The record that a spec goes on with, and what was paid for under its other names."""
    first = min(found, key=lambda r: (not (r.slots or r.runs or r.intent), r.orphaned))
    others = [record for record in found if record is not first]
    if not others:
        return first
    told = {run.model: run for record in others for run in record.runs}
    known = tuple(_further(run, told.pop(run.model, run)) for run in first.runs)
    intents = [record.intent for record in (first, *others) if record.intent]
    tuning = [] if first.orphaned else [slot for record in others if (slot := _tuning(record))]
    pending, strays = (first.pending, tuning) if first.pending or not tuning else (tuning[0], tuning[1:])
    reviews = tuple(dict.fromkeys(review for record in (*others, first) for review in record.reviews))
    return replace(
        first,
        runs=(*told.values(), *known),
        intent=min(intents, key=lambda one: one.answer is Answer.REFUSED, default=None),
        pending=pending,
        retired=(*strays, *first.retired),
        reviews=reviews,
        commands=tuple(sorted({known for record in found for known in record.commands})),
    )


def _tuning(record: Record) -> Slot | None:
    """The pending slot of a record whose name is given up: its run costs on, and has to be waited for or stopped."""
    slot = record.pending
    return replace(slot, provider=slot_provider(slot, record)) if slot is not None and not record.orphaned else None


def _further(run: Run, other: Run) -> Run:
    """Of what two records say of one run, what came later: an end is not taken back."""
    return other if run.outcome is RunOutcome.TUNING else run


def _is_asked_for(intent: Intent, model: DesiredModel) -> bool:
    wanted = (model.provider, model.fingerprint, model.attempt)
    return (intent.provider or model.provider, intent.fingerprint, intent.attempt) == wanted


def names_of(model: DesiredModel) -> tuple[str, ...]:
    """The name of a spec and the ones it had before."""
    return (model.name, *model.former_names)


def slot_provider(slot: Slot, record: Record) -> str:
    """The key of the provider that holds a slot's model."""
    return slot.provider or record.provider


def tombstone_of(slot: Slot) -> When:
    """When the deletion of a slot's model was decided."""
    return When(slot.tombstone, slot.tombstone_told)


def is_out_of_reach(slot: Slot, record: Record, world: World) -> bool:
    """Whether gitune.yaml has the provider of a slot's model no more: nobody can look at it, or stop it."""
    return slot_provider(slot, record) not in world.facts


def as_recorded(world: World) -> Observed:
    """Every recorded model as it was last seen, every base model taken for tunable, nothing else there."""
    found: dict[str, dict[str, RemoteModel]] = {model.provider: {} for model in world.desired.models}
    for record in world.recorded.records.values():
        for slot in record.slots:
            found.setdefault(slot_provider(slot, record), {})[slot.model] = _remote(slot, record, world.instance)
    bases = {
        m.base.name: BaseModelFacts(m.base.name, exists=True, tunable=True)
        for m in world.desired.models
        if isinstance(m.base, BaseModel)
    }
    return Observed(
        MappingProxyType(
            {
                key: ObservedProvider(key, MappingProxyType(models), MappingProxyType(bases))
                for key, models in found.items()
            }
        )
    )


def _remote(slot: Slot, record: Record, instance: str) -> RemoteModel:
    run = record.run(slot.model)
    mark = Mark(instance, record.name, slot.attempt, slot.fingerprint)
    remote = RemoteModel(
        name=slot.model,
        state=remote_state(slot.state),
        display_name=record.display_name,
        description=with_mark(record.description, mark),
        sampling=record.sampling,
        operation=slot.operation,
    )
    if run is None:
        return remote
    return replace(remote, base_model=run.base, hyperparameters=run.resolved, losses=run.losses, error=run.error)
