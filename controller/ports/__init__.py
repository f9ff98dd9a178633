"""What the engine asks of the world: five doors, and the values that pass through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from controller.dataset.pointers import LfsPointer
from controller.plan.actions import Action, Outcome
from controller.ports.code_host import CodeHost
from controller.ports.source import Cache, Entry, EntryKind, Landing, OneByOne, Relation, Source, Tree
from controller.settings import Settings
from controller.specs.data_uri import DataPin
from controller.state.desired import Desired, Example, Sampling
from controller.state.facts import Facts
from controller.state.identity import Hyperparameters
from controller.state.observed import ObservedProvider, RemoteModel
from controller.state.recorded import Record, Recorded

__all__ = [
    "Cache",
    "Chance",
    "CheckResult",
    "Chunks",
    "Clock",
    "CodeHost",
    "CreateRequest",
    "DataPin",
    "Downloads",
    "Entry",
    "EntryKind",
    "Facts",
    "InProgress",
    "Landing",
    "Ledger",
    "ModelAnswer",
    "ModelPatch",
    "ObserveRequest",
    "OneByOne",
    "Opened",
    "Ports",
    "Provider",
    "Relation",
    "Reporter",
    "Source",
    "SpecReader",
    "Tree",
    "Verdict",
    "Verdicts",
    "Wanted",
    "written_now",
]


@dataclass(frozen=True, slots=True)
class ObserveRequest:
    """What a pass needs to know: models by full name (read by id where a listing does not prove them), base models.

    The runs of those models that have ``ended`` well are on record as such: how they came to it need not be read.
    """

    models: frozenset[str] = frozenset()
    base_models: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """One tuning to pay for. ``model`` is the full name; ``base`` is that of a base model or of a tuned one.

    Going through ``examples`` reads them again. It raises `Unreadable` at their end where they are no longer those that
    were planned: nothing may be paid for before.
    """

    model: str
    base: str
    display_name: str
    description: str
    hyperparameters: Hyperparameters
    sampling: Sampling
    examples: Iterable[Example] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPatch:
    """What an update changes; None leaves a field alone."""

    display_name: str | None = None
    description: str | None = None
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a tuned model said. ``cut`` is why it stopped before its end, in the provider's word, "" where it is whole.

    Its text is the model's words or a person's data: never shown but where it was asked for.
    """

    text: str = field(repr=False)
    cut: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of `gitune doctor`: what was looked at, whether it is well, and the fix where it is not."""

    subject: str
    well: bool
    message: str
    fix: str = ""


class Provider(Protocol):
    """A tuning API. It knows models, never plans."""

    @property
    def key(self) -> str:
        """Its key in gitune.yaml."""
        ...

    @property
    def facts(self) -> Facts:
        """What it can do; known offline."""
        ...

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        """All its models, with progress of those wanted. A failure to read is in the answer, not raised.

        Its reads have one deadline together: a provider that answers too slowly counts as one that cannot be read.
        """
        ...

    async def create(self, request: CreateRequest) -> RemoteModel:
        """Start a tuning, once.

        Raises `Rejected` (EXISTS: look), `Transient` (surely nothing happened) or `OutcomeUnknown`.
        """
        ...

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        """Change what can be changed in place. Raises `ProviderError`."""
        ...

    async def cancel(self, model: str, operation: str) -> None:
        """Ask a run to stop. Raises `ProviderError`."""
        ...

    async def delete(self, model: str) -> None:
        """Delete a model for good; one that is gone already is success. Raises `ProviderError`."""
        ...

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        """One answer of a tuned model. Raises `ProviderError`; `Rejected` with NO_ANSWER where it gave none."""
        ...

    async def check(self) -> tuple[CheckResult, ...]:
        """Reachable, credentials, scopes, tunable base models: for `gitune doctor`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Ledger(Protocol):
    """The durable record."""

    async def check(self) -> None:
        """Raises `LedgerError` where `save` could not write, as far as that shows before. Nothing is left behind."""
        ...

    async def tip(self) -> str | None:
        """What `load` would give as its tip, without reading the record. Raises `LedgerError`."""
        ...

    async def load(self) -> Recorded:
        """The record as it is now. Raises `LedgerError`."""
        ...

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Write the record on top of ``tip`` and return the new tip; nothing is written where nothing differs.

        Raises `RevisionConflict` where somebody else wrote first, `LedgerError` where it cannot be written.
        """
        ...


class Clock(Protocol):
    """Time comes in here and nowhere else."""

    def now(self) -> datetime:
        """Wall clock, UTC, for what people read."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


