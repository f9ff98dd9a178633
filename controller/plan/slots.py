"""A record to the same record with its slots changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.state.recorded import Record, RunOutcome, Slot


def each_slot(record: Record, change: Callable[[Slot | None], Slot | None]) -> Record:
    """Every slot changed; None empties it."""
    return replace(
        record,
        active=change(record.active),
        pending=change(record.pending),
        retired=tuple(kept for slot in record.retired if (kept := change(slot))),
    )


def retire_finished(record: Record) -> Record:
    """The pending slot emptied: a run that finished well is kept for a free revert, any other is only remembered."""
    old = record.pending
    if old is None:
        return record
    run = record.run(old.model)
    kept = (old, *record.retired) if run is not None and run.outcome is RunOutcome.SUCCEEDED else record.retired
    return replace(record, pending=None, retired=kept)
