"""A Reporter that says nothing and remembers."""

from __future__ import annotations

from controller.plan.actions import Action, Outcome
from controller.state.observed import RemoteModel


class SilentReporter:
    """Keeps what it was told, in order, for a test to read."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.outcomes: list[Outcome] = []
        self.models: list[RemoteModel] = []

    def started(self, action: Action) -> None:
        """Keep the action."""
        self.actions.append(action)

    def ended(self, outcome: Outcome) -> None:
        """Keep the outcome."""
        self.outcomes.append(outcome)

    def observed(self, model: RemoteModel) -> None:
        """Keep the model."""
        self.models.append(model)
