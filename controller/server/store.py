"""Tuned models and their operations in and out of one SQLite file that survives a kill at any moment.

What a trainer reports counts only while its operation is still running, checked in the same transaction: after a cancel
or a delete nothing it still writes can land.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from controller.server.data_folder import DataFolder
from controller.server.migration import move_out
from controller.server.models import Model, ModelState, RunHyperparameters, SamplingDefaults, Snapshot
from controller.server.room import NO_ROOM, NO_WRITE, PASSING, StoreUnusable, room_needed
from controller.server.run_folder import Bookmark
from controller.server.status import StatusCode

FILE_NAME: Final = "tuning.sqlite3"
_SCHEMA_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE models (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    base_model TEXT NOT NULL,
    digest TEXT NOT NULL,
    source TEXT,
    temperature REAL,
    top_p REAL,
    top_k INTEGER,
    readers TEXT NOT NULL,
    epoch_count INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    learning_rate REAL NOT NULL,
    examples INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('CREATING', 'ACTIVE', 'FAILED')),
    create_time TEXT NOT NULL,
    update_time TEXT NOT NULL,
    start_time TEXT,
    complete_time TEXT
) STRICT;
-- start_number counts how often training was started, events_offset is the byte up to which the run's events are in
-- here, events_start the highest start among them
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    model INTEGER NOT NULL UNIQUE REFERENCES models (seq) ON DELETE CASCADE,
    error_code INTEGER,
    error_message TEXT,
    start_number INTEGER NOT NULL DEFAULT 0,
    events_offset INTEGER NOT NULL DEFAULT 0,
    events_start INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE snapshots (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    mean_loss REAL NOT NULL,
    compute_time TEXT NOT NULL,
    PRIMARY KEY (operation, step)
) STRICT, WITHOUT ROWID;
"""
_INSERT: Final = """
INSERT INTO models (id, display_name, description, base_model, digest, source, temperature, top_p, top_k, readers,
    epoch_count, batch_size, learning_rate, examples, state, create_time, update_time)
VALUES (:id, :display_name, :description, :base_model, :digest, :source, :temperature, :top_p, :top_k, :readers,
    :epoch_count, :batch_size, :learning_rate, :examples, :state, :create_time, :update_time)
"""
_UPDATE: Final = """
UPDATE models SET display_name = :display_name, description = :description, temperature = :temperature, top_p = :top_p,
    top_k = :top_k, readers = :readers, update_time = :update_time WHERE seq = :seq
"""
_BEGIN: Final = """
UPDATE models SET start_time = coalesce(start_time, ?) WHERE seq = (SELECT model FROM operations WHERE id = ?)
"""
_END: Final = """
UPDATE models SET state = ?, update_time = ?, complete_time = ?
WHERE seq = (SELECT model FROM operations WHERE id = ?)
"""
_SELECT: Final = "SELECT *, o.id AS operation FROM operations o JOIN models m ON m.seq = o.model"


_Change: TypeAlias = tuple[str, Iterable[tuple[object, ...]]]  # a statement, and the values of each time it is run


class StoreUnreadable(Exception):
    """The file in the data folder was written by a newer server, or is no store at all."""


