"""A spec, its record and its model that agree in everything to the action that says so, without trying row by row.

Nearly every spec of nearly every pass is one of these. Nothing is decided here: what is not plain at once is left to
the table, and to `controller.plan.record`. Tests hold that both come to the same.
"""

from __future__ import annotations

from controller.plan.actions import Nothing
from controller.plan.fields import hyperparameters_differ, is_close
from controller.plan.runs import STOPPED, filled
from controller.plan.world import World
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import DesiredModel
from controller.state.identity import Mark, without_mark
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record, RunOutcome, Slot


def in_order(model: DesiredModel, slot: Slot) -> Nothing:
    """The action of a spec whose run serves as it is asked for."""
    return Nothing(
        name=model.name,
        provider=model.provider,
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
        reason=Reason.UP_TO_DATE,
        message=f"{slot.model} serves what the spec asks",
    )


def serving(model: str) -> tuple[Condition, Condition]:
    """The conditions of a record whose desired run serves."""
    return (
        Condition(ConditionType.AVAILABLE, Truth.TRUE, Reason.RUN_SUCCEEDED, f"{model} serves"),
        Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE, f"{model} is the desired run"),
    )


def agreement(model: DesiredModel, world: World) -> Nothing | None:
    """What the last row of the table for what serves gives, where it is plain that no other fits; else None."""
    record = world.recorded.records.get(model.name)
    slot = record.active if record is not None else None
    if record is None or slot is None or not _is_simple(record):
        return None
    if model.suspend or model.former_names or model.name in world.desired.doubtful:
        return None
    if slot.fingerprint != model.fingerprint or slot.attempt != model.attempt:
        return None
    remote = world.observed.model(model.provider, slot.model)
    if remote is None or remote.state is not RemoteState.ACTIVE or not _has_all(model, slot, remote, world):
        return None
    run = record.run(slot.model)
    return None if run is not None and hyperparameters_differ(run, remote) else in_order(model, slot)


def _is_simple(record: Record) -> bool:
    """Whether it has one run in one slot at most, and nothing else that a row could be about."""
    if record.pending is not None or record.retired or record.intent is not None or record.orphaned:
        return False
    return not any(run.outcome in STOPPED for run in record.runs)


def _has_all(model: DesiredModel, slot: Slot, remote: RemoteModel, world: World) -> bool:
    """Whether a model bears our mark, and is in every field that is updated in place as the spec says."""
    mark = Mark(world.instance, model.name, slot.attempt, slot.fingerprint)
    if remote.mark != mark or not world.facts[model.provider].updates >= _COMPARED:
        return False
    line = mark.line()
    text = remote.description.removesuffix(line).removesuffix("\n")
    if remote.description != (f"{text}\n{line}" if text else line) or text != without_mark(text):
        return False
    if model.description not in {None, text} or model.display_name not in {None, remote.display_name}:
        return False
    want, has = model.sampling, remote.sampling
    return want == has or (
        is_close(want.temperature, has.temperature)
        and is_close(want.top_p, has.top_p)
        and is_close(want.top_k, has.top_k)
    )


_COMPARED = frozenset({"displayName", "description", "temperature", "topP", "topK"})


def stays(record: Record, model: DesiredModel, world: World) -> bool:
    """Whether the record of a spec that is in order says all of it already; False where it has to be looked at."""
    slot = record.active
    run = record.run(slot.model) if slot is not None else None
    remote = world.observed.model(model.provider, slot.model) if slot is not None else None
    if slot is None or run is None or remote is None or not _is_simple(record) or model.former_names:
        return False
    is_known = (record.name, record.provider) == (model.name, model.provider) == (record.name, _provider(slot, record))
    as_seen = slot.state == remote.state == RemoteState.ACTIVE and remote.operation in {"", slot.operation}
    return (
        is_known
        and as_seen
        and run.outcome is not RunOutcome.TUNING
        and filled(run.resolved, remote.hyperparameters) == run.resolved
        and _has_its_base(record, run.base, run.base_gone, world)
        and _is_at_rest(record, slot, world)
        and _is_as_applied(record, model, remote)
        and record.conditions == serving(slot.model)
    )


def _provider(slot: Slot, record: Record) -> str:
    return slot.provider or record.provider


def _has_its_base(record: Record, base: str, gone: str, world: World) -> bool:
    seen = world.observed.providers[record.provider].base_models.get(base)
    return not gone and (seen is None or seen.exists)


def _is_at_rest(record: Record, slot: Slot, world: World) -> bool:
    """Whether nothing stands in it that a pass takes away, or counts on from."""
    if slot.tombstone or slot.tombstone_told or slot.tombstone_revision or record.delete_approved or record.missing:
        return False
    if record.awaited is not None or record.overdue or record.tenths or record.former_names or record.reviews:
        return False
    return not world.history.forgiven


def _is_as_applied(record: Record, model: DesiredModel, remote: RemoteModel) -> bool:
    said = without_mark(remote.description) if model.description is None else model.description
    return (
        record.description == said
        and model.display_name in {None, "", record.display_name}
        and record.sampling == model.sampling
        and record.prefix == model.dataset.prefix
        and record.deletion_policy is model.deletion_policy
    )
