"""Desired, recorded and observed state to a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from controller.plan.actions import Action, Hold, Plan, Tune
from controller.plan.bases import settle_bases
from controller.plan.budget import within_budget
from controller.plan.digests import digested, plan_digest
from controller.plan.grants import basis, needs_grant, reviewed, unreviewed
from controller.plan.rules import decide, decide_invalid, decide_removed, explain
from controller.plan.rules.table import Tried
from controller.plan.safety import guards
from controller.plan.spared import seen_whole, worth_it
from controller.plan.world import World
from controller.state.observed import RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.reviews import Basis


@dataclass(frozen=True, slots=True)
class Stage:
    """What may still hold, or hold back, an action that the table gives: in the order of these, for all names at once.

    ``as_committed``: it looks at the specs as they were committed, not with their bases settled.
    """

    name: str
    situation: str
    action: str
    reasons: tuple[Reason, ...]
    apply: Callable[[Iterable[Action], World], Iterable[Action]] = field(repr=False)
    as_committed: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one name gets, and every row and stage that was tried for it with why it did not decide."""

    name: str
    tried: tuple[Tried, ...]
    actions: tuple[Action, ...]


def make_plan(world: World) -> Plan:
    """Everything one pass should do, in the order of the names; guards stand beside it, never in its place."""
    settled = settle_bases(world)
    decided: Iterable[Action] = _decided(settled)
    for stage in STAGES:
        decided = stage.apply(decided, world if stage.as_committed else settled)
    actions = tuple(digested(action) for action in decided)
    found = guards(actions, world)
    return Plan(world.desired.revision, actions, found, plan_digest(actions))


def explained(name: str, world: World) -> Explanation:
    """Which row and which stage decided about one name; nothing was tried for one that no spec and no record has."""
    settled = settle_bases(world)
    tried = list(explain(name, settled))
    decided = _decided(settled)
    for stage in STAGES if tried else ():
        after = list(stage.apply(decided, world if stage.as_committed else settled))
        same = _of(name, decided) == _of(name, after)
        tried.append(Tried(stage.name, stage.situation, "not so" if same else ""))
        decided = after
    return Explanation(name, tuple(tried), _of(name, decided))


def _of(name: str, actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(action for action in actions if action.name == name)


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


STAGES: tuple[Stage, ...] = (
    Stage(
        "listed_whole",
        "A run would be cancelled, deleted or let go, and its provider could not be listed whole",
        "hold",
        (Reason.PROVIDER_UNREADABLE,),
        seen_whole,
    ),
    # Before the queue and the budget: what nobody has reviewed takes no other model's place.
    Stage(
        "reviewed",
        "It pays, stops, dooms or changes something because a spec asks for it, and no grant covers that, or it was"
        " refused",
        "hold",
        (Reason.NOT_REVIEWED,),
        reviewed,
        as_committed=True,
    ),
    Stage("in_the_queue", "`maxConcurrentRuns` are tuning already", "hold", (Reason.QUEUED,), _queued),
    Stage(
        "within_budget",
        "With `policy.budget`: the run may come to more than is left of this month's, or nobody can say what it costs"
        " (no price, one in another currency, or one that is too old)",
        "hold",
        (Reason.BUDGET_EXCEEDED, Reason.PRICE_UNKNOWN),
        within_budget,
    ),
    Stage(
        "worth_a_cancel",
        "A superseded run would be cancelled, and the budget does not cover the one that was to follow it: it goes on",
        "none",
        (),
        lambda actions, _: worth_it(actions),
    ),
)
