"""The words of a status: condition types, and the closed set of reasons an action or a condition can have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ConditionType(StrEnum):
    """What a condition speaks of. Reconciling and Stalled are listed only while they are true."""

    AVAILABLE = "Available"  # some run serves
    READY = "Ready"  # the desired run serves
    RECONCILING = "Reconciling"  # on the way
    STALLED = "Stalled"  # a person has to act


class Truth(StrEnum):
    """Kubernetes' three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why: one closed set for actions and conditions, in PascalCase as Kubernetes writes them."""

    # on the way
    NEW_SPEC = "NewSpec"
    INPUTS_CHANGED = "InputsChanged"
    ATTEMPT_RAISED = "AttemptRaised"
    TUNING = "Tuning"
    SUPERSEDED = "Superseded"
    FINISHING = "Finishing"  # whenSuperseded: Finish
    RUN_SUCCEEDED = "RunSucceeded"
    FIELDS_CHANGED = "FieldsChanged"
    FIELDS_DRIFTED = "FieldsDrifted"
    RUN_EXISTS = "RunExists"
    INTENT_FOUND = "IntentFound"
    UP_TO_DATE = "UpToDate"
    SPEC_REMOVED = "SpecRemoved"
    VISIBILITY = "Visibility"  # just made, and a provider may be slow to show it
    SPEC_MISSING = "SpecMissing"  # seen absent once; a second complete look decides
    TREE_INCOMPLETE = "TreeIncomplete"  # not everything could be read: nothing counts as removed
    HISTORY_LIMIT = "HistoryLimit"
    # held
    INVALID_SPEC = "InvalidSpec"
    INVALID_DATASET = "InvalidDataset"
    DATASET_UNREACHABLE = "DatasetUnreachable"
    SUSPENDED = "Suspended"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    FOREIGN_MODEL = "ForeignModel"  # our id is taken by something that is not ours
    RUN_FAILED = "RunFailed"
    RUN_CANCELLED = "RunCancelled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    EVALUATION_FAILED = "EvaluationFailed"
    LOST = "Lost"
    DRIFTED = "Drifted"
    BASE_MODEL_NOT_TUNABLE = "BaseModelNotTunable"
    BASE_MODEL_NOT_READY = "BaseModelNotReady"  # {from: other} whose run is not active yet
    QUOTA_EXCEEDED = "QuotaExceeded"
    BUDGET_EXCEEDED = "BudgetExceeded"
    QUEUED = "Queued"
    PROVIDER_UNREADABLE = "ProviderUnreadable"
    PROVIDER_REJECTED = "ProviderRejected"
    PRICE_UNKNOWN = "PriceUnknown"  # a budget is set, and nobody can say what the run costs
    DELETE_PENDING = "DeletePending"  # the tombstone stands, the grace period runs
    GUARDED = "Guarded"
    NOT_REVIEWED = "NotReviewed"  # no grant covers what it rests on, or a refusal stands
    INTERRUPTED = "Interrupted"  # the pass ended before this action: HEAD moved, the lease was lost, the daemon ends
    ORPHANED = "Orphaned"


# A hold for one of these reasons needs a person: Stalled=True, and `gitune apply` exits 3.
NEEDS_A_PERSON = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.INVALID_DATASET,
        Reason.DATASET_UNREACHABLE,
        Reason.OUTCOME_UNKNOWN,
        Reason.FOREIGN_MODEL,
        Reason.RUN_FAILED,
        Reason.RUN_CANCELLED,
        Reason.DEADLINE_EXCEEDED,
        Reason.EVALUATION_FAILED,
        Reason.LOST,
        Reason.DRIFTED,
        Reason.BASE_MODEL_NOT_TUNABLE,
        Reason.BUDGET_EXCEEDED,
        Reason.PROVIDER_REJECTED,
        Reason.PRICE_UNKNOWN,
        Reason.GUARDED,
        Reason.NOT_REVIEWED,
    }
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of one model, as in Kubernetes but without a time that moves by itself.

    ``reason`` is a word of `Reason`, or the word of another version of Gitune.
    """

    type: ConditionType
    status: Truth
    reason: str
    message: str = ""
