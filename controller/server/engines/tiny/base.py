"""What `models/tiny` is, for those who do not load it."""

from __future__ import annotations

from typing import Final

from controller.server.models import SamplingDefaults, TunableModel

# Epochs and batch size are Google's documented defaults. The learning rate is this model's own: Google's 0.001 is for a
# model already trained, this one starts from nothing. The digest changes with the shape of the weights, and with
# whatever else makes the same rows another model.
TINY: Final = TunableModel(
    name="models/tiny",
    engine="tiny",
    digest="tiny-1",
    display_name="Tiny",
    description="A byte-level transformer that learns small sets by heart and classifies short texts.",
    epoch_count=5,
    batch_size=4,
    learning_rate=0.003,
    sampling=SamplingDefaults(temperature=0.0, top_p=0.95, top_k=40),
    input_tokens=256,
    output_tokens=256,
)

WEIGHTS: Final = 147_648  # how many it has
WEIGHTS_FILE: Final = "weights.npz"  # trained weights
STATE_FILE: Final = "state.npz"  # a checkpoint
