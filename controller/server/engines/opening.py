"""Names of engines in, engines and what they train with out: the one module that names them all."""

from __future__ import annotations

from pathlib import Path

from controller.server.engines.port import Engine, Learner
from controller.server.engines.tiny.engine import TinyEngine
from controller.server.models import TrainingExample
from controller.server.run_folder import RunDescription


def open_engines() -> tuple[Engine, ...]:
    """All engines of this server, the built-in one first."""
    return (TinyEngine(),)


def open_learner(asked: RunDescription, rows: tuple[TrainingExample, ...], source: Path | None) -> Learner:
    """The run as its engine trains it, in the training process. Raises `LookupError` for an engine not known here."""
    match asked.engine:
        case "tiny":
            from controller.server.engines.tiny.training import TinyLearner  # noqa: PLC0415 -- only where it trains

            return TinyLearner(asked, rows, source)
        case _:
            raise LookupError(f"this release has no engine {asked.engine}")
