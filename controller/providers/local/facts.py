"""The facts of the embedded tuning API: those of the API it speaks, where it has no reason to differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from controller.providers.gemini import facts as gemini
from controller.state.facts import Facts

# It takes what fits in a request, and its base model learns outputs of at most 256 bytes.
FACTS: Final[Facts] = replace(
    gemini.FACTS,
    base_models=replace(
        gemini.FACTS.base_models,
        hint="write `baseModel: models/tiny`, or `{from: other-spec}` to tune on another spec's model",
        untunable="`gitune models list` shows what the embedded server tunes",
    ),
    examples=replace(gemini.FACTS.examples, output_bytes=256, inline_bytes=None),
    start=replace(gemini.FACTS.start, learning_rate=0.003),  # what models/tiny takes by itself: `gitune serve` says so
    free=True,
)
