"""Records to the files of the ledger, and to what is known of them without making them anew. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from controller.git.parsing import blob_id
from controller.ledger.codec import (
    LARGEST_STATUS,
    README,
    Garbled,
    drawn,
    from_plain,
    is_status,
    status_file,
    status_path,
    to_plain,
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
    kept = [bounded(records[name]) for name in sorted(records)]
    files = [file for record in kept for file in _files(record).items()]
    table = readme([row(record) for record in kept], [section(record) for record in kept])
    return {**dict(sorted(files, key=lambda file: not is_status(file[0]))), README: _text(table)}


def _files(record: Record) -> dict[str, bytes]:
    """The files of one record that is bounded. Raises `LedgerError` for a name that can be no file's."""
    files = {status_path(record.name): status_file(record)}
    if run := drawn(record):
        files[f"curves/{record.name}.csv"] = curve_csv(run).encode()
        files[f"curves/{record.name}.svg"] = curve_svg(run).encode()
    return files


def _text(page: str) -> bytes:
    return page.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of one record's files: the id of each by its path, and its parts of the table.

    ``read`` is the record as its status file is read back; None where it cannot be.
    """

    record: Record = field(repr=False)
    ids: Mapping[str, str]
    row: str
    section: str
    read: Record | None = field(repr=False)


class Pages:
    """The pages of the records that were last asked for. Of the files themselves only the last new ones are held."""

    def __init__(self) -> None:
        self._made: dict[str, Page] = {}
        self._algorithm = ""
        self._new: dict[str, bytes] = {}

    def of(self, records: Mapping[str, Record], algorithm: str) -> dict[str, Page]:
        """The page of each record, by name in the order of names, with ids of that object format.

        Raises `LedgerError`.
        """
        self._new = {}
        if algorithm != self._algorithm:
            self._made, self._algorithm = {}, algorithm
        self._made = {name: self._page(records[name]) for name in sorted(records)}
        return self._made

    def content(self, name: str, path: str) -> bytes:
        """One file of a page that was asked for last."""
        if path not in self._new:
            self._new |= _files(bounded(self._made[name].record))
        return self._new[path]

    def written(self) -> None:
        """The new files lie where they belong: there is no need to hold them."""
        self._new = {}

    def _page(self, record: Record) -> Page:
        known = self._made.get(record.name)
        if known is not None and known.record == record:
            return known
        kept = bounded(record)
        files = _files(kept)
        self._new |= files
        ids = {path: blob_id(content, self._algorithm) for path, content in files.items()}
        return Page(record, ids, row(kept), section(kept), _read_back(kept, files[status_path(kept.name)]))


def table(pages: Mapping[str, Page]) -> bytes:
    """The README of these pages."""
    return _text(readme([page.row for page in pages.values()], [page.section for page in pages.values()]))


def _read_back(record: Record, status: bytes) -> Record | None:
    """As the codec gives it; that YAML gives back what was written is held by tests of that room."""
    try:
        return from_plain(to_plain(record)) if len(status) <= LARGEST_STATUS else None
    except Garbled:
        return None
