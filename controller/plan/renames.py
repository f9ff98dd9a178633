"""What is desired and what is recorded to the same desired state, in which specs know the names they had before.

A spec says its former names itself. A rename that is undone (a pull request reverted) says none, and would be paid for
again: so the record remembers them, and gives itself back to a name it once had.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controller.plan.fit import spent_run
from controller.plan.world import names_of
from controller.state.desired import Desired, DesiredModel
from controller.state.recorded import Record, Recorded

_MOST = 20  # names that are remembered; as many as a spec may list


def with_former_names(desired: Desired, recorded: Recorded) -> Desired:
    """The same specs, each with the names that its record had before and that nobody else bears now.

    While a spec may hide in what cannot be read, no record changes hands: who would take one is named as doubtful.
    """
    present = desired.names
    free = [record for name, record in recorded.records.items() if record.former_names and name not in present]
    models: list[DesiredModel] = []
    doubtful: dict[str, str] = {}
    for model in desired.models:
        record = _giving(free, model, recorded)
        claimed = [name for name in model.former_names if name in recorded.records]
        mine = recorded.records.get(model.name)
        had = mine.former_names if mine is not None else ()
        names = [name for name in had if name not in present and name not in recorded.records]
        called = model
        if not desired.complete and (record is not None or claimed):
            doubtful[model.name] = record.name if record is not None else claimed[0]
            called = replace(model, former_names=tuple(n for n in model.former_names if n not in claimed))
        elif record is not None:
            free.remove(record)
            names += [record.name, *(name for name in record.former_names if name not in present)]
        models.append(_called(called, names))
    return replace(desired, models=tuple(models), doubtful=doubtful)


def _giving(free: Iterable[Record], model: DesiredModel, recorded: Recorded) -> Record | None:
    """The first of these records that gives itself back to the spec."""
    # A spec without any record may bear its third name already: the second was given back while nobody looked.
    known = any(name in recorded.records for name in names_of(model))
    bears = (model.name,) if known else names_of(model)
    return next((record for record in free if _was(record, model, bears)), None)


def _was(record: Record, model: DesiredModel, names: tuple[str, ...]) -> bool:
    """Whether the spec bears one of these names that the record had, and asks for what was paid for there."""
    if not set(names).intersection(record.former_names):
        return False
    intent = record.intent
    open_one = intent is not None and (intent.fingerprint, intent.attempt) == (model.fingerprint, model.attempt)
    return open_one or spent_run(model, record) is not None


def _called(model: DesiredModel, names: Iterable[str]) -> DesiredModel:
    """The model with these former names behind its own; the same value where there is none to add."""
    known = dict.fromkeys((*model.former_names, *names))
    known.pop(model.name, None)
    return replace(model, former_names=tuple(known)[:_MOST]) if len(known) > len(model.former_names) else model
