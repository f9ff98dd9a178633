"""What is known of a provider without asking it: which facts there are. Each provider states all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Turns(StrEnum):
    """Which conversations of several turns a provider learns from."""

    NONE = "none"  # one turn of the user, one of the model
    LAST = "last"  # of which the model's last turn is learned
    ALL = "all"  # of which each turn of the model is learned
    LAST_OR_ALL = "last or all"
    ANY = "any"  # of which each turn of the model may be learned or not


@dataclass(frozen=True, slots=True)
class ExampleLimits:
    """What the examples of one run have to keep to.

    At least ``fewest`` of them; so many characters in and out of each at most. ``output_bytes`` caps each output as
    UTF-8, ``inline_bytes`` all of them together as JSON in one request (None: no cap). ``system`` says whether they may
    have a system message, ``turns`` which conversations of several turns they may be.
    """

    fewest: int
    input_characters: int
    output_characters: int
    output_bytes: int | None
    inline_bytes: int | None
    system: bool
    turns: Turns


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The hyperparameters of a run whose spec says nothing of them, and what advice measures others by."""

    epoch_count: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class BaseModels:
    """How the provider's base models are named.

    ``pattern`` is a regular expression that a whole name fits, ``hint`` says what to write instead of one that does
    not. ``untunable`` is what its documentation says of those that cannot be tuned, "" for nothing.
    """

    pattern: str
    hint: str
    untunable: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a provider is and takes, with no default: what one provider does says nothing of another.

    ``model_prefix`` and an id make a full name. An id that we choose has at most ``id_length`` characters, all of a–z,
    0–9 and -; None says that the provider chooses. ``updates`` are the fields of a spec that it can change in place;
    ``prompt_characters`` caps what a tuned model is asked, prefix included.
    ``free`` providers may be applied to from a working tree.
    """

    model_prefix: str
    id_length: int | None
    updates: frozenset[str]
    can_cancel: bool
    can_delete: bool
    base_models: BaseModels
    examples: ExampleLimits
    prompt_characters: int
    start: StartingPoint
    free: bool

    @property
    def chooses_id(self) -> bool:
        """Whether who creates a model chooses its id, which then is the lock against a second one."""
        return self.id_length is not None
