"""The plans of two revisions to what the second one changes over the first."""

from __future__ import annotations

from dataclasses import replace

from controller.plan.actions import Nothing, Plan
from controller.plan.grants import asked_for
from controller.state.desired import Desired


def only_new(head: Plan, base: Plan, asks: frozenset[str] = frozenset()) -> Plan:
    """The head's plan without what the base's holds too and without what is in order; its digest stays the whole's.

    What is done for one of the names ``asks`` stays all the same: something else is asked for there.
    """
    known = {(action.name, action.word, action.digest) for action in base.actions}
    new = (a for a in head.actions if a.name in asks or (a.name, a.word, a.digest) not in known)
    return replace(head, actions=tuple(a for a in new if a.name in asks or not isinstance(a, Nothing)))


def asks_else(head: Desired, base: Desired) -> frozenset[str]:
    """The names of the specs that ask their provider for something else than they did, or that were not there."""
    before = {model.name: asked_for(model) for model in base.models}
    return frozenset(model.name for model in head.models if before.get(model.name) != asked_for(model))
