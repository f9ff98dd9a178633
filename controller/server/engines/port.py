"""What the server asks of whatever learns: the base models it knows, a run trained step by step, answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from controller.server.models import TrainingExample, TunableModel
from controller.server.prompts import Completion, Prompt
from controller.server.runners.port import Needs


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that a base model cannot learn: its place among the rows, its field on the wire, and why, in words."""

    row: int
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class TrainingCommand:
    """What follows the interpreter in the command of a training process, before the folder and the start; its needs."""

    words: tuple[str, ...]
    needs: Needs


@dataclass(frozen=True, slots=True)
class TunedWeights:
    """Weights to answer from. ``key`` is never used for others, so what was loaded for it may be kept."""

    key: str
    folder: Path


class WeightsUnfit(Exception):
    """Kept weights that this release's model cannot hold; the message is for people."""


class SpeakerGone(Exception):
    """What answers has ended; the next question starts it again. The message is for people."""


class Speaker(Protocol):
    """Answers of the models tuned on one base model. May be called from several threads."""

    def answer(self, weights: TunedWeights, prompt: Prompt, go_on: Callable[[], None]) -> Completion:
        """The answer. ``go_on`` is called often, and may raise to end it. Raises `WeightsUnfit`, `SpeakerGone`."""

    def close(self) -> None:
        """Gives back what it holds."""


class Learner(Protocol):
    """One run in its training process. A step depends on the state before it and on its number alone, so that a run
    that goes on from a checkpoint takes the very steps it would have taken.
    """

    checkpoint_every: float
    """Seconds between checkpoints: what a kill throws away at most."""

    def resume(self, checkpoint: Path | None) -> None:
        """Takes up the state of a checkpoint, or that before the first step. Raises `WeightsUnfit`."""

    def advance(self) -> float:
        """Takes the next step: the mean loss of its batch before it, in nats per token.

        Raises `FloatingPointError` where that is no number any more, `MemoryError`.
        """

    def save(self, folder: Path) -> None:
        """Writes the state into an empty folder, synced. Raises `OSError`."""

    def finish(self, folder: Path) -> None:
        """Writes the trained weights into an empty folder, synced. Raises `OSError`."""


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """What people ask of a base model: how many weights, under which licence, where."""

    parameters: int | None
    licence: str | None
    path: str | None


class Engine(Protocol):
    """A way to learn and to answer. Nothing here imports what only training or answering needs."""

    name: str

    def bases(self) -> Sequence[TunableModel]:
        """The base models it knows, also those that cannot be tuned for now."""

    def why_not(self, base: TunableModel) -> str:
        """What is missing to tune a base model, for people; empty where nothing is."""

    def facts(self, base: TunableModel) -> BaseFacts:
        """What people ask of it."""

    def check(self, base: TunableModel, rows: Sequence[TrainingExample]) -> Sequence[RowFault]:
        """The rows that cannot be learned whole: none is ever cut."""

    def settings(self, base: TunableModel) -> dict[str, Any]:
        """What its trainer has to know of a base model, as JSON; the server only hands it on."""

    def trainer(self, base: TunableModel) -> TrainingCommand:
        """The process that trains a run on this base model."""

    def speaker(self, base: TunableModel) -> Speaker:
        """What answers for the models tuned on this base model."""

    def close(self) -> None:
        """Gives back what it holds."""
