"""What the ledger says we did: slots, runs, an open intent, conditions; one record per spec name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from controller.state.conditions import Condition
from controller.state.desired import DeletionPolicy, Sampling
from controller.state.identity import Hyperparameters, Training
from controller.state.observed import LossPoint
from controller.state.reviews import Review


class RunOutcome(StrEnum):
    """How a paid run stands; only the first is not an end."""

    TUNING = "Tuning"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Slot:
    """One remote model in its place: active, pending or retired. ``state`` is the remote state last seen (its word).

    ``provider`` is the key in gitune.yaml under which it was made. ``tombstone`` is when its deletion was decided, the
    first of two steps (RFC 3339), ``tombstone_told`` when that was by its provider's clock ("" where that did not say),
    and ``tombstone_revision`` the revision that decided it; all "" for a model that is to stay.
    """

    model: str
    fingerprint: str
    attempt: int
    state: str
    operation: str = ""
    provider: str = ""
    tombstone: str = ""
    tombstone_revision: str = ""
    tombstone_told: str = ""


class Answer(StrEnum):
    """What became of the requests of an open intent."""

    OPEN = "Open"  # nothing is recorded of its request
    REFUSED = "Refused"  # the provider said no: it made nothing
    LOST = "Lost"  # its answer was lost: it may have made a model that nobody has seen yet
    REPEATED = "Repeated"  # more were sent, at times that are not recorded: so may any of them, whatever was answered


@dataclass(frozen=True, slots=True)
class Intent:
    """A create that was decided and made durable before its request left. It stays until its outcome is known.

    ``model`` is "" where the provider chooses the id. ``since`` is when it was written, or when later an answer to it
    was lost or missed (RFC 3339), ``told`` when that was by the provider's clock; ``cost`` the highest it may come to,
    in the budget's currency, None where no price is known. ``training`` are the inputs behind the fingerprint: the spec
    may have moved on when the model is found.
    """

    model: str
    fingerprint: str
    attempt: int
    nonce: str
    revision: str
    provider: str = ""
    since: str = ""
    cost: float | None = None
    answer: Answer = Answer.OPEN
    training: Training | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the loss curve of a run suggests; ``epochs`` None means no proposal. ``because`` shows the reasoning."""

    epochs: int | None
    because: str


@dataclass(frozen=True, slots=True)
class Score:
    """How a run did on its evaluation set: ``right`` of ``asked`` rows; ``digest`` names the evaluation set's rows.

    ``unanswered`` are the rows that the model gave no answer to, ``cut`` those whose answer stopped before its end:
    they count as wrong. ``baseline`` is how many rows would be right if each were answered with the most frequent
    expected answer; None where nobody counted it.
    """

    metric: str
    digest: str
    right: int
    asked: int
    unanswered: int = 0
    cut: int = 0
    baseline: int | None = None

    @property
    def value(self) -> float:
        """0 to 1; 0 where nothing was asked."""
        return self.right / self.asked if self.asked else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One paid tuning of one fingerprint and attempt.

    Times are RFC 3339 UTC; ``revision`` is the commit that asked for it. ``cost`` is the highest it may have come to,
    in the budget's currency (None: no price known). ``deleted`` says that we deleted its model on purpose.
    ``losses`` are finite; ``diverged_at`` is the first step whose loss was not, None where all were. ``base_gone`` says
    since when the provider does not know the base of what serves; "" while it does.
    """

    model: str
    provider_type: str
    base: str
    fingerprint: str
    attempt: int
    dataset_digest: str
    written: Hyperparameters = field(default_factory=Hyperparameters)
    resolved: Hyperparameters = field(default_factory=Hyperparameters)
    revision: str = ""
    started: str = ""
    ended: str = ""
    outcome: RunOutcome = RunOutcome.TUNING
    error: str = ""
    total_steps: int = 0
    completed_steps: int = 0
    losses: tuple[LossPoint, ...] = ()
    diverged_at: int | None = None
    advice: Advice | None = None
    score: Score | None = None
    cost: float | None = None
    deleted: bool = False
    base_gone: str = ""

    @property
    def epochs(self) -> int:
        """How many it was told to do; 0 where that is not known."""
        return self.resolved.epoch_count or self.written.epoch_count or 0

    @property
    def last_loss(self) -> float | None:
        """The newest loss, NaN once one was no finite number; None where none was reported."""
        if self.diverged_at is not None:
            return math.nan
        return self.losses[-1].mean_loss if self.losses else None

    def with_losses(self, points: Sequence[LossPoint]) -> Run:
        """The run with its losses as a provider reports them, in the order of their steps."""
        broken = next((p.step for p in points if not math.isfinite(p.mean_loss)), None)
        return replace(self, losses=tuple(p for p in points if math.isfinite(p.mean_loss)), diverged_at=broken)


@dataclass(frozen=True, slots=True)
class Awaited:
    """Inputs that a spec was edited to while its run was young, and since when (RFC 3339) a pass has seen them.

    ``told`` is when that was by the provider's clock.
    """

    fingerprint: str
    attempt: int
    since: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a provider made of a value that was sent in place: a field, the value, and what it has kept instead.

    Of ``description`` both are whole, with the mark.
    """

    field: str
    sent: str
    kept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The status of one spec name.

    ``attempted`` and ``applied`` are revisions; ``tenths`` is progress in tenths (0–10).
    ``former_names`` are those that the spec said or once had: our marks may still carry them.
    ``display_name``, ``description`` (without the mark) and ``sampling`` are what was last applied in place.
    ``overdue`` is the model that the pass before found past its spec's limit.
    ``awaited`` are the inputs that wait for the spec to be edited no more.
    ``stored`` is what the provider keeps differently from what was sent: it is not sent again.
    ``reviews`` are the grants and refusals of what its spec asks for, the oldest first; ``commands`` the ids of the
    comments whose command was taken for it; ``asked`` digests what it asked for when it was last acted on.
    """

    name: str
    provider: str
    former_names: tuple[str, ...] = ()
    deletion_policy: DeletionPolicy = DeletionPolicy.ORPHAN
    attempted: str = ""
    applied: str = ""
    conditions: tuple[Condition, ...] = ()
    active: Slot | None = None
    pending: Slot | None = None
    retired: tuple[Slot, ...] = ()
    intent: Intent | None = None
    runs: tuple[Run, ...] = ()
    tenths: int = 0
    prefix: str = ""
    display_name: str = ""
    description: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    stored: tuple[Stored, ...] = ()
    missing: bool = False
    overdue: str = ""
    awaited: Awaited | None = None
    delete_approved: bool = False
    orphaned: bool = False
    reviews: tuple[Review, ...] = ()
    commands: tuple[int, ...] = ()
    asked: str = ""

    def run(self, model: str) -> Run | None:
        """The run whose remote model has that full name."""
        return next((r for r in self.runs if r.model == model), None)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every slot, pending first, then active, then retired."""
        first = tuple(s for s in (self.pending, self.active) if s is not None)
        return first + self.retired


@dataclass(frozen=True, slots=True)
class Recorded:
    """The whole ledger as read. ``tip`` is opaque to everybody but the ledger: what a save is compared against.

    ``written`` is when it was last written (RFC 3339 UTC), "" where that is not known.
    """

    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    tip: str | None = None
    written: str = field(default="", compare=False)

    def nonce(self, name: str) -> str:
        """What names the open intent of a spec; "" where none is open."""
        record = self.records.get(name)
        return record.intent.nonce if record is not None and record.intent is not None else ""
