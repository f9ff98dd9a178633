"""Records to the files of the ledger. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from controller.ledger.codec import (
    README,
    curve_path,
    drawn,
    is_status,
    status_path,
    written_status,
)
from controller.report.charts import curve_csv, curve_svg
from controller.report.readme import readme, row, section
from controller.state.observed import LossPoint
from controller.state.recorded import Record, Run

LOSS_POINTS = 200  # per run: a terminal or a picture shows no more
DETAILED_RUNS = 10
ERROR_CHARACTERS = 1000


def bounded(record: Record) -> Record:
    """The record as it is written: the last ten runs and those in a slot whole, the others without curve and advice.

    No run is ever dropped: its fingerprint, attempt and outcome say what has been paid for.
    """
    held = {slot.model for slot in record.slots}
    whole = len(record.runs) - DETAILED_RUNS
    runs = tuple(
        _small(run) if index >= whole or run.model in held else _bare(run) for index, run in enumerate(record.runs)
    )
    return record if runs == record.runs else replace(record, runs=runs)


def thinned(points: tuple[LossPoint, ...], most: int = LOSS_POINTS) -> tuple[LossPoint, ...]:
    """At most ``most`` points: the first, the last and the lowest, the others evenly spread.

    A point whose loss is not finite is left out: no JSON or YAML of ours can say it.
    """
    finite = tuple(p for p in points if math.isfinite(p.mean_loss))
    if len(finite) <= most:
        return finite
    last = len(finite) - 1
    lowest = min(range(len(finite)), key=lambda index: finite[index].mean_loss)
    kept = {round(index * last / (most - 2)) for index in range(most - 1)} | {lowest}
    return tuple(finite[index] for index in sorted(kept))


def _small(run: Run) -> Run:
    losses, error = thinned(run.losses), run.error[:ERROR_CHARACTERS]
    return run if (losses, error) == (run.losses, run.error) else replace(run, losses=losses, error=error)


def _bare(run: Run) -> Run:
    return replace(run, losses=(), advice=None, error="", total_steps=0, completed_steps=0)


def render(records: Mapping[str, Record]) -> dict[str, bytes]:
    """Every file of the ledger by its path, status files first, so that no picture is ahead of them."""
    files = [file for name in sorted(records) for file in files_of(records[name]).items()]
    return {**dict(sorted(files, key=lambda file: not is_status(file[0]))), README: Table().page(records)}


def files_of(record: Record) -> dict[str, bytes]:
    """The files of one record by their path. Raises `LedgerError` for a name that can be no file's."""
    return made_of(record)[0]


def made_of(record: Record) -> tuple[dict[str, bytes], Record | None]:
    """The same, and the record as its status file is read, without reading it; None where it could not be."""
    kept = bounded(record)
    path = status_path(kept.name)
    status, read = written_status(kept)
    files = {path: status}
    if run := drawn(kept):
        files[curve_path(kept.name, "csv")] = curve_csv(run).encode()
        files[curve_path(kept.name, "svg")] = curve_svg(run).encode()
    return files, read


def paths_of(record: Record) -> tuple[str, ...]:
    """The paths of those files."""
    status = status_path(record.name)
    if drawn(bounded(record)) is None:
        return (status,)
    return (status, curve_path(record.name, "csv"), curve_path(record.name, "svg"))


class Table:
    """The README, with its parts for the records that were last asked for."""

    def __init__(self) -> None:
        self._parts: dict[str, _Parts] = {}

    def page(self, records: Mapping[str, Record]) -> bytes:
        """The README of these records, in the order of their names."""
        self._parts = {name: self._of(records[name]) for name in sorted(records)}
        parts = self._parts.values()
        return readme([part.row for part in parts], (part.section for part in parts)).encode("utf-8", "replace")

    def _of(self, record: Record) -> _Parts:
        known = self._parts.get(record.name)
        return known if known is not None and known.record == record else _Parts(record)


class _Parts:
    """What the README says of a record, made when it is asked for."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @cached_property
    def row(self) -> str:
        return row(bounded(self.record))

    @cached_property
    def section(self) -> str:
        return section(bounded(self.record))
