"""Desired, recorded and observed state to a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from controller.plan.actions import Action, Hold, Orphan, Plan, Tune
from controller.plan.bases import settle_bases
from controller.plan.budget import within_budget
from controller.plan.case import Case
from controller.plan.decide import decide
from controller.plan.digests import digested, plan_digest
from controller.plan.grants import basis, needs_grant, reviewed, unreviewed
from controller.plan.removed import delete, is_due, removed
from controller.plan.safety import guards
from controller.plan.spared import seen_whole, worth_it
from controller.plan.world import World, slot_provider
from controller.state.desired import DeletionPolicy, DesiredModel, InvalidModel
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record, Slot
from controller.state.reviews import Basis


def make_plan(world: World) -> Plan:
    """Everything one pass should do, in the order of the names; guards stand beside it, never in its place."""
    asked, world = world, settle_bases(world)
    # Before the queue and the budget: what nobody has reviewed takes no other model's place.
    decided = reviewed(seen_whole(_decided(world), world), asked)
    affordable = worth_it(within_budget(_queued(decided, world), world))
    actions = tuple(digested(action) for action in affordable)
    found = guards(actions, world)
    return Plan(world.desired.revision, actions, found, plan_digest(actions))


def ungranted(world: World) -> Mapping[str, tuple[Basis, ...]]:
    """By name, what every action rests on that is not done for want of a grant, or since it was refused."""
    found: dict[str, tuple[Basis, ...]] = {}
    settled = settle_bases(world)
    for name, group in groupby(seen_whole(_decided(settled), settled), key=lambda action: action.name):
        actions = tuple(group)
        if unreviewed(name, actions, world):
            found[name] = tuple(basis(action, world) for action in actions if needs_grant(action, world))
    return found


def _decided(world: World) -> list[Action]:
    desired = world.desired
    by_name: dict[str, tuple[Action, ...]] = {}
    present = desired.names
    for model in desired.models:
        if model.name in desired.doubtful and not model.suspend:
            by_name[model.name] = (_doubtful(model, desired.doubtful[model.name], world),)
            continue
        decided = decide(model, world)
        used = frozenset(action.model for action in decided)
        by_name[model.name] = (*decided, *_beyond_history(model, world, used))
    for broken in desired.invalid:
        by_name[broken.name] = (_invalid(broken, world),)
    for name, record in world.recorded.records.items():
        if name not in present:
            by_name[name] = removed(record, world, whole=desired.complete)
    return [action for name in sorted(by_name) for action in by_name[name]]


def _doubtful(model: DesiredModel, other: str, world: World) -> Hold:
    message = f"it would take over what is recorded as {other}, whose spec may be in a file that cannot be read"
    return Case(model, world.record_of(model), world).hold(Reason.TREE_INCOMPLETE, message)


def _invalid(broken: InvalidModel, world: World) -> Hold:
    record = world.recorded.records.get(broken.name)
    first = broken.problems[0]
    more = f" (and {len(broken.problems) - 1} more)" if len(broken.problems) > 1 else ""
    return Hold(
        name=broken.name,
        provider=record.provider if record else "",
        reason=broken.reason,
        message=f"{first}{more}: nothing changes until it is mended",
    )


def _beyond_history(model: DesiredModel, world: World, used: frozenset[str]) -> Iterator[Action]:
    """Retired runs over the limit are let go, or deleted in two steps where the policy says so; not one just taken."""
    record = world.record_of(model)
    if record is None or model.suspend:
        return
    record = replace(record, name=model.name)
    used |= {slot.model for slot in (record.active, record.pending) if slot is not None}
    for slot in record.retired[model.run_history_limit :]:
        if slot.model in used:
            continue
        beyond = f"{slot.model} is beyond runHistoryLimit {model.run_history_limit}"
        if model.deletion_policy is DeletionPolicy.ORPHAN:
            yield _over_limit(Orphan, record, slot, f"{beyond}: left alone from now on")
        elif is_due(slot, record, world):
            yield delete(record, slot, Reason.HISTORY_LIMIT, f"{beyond}: deleted for good")
        else:
            yield _over_limit(Hold, record, slot, f"{beyond}: deleted when the grace period is over")


def _over_limit(kind: type[Hold | Orphan], record: Record, slot: Slot, message: str) -> Action:
    return kind(
        name=record.name,
        provider=slot_provider(slot, record),
        reason=Reason.HISTORY_LIMIT,
        message=message,
        model=slot.model,
        fingerprint=slot.fingerprint,
        attempt=slot.attempt,
    )


def _queued(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """The same actions, with creates over a provider's concurrency held as Queued."""
    running = Counter({key: _tuning(key, world) for key in world.concurrency})
    for action in actions:
        if not isinstance(action, Tune) or action.provider not in world.concurrency:
            yield action
            continue
        cap = world.concurrency[action.provider]
        if running[action.provider] < cap:
            running[action.provider] += 1
            yield action
        else:
            yield Hold(
                name=action.name,
                provider=action.provider,
                reason=Reason.QUEUED,
                message=f"{cap} runs tune on {action.provider} already (maxConcurrentRuns): starts when one ends",
                fingerprint=action.fingerprint,
                attempt=action.attempt,
            )


def _tuning(key: str, world: World) -> int:
    seen = world.observed.providers.get(key)
    models = seen.models.values() if seen else ()
    return sum(m.state is RemoteState.CREATING and _of_this_instance(m, world) for m in models)


def _of_this_instance(remote: RemoteModel, world: World) -> bool:
    mark = remote.mark
    return mark is not None and mark.instance == world.instance
