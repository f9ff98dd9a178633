"""What the providers report, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from controller.state.desired import Sampling
from controller.state.identity import Hyperparameters, Mark, find_mark


class RemoteState(StrEnum):
    """Where a remote model stands. A state nobody knows is UNKNOWN: not an end, never a success."""

    CREATING = "Creating"
    ACTIVE = "Active"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    UNKNOWN = "Unknown"


def remote_state(word: str) -> RemoteState:
    """The state a recorded word names; UNKNOWN for a word of another version of Gitune."""
    return _STATES.get(word, RemoteState.UNKNOWN)


_STATES = {state.value: state for state in RemoteState}


class Presence(StrEnum):
    """Whether a model is there: ABSENT needs proof, everything less is UNSURE."""

    FOUND = "found"
    ABSENT = "absent"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One snapshot of a run. ``time`` is RFC 3339 as the provider gave it.

    ``epoch`` is how many whole epochs lie behind the step, as providers count. ``mean_loss`` is infinite where the
    provider reports what is no finite number (never NaN, which would not be equal to itself).
    """

    step: int
    epoch: int
    mean_loss: float
    time: str = ""

    def in_epoch(self, epochs: int) -> int:
        """The epoch that the step is part of, from 1; the step that ends a run of so many (0: not known) is no more."""
        return min(self.epoch + 1, epochs) if epochs > 0 else self.epoch + 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; ``total_steps`` 0 means the provider does not say."""

    total_steps: int = 0
    completed_steps: int = 0

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.completed_steps / self.total_steps) if self.total_steps else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """One tuned model as its provider reports it.

    ``name`` is full; hyperparameters are resolved ones.
    ``error`` is the provider's own sentence on a failed or cancelled run; ``operation`` the name of its operation.
    ``owned`` says that the account's own listing shows it: others may share models with us, whatever their marks say.
    """

    name: str
    state: RemoteState
    base_model: str = ""
    source_model: str = ""
    display_name: str = ""
    description: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    created: str = ""
    updated: str = ""
    completed: str = ""
    operation: str = ""
    progress: Progress = field(default_factory=Progress)
    losses: tuple[LossPoint, ...] = ()
    error: str = ""
    owned: bool = True

    @property
    def mark(self) -> Mark | None:
        """The owner mark its description carries."""
        return find_mark(self.description)


@dataclass(frozen=True, slots=True)
class BaseModelFacts:
    """Whether a base model can be tuned (``createTunedModel`` among its methods) right now.

    ``note`` is what the provider's documentation says of those that cannot.
    """

    name: str
    exists: bool
    tunable: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class ObservedProvider:
    """One provider's answer.

    ``time`` is when that was by the provider's own clock (RFC 3339, "" where it does not say): no news by itself.
    ``complete`` is False where the listing broke off; ``absent`` was proven by asking for the id. ``closed`` are there,
    and show nothing of themselves to the account: they are another one's.
    """

    key: str
    models: Mapping[str, RemoteModel] = field(default_factory=lambda: MappingProxyType({}))
    base_models: Mapping[str, BaseModelFacts] = field(default_factory=lambda: MappingProxyType({}))
    absent: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    complete: bool = True
    error: str = ""
    hint: str = ""
    time: str = field(default="", compare=False)

    def presence(self, model: str) -> Presence:
        """FOUND, ABSENT (asked for by id and not there, or missing from a whole listing) or UNSURE."""
        if model in self.models or model in self.closed:
            return Presence.FOUND
        return Presence.ABSENT if model in self.absent or self.complete else Presence.UNSURE


@dataclass(frozen=True, slots=True)
class Observed:
    """All providers' answers, by their key in gitune.yaml."""

    providers: Mapping[str, ObservedProvider] = field(default_factory=lambda: MappingProxyType({}))

    def model(self, provider: str, name: str) -> RemoteModel | None:
        """The model of that full name, where it was seen."""
        seen = self.providers.get(provider)
        return seen.models.get(name) if seen else None

    def presence(self, provider: str, name: str) -> Presence:
        """Whether that model is there; UNSURE where the provider was not or not wholly read."""
        seen = self.providers.get(provider)
        return seen.presence(name) if seen else Presence.UNSURE
