"""The facts of the Gemini API's tuning, as its reference and its model-tuning guide of 2025 gave them."""

from __future__ import annotations

from typing import Final

from controller.state.facts import ExampleLimits, Facts, StartingPoint

ENDPOINT: Final = "https://generativelanguage.googleapis.com"
KEY_ENV: Final = "GEMINI_API_KEY"

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
    examples=ExampleLimits(
        fewest=20, input_characters=40_000, output_characters=5_000, output_bytes=None, inline_bytes=4_000_000
    ),
    prompt_characters=40_000,
    start=StartingPoint(epoch_count=5, batch_size=4, learning_rate=0.001),
    free=False,
)
