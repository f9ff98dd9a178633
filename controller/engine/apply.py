"""A plan to outcomes: several names at a time, the actions of a name one after the other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import groupby

from controller.engine.effects import Execution, carry_out
from controller.failpoints import point
from controller.plan.actions import Action, Adopt, Cancel, Delete, Held, Orphan, Outcome, Plan, Promote, Reuse, Tune
from controller.plan.world import World
from controller.spans import SILENT, Span, span
from controller.state.reasons import Reason

AT_ONCE = 16  # names with a request to the same provider

_Name = tuple[Action, ...]  # what is to be done for one name, in order


async def apply(plan: Plan, world: World, execution: Execution) -> tuple[Outcome, ...]:
    """Carry out the plan. What stands behind a failed action of the same name is not tried.

    The outcomes are in the order of the plan, whatever was done first.
    """
    names = [tuple(group) for _, group in groupby(plan.actions, key=lambda action: action.name)]
    crew = _Crew(world, execution)
    found: dict[str, tuple[Outcome, ...]] = {}
    beside: list[_Name] = []
    for actions in names:
        if _is_beside_others(actions):
            beside.append(actions)
            continue
        if any(map(_asks, actions)):
            found |= await _all(crew, beside)
            beside = []
        found[actions[0].name] = await crew.carry_out(actions)
    found |= await _all(crew, beside)
    if execution.evaluations is not None:
        execution.evaluations.stop_unwanted()
    return tuple(outcome for actions in names for outcome in found[actions[0].name])


def _is_beside_others(actions: _Name) -> bool:
    """What looks at HEAD or at answers first goes alone; what asks nobody for anything waits for nobody."""
    return any(map(_asks, actions)) and not any(map(_is_weighed_anew, actions))


def _asks(action: Action) -> bool:
    """Whether it asks a provider for something; most actions of most passes do not."""
    return action.acts and not isinstance(action, Orphan | Adopt)


def _is_weighed_anew(action: Action) -> bool:
    if isinstance(action, Promote | Reuse):
        return action.desired.evaluation is not None
    return isinstance(action, Delete) or (isinstance(action, Cancel) and action.reason is Reason.SPEC_REMOVED)


async def _all(crew: _Crew, names: Sequence[_Name]) -> dict[str, tuple[Outcome, ...]]:
    """The outcomes of each. Where one breaks off the pass, the others are broken off too, and their intents stand."""
    tasks = {actions[0].name: asyncio.ensure_future(crew.in_its_place(actions)) for actions in names}
    try:
        return dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))
    except BaseException:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        raise


class _Crew:
    """Who carries out a plan: so many at a time for each provider."""

    def __init__(self, world: World, execution: Execution) -> None:
        self._world, self._execution = world, execution
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        # Nothing waits for its turn between the last look and its request but what is the only one to do so.
        self._places |= {key: asyncio.Semaphore(1) for key in execution.paced}

    async def in_its_place(self, actions: _Name) -> tuple[Outcome, ...]:
        """As `carry_out`, once there is room for one more at the provider, whose run may be paid for."""
        provider = next((action.provider for action in actions if isinstance(action, Tune)), actions[-1].provider)
        async with self._places[provider]:
            return await self.carry_out(actions)

    async def carry_out(self, actions: _Name) -> tuple[Outcome, ...]:
        """The outcomes for one name, up to the first that was held."""
        outcomes: list[Outcome] = []
        reporter = self._execution.ports.reporter
        for place, action in enumerate(actions, start=1):
            reporter.started(action)
            point("effect.before")
            with _stretch(action) as told:
                outcome = await carry_out(action, self._world, self._execution)
                told.tell(outcome=str(outcome.reason) if isinstance(outcome, Held) else "done")
            if isinstance(outcome, Held):
                outcome = replace(outcome, skipped=actions[place:])
            point("effect.after")
            reporter.ended(outcome)
            outcomes.append(outcome)
            if isinstance(outcome, Held):
                break
        return tuple(outcomes)


def _stretch(action: Action) -> AbstractContextManager[Span]:
    if not _asks(action):
        return SILENT
    return span("effect", operation=action.word, provider=action.provider, name=action.name, model=action.model)
