"""The decision table: a spec, or a record whose spec is gone, to its actions; the first row that fits decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.plan.actions import Action
from controller.plan.matching import find_fit
from controller.plan.rules.case import Case
from controller.plan.rules.create import NO_RUN, new_run
from controller.plan.rules.removal import BEYOND_HISTORY, REMOVED, Removal, beyond_history
from controller.plan.rules.run import ACTIVE, ANYWHERE, BY_SLOT, PENDING, RETIRED, known_run
from controller.plan.rules.spec import EVERY_SPEC, NOT_USABLE
from controller.plan.rules.table import Row, Tried, first, tried
from controller.plan.world import World
from controller.state.desired import DesiredModel, InvalidModel
from controller.state.recorded import Record

TABLES: tuple[tuple[str, tuple[Row[Any], ...]], ...] = (
    ("The spec itself, and a create of it that is still open", (*NOT_USABLE, *EVERY_SPEC)),
    ("A run of its inputs is known, wherever it stands", ANYWHERE),
    ("… it is pending", PENDING),
    ("… it serves", ACTIVE),
    ("… it is retired, let go of, or found under our mark", RETIRED),
    ("No run of its inputs is known", NO_RUN),
    ("The spec is gone", REMOVED),
    ("Beside all of these: a retired run beyond `runHistoryLimit`", BEYOND_HISTORY),
)


def decide(model: DesiredModel, world: World) -> tuple[Action, ...]:
    """What to do for one valid spec; a cancel may stand before the create that it makes way for."""
    case = Case(model, world.record_of(model), world)
    early = first(EVERY_SPEC, case)
    if early is not None:
        return (*early, *_beyond(model, world, early)) if model.name not in world.desired.doubtful else early
    fit = find_fit(model, case.record, world)
    rows = first(NO_RUN, new_run(case)) if fit is None else first(BY_SLOT[fit.where], known_run(case, fit))
    decided = rows or ()
    return (*decided, *_beyond(model, world, decided))


def _beyond(model: DesiredModel, world: World, decided: tuple[Action, ...]) -> Iterator[Action]:
    """Retired runs over the limit are let go, or deleted in two steps where the policy says so; not one just taken."""
    used = frozenset(action.model for action in decided)
    for run in beyond_history(model, world, used):
        yield from first(BEYOND_HISTORY, run) or ()


def decide_invalid(broken: InvalidModel, world: World) -> tuple[Action, ...]:
    """What to do for a spec that cannot be used."""
    return first(NOT_USABLE, (broken, world)) or ()


def decide_removed(record: Record, world: World) -> tuple[Action, ...]:
    """What becomes of a record without a spec."""
    return first(REMOVED, Removal(record, world, world.desired.complete)) or ()


def explain(name: str, world: World) -> tuple[Tried, ...]:
    """The rows that were tried for a name, each with why it does not fit; the last one fits."""
    broken = next((one for one in world.desired.invalid if one.name == name), None)
    if broken is not None:
        return tried(NOT_USABLE, (broken, world))
    model = world.spec(name)
    if model is None:
        record = world.recorded.records.get(name)
        return tried(REMOVED, Removal(record, world, world.desired.complete)) if record is not None else ()
    case = Case(model, world.record_of(model), world)
    rows = tried(EVERY_SPEC, case)
    if not rows[-1].why_not:
        return rows
    fit = find_fit(model, case.record, world)
    if fit is None:
        return (*rows, *tried(NO_RUN, new_run(case)))
    return (*rows, *tried(BY_SLOT[fit.where], known_run(case, fit)))
