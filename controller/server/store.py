"""Tuned models and their runs in and out of one SQLite file that survives a kill at any moment.

The server and each trainer open the file for themselves. What a trainer writes counts only while its operation is still
running, checked in the same transaction: after a cancel or a delete nothing it still writes can land.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from controller.server.models import Model, ModelState, RunHyperparameters, SamplingDefaults, Snapshot, TrainingExample
from controller.server.status import StatusCode

FILE_NAME: Final = "tuning.sqlite3"
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE models (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    base_model TEXT NOT NULL,
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
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    model INTEGER NOT NULL UNIQUE REFERENCES models (seq) ON DELETE CASCADE,
    error_code INTEGER,
    error_message TEXT
) STRICT;
CREATE TABLE examples (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text_input TEXT NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    mean_loss REAL NOT NULL,
    compute_time TEXT NOT NULL,
    PRIMARY KEY (operation, step)
) STRICT, WITHOUT ROWID;
-- start is what a run on top of a tuned model begins with, checkpoint what it goes on from after a kill (always that of
-- the last snapshot), final what answers
CREATE TABLE weights (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('start', 'checkpoint', 'final')),
    body BLOB NOT NULL,
    PRIMARY KEY (operation, kind)
) STRICT;
"""
_INSERT: Final = """
INSERT INTO models (id, display_name, description, base_model, source, temperature, top_p, top_k, readers, epoch_count,
    batch_size, learning_rate, examples, state, create_time, update_time)
VALUES (:id, :display_name, :description, :base_model, :source, :temperature, :top_p, :top_k, :readers, :epoch_count,
    :batch_size, :learning_rate, :examples, :state, :create_time, :update_time)
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


class StoreUnusable(Exception):
    """The disk refuses for the moment, and nothing was changed; the same may work later.

    ``exhausted`` is True where there is too little of something: room, quota, open files.
    """

    def __init__(self, message: str, *, exhausted: bool) -> None:
        super().__init__(message)
        self.exhausted = exhausted


# Errors of the system that pass by themselves, or when somebody makes room.
PASSING: Final = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
)
RETRY_EVERY: Final = 1.0  # seconds between tries while the disk refuses
_NO_ROOM: Final = "The disk of the data folder is full."
# EDQUOT and EFBIG reach SQLite's callers as failed writes without their errno.
_NO_WRITE: Final = (
    "The data folder cannot be written: a quota or a limit of file sizes is used up, "
    "or the disk is read-only or failing."
)


def _unusable(fault: sqlite3.OperationalError) -> StoreUnusable | None:
    """The refusal of the disk that an error of SQLite stands for; None where it is another error.

    The codes are those of https://www.sqlite.org/rescode.html; the lower eight bits are the primary one.
    """
    match fault.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_FULL:
            return StoreUnusable(_NO_ROOM, exhausted=True)
        case sqlite3.SQLITE_IOERR:
            return StoreUnusable(_NO_WRITE, exhausted=True)
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnusable("The files of the data folder cannot be opened just now.", exhausted=True)
        case sqlite3.SQLITE_READONLY:
            return StoreUnusable("The data folder cannot be written: it is read-only.", exhausted=False)
        case sqlite3.SQLITE_BUSY:
            return StoreUnusable("The data folder is busy; try again.", exhausted=False)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a trainer starts or goes on from."""

    model: Model
    examples: tuple[TrainingExample, ...] = field(repr=False)
    start: bytes | None = field(repr=False)
    checkpoint: bytes | None = field(repr=False)


