"""The commands a person gives: score, promote, cancel, adopt, forget, ask. Each is one look, one effect, one record."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from controller.engine.probe import probe
from controller.engine.score import Examination, score, score_afresh
from controller.engine.snapshot import observe, snapshot
from controller.errors import ControllerError, Rejected, Transient
from controller.plan.admission import spent
from controller.plan.matching import SlotKind, find_fit, resolve_bases
from controller.plan.record import as_seen, refreshed
from controller.plan.rules.case import TUNING
from controller.plan.transitions import acted_on, adopted, cancelled, promoted, scored
from controller.plan.world import World, names_of, slot_provider
from controller.ports import ModelAnswer, ModelPatch, ObserveRequest, Ports, Provider, written_now
from controller.settings import Settings
from controller.state.desired import DesiredModel
from controller.state.identity import Mark, with_mark
from controller.state.observed import Observed, ObservedProvider, Presence, RemoteModel, RemoteState
from controller.state.recorded import Record, Recorded, RunOutcome, Score, Slot

_SHOWS_RUNS = "`gitune status` shows the runs."

Rows = Literal["evaluation", "training"]


@dataclass(frozen=True, slots=True)
class Serving:
    """What callers use: the remote model that serves, on which provider, and what to put before every input."""

    name: str
    provider: str
    model: str
    fingerprint: str
    attempt: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Looked:
    """The records, with the runs that tune as their providers just showed them.

    ``written`` is when the ledger was (RFC 3339, "" where it does not say), ``observed`` when the providers were asked,
    "" where none was; ``unread`` are those that did not answer, with why.
    """

    records: Mapping[str, Record]
    written: str = ""
    observed: str = ""
    unread: tuple[ObservedProvider, ...] = ()


async def look(ports: Ports, names: frozenset[str], seconds: float) -> Looked:
    """The ledger, and what the providers say of the runs of some names that tune: of all for none given.

    Nothing is written. A provider has so many ``seconds`` to answer. Raises `LedgerError`.
    """
    recorded = await ports.ledger.load()
    wants: dict[str, frozenset[str]] = {}
    for name, record in recorded.records.items():
        if record.pending is not None and (not names or name in names):
            key = slot_provider(record.pending, record)
            wants[key] = wants.get(key, frozenset()) | {record.pending.model}
    if not wants:
        return Looked(recorded.records, recorded.written)
    now = written_now(ports.clock)
    asked = {key: _within(ports, key, ObserveRequest(models), seconds) for key, models in wants.items()}
    seen = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    unread = tuple(one for key, one in seen.items() if one.error and not wants[key] <= one.models.keys())
    observed = now if len(unread) < len(seen) else ""
    return Looked(as_seen(recorded.records, Observed(seen)), recorded.written, observed, unread)


async def _within(ports: Ports, key: str, want: ObserveRequest, seconds: float) -> ObservedProvider:
    try:
        async with asyncio.timeout(seconds):
            return (await observe(ports, {key: want})).providers[key]
    except TimeoutError:
        hint = "`gitune doctor` says what is wrong with it; `--offline` asks nobody."
        return ObservedProvider(key, complete=False, error=f"no answer within {seconds:g} s", hint=hint)


async def resolve(ports: Ports, name: str) -> Serving:
    """The model that serves under a name, as the ledger has it. Raises `ControllerError` where none does."""
    record = record_of(await _records(ports), name)
    if record.active is None:
        raise _refusal(f"no run of {name} serves yet", "`gitune status` says what it waits for.")
    return _serving(record)


def _serving(record: Record) -> Serving:
    slot = record.active
    assert slot is not None, "the caller has looked"  # noqa: S101 - narrows for the type checker
    return Serving(record.name, slot_provider(slot, record), slot.model, slot.fingerprint, slot.attempt, record.prefix)


async def generate(ports: Ports, name: str, prompt: str) -> ModelAnswer:
    """One answer of the model that serves, its prefix put before the prompt."""
    serving = await resolve(ports, name)
    if not prompt.strip():
        raise _refusal("the prompt is empty", "Give the text that the model should answer.")
    provider = _provider(ports, serving.provider)
    if len(serving.prefix) + len(prompt) > (most := provider.facts.prompt_characters):
        message = f"the prompt has {len(prompt):,} characters; a tuned model takes {most:,}, prefix included"
        raise _refusal(message, "Shorten the prompt.")
    return await provider.generate(serving.model, serving.prefix + prompt)


async def evaluate(ports: Ports, settings: Settings, name: str, rows: Rows = "evaluation") -> Score:
    """Ask the newest finished run of a name its evaluation rows, or its own training rows, and record the score.

    Only the score on the evaluation set is recorded. One that was broken off goes on, one that is complete is asked
    anew.
    """
    world = await _look(ports, settings)
    model, record = _desired(world, name), record_of(world.recorded.records, name)
    slot, remote = _finished_slot(record, world)
    provider = _provider(ports, slot_provider(slot, record))
    if rows == "training":
        return await score(Examination(ports.instance, provider, remote, model.dataset))
    if model.evaluation is None:
        raise _refusal(f"the spec of {name} has no evaluation", "Add spec.evaluation, or score the training rows.")
    asked = model.evaluation
    await ports.ledger.check()
    result = await score_afresh(
        Examination(ports.instance, provider, remote, asked.dataset, asked.metric), ports.verdicts
    )
    await _write(ports, world, scored(record, slot.model, result), f"Score of {name}")
    return result


async def promote(ports: Ports, settings: Settings, name: str) -> Serving:
    """Let the finished run of a name serve, whatever its score: a person's word outranks the bar. It has to answer.

    The kept run that the spec has gone back to, where that is so; else the pending one.
    """
    world = await _look(ports, settings)
    record = refreshed(record_of(world.recorded.records, name), world, written_now(ports.clock), _names(world, name))
    asks = world.spec(name)
    fit = find_fit(asks, record, world) if asks is not None else None
    kept = fit is not None and fit.where is SlotKind.RETIRED and _can_serve(fit.slot, asks, record, world)
    slot = fit.slot if fit is not None and kept else record.pending
    run = record.run(slot.model) if slot else None
    if slot is None or run is None:
        more = ": what its spec asks for serves" if fit is not None and fit.where is SlotKind.ACTIVE else ""
        raise _refusal(f"{name} has no pending run{more}", _SHOWS_RUNS)
    if run.outcome is not RunOutcome.SUCCEEDED:
        raise _refusal(f"{slot.model} did not finish well ({run.outcome})", "Only a run that succeeded can serve.")
    await ports.ledger.check()
    await _see_it_answer(_provider(ports, slot_provider(slot, record)), slot.model, asks)
    its_own = asks is not None and fit is not None and fit.slot.model == slot.model
    # The pending run's create was recorded as acted on; what a clone that nobody has pushed adds to that is no act.
    done = replace(
        promoted(acted_on(record, world) if kept else record, slot),
        orphaned=record.orphaned and asks is None,
        applied=world.desired.revision or "",
        prefix=asks.dataset.prefix if asks is not None and its_own else record.prefix,
    )
    await _write(ports, world, done, f"Promote {slot.model}")
    return _serving(done)


async def _see_it_answer(provider: Provider, full_name: str, spec: DesiredModel | None) -> None:
    said = f"{full_name} is tuned and does not answer"
    try:
        await probe(provider, full_name, spec)
    except Transient as error:
        again = error.hint or "Nothing was changed: ask for it again later."
        raise Transient(f"{said}: {error.message}", hint=again, provider=error.provider) from error
    except Rejected as error:
        message = f"{said}: {error.message}"
        raise Rejected(message, kind=error.kind, hint=error.hint, provider=error.provider) from error


def _can_serve(slot: Slot, asks: DesiredModel | None, record: Record, world: World) -> bool:
    """Whether a kept run that ended well is there to serve at the provider that the spec names."""
    run, provider = record.run(slot.model), slot_provider(slot, record)
    remote = world.observed.model(provider, slot.model)
    if asks is None or provider != asks.provider or run is None or remote is None:
        return False
    ours = world.is_ours(remote, names_of(asks), slot.fingerprint, slot.attempt)
    return ours and remote.state is RemoteState.ACTIVE and run.outcome is RunOutcome.SUCCEEDED


async def cancel(ports: Ports, settings: Settings, name: str) -> str:
    """Stop the pending run of a name; its spec holds until its inputs change or its attempt rises."""
    world = await _look(ports, settings)
    record = record_of(world.recorded.records, name)
    pending = record.pending
    if pending is None:
        raise _refusal(f"{name} has no pending run", _SHOWS_RUNS)
    remote = _ours(world, record, pending)
    if remote.state not in TUNING:
        raise _refusal(f"{pending.model} does not tune any more ({remote.state})", "There is nothing to stop.")
    await ports.ledger.check()
    await _provider(ports, slot_provider(pending, record)).cancel(pending.model, remote.operation or pending.operation)
    await _write(ports, world, cancelled(record, pending.model, written_now(ports.clock)), f"Cancel {pending.model}")
    return pending.model


async def adopt(ports: Ports, settings: Settings, name: str, full_name: str) -> Serving:
    """Take a finished remote model under a spec's name: our mark is written to it, and it serves."""
    world = await _look(ports, settings)
    model = _desired(world, name)
    provider = _provider(ports, model.provider)
    remote = world.observed.model(model.provider, full_name)
    seen = world.observed.providers[model.provider]
    if remote is None and seen.error:
        raise _refusal(f"provider {model.provider} cannot be read: {seen.error}", seen.hint)
    if remote is None:
        raise _refusal(
            f"{full_name} is not on provider {model.provider}", "Give the full name, as the provider lists it."
        )
    if not remote.owned:
        hint = seen.error or "Let its owner transfer it to this account: a model that others share is never taken."
        raise _refusal(f"the listing of this account does not show {full_name}", hint)
    if remote.state is not RemoteState.ACTIVE:
        raise _refusal(
            f"{full_name} cannot serve: its state is {remote.state}", "Only a finished model can be adopted."
        )
    mark = Mark(world.instance, name, model.attempt, model.fingerprint)
    if remote.mark is not None and remote.mark != mark:
        marked_as = f"{remote.mark.instance}/{remote.mark.name}"
        hint = "A mark stays. " + (
            "A spec of that name with those inputs takes it back by itself."
            if remote.mark.instance == world.instance
            else f"If that was you, say `instance: {remote.mark.instance}` in gitune.yaml; else rename the spec."
        )
        raise _refusal(f"{full_name} is marked as {marked_as}", hint)
    await ports.ledger.check()
    await _see_it_answer(provider, full_name, model)
    marked = await provider.update(full_name, ModelPatch(description=with_mark(remote.description, mark)))
    record = world.recorded.records.get(name) or Record(name=name, provider=model.provider)
    done = adopted(record, model, (remote, marked), world)
    await _write(ports, world, done, f"Adopt {full_name}")
    return _serving(done)


