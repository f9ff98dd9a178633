"""`models/tiny` to the server: which rows it can learn, who trains it, who answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.server.engines.port import BaseFacts, RowFault, Speaker, TrainingCommand
from controller.server.engines.tiny.base import TINY, WEIGHTS
from controller.server.models import TrainingExample, TunableModel
from controller.server.runners.port import Needs


class TinyEngine:
    """Always there, and always ready."""

    name = TINY.engine

    def bases(self) -> Sequence[TunableModel]:
        """The one model."""
        return (TINY,)

    def why_not(self, base: TunableModel) -> str:  # noqa: ARG002 -- the port's
        """Nothing is missing."""
        return ""

    def facts(self, base: TunableModel) -> BaseFacts:  # noqa: ARG002 -- as above
        """Its weights are made in each run, and nobody else's."""
        return BaseFacts(WEIGHTS, None, None)

    def check(self, base: TunableModel, rows: Sequence[TrainingExample]) -> Sequence[RowFault]:
        """An input loses its beginning, an output is learned whole or not at all."""
        sizes = ((i, len(row.output.encode())) for i, row in enumerate(rows))
        most = base.output_tokens
        return [
            RowFault(
                i, "output", f"has {size} bytes; {base.name} learns outputs of at most {most} bytes and never cuts one"
            )
            for i, size in sizes
            if size > most
        ]

    def settings(self, base: TunableModel) -> dict[str, Any]:  # noqa: ARG002 -- as above
        """The trainer knows it all."""
        return {}

    def trainer(self, base: TunableModel) -> TrainingCommand:  # noqa: ARG002 -- as above
        """One process, one thread."""
        return TrainingCommand(("-m", "controller.server.trainer"), Needs())

    def speaker(self, base: TunableModel) -> Speaker:  # noqa: ARG002 -- as above
        """Answers in the server's process."""
        # numpy and autograd take 30 MB, and a server that nobody asks needs neither.
        from controller.server.engines.tiny.speaker import TinySpeaker  # noqa: PLC0415

        return TinySpeaker()

    def close(self) -> None:
        """Nothing is held."""
