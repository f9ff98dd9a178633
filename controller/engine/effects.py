"""An action to its outcome: one call, and before what cannot be undone a last look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from controller.engine.probe import probe
from controller.engine.score import Evaluations, Examination, score
from controller.errors import (
    Interrupted,
    LedgerError,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    RejectedKind,
    SourceError,
    Transient,
    Unreadable,
)
from controller.plan.actions import (
    Action,
    Adopt,
    Cancel,
    Create,
    Delete,
    Done,
    Held,
    Hold,
    Nothing,
    Orphan,
    Outcome,
    Promote,
    Retune,
    Reuse,
    Tune,
    Update,
    Wait,
)
from controller.plan.evaluation import known_score, passes, too_low
from controller.plan.matching import find_fit, resolve_bases, with_former_names
from controller.plan.runs import beyond_limit
from controller.plan.world import World, names_of
from controller.ports import CreateRequest, InProgress, ModelPatch, ObserveRequest, Ports, Provider
from controller.state.desired import DeletionPolicy, Desired, DesiredModel, Sampling
from controller.state.identity import Mark, with_mark
from controller.state.observed import Observed, Presence, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Recorded, Score, Slot


class LastLook:
    """What is recorded by now: one look for all who ask at the same moment, begun after each of them has asked."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._asked = 0
        self._covered = 0  # of those who asked, in their order, how many had done so when the last look began
        self._found = Recorded()

    async def __call__(self, world: World, ports: Ports) -> Recorded:
        """Nothing is read where the tip has not moved since the pass began. Raises `LedgerError`."""
        self._asked += 1
        mine = self._asked
        async with self._turn:
            if self._covered < mine:
                asked = self._asked
                self._found = await _recorded_now(world, ports)
                self._covered = asked
            return self._found


@dataclass(frozen=True, slots=True)
class Execution:
    """What carrying out a plan needs: the ports, and a fresh look at what git asks for and at what is recorded.

    ``evaluations`` are those that go on beside the passes; None: a pass waits for the ones it begins. Of the providers
    that are ``paced`` a request may have to wait for its turn.
    """

    ports: Ports
    look_again: Callable[[], Awaitable[Desired]]
    evaluations: Evaluations | None = None
    paced: frozenset[str] = frozenset()
    last_look: LastLook = field(default_factory=LastLook)


async def carry_out(action: Action, world: World, execution: Execution) -> Outcome:
    """One action carried out, every error of a provider turned into a reason."""
    try:
        return await _effect(action, world, execution)
    except ProviderError as error:
        return Held(action, _reason(error), _said(error), error.hint)
    except Unreadable as error:  # of rows, which are read again for what is sent of them: a create was not
        return Held(action, Reason.DATASET_UNREACHABLE, error.message, error.hint)


