"""Names of engines in, engines and what they train with out: the one module that names them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controller.server.engines.hf.engine import HfEngine
from controller.server.engines.hf.found import BaseEntry
from controller.server.engines.hf.quiet import be_quiet
from controller.server.engines.port import Engine, Learner
from controller.server.engines.tiny.engine import TinyEngine
from controller.server.models import TrainingExample
from controller.server.run_folder import RunDescription


def open_engines(fetched: Path, named: Sequence[BaseEntry] = ()) -> tuple[Engine, ...]:
    """All engines, the built-in one first, with the base models that were fetched into a folder, and those named."""
    return TinyEngine(), HfEngine(fetched, named)


def open_learner(asked: RunDescription, rows: tuple[TrainingExample, ...], source: Path | None) -> Learner:
    """The run as its engine trains it, in the training process. Raises `LookupError` for an engine not known here."""
    match asked.engine:
        case "tiny":
            from controller.server.engines.tiny.training import TinyLearner  # noqa: PLC0415 -- only where it trains

            return TinyLearner(asked, rows, source)
        case "hf":
            be_quiet()
            from controller.server.engines.hf.training import HfLearner  # noqa: PLC0415 -- as above

            return HfLearner(asked, rows, source)
        case _:
            raise LookupError(f"this release has no engine {asked.engine}")
