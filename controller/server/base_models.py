"""The base models that can be tuned here, with their defaults and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controller.server.status import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TunableModel:
    """A base model: its wire description, what it tunes with when a request leaves that open, and what it can hold."""

    name: str
    display_name: str
    description: str
    epoch_count: int
    batch_size: int
    learning_rate: float
    temperature: float
    top_p: float
    top_k: int
    input_bytes: int
    output_bytes: int

    def render(self) -> dict[str, Json]:
        """The Model message of the wire. Tokens are bytes here."""
        return {
            "name": self.name,
            "baseModelId": self.name.removeprefix("models/"),
            "version": "001",
            "displayName": self.display_name,
            "description": self.description,
            "inputTokenLimit": self.input_bytes,
            "outputTokenLimit": self.output_bytes,
            # That a tuned model exists is what makes generateContent work, so the base model itself does not list it.
            "supportedGenerationMethods": ["createTunedModel"],
            "temperature": self.temperature,
            "topP": self.top_p,
            "topK": self.top_k,
            "maxTemperature": 1,
        }


# Epochs and batch size are Google's documented defaults. The learning rate is this model's own: Google's 0.001 is for a
# model already trained, this one starts from nothing.
TINY: Final = TunableModel(
    name="models/tiny",
    display_name="Tiny",
    description="A byte-level transformer that learns small sets by heart and classifies short texts.",
    epoch_count=5,
    batch_size=4,
    learning_rate=0.003,
    temperature=0.0,
    top_p=0.95,
    top_k=40,
    input_bytes=256,
    output_bytes=256,
)

BASES: Final = {TINY.name: TINY}
