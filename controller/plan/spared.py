"""Actions to those that may go on: nothing is thrown away on half a picture, or for a run that cannot be paid for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from controller.plan.actions import Action, Cancel, Hold
from controller.plan.world import World
from controller.state.reasons import Reason


def seen_whole(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """After a broken listing nothing is cancelled, deleted or let go, and nothing is put in the place of such a run."""
    for _, group in groupby(actions, key=lambda action: action.name):
        for action in group:
            if not action.takes_away or _is_whole(action.provider, world):
                yield action
            elif action.reason is not Reason.HISTORY_LIMIT:
                yield _unseen(action, world)
                break


def worth_it(actions: Iterable[Action]) -> Iterator[Action]:
    """A superseded run goes on where the budget does not cover the one that was to follow it."""
    behind: Cancel | None = None
    for action in actions:
        if behind is not None and not _is_unpaid(action, behind.name):
            yield behind
        behind = action if isinstance(action, Cancel) and action.reason is Reason.SUPERSEDED else None
        if behind is None:
            yield action
    if behind is not None:
        yield behind


def _is_whole(provider: str, world: World) -> bool:
    """Whether a provider was read whole; one that gitune.yaml has no more will never be, and nothing is sent to it."""
    seen = world.observed.providers.get(provider)
    return seen is None or seen.complete or provider not in world.capabilities


def _is_unpaid(action: Action, name: str) -> bool:
    return isinstance(action, Hold) and action.name == name and action.reason.traits.unpaid


def _unseen(action: Action, world: World) -> Hold:
    seen = world.observed.providers.get(action.provider)
    why = seen.error if seen and seen.error else "it could not be read whole"
    return Hold(
        name=action.name,
        provider=action.provider,
        reason=Reason.PROVIDER_UNREADABLE,
        message=f"provider {action.provider}: {why}: {action.model or action.name} stays as it is",
        model=action.model,
        fingerprint=action.fingerprint,
        attempt=action.attempt,
    )
