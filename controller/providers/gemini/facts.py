"""The facts of the Gemini API's tuning, as its reference and its model-tuning guide of 2025 gave them."""

from __future__ import annotations

from typing import Final

from controller.state.facts import BaseModels, ExampleLimits, Facts, StartingPoint, Turns

ENDPOINT: Final = "https://generativelanguage.googleapis.com"
KEY_ENV: Final = "GEMINI_API_KEY"

# The guide since then: "With the deprecation of Gemini 1.5 Flash-001 in May 2025, we no longer have a model available
# which supports fine-tuning in the Gemini API".
_RETIRED: Final = (
    "the public Gemini API retired its last base model for tuning, models/gemini-1.5-flash-001-tuning, in May 2025; "
    "`gitune doctor` lists what an endpoint tunes"
)

# The guide (ai.google.dev/gemini-api/docs/model-tuning): "as little as 20 examples", at most 40,000 characters in and
# 5,000 out for each, prompts as long as inputs, "4 MB per file", here as JSON in the create's body; 5 epochs, batch
# size 4 and learning rate 0.001 to start with. CreateTunedModelRequest in the v1beta reference: a tunedModelId of up
# to 40 characters, "[a-z]([a-z0-9-]{0,38}[a-z0-9])?".
FACTS: Final = Facts(
    model_prefix="tunedModels/",
    id_length=40,
    updates=frozenset({"displayName", "description", "temperature", "topP", "topK"}),
    can_cancel=True,
    can_delete=True,
    base_models=BaseModels(
        pattern=r"models/[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
        hint="write `models/` and the id of the base model, or `{from: other-spec}` to tune on another spec's model; "
        f"{_RETIRED}",
        untunable=_RETIRED,
    ),
    examples=ExampleLimits(
        fewest=20,
        input_characters=40_000,
        output_characters=5_000,
        output_bytes=None,
        inline_bytes=4_000_000,
        system=False,
        turns=Turns.NONE,
    ),
    prompt_characters=40_000,
    start=StartingPoint(epoch_count=5, batch_size=4, learning_rate=0.001),
    free=False,
)
