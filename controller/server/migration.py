"""A store whose rows and weights were in the database in, one whose runs and weights are folders out."""

from __future__ import annotations

import sqlite3
from typing import Final

from controller.server.data_folder import DataFolder, describe
from controller.server.engines.tiny.base import STATE_FILE, TINY, WEIGHTS_FILE
from controller.server.models import Model, TrainingExample
from controller.server.run_folder import discard, rename_synced, write_synced

_MOVED: Final = """
ALTER TABLE models ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN start_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN events_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN events_start INTEGER NOT NULL DEFAULT 0;
UPDATE operations SET start_number = 1, events_start = 1
    WHERE id IN (SELECT operation FROM weights WHERE kind = 'checkpoint');
DROP TABLE examples;
DROP TABLE weights
"""


def move_out(connection: sqlite3.Connection, data: DataFolder, models: list[Model]) -> None:
    """Writes what version 1 kept in the database into folders, and drops it there, in the transaction that is open.

    A kill on the way leaves the database as it was, and the next try writes the folders anew. Raises `OSError`.
    """
    for model in models:
        _move(connection, data, model)
    for statement in _MOVED.split(";"):
        connection.execute(statement)
    connection.execute("UPDATE models SET digest = ?", (TINY.digest,))


def _move(connection: sqlite3.Connection, data: DataFolder, model: Model) -> None:
    def find(query: str) -> list[sqlite3.Row]:
        return connection.execute(query, (model.operation,)).fetchall()

    kept: dict[str, bytes] = dict(map(tuple, find("SELECT kind, body FROM weights WHERE operation = ?")))
    if "final" in kept:
        _write(data, data.adapter(model.id).name, kept["final"])
    rows = find("SELECT text_input, output FROM examples WHERE operation = ? ORDER BY position")
    if not rows:
        return  # it has ended
    run = data.run(model.operation)
    run.remove()
    run.make(describe(model, TINY, {}), [TrainingExample(*row) for row in rows], None)
    if "start" in kept:
        (run.path / "source").mkdir(mode=0o700)
        write_synced(run.path / "source" / WEIGHTS_FILE, kept["start"])
    if "checkpoint" in kept:
        [(step,)] = find("SELECT max(step) FROM snapshots WHERE operation = ?")
        place = run.path / "checkpoints" / f"000001-{step:09}"
        place.mkdir(mode=0o700, parents=True)
        write_synced(place / STATE_FILE, kept["checkpoint"])


def _write(data: DataFolder, model_id: str, weights: bytes) -> None:
    target = data.adapter(model_id)
    discard(target)
    aside = target.with_name(f"{model_id}.aside")
    discard(aside)
    aside.mkdir(mode=0o700, parents=True)
    write_synced(aside / WEIGHTS_FILE, weights)
    rename_synced(aside, target)