def _said(error: ProviderError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _reason(error: ProviderError) -> Reason:
    if isinstance(error, OutcomeUnknown):
        return Reason.OUTCOME_UNKNOWN
    if isinstance(error, Interrupted):
        return Reason.INTERRUPTED
    if isinstance(error, Transient):
        return Reason.QUOTA_EXCEEDED if error.quota else Reason.PROVIDER_UNREADABLE
    return Reason.PROVIDER_REJECTED


async def _effect(action: Action, world: World, execution: Execution) -> Outcome:
    ports = execution.ports
    if isinstance(action, Delete) and action.provider not in ports.providers:
        message = f"no provider {action.provider!r} in gitune.yaml any more: {action.model} is not deleted"
        return Held(action, Reason.PROVIDER_UNREADABLE, message, "`gitune forget` drops the name, or bring it back.")
    match action:
        case Create() | Retune():
            return await _create(action, world, execution)
        case Promote() | Reuse():
            return await _answering(action, world, execution)
        case Update():
            return await _update(action, ports.providers[action.provider])
        case Cancel():
            return await _cancel(action, world, execution)
        case Delete():
            return await _delete(action, world, execution)
        case Adopt():
            return Done(action, world.observed.model(action.provider, action.model))
        case Wait() | Nothing() | Hold() | Orphan():
            return Done(action)


async def _create(action: Tune, world: World, execution: Execution) -> Outcome:
    """One POST, never a second. Where its answer is lost or says the id is taken, look before anything else."""
    provider = execution.ports.providers[action.provider]
    overtaken = await _overtaken(action, world, execution)
    if overtaken is not None:
        return overtaken
    try:
        return Done(action, await provider.create(_request(action, world.instance)))
    except OutcomeUnknown as error:
        return await _look_for(action, world, provider, Held(action, Reason.OUTCOME_UNKNOWN, _said(error), error.hint))
    except Rejected as error:
        if error.kind is not RejectedKind.EXISTS:
            raise
        held = Held(action, Reason.FOREIGN_MODEL, f"{action.model} is there already and is not ours", error.hint)
        return await _look_for(action, world, provider, held)


async def _overtaken(action: Tune, world: World, execution: Execution) -> Held | None:
    """The last look before what costs money: a pass that slept may find its intent settled or moved by another."""
    try:
        recorded = await execution.last_look(world, execution.ports)
    except LedgerError as error:
        message = f"the ledger cannot be read just before the create, which is not sent: {error.message}"
        return Held(action, Reason.INTERRUPTED, message, error.hint)
    if recorded.nonce(action.name) == world.recorded.nonce(action.name):
        return None
    message = f"another controller has taken over the create of {action.name}: it is not sent a second time"
    return Held(action, Reason.SUPERSEDED, message)


async def _recorded_now(world: World, ports: Ports) -> Recorded:
    if await ports.ledger.tip() == world.recorded.tip:
        return world.recorded
    return await ports.ledger.load()


async def _look_for(action: Tune, world: World, provider: Provider, held: Held) -> Outcome:
    """The model a create may have made: ours if its mark and fingerprint say so, else the outcome given."""
    seen = await provider.observe(ObserveRequest(frozenset({action.model} if action.model else ())))
    found = replace(world, observed=Observed({action.provider: seen}))
    ours = found.marked(action.provider, names_of(action.desired), action.fingerprint, action.attempt)
    made = next((remote for remote in ours if action.model in {"", remote.name}), None)
    if made is not None:
        return Done(action, made)
    if found.is_claimed(action.provider, action.model, names_of(action.desired), action.fingerprint, action.attempt):
        message = f"{action.model} is there, and the listing of this account does not show it"
        return Held(action, Reason.OUTCOME_UNKNOWN, message)
    if held.reason is Reason.FOREIGN_MODEL and seen.presence(action.model) is not Presence.FOUND:
        return Held(action, Reason.OUTCOME_UNKNOWN, f"{action.model} is said to exist and cannot be read")
    return held


async def _head(world: World, execution: Execution) -> Desired | None:
    """What HEAD asks for now; None where that cannot be read. What was done before must be recorded all the same."""
    try:
        return with_former_names(await execution.look_again(), world.recorded)
    except SourceError:
        return None


async def _cancel(action: Cancel, world: World, execution: Execution) -> Outcome:
    """A run whose spec was removed is stopped only if HEAD, as it is now, does not have the spec either."""
    if action.reason is Reason.SPEC_REMOVED:
        desired = await _head(world, execution)
        if desired is None or not desired.complete or action.name in desired.names:
            return Held(action, Reason.SUPERSEDED, f"{action.name} is there again, or may be: {action.model} goes on")
    await execution.ports.providers[action.provider].cancel(action.model, action.operation)
    return Done(action)


async def _delete(action: Delete, world: World, execution: Execution) -> Outcome:
    """The last look before what cannot be undone: HEAD still does not want it, and it is still ours."""
    desired = await _head(world, execution)
    if desired is None or _is_wanted(action, desired, world):
        return Held(action, Reason.SUPERSEDED, f"{action.model} is wanted again, or may be: it stays")
    provider = execution.ports.providers[action.provider]
    seen = await provider.observe(ObserveRequest(frozenset({action.model})))
    remote = seen.models.get(action.model)
    if remote is None:
        presence = seen.presence(action.model)
        if presence is Presence.FOUND:
            return Held(action, Reason.FOREIGN_MODEL, f"{action.model} is another account's: it is not deleted")
        why = f"{action.model} cannot be read: it is not deleted"
        return Done(action) if presence is Presence.ABSENT else Held(action, Reason.PROVIDER_UNREADABLE, why)
    wanted = desired.model(action.name)
    record = world.recorded.records.get(action.name)
    slot = Slot(action.model, action.fingerprint, action.attempt, remote.state)
    names = names_of(wanted) if wanted else replace(world, desired=desired).marks_of(record, slot) if record else ()
    if record is None or not world.is_ours(remote, names, action.fingerprint, action.attempt):
        return Held(action, Reason.DRIFTED, f"{action.model} is not marked as ours any more: it is not deleted")
    if await _is_wanted_elsewhere(action, world, execution):
        return Held(
            action,
            Reason.SUPERSEDED,
            f"another controller has taken the deletion of {action.model} back, or may have: it stays",
        )
    await provider.delete(action.model)
    return Done(action)


async def _is_wanted_elsewhere(action: Delete, world: World, execution: Execution) -> bool:
    """Whether the tombstone was taken away since the pass began: another mirror may show the spec again."""
    try:
        recorded = await execution.last_look(world, execution.ports)
    except LedgerError:
        return True
    return not any(
        slot.model == action.model and slot.tombstone for record in recorded.records.values() for slot in record.slots
    )


def _is_wanted(action: Delete, desired: Desired, world: World) -> bool:
    if not desired.complete:
        return True
    if action.reason is not Reason.HISTORY_LIMIT:
        return action.name in desired.names
    if any(broken.name == action.name for broken in desired.invalid):
        return True
    if any(_keeps(action, model, world) for model in desired.models):
        return True
    there = resolve_bases(replace(world, desired=desired))
    return any(_asks_for(action, model, there) for model in desired.models + there.desired.models)


def _keeps(action: Delete, model: DesiredModel, world: World) -> bool:
    """Whether the run's own spec deletes nothing any more, or keeps more runs than when the pass began."""
    record = world.recorded.records.get(action.name)
    if record is None or action.name not in names_of(model):
        return False
    beyond = {slot.model for slot in beyond_limit(record, model.run_history_limit)}
    return model.deletion_policy is not DeletionPolicy.DELETE or action.model not in beyond


def _asks_for(action: Delete, model: DesiredModel, world: World) -> bool:
    """Whether a spec asks for the model, be it in other words than it was tuned from."""
    own = action.name in names_of(model)
    if own and (action.fingerprint, action.attempt) == (model.fingerprint, model.attempt):
        return True
    fit = find_fit(model, world.record_of(model), world)
    return fit is not None and fit.slot.model == action.model


def _request(action: Tune, instance: str) -> CreateRequest:
    model = action.desired
    mark = Mark(instance, model.name, action.attempt, action.fingerprint)
    return CreateRequest(
        model=action.model,
        base=action.base,
        display_name=model.display_name if model.display_name is not None else model.name,
        description=with_mark(model.description or "", mark),
        hyperparameters=model.hyperparameters,
        sampling=model.sampling,
        examples=model.dataset.examples,
    )


async def _answering(action: Promote | Reuse, world: World, execution: Execution) -> Outcome:
    """A finished run that is good enough serves only if it answers: its base may have been retired since."""
    outcome = await _serve(action, world, execution)
    remote = world.observed.model(action.provider, action.model)
    has_answered = outcome.score is not None and _known_score(action, world) is None  # just now, its evaluation
    if isinstance(outcome, Held) or remote is None or remote.state is not RemoteState.ACTIVE or has_answered:
        return outcome
    try:
        await probe(execution.ports.providers[action.provider], action.model, action.desired)
    except ProviderError as error:
        message = f"{action.model} is tuned and does not answer: {_said(error)}"
        return Held(action, _reason(error), message, error.hint, score=outcome.score)
    return outcome


async def _serve(action: Promote | Reuse, world: World, execution: Execution) -> Outcome:
    """Make a finished run the active one; with an evaluation only if it is good enough."""
    ports = execution.ports
    remote = world.observed.model(action.provider, action.model)
    asked = action.desired.evaluation
    if remote is None or remote.state is not RemoteState.ACTIVE or asked is None:
        return Done(action, remote)
    record, result = world.record_of(action.desired), _known_score(action, world)
    if result is None:
        provider = ports.providers[action.provider]
        examination = Examination(ports.instance, provider, remote, asked.dataset, asked.metric)
        if execution.evaluations is None:
            found: Score | InProgress = await score(examination, ports.verdicts)
        else:
            found = execution.evaluations.score(examination)
        if isinstance(found, InProgress):
            message = (
                f"{action.model} is tuned and is being evaluated: {found.judged:,} of {found.rows:,} rows are judged"
            )
            return Held(action, Reason.EVALUATING, message)
        result = found
    if passes(result, asked):
        return Done(action, remote, result)
    return Held(action, Reason.EVALUATION_FAILED, too_low(result, asked, record), score=result)


def _known_score(action: Promote | Reuse, world: World) -> Score | None:
    record, asked = world.record_of(action.desired), action.desired.evaluation
    return known_score(record.run(action.model) if record else None, asked)


async def _update(action: Update, provider: Provider) -> Outcome:
    changed = {change.field for change in action.changes}
    remote = await provider.update(
        action.model,
        ModelPatch(
            display_name=action.desired.display_name if "displayName" in changed else None,
            description=action.description,
            sampling=_sampling(action.desired, changed),
        ),
    )
    return Done(action, remote)


def _sampling(model: DesiredModel, changed: set[str]) -> Sampling:
    wanted = model.sampling
    return Sampling(
        temperature=wanted.temperature if "temperature" in changed else None,
        top_p=wanted.top_p if "topP" in changed else None,
        top_k=wanted.top_k if "topK" in changed else None,
    )
