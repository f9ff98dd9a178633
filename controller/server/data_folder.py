"""The folder of a server's data in, the places of its runs and of its trained weights out."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from controller.server.models import Model, TunableModel, total_steps
from controller.server.run_folder import RunDescription, RunFolder, discard


class DataFolder:
    """``runs/<operation>`` for each run that has not ended, ``adapters/<model id>`` for each that has learned."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, operation: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / "runs" / operation)

    def adapter(self, model_id: str) -> Path:
        """The trained weights of a model."""
        return self.path / "adapters" / model_id

    def sweep(self, operations: Collection[str], models: Collection[str]) -> None:
        """Removes the runs and the weights that nothing stands for: what a kill left. Raises `OSError`."""
        for run in _inside(self.path / "runs"):
            if run.name not in operations:
                RunFolder(run).remove()
        for adapter in _inside(self.path / "adapters"):
            if adapter.name not in models:
                discard(adapter)


def describe(model: Model, base: TunableModel, settings: dict[str, Any]) -> RunDescription:
    """What the run of a model trains. The seed is drawn from the model's id: the same id and rows are the same run."""
    return RunDescription(
        engine=base.engine,
        model=model.id,
        base=base.name,
        digest=base.digest,
        hyperparameters=model.hyperparameters,
        seed=int.from_bytes(hashlib.sha256(model.id.encode()).digest()[:8], "big"),
        examples=model.examples,
        steps=total_steps(model.examples, model.hyperparameters),
        settings=settings,
    )


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
