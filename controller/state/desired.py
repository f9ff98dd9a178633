"""What git asks for: one value per spec, with its dataset read, its references resolved and its fingerprint known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

import msgspec

from controller.errors import Problem, Severity
from controller.state.facts import StartingPoint
from controller.state.identity import Hyperparameters, Training, fingerprint
from controller.state.reasons import Reason


class WhenSuperseded(StrEnum):
    """What becomes of a pending run when its spec moves on."""

    CANCEL = "Cancel"
    FINISH = "Finish"


class DeletionPolicy(StrEnum):
    """What becomes of the remote model when its spec is gone."""

    ORPHAN = "Orphan"
    DELETE = "Delete"


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """One turn of a user and the model's reply to it. ``learned`` says whether the reply is trained on."""

    text_input: str
    output: str
    learned: bool = False

    def __repr__(self) -> str:
        """Lengths only: a repr ends up in logs and exceptions."""
        return f"<Exchange {len(self.text_input)}+{len(self.output)} characters>"


class Example(msgspec.Struct, frozen=True, gc=False):
    """One conversation as it is sent, prefix included: its last turn of a user, and the reply, which is learned.

    ``system`` is its system message, "" for none; ``earlier`` are the exchanges before the last. A pair has neither.
    Its text is never shown: it may be private.
    """

    text_input: str
    output: str
    system: str = ""
    earlier: tuple[Exchange, ...] = ()

    def __repr__(self) -> str:
        """Lengths only: a repr ends up in logs and exceptions."""
        return f"<Example {len(self.text_input)}+{len(self.output)} characters, {len(self.earlier)} exchanges before>"

    @property
    def is_pair(self) -> bool:
        """Whether it is one turn without a system message."""
        return not self.earlier and not self.system

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of them, in order."""
        return (*self.earlier, Exchange(self.text_input, self.output, learned=True))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text of it, in the order in which a model reads them."""
        before = (text for one in self.earlier for text in (one.text_input, one.output))
        return (self.system, *before, self.text_input, self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What the examples of one file come to; the examples themselves are read again whenever they are asked for.

    ``digest`` is SHA-256 (hex) over them as sent, in order; ``duplicates`` counts those that repeat an earlier one.
    ``characters`` counts all their texts, ``bytes`` the same in UTF-8, which is what tokens are made of.
    """

    path: str
    digest: str
    examples: Iterable[Example] = field(repr=False, compare=False)
    count: int
    characters: int
    bytes: int
    prefix: str = ""
    duplicates: int = 0
    shape: str = "pairs"

    @classmethod
    def of(cls, path: str, digest: str, examples: Sequence[Example]) -> Dataset:
        """The dataset of examples that are held in memory."""
        texts = [text for example in examples for text in example.texts]
        return cls(
            path=path,
            digest=digest,
            examples=examples,
            count=len(examples),
            characters=sum(map(len, texts)),
            bytes=sum(len(text.encode()) for text in texts),
        )


@dataclass(frozen=True, slots=True)
class Sampling:
    """Defaults a tuned model answers with; None means not said."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A provider's own model, ``models/…``."""

    name: str


@dataclass(frozen=True, slots=True)
class FromSpec:
    """Another spec's active run as the base. ``fingerprint`` is what that spec desires now."""

    name: str
    fingerprint: str
    attempt: int


Base = BaseModel | FromSpec


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The rows a finished run is asked before it may serve, and the share (0–1) it must get right."""

    dataset: Dataset
    metric: str
    min_score: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def problem(self, code: str, message: str, hint: str = "", severity: Severity = Severity.ERROR) -> Problem:
        """Something wrong here."""
        return Problem(self.file, self.line, self.column, code, message, severity, hint)


@dataclass(frozen=True, kw_only=True)  # without slots: what follows from its fields is kept beside them
class DesiredModel:
    """One valid spec. Durations are in seconds; ``start`` is what its provider takes for what it leaves unsaid."""

    name: str
    place: Place
    provider: str
    provider_type: str
    base: Base
    hyperparameters: Hyperparameters
    dataset: Dataset
    start: StartingPoint
    attempt: int = 1
    former_names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    display_name: str | None = None
    description: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    suspend: bool = False
    when_superseded: WhenSuperseded = WhenSuperseded.CANCEL
    deletion_policy: DeletionPolicy = DeletionPolicy.ORPHAN
    run_history_limit: int = 2
    max_duration: float | None = None
    evaluation: Evaluation | None = None

    @property
    def epochs(self) -> int:
        """How often the dataset is gone through, said or not."""
        return self.hyperparameters.epoch_count or self.start.epoch_count

    @property
    def batch(self) -> int:
        """How many examples make one step, said or not."""
        return self.hyperparameters.batch_size or self.start.batch_size

    @cached_property
    def training(self) -> Training:
        """The inputs that are paid for."""
        base = self.base.name if isinstance(self.base, BaseModel) else f"from:{self.base.fingerprint}"
        return Training(self.provider_type, base, self.hyperparameters, self.dataset.digest)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the training inputs."""
        return fingerprint(self.training)


@dataclass(frozen=True, slots=True)
class InvalidModel:
    """A spec that is there, whose name could be read, and that cannot be used. It counts as present."""

    name: str
    place: Place
    reason: Reason
    problems: tuple[Problem, ...]
    former_names: tuple[str, ...] = ()


@dataclass(frozen=True)  # without slots: what follows from its fields is kept beside them
class Desired:
    """All that one revision asks.

    ``complete`` is False where something could not be read: then nothing counts as removed. ``doubtful`` are the names
    of specs that would take over what is recorded under another name, with that name, whose spec may be in there.
    """

    revision: str | None
    models: tuple[DesiredModel, ...]
    invalid: tuple[InvalidModel, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    doubtful: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def model(self, name: str) -> DesiredModel | None:
        """The valid spec of a name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, DesiredModel]:
        return {model.name: model for model in reversed(self.models)}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name the revision speaks of, former names of its specs included."""
        valid = {m.name for m in self.models} | {f for m in self.models for f in m.former_names}
        invalid = {name for m in self.invalid for name in (m.name, *m.former_names)}
        return frozenset(valid | invalid)

    @property
    def count(self) -> int:
        """How many specs there are, those that cannot be used included, and former names not."""
        return len({m.name for m in self.models} | {m.name for m in self.invalid})

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that hold something back."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)
