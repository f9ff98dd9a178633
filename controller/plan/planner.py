"""Desired, recorded and observed state to a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from controller.plan.actions import Action, Hold, Plan, Tune
from controller.plan.bases import settle_bases
from controller.plan.budget import within_budget
from controller.plan.digests import digested, plan_digest
from controller.plan.grants import basis, needs_grant, reviewed, unreviewed
from controller.plan.rules import decide, decide_invalid, decide_removed
from controller.plan.safety import guards
from controller.plan.spared import seen_whole, worth_it
from controller.plan.world import World
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
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
    by_name = {model.name: decide(model, world) for model in desired.models}
    by_name |= {broken.name: decide_invalid(broken, world) for broken in desired.invalid}
    present = desired.names
    for name, record in world.recorded.records.items():
        if name not in present:
            by_name[name] = decide_removed(record, world)
    return [action for name in sorted(by_name) for action in by_name[name]]


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
