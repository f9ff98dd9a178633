"""A create or a re-tune to how much training it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from controller.plan.actions import Action, Tune
from controller.plan.cost import DEFAULT_EPOCHS

DEFAULT_BATCH = 4  # the tuning guide's, as DEFAULT_EPOCHS: https://ai.google.dev/gemini-api/docs/model-tuning


@dataclass(frozen=True, slots=True)
class Estimate:
    """Optimizer steps, and the characters of all epochs together.

    ``assumed`` names the hyperparameters the spec does not set, for which the defaults were taken.
    """

    steps: int
    characters: int
    epochs: int
    batch: int
    assumed: tuple[str, ...] = ()


def estimate(action: Action) -> Estimate | None:
    """What the action would train; None for the actions that train nothing."""
    if not isinstance(action, Tune):
        return None
    given, dataset = action.desired.hyperparameters, action.desired.dataset
    epochs = given.epoch_count or DEFAULT_EPOCHS
    batch = given.batch_size or DEFAULT_BATCH
    unsaid = {"epochCount": given.epoch_count, "batchSize": given.batch_size}
    return Estimate(
        steps=-(-len(dataset.examples) * epochs // batch),
        characters=dataset.characters * epochs,
        epochs=epochs,
        batch=batch,
        assumed=tuple(name for name, value in unsaid.items() if value is None),
    )
