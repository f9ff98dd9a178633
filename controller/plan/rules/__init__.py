"""The decision table: a spec, or a record whose spec is gone, to its actions; the first row that fits decides."""

from __future__ import annotations

from typing import Any

from controller.plan.actions import Action
from controller.plan.matching import find_fit
from controller.plan.rules.agreement import agreement
from controller.plan.rules.case import Case
from controller.plan.rules.create import NO_RUN, new_run
from controller.plan.rules.removal import BEYOND_HISTORY, REMOVED, TUNING_ON, Removal, beyond_history, tuning_on
from controller.plan.rules.run import ACTIVE, ANYWHERE, BY_SLOT, PENDING, RETIRED, known_run
from controller.plan.rules.spec import EVERY_SPEC, NOT_USABLE, OPEN_CREATE, open_create
from controller.plan.rules.table import Row, Tried, given, tried
from controller.plan.world import World
from controller.state.desired import DesiredModel, InvalidModel
from controller.state.reasons import Reason
from controller.state.recorded import Record

TABLES: tuple[tuple[str, tuple[Row[Any], ...]], ...] = (
    ("The spec itself", (*NOT_USABLE, *EVERY_SPEC)),
    ("A create of it is still open", OPEN_CREATE),
    ("A run of its inputs is known, wherever it stands", ANYWHERE),
    ("… it is pending", PENDING),
    ("… it serves", ACTIVE),
    ("… it is retired, let go of, or found under our mark", RETIRED),
    ("No run of its inputs is known", NO_RUN),
    ("The spec is gone", REMOVED),
    ("Beside all of these: a run that was stopped", TUNING_ON),
    ("Beside all of these: a retired run beyond `runHistoryLimit`", BEYOND_HISTORY),
)


def decide(model: DesiredModel, world: World) -> tuple[Action, ...]:
    """What to do for one valid spec; a cancel may stand before the create that it makes way for."""
    plain = agreement(model, world)
    return given(_of_spec(model, world)) if plain is None else (plain,)


def decide_invalid(broken: InvalidModel, world: World) -> tuple[Action, ...]:
    """What to do for a spec that cannot be used."""
    return given(tried(NOT_USABLE, (broken, world)))


def decide_removed(record: Record, world: World) -> tuple[Action, ...]:
    """What becomes of a record without a spec."""
    return given(_of_removed(record, world))


def explain(name: str, world: World) -> tuple[Tried, ...]:
    """The rows that were tried for a name, each with why it does not fit; the last one of a table fits."""
    broken = next((one for one in world.desired.invalid if one.name == name), None)
    if broken is not None:
        return tried(NOT_USABLE, (broken, world))
    model = world.spec(name)
    if model is not None:
        return _of_spec(model, world)
    record = world.recorded.records.get(name)
    return _of_removed(record, world) if record is not None else ()


def _of_spec(model: DesiredModel, world: World) -> tuple[Tried, ...]:
    """The rows for one valid spec, then those for each of its retired runs over the limit; not for one just taken."""
    case = Case(model, world.record_of(model), world)
    rows = tried(EVERY_SPEC, case)
    create = open_create(case) if rows[-1].why_not else None
    rows += tried(OPEN_CREATE, create) if create is not None else ()
    if rows[-1].why_not:
        fit = find_fit(model, case.record, world)
        rows += tried(NO_RUN, new_run(case)) if fit is None else tried(BY_SLOT[fit.where], known_run(case, fit))
    if model.name in world.desired.doubtful:
        return rows
    rows += _stopped_again(model.name, case.record, world, rows)
    used = frozenset(action.model for action in given(rows) if action.reason is not Reason.STILL_TUNING)
    return (*rows, *(row for run in beyond_history(model, world, used) for row in tried(BEYOND_HISTORY, run)))


def _of_removed(record: Record, world: World) -> tuple[Tried, ...]:
    rows = tried(REMOVED, Removal(record, world, world.desired.complete))
    return rows + _stopped_again(record.name, record, world, rows)


def _stopped_again(name: str, record: Record | None, world: World, rows: tuple[Tried, ...]) -> tuple[Tried, ...]:
    """The rows for each run that was stopped and tunes on; not for one that is acted on anyway."""
    if record is None:
        return ()
    used = frozenset(action.model for action in given(rows) if action.acts)
    return tuple(row for run in tuning_on(name, record, world, used) for row in tried(TUNING_ON, run))