async def forget(ports: Ports, settings: Settings, name: str) -> None:
    """Drop a name from the ledger; its remote models stay.

    Refused while a spec, a tuning run or an open intent needs the record; not where the provider of the run or intent
    has left gitune.yaml, since nobody can ask it any more. With a budget also while the month lasts in which it paid:
    what was spent is on record nowhere else.
    """
    world = await _look(ports, settings)
    record = record_of(world.recorded.records, name)
    if name in world.desired.names:
        hint = "Commit its removal, or that of its name from formerNames, first; a suspended spec keeps its name."
        raise _refusal(f"the spec of {name} is still there", hint)
    if not world.desired.complete:
        hint = "`gitune validate` names the file that cannot be read: fix it first."
        raise _refusal(f"the spec of {name} may be still there", hint)
    if record.pending is not None and not record.orphaned and _may_tune(record, record.pending, world):
        raise _refusal(f"{record.pending.model} may still tune", f"`gitune cancel {name}` first.")
    if record.intent is not None and (record.intent.provider or record.provider) in world.facts:
        hint = f"The next pass settles it. Where you have seen that it made nothing: `gitune forget {name} --intent`."
        raise _refusal(f"a create of {name} was sent, and what it made is not known yet", hint)
    budget, used = world.policy.budget, spent(Recorded({name: record}), world.month)
    if budget is not None and used:
        left = f"{used:.2f} {budget.currency} may be spent under {name} this month"
        hint = f"It can be forgotten from {_next_month(world.month)}-01 on (UTC), or without policy.budget."
        raise _refusal(f"{left}, and the budget would forget it too", hint)
    records = {key: kept for key, kept in world.recorded.records.items() if key != name}
    await ports.ledger.save(records, world.recorded.tip, f"Forget {name}")


