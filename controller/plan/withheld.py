"""A plan and the names whose review does not hold any more, to the plan without their effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controller.plan.actions import Action, Hold, Plan
from controller.plan.digests import digested, plan_digest
from controller.plan.safety import guards
from controller.plan.world import World
from controller.state.reasons import Reason


def withhold(plan: Plan, names: Mapping[str, str], world: World) -> Plan:
    """The same plan, what it would do to these names held with the sentence given for each.

    What only records what happened (adopting, promoting) goes on.
    """
    if not names:
        return plan
    actions = tuple(_held(action, names) for action in plan.actions)
    return replace(plan, actions=actions, guards=guards(actions, world), digest=plan_digest(actions))


def _held(action: Action, names: Mapping[str, str]) -> Action:
    if action.name not in names or action.is_progress:
        return action
    held = Hold(
        name=action.name,
        provider=action.provider,
        reason=Reason.GUARDED,
        message=names[action.name],
        model=action.model,
        fingerprint=action.fingerprint,
        attempt=action.attempt,
        changes=action.changes,
    )
    return digested(held)