def _unusable(fault: sqlite3.OperationalError) -> StoreUnusable | None:
    """The refusal of the disk that an error of SQLite stands for; None where it is another error.

    The codes are those of https://www.sqlite.org/rescode.html; the lower eight bits are the primary one.
    """
    match fault.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreUnusable(NO_ROOM, exhausted=True)
        case sqlite3.SQLITE_IOERR:
            return StoreUnusable(NO_WRITE, exhausted=True)
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnusable("The files of the data folder cannot be opened just now.", exhausted=True)
        case sqlite3.SQLITE_READONLY:
            return StoreUnusable("The data folder cannot be written: it is read-only.", exhausted=False)
        case sqlite3.SQLITE_BUSY:
            return StoreUnusable("The data folder is busy; try again.", exhausted=False)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended: with trained weights, or with an error."""

    time: str
    code: StatusCode | None = None
    message: str | None = None


class Store:
    """The file, through one connection that threads take turns on. Every method may raise `StoreUnusable`."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the file, or brings one of an earlier release up to date. Every commit outlives a power cut.

        Raises `StoreUnreadable`, `StoreUnusable`.
        """
        self._turn = threading.RLock()
        self._refused = False
        try:
            _keep_to_owner(folder / FILE_NAME)
        except OSError as fault:
            if fault.errno in PASSING or fault.errno == errno.EROFS:
                message = f"{folder / FILE_NAME} cannot be opened: {fault.strerror}"
                raise StoreUnusable(message, exhausted=fault.errno in PASSING) from fault
            raise StoreUnreadable(f"{folder / FILE_NAME} cannot be opened: {fault.strerror}") from fault
        self._connection = sqlite3.connect(
            folder / FILE_NAME, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        self._connection.row_factory = sqlite3.Row
        try:
            with self._refusals():
                self._prepare(DataFolder(folder))
        except StoreUnusable:
            self._connection.close()
            raise
        except sqlite3.DatabaseError as fault:
            self._connection.close()
            raise StoreUnreadable(f"{folder / FILE_NAME} cannot be read as a store: {fault}") from fault

    def _prepare(self, data: DataFolder) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone
        with self._transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
            elif version == 1:
                with room_needed():
                    move_out(self._connection, data, self.models())
            elif version != _SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"it has schema version {version}, this server knows version {_SCHEMA_VERSION}"
                )
            self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        with suppress(sqlite3.OperationalError):  # the journal of an earlier release may hold rows that were deleted
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Closes the connection."""
        with self._turn:
            self._connection.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turns what the disk refuses into `StoreUnusable`."""
        try:
            yield
        except sqlite3.OperationalError as fault:
            refused = _unusable(fault)
            if refused is None:
                raise
            self._refused = True
            raise refused from fault

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._refusals():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has rolled back some of what a full disk broke off
                    self._connection.execute("ROLLBACK")
                raise
            self._refused = False

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._turn, self._refusals():
            return self._connection.execute(query, values).fetchall()

    def check(self) -> None:
        """Raises `StoreUnusable` where the disk has refused and does so still; what it takes here changes nothing."""
        if self._refused:
            with self._transaction() as connection:
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    # Models

    def add(self, model: Model) -> bool:
        """Keeps a new model and its operation; False where the id is taken."""
        try:
            with self._transaction() as connection:
                seq = connection.execute(_INSERT, _columns(model)).lastrowid
                connection.execute("INSERT INTO operations (id, model) VALUES (?, ?)", (model.operation, seq))
        except sqlite3.IntegrityError:
            return False
        return True

    def model(self, model_id: str) -> Model | None:
        """The model with this id."""
        found = self._rows(f"{_SELECT} WHERE m.id = ?", model_id)
        return _to_model(found[0]) if found else None

    def models(self, after: int = 0) -> list[Model]:
        """The models created after the one with this ``seq``, oldest first."""
        return [_to_model(row) for row in self._rows(f"{_SELECT} WHERE m.seq > ? ORDER BY m.seq", after)]

    def unfinished(self) -> list[Model]:
        """The models whose run has not ended, oldest first."""
        return [_to_model(row) for row in self._rows(f"{_SELECT} WHERE m.state = 'CREATING' ORDER BY m.seq")]

    def snapshots(self, operation: str) -> list[Snapshot]:
        """The snapshots of a run, by step."""
        query = "SELECT step, epoch, mean_loss, compute_time FROM snapshots WHERE operation = ? ORDER BY step"
        return [Snapshot(*row) for row in self._rows(query, operation)]

    def edit(self, model_id: str, decide: Callable[[Model], Model], now: str) -> bool:
        """Writes what ``decide`` makes of the model's mutable fields; False where there is no such model.

        Both happen in one transaction, so two edits at once cannot undo each other.
        """
        with self._transaction() as connection:
            model = self.model(model_id)
            if model is None:
                return False
            connection.execute(_UPDATE, _columns(decide(model)) | {"update_time": now})
            return True

    def delete(self, seq: int) -> bool:
        """Removes a model with all that belongs to it; False where it is gone already."""
        with self._transaction() as connection:
            return connection.execute("DELETE FROM models WHERE seq = ?", (seq,)).rowcount == 1

    # Runs

    def begin(self, operation: str, now: str) -> int | None:
        """The number of the next start of a run, kept before the start; None where the run is no longer to be run."""
        counted = ("UPDATE operations SET start_number = start_number + 1 WHERE id = ?", [(operation,)])
        if not self._write(operation, (_BEGIN, [(now, operation)]), counted):
            return None
        found = self._rows("SELECT start_number FROM operations WHERE id = ?", operation)
        return int(found[0][0]) if found else None

    def bookmark(self, operation: str) -> Bookmark:
        """How far the events of a run were taken over."""
        found = self._rows("SELECT events_offset, events_start FROM operations WHERE id = ?", operation)
        return Bookmark(*found[0]) if found else Bookmark()

    def take_over(
        self, operation: str, mark: Bookmark, snapshots: Sequence[Snapshot], end: RunEnd | None = None
    ) -> bool:
        """Keeps what events up to the mark tell, all or nothing; False where the run was ended.

        Of a step that was taken twice, since its start was killed before a checkpoint, the last one counts.
        """
        read = "UPDATE operations SET events_offset = ?, events_start = ? WHERE id = ?"
        added = [(operation, *astuple(snapshot)) for snapshot in snapshots]
        return self._write(
            operation,
            ("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)", added),
            (read, [(mark.offset, mark.start, operation)]),
            *(() if end is None else _ended(operation, end)),
        )

    def fail(self, operation: str, code: StatusCode, message: str, now: str) -> bool:
        """Ends a run with an error, and the model is FAILED; False where it had ended already."""
        return self._write(operation, *_ended(operation, RunEnd(now, code, message)))

    def _write(self, operation: str, *changes: _Change) -> bool:
        """All of the changes, if the run of the operation has not ended; False where it has."""
        with self._transaction() as connection:
            if not self._rows(f"{_SELECT} WHERE o.id = ? AND m.state = 'CREATING'", operation):
                return False
            for statement, rows in changes:
                connection.executemany(statement, rows)
            return True


def _keep_to_owner(file: Path) -> None:
    """Makes the file, or takes it from others, whatever the folder and the umask allow."""
    for part in (file, *file.parent.glob(f"{file.name}-*")):
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)


def _ended(operation: str, end: RunEnd) -> tuple[_Change, ...]:
    state = ModelState.ACTIVE if end.code is None else ModelState.FAILED
    error = "UPDATE operations SET error_code = ?, error_message = ? WHERE id = ?"
    number = None if end.code is None else end.code.number
    return (_END, [(state, end.time, end.time, operation)]), (error, [(number, end.message, operation)])


def _columns(model: Model) -> dict[str, Any]:
    """The values of a model by the columns that hold them."""
    flat: dict[str, Any] = asdict(model)
    return {**flat, **flat["sampling"], **flat["hyperparameters"], "readers": json.dumps(model.readers)}


def _to_model(row: sqlite3.Row) -> Model:
    value: dict[str, Any] = dict(zip(row.keys(), row, strict=True))
    for name in ("model", "start_number", "events_offset", "events_start"):
        value.pop(name, None)
    sampling = SamplingDefaults(*(value.pop(name) for name in ("temperature", "top_p", "top_k")))
    asked = RunHyperparameters(*(value.pop(name) for name in ("epoch_count", "batch_size", "learning_rate")))
    readers, state = tuple(json.loads(value["readers"])), ModelState(value["state"])
    return Model(**value | {"sampling": sampling, "hyperparameters": asked, "readers": readers, "state": state})
