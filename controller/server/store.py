"""Tuned models and their runs in and out of one SQLite file that survives a kill at any moment.

The server and each trainer open the file for themselves. What a trainer writes counts only while its operation is still
running, checked in the same transaction: after a cancel or a delete nothing it still writes can land.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controller.server.models import Model, ModelState, RunHyperparameters, SamplingDefaults, Snapshot, TrainingExample
from controller.server.requests import Edit
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
_WEIGHTS: Final = "SELECT kind, body FROM weights WHERE operation = ?"
_SELECT: Final = "SELECT *, o.id AS operation FROM operations o JOIN models m ON m.seq = o.model"


class StoreUnreadable(Exception):
    """The file in the data folder was written by a newer server, or is no store at all."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What a trainer starts or goes on from."""

    model: Model
    examples: tuple[TrainingExample, ...] = field(repr=False)
    start: bytes | None = field(repr=False)
    checkpoint: bytes | None = field(repr=False)


class Store:
    """The file, through one connection that threads take turns on."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Opens or makes the file. ``durable`` syncs every commit, so that an answered create outlives a power cut.

        Raises `StoreUnreadable`.
        """
        self._turn = threading.RLock()
        self._connection = sqlite3.connect(
            folder / FILE_NAME, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare(durable=durable)
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
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._turn:
            return self._connection.execute(query, values).fetchall()

    # Models

    def add(self, model: Model, examples: Sequence[TrainingExample], start: bytes | None) -> bool:
        """Keeps a new model, its operation, its rows and the weights it starts from; False where the id is taken."""
        try:
            with self._transaction() as connection:
                columns = _columns(model)
                marks = ", ".join("?" * len(columns))
                seq = connection.execute(
                    f"INSERT INTO models ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 -- names from _columns
                    tuple(columns.values()),
                ).lastrowid
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

    def edit(self, model_id: str, decide: Callable[[Model], Edit], now: str) -> bool:
        """Writes what ``decide`` makes of the model's mutable fields; False where there is no such model.

        Both happen in one transaction, so two edits at once cannot undo each other.
        """
        with self._transaction() as connection:
            model = self.model(model_id)
            if model is None:
                return False
            edit = decide(model)
            connection.execute(
                "UPDATE models SET display_name = ?, description = ?, temperature = ?, top_p = ?, top_k = ?,"
                " readers = ?, update_time = ? WHERE seq = ?",
                (*_mutable(edit).values(), now, model.seq),
            )
            return True

    def delete(self, seq: int) -> bool:
        """Removes a model with all that belongs to it; False where it is gone already."""
        with self._transaction() as connection:
            return connection.execute("DELETE FROM models WHERE seq = ?", (seq,)).rowcount == 1

    def weights(self, operation: str) -> bytes | None:
        """The trained weights of a finished run."""
        found = self._rows("SELECT body FROM weights WHERE operation = ? AND kind = 'final'", operation)
        return found[0][0] if found else None

    # Runs

    def begin(self, operation: str, now: str) -> bool:
        """Marks a run as started, once; False where it is no longer to be run."""
        with self._running(operation) as seq:
            if seq is None:
                return False
            self._connection.execute("UPDATE models SET start_time = coalesce(start_time, ?) WHERE seq = ?", (now, seq))
            return True

    def run(self, operation: str) -> StoredRun | None:
        """What a trainer needs to start or go on, None where the run has ended or is gone."""
        with self._turn:
            found = self._rows(f"{_SELECT} WHERE o.id = ? AND m.state = 'CREATING'", operation)
            if not found:
                return None
            rows = self._rows(
                "SELECT text_input, output FROM examples WHERE operation = ? ORDER BY position", operation
            )
            kept = {row["kind"]: row["body"] for row in self._rows(_WEIGHTS, operation)}
        examples = tuple(TrainingExample(*row) for row in rows)
        return StoredRun(_to_model(found[0]), examples, kept.get("start"), kept.get("checkpoint"))

    def advance(self, operation: str, snapshots: Sequence[Snapshot], checkpoint: bytes) -> bool:
        """Keeps new snapshots and the checkpoint after the last, both or neither; False where the run was ended."""
        with self._running(operation) as seq:
            if seq is None:
                return False
            self._keep(operation, snapshots)
            self._connection.execute(
                "INSERT OR REPLACE INTO weights VALUES (?, 'checkpoint', ?)", (operation, checkpoint)
            )
            return True

    def finish(self, operation: str, snapshots: Sequence[Snapshot], weights: bytes, now: str) -> bool:
        """Keeps the last snapshots and the trained weights, and the model is ACTIVE; False where the run was ended."""
        with self._running(operation) as seq:
            if seq is None:
                return False
            self._keep(operation, snapshots)
            self._settle(operation, seq, ModelState.ACTIVE, now)
            self._connection.execute("INSERT INTO weights VALUES (?, 'final', ?)", (operation, weights))
            return True

    def fail(self, operation: str, code: StatusCode, message: str, now: str) -> bool:
        """Ends a run with an error, and the model is FAILED; False where it had ended already."""
        with self._running(operation) as seq:
            if seq is None:
                return False
            self._settle(operation, seq, ModelState.FAILED, now)
            self._connection.execute(
                "UPDATE operations SET error_code = ?, error_message = ? WHERE id = ?",
                (code.number, message, operation),
            )
            return True

    @contextmanager
    def _running(self, operation: str) -> Iterator[int | None]:
        """A transaction, with the ``seq`` of the operation's model if its run has not ended."""
        query = (
            "SELECT m.seq FROM operations o JOIN models m ON m.seq = o.model WHERE o.id = ? AND m.state = 'CREATING'"
        )
        with self._transaction() as connection:
            found = connection.execute(query, (operation,)).fetchone()
            yield None if found is None else found[0]

    def _keep(self, operation: str, snapshots: Sequence[Snapshot]) -> None:
        self._connection.executemany(
            "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)",
            ((operation, s.step, s.epoch, s.mean_loss, s.compute_time) for s in snapshots),
        )

    def _settle(self, operation: str, seq: int, state: ModelState, now: str) -> None:
        self._connection.execute(
            "UPDATE models SET state = ?, update_time = ?, complete_time = ? WHERE seq = ?",
            (state.value, now, now, seq),
        )
        # The rows and the checkpoint have done their work; what is not kept cannot leak.
        self._connection.execute("DELETE FROM examples WHERE operation = ?", (operation,))
        self._connection.execute("DELETE FROM weights WHERE operation = ?", (operation,))


def _mutable(edit: Edit | Model) -> dict[str, object]:
    return {
        "display_name": edit.display_name,
        "description": edit.description,
        "temperature": edit.sampling.temperature,
        "top_p": edit.sampling.top_p,
        "top_k": edit.sampling.top_k,
        "readers": json.dumps(edit.readers),
    }


def _columns(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "base_model": model.base_model,
        "source": model.source,
        **_mutable(model),
        "epoch_count": model.hyperparameters.epoch_count,
        "batch_size": model.hyperparameters.batch_size,
        "learning_rate": model.hyperparameters.learning_rate,
        "examples": model.examples,
        "state": model.state.value,
        "create_time": model.create_time,
        "update_time": model.update_time,
    }


def _to_model(row: sqlite3.Row) -> Model:
    value: dict[str, Any] = dict(zip(row.keys(), row, strict=True))
    del value["model"]
    sampling = SamplingDefaults(*(value.pop(name) for name in ("temperature", "top_p", "top_k")))
    asked = RunHyperparameters(*(value.pop(name) for name in ("epoch_count", "batch_size", "learning_rate")))
    readers, state = tuple(json.loads(value["readers"])), ModelState(value["state"])
    return Model(**value | {"sampling": sampling, "hyperparameters": asked, "readers": readers, "state": state})
