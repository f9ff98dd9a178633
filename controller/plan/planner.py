"""Desired, recorded and observed state to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from controller.plan.actions import Action, Nothing, Plan
from controller.plan.admission import STAGES, seen_whole
from controller.plan.approval import digested, guards, plan_digest
from controller.plan.grants import basis, needs_grant, unreviewed
from controller.plan.matching import resolve_bases
from controller.plan.rules import decide, decide_invalid, decide_removed, explain
from controller.plan.rules.table import Tried
from controller.plan.world import World
from controller.state.desired import DesiredModel, InvalidModel
from controller.state.reviews import Basis


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one name gets, and every row and stage that was tried for it with why it did not decide."""

    name: str
    tried: tuple[Tried, ...]
    actions: tuple[Action, ...]


def make_plan(world: World) -> Plan:
    """Everything one pass should do, in the order of the names; guards stand beside it, never in its place."""
    settled = resolve_bases(world)
    by_name = _by_name(settled)
    # No stage has anything to say of a name for which nothing is done, as most are.
    moving = {name: actions for name, actions in by_name.items() if not all(isinstance(a, Nothing) for a in actions)}
    decided: Iterable[Action] = _flat(moving)
    for stage in STAGES:
        decided = stage.apply(decided, world if stage.as_committed else settled)
    admitted = {name: tuple(group) for name, group in groupby(decided, key=lambda action: action.name)}
    calm = {name: actions for name, actions in by_name.items() if name not in moving}
    actions = tuple(digested(action) for action in _flat(calm | admitted))
    found = guards(actions, settled)
    return Plan(world.desired.revision, actions, found, plan_digest(actions))


def explained(name: str, world: World) -> Explanation:
    """Which row and which stage decided about one name; nothing was tried for one that no spec and no record has.

    A name that a spec had before is that spec's.
    """
    settled = resolve_bases(world)
    specs: tuple[DesiredModel | InvalidModel, ...] = (*world.desired.models, *world.desired.invalid)
    now = {former: one.name for one in specs for former in one.former_names} | {one.name: one.name for one in specs}
    name = now.get(name, name)
    tried = list(explain(name, settled))
    decided = _decided(settled)
    for stage in STAGES if tried else ():
        after = list(stage.apply(decided, world if stage.as_committed else settled))
        same = _of(name, decided) == _of(name, after)
        tried.append(Tried(stage.name, stage.situation, "it does not apply" if same else ""))
        decided = after
    return Explanation(name, tuple(tried), _of(name, decided))


def _of(name: str, actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(action for action in actions if action.name == name)


def ungranted(world: World) -> Mapping[str, tuple[Basis, ...]]:
    """By name, what every action rests on that is not done for want of a grant, or since it was refused."""
    found: dict[str, tuple[Basis, ...]] = {}
    settled = resolve_bases(world)
    for name, group in groupby(seen_whole(_decided(settled), settled), key=lambda action: action.name):
        actions = tuple(group)
        if unreviewed(name, actions, world):
            found[name] = tuple(basis(action, world) for action in actions if needs_grant(action, world))
    return found


def _decided(world: World) -> list[Action]:
    return _flat(_by_name(world))


def _flat(by_name: Mapping[str, tuple[Action, ...]]) -> list[Action]:
    return [action for name in sorted(by_name) for action in by_name[name]]


def _by_name(world: World) -> dict[str, tuple[Action, ...]]:
    desired = world.desired
    by_name = {model.name: decide(model, world) for model in desired.models}
    by_name |= {broken.name: decide_invalid(broken, world) for broken in desired.invalid}
    present = desired.names
    for name, record in world.recorded.records.items():
        if name not in present:
            by_name[name] = decide_removed(record, world)
    return by_name