class Store:
    """The file, through one connection that threads take turns on. Every method may raise `StoreUnusable`."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Opens or makes the file. ``durable``, for a server: every commit is synced and outlives a power cut.

        Raises `StoreUnreadable`, `StoreUnusable`.
        """
        self._turn = threading.RLock()
        self._refused = False
        self._wipe_due = durable  # a server that was killed may have left its journal
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
                self._prepare(durable=durable)
        except StoreUnusable:
            self._connection.close()
            raise
        except sqlite3.DatabaseError as fault:
            self._connection.close()
            raise StoreUnreadable(f"{folder / FILE_NAME} cannot be read as a store: {fault}") from fault

    def _prepare(self, *, durable: bool) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")  # training rows are gone when they are gone
        with self._transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif version != _SCHEMA_VERSION:
                raise sqlite3.DatabaseError(
                    f"it has schema version {version}, this server knows version {_SCHEMA_VERSION}"
                )

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

    def add(self, model: Model, examples: Sequence[TrainingExample], start: bytes | None) -> bool:
        """Keeps a new model, its operation, its rows and the weights it starts from; False where the id is taken."""
        try:
            with self._transaction() as connection:
                seq = connection.execute(_INSERT, _columns(model)).lastrowid
                connection.execute("INSERT INTO operations (id, model) VALUES (?, ?)", (model.operation, seq))
                connection.executemany(
                    "INSERT INTO examples VALUES (?, ?, ?, ?)",
                    ((model.operation, i, row.text_input, row.output) for i, row in enumerate(examples)),
                )
                if start is not None:
                    connection.execute("INSERT INTO weights VALUES (?, 'start', ?)", (model.operation, start))
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
            gone = connection.execute("DELETE FROM models WHERE seq = ?", (seq,)).rowcount == 1
        self._wipe()
        return gone

    def weights(self, operation: str) -> bytes | None:
        """The trained weights of a finished run."""
        found = self._rows("SELECT body FROM weights WHERE operation = ? AND kind = 'final'", operation)
        return found[0][0] if found else None

    # Runs

    def begin(self, operation: str, now: str) -> bool:
        """Marks a run as started, once; False where it is no longer to be run."""
        return self._write(operation, (_BEGIN, [(now, operation)]))

    def run(self, operation: str) -> StoredRun | None:
        """What a trainer needs to start or go on, None where the run has ended or is gone."""
        with self._turn:
            found = self._rows(f"{_SELECT} WHERE o.id = ? AND m.state = 'CREATING'", operation)
            if not found:
                return None
            rows = self._rows(
                "SELECT text_input, output FROM examples WHERE operation = ? ORDER BY position", operation
            )
            kept = dict(map(tuple, self._rows("SELECT kind, body FROM weights WHERE operation = ?", operation)))
        examples = tuple(TrainingExample(*row) for row in rows)
        return StoredRun(_to_model(found[0]), examples, kept.get("start"), kept.get("checkpoint"))

    def advance(self, operation: str, snapshots: Sequence[Snapshot], checkpoint: bytes) -> bool:
        """Keeps new snapshots and the checkpoint after the last, both or neither; False where the run was ended."""
        kept = ("INSERT OR REPLACE INTO weights VALUES (?, 'checkpoint', ?)", [(operation, checkpoint)])
        return self._write(operation, _added(operation, snapshots), kept)

    def finish(self, operation: str, snapshots: Sequence[Snapshot], weights: bytes, now: str) -> bool:
        """Keeps the last snapshots and the trained weights, and the model is ACTIVE; False where the run was ended."""
        final = ("INSERT INTO weights VALUES (?, 'final', ?)", [(operation, weights)])
        ended = _ended(operation, ModelState.ACTIVE, now)
        done = self._write(operation, _added(operation, snapshots), *ended, final)
        self._wipe()
        return done

    def fail(self, operation: str, code: StatusCode, message: str, now: str) -> bool:
        """Ends a run with an error, and the model is FAILED; False where it had ended already."""
        error = "UPDATE operations SET error_code = ?, error_message = ? WHERE id = ?"
        ended = _ended(operation, ModelState.FAILED, now)
        done = self._write(operation, *ended, (error, [(code.number, message, operation)]))
        self._wipe()
        return done

    def wipe(self) -> None:
        """Empties the journal beside the file, where that is due: the pages in it still hold rows that were deleted.

        Raises `StoreUnusable`, and it stays due: what was deleted is moved to the file first, which takes room.
        """
        with self._turn, self._refusals():
            if self._wipe_due:
                busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._wipe_due = bool(busy)

    def _wipe(self) -> None:
        """`wipe`, after a change that stands already: where there is no room for it, it stays due."""
        self._wipe_due = True
        with suppress(StoreUnusable):
            self.wipe()

    def _write(self, operation: str, *changes: _Change) -> bool:
        """All of the changes, if the run of the operation has not ended; False where it has."""
        with self._transaction() as connection:
            if not self._rows(f"{_SELECT} WHERE o.id = ? AND m.state = 'CREATING'", operation):
                return False
            for statement, rows in changes:
                connection.executemany(statement, rows)
            return True


def _keep_to_owner(file: Path) -> None:
    """Makes the file, or takes it from others: whatever the folder and the umask allow, it holds training rows."""
    for part in (file, *file.parent.glob(f"{file.name}-*")):
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)


def _added(operation: str, snapshots: Sequence[Snapshot]) -> _Change:
    return "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)", [(operation, *astuple(snapshot)) for snapshot in snapshots]


def _ended(operation: str, state: ModelState, now: str) -> tuple[_Change, ...]:
    """The rows and the checkpoint have done their work; what is not kept cannot leak."""
    return (
        (_END, [(state, now, now, operation)]),
        ("DELETE FROM examples WHERE operation = ?", [(operation,)]),
        ("DELETE FROM weights WHERE operation = ?", [(operation,)]),
    )


def _columns(model: Model) -> dict[str, Any]:
    """The values of a model by the columns that hold them."""
    flat: dict[str, Any] = asdict(model)
    return {**flat, **flat["sampling"], **flat["hyperparameters"], "readers": json.dumps(model.readers)}


def _to_model(row: sqlite3.Row) -> Model:
    value: dict[str, Any] = dict(zip(row.keys(), row, strict=True))
    del value["model"]
    sampling = SamplingDefaults(*(value.pop(name) for name in ("temperature", "top_p", "top_k")))
    asked = RunHyperparameters(*(value.pop(name) for name in ("epoch_count", "batch_size", "learning_rate")))
    readers, state = tuple(json.loads(value["readers"])), ModelState(value["state"])
    return Model(**value | {"sampling": sampling, "hyperparameters": asked, "readers": readers, "state": state})