def _next_month(month: str) -> str:
    """``YYYY-MM``."""
    year, number = map(int, month.split("-"))
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def _may_tune(record: Record, pending: Slot, world: World) -> bool:
    provider = slot_provider(pending, record)
    remote = world.observed.model(provider, pending.model)
    if remote is not None:
        return remote.state in TUNING
    return provider in world.facts and world.observed.presence(provider, pending.model) is not Presence.ABSENT


async def forget_intent(ports: Ports, name: str) -> None:
    """Drop the open intent of a name: a person has seen that its create made nothing."""
    recorded = await ports.ledger.load()
    record = record_of(recorded.records, name)
    if record.intent is None:
        raise _refusal(f"{name} has no open intent", "There is nothing to forget.")
    records = {**recorded.records, name: replace(record, intent=None)}
    await ports.ledger.save(records, recorded.tip, f"Forget the intent of {name}")


async def approve_delete(ports: Ports, name: str) -> tuple[str, ...]:
    """End the grace period of a name: the next pass deletes its models, whose names are returned."""
    recorded = await ports.ledger.load()
    record = record_of(recorded.records, name)
    tombstoned = tuple(slot.model for slot in record.slots if slot.tombstone)
    if not tombstoned:
        raise _refusal(f"no deletion of {name} waits", "Only a removed spec with deletionPolicy: Delete is deleted.")
    records = {**recorded.records, name: replace(record, delete_approved=True)}
    await ports.ledger.save(records, recorded.tip, f"Approve the deletion of {name}")
    return tombstoned