def written_now(clock: Clock) -> str:
    """The time of now as records have it: RFC 3339 UTC, whole seconds."""
    return clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")


class Chance(Protocol):
    """Randomness comes in here and nowhere else."""

    def nonce(self) -> str:
        """16 hex digits that nobody else has."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A float between the two, for jitter."""
        ...


class Reporter(Protocol):
    """Told what happens, never asked."""

    def started(self, action: Action) -> None:
        """An action is about to be carried out."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """It came out so."""
        ...

    def observed(self, model: RemoteModel) -> None:
        """A pending run as it was just seen."""
        ...


class Verdict(StrEnum):
    """What became of one row of an evaluation."""

    RIGHT = "right"
    WRONG = "wrong"
    CUT = "cut"  # stopped before its end: no whole answer, whatever it says so far
    UNANSWERED = "unanswered"


class Verdicts(Protocol):
    """What is known of rows that were asked, by a subject (a model and how it is judged) and the digest of a row.

    Kept on this machine: neither rows nor what is said of them go into git. A verdict is written at once, so that
    nothing comes between an answer and its verdict.
    """

    def load(self, subject: str) -> Mapping[str, Verdict]:
        """The verdicts of a subject."""
        ...

    def keep(self, subject: str, row: str, verdict: Verdict) -> None:
        """Add one: it outlives this process."""
        ...

    def forget(self, subject: str) -> None:
        """Drop those of a subject."""
        ...


@dataclass(frozen=True, slots=True)
class InProgress:
    """An evaluation that goes on: ``judged`` of ``rows`` rows."""

    judged: int
    rows: int


Wanted: TypeAlias = DataPin | LfsPointer


class Chunks(Protocol):
    """A file of ``size`` bytes that is here."""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...

    def __call__(self) -> Iterator[bytes]:
        """Its bytes, piece by piece, from its beginning each time. Raises `Unreadable` where it is gone."""
        ...


class Downloads(Protocol):
    """Data outside of the commit, by its digest."""

    def open(self, wanted: Wanted, most: int) -> Chunks | None:
        """What is kept here, verified; None where it has to be fetched.

        Raises `Unreadable` where it may not be read, or is more than ``most``.
        """
        ...

    def has(self, wanted: Wanted) -> bool:
        """Whether it may be read and is kept here, as far as that is known without reading it."""
        ...

    async def fetch(self, wanted: Wanted, most: int) -> None:
        """Bring them here. Raises `Unreadable`."""
        ...


class SpecReader(Protocol):
    """How a tree becomes what is desired; a daemon keeps what it has read."""

    async def __call__(
        self, tree: Tree, settings: Settings, facts: Mapping[str, Facts], downloads: Downloads | None
    ) -> Desired:
        """Everything the tree asks for. Raises `SourceError`."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """All doors together. ``providers`` by their key in gitune.yaml; ``instance`` is who we are in owner marks.

    ``reading`` None: every look reads the tree, but for what the ``cache`` knows of it. ``verdicts`` None: an
    evaluation that is broken off begins anew. ``downloads`` None: nothing outside of the commit is read.
    """

    source: Source
    providers: Mapping[str, Provider]
    ledger: Ledger
    clock: Clock
    chance: Chance
    reporter: Reporter
    instance: str
    reading: SpecReader | None = None
    verdicts: Verdicts | None = None
    cache: Cache | None = None
    downloads: Downloads | None = None

    @property
    def facts(self) -> Mapping[str, Facts]:
        """What is known of each provider without asking it."""
        return {key: provider.facts for key, provider in self.providers.items()}


@dataclass(frozen=True, slots=True)
class Opened:
    """Ports, and the settings they were made from."""

    ports: Ports
    settings: Settings