async def _look(ports: Ports, settings: Settings) -> World:
    """The world as the planner sees it: a spec on another one asks for the run that answers that one."""
    return resolve_bases(await snapshot(ports, settings))


async def _records(ports: Ports) -> Mapping[str, Record]:
    return (await ports.ledger.load()).records


async def _write(ports: Ports, world: World, record: Record, message: str) -> None:
    await ports.ledger.save({**world.recorded.records, record.name: record}, world.recorded.tip, message)


def _names(world: World, name: str) -> tuple[str, ...]:
    found = world.spec(name)
    return names_of(found) if found else (name,)


def record_of(records: Mapping[str, Record], name: str) -> Record:
    """The record of a name. Raises `ControllerError`, with the names there are, where the ledger has none."""
    if name not in records:
        known = ", ".join(sorted(records)) or "none"
        near = difflib.get_close_matches(name, sorted(records), 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        hint = f"{meant}It knows: {known}. A committed spec appears with the first `gitune apply`."
        raise _refusal(f"the ledger knows no {name}", hint)
    return records[name]


def _desired(world: World, name: str) -> DesiredModel:
    found = world.spec(name)
    if found is None:
        known = ", ".join(sorted(model.name for model in world.desired.models)) or "none"
        raise _refusal(
            f"there is no valid spec named {name}", f"Valid specs: {known}; `gitune validate` tells what is wrong."
        )
    return found


def _finished_slot(record: Record, world: World) -> tuple[Slot, RemoteModel]:
    for slot in record.slots:
        remote = world.observed.model(slot_provider(slot, record), slot.model)
        if remote is not None and remote.state is RemoteState.ACTIVE:
            return slot, remote
    for key in dict.fromkeys(slot_provider(slot, record) for slot in record.slots):
        seen = world.observed.providers.get(key)
        if seen is not None and seen.error:
            raise _refusal(seen.error, seen.hint)
    raise _refusal(f"no run of {record.name} has finished", _SHOWS_RUNS)


def _ours(world: World, record: Record, slot: Slot) -> RemoteModel:
    remote = world.observed.model(slot_provider(slot, record), slot.model)
    names = _names(world, record.name)
    if remote is None or not world.is_ours(remote, names, slot.fingerprint, slot.attempt):
        raise _refusal(
            f"{slot.model} cannot be read, or is not marked as ours", "`gitune doctor` tells what is reachable."
        )
    return remote


def _provider(ports: Ports, key: str) -> Provider:
    if key not in ports.providers:
        raise _refusal(f"there is no provider {key!r} in gitune.yaml", f"Known: {', '.join(sorted(ports.providers))}.")
    return ports.providers[key]


def _refusal(message: str, hint: str) -> ControllerError:
    return ControllerError(message, hint=hint)
