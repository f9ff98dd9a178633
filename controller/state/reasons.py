"""The closed set of reasons that an action or a condition can have, each declared once with all that is known of it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Self

_ANOTHER_RUN = "Change the training inputs or raise `spec.attempt`: both say in git that another run may be paid for."
_FIX_FILES = (
    "`gitune validate` names every problem with its line; fix it and commit. Until then the model stays as it is."
)
YOU = "you"


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a reason.

    ``waits_for`` is who or what ends a hold for it, "" where it holds nothing; ``way_out`` what a person can do about
    it. The flags:

    - ``passes``: a later pass with the same specs and the same ledger may find it gone.
    - ``counts``: numbers in its message move by themselves, and are no news.
    - ``announces``: a plan that shows it shows what follows it, too, so that a review covers both.
    - ``unpaid``: the run is not paid for, so what it would take the place of goes on.
    - ``unknown``: nobody can tell how the model stands, so Ready is neither true nor false.
    - ``ends_run``: the run it speaks of has come to a bad end.
    - ``not_sent``: the request surely never left.
    - ``refused``: the provider answered that it made nothing.
    - ``keeps_intent``: the create may be sent again with the same intent.
    """

    waits_for: str = ""
    way_out: str = ""
    _: KW_ONLY
    passes: bool = False
    counts: bool = False
    announces: bool = False
    unpaid: bool = False
    unknown: bool = False
    ends_run: bool = False
    not_sent: bool = False
    refused: bool = False
    keeps_intent: bool = False

    @property
    def needs_person(self) -> bool:
        """Whether a hold for it is Stalled, and `gitune apply` exits 3."""
        return self.waits_for == YOU


class Reason(StrEnum):
    """Why: one closed set for actions and conditions, in PascalCase as Kubernetes writes them."""

    traits: Traits

    def __new__(cls, word: str, traits: Traits | None = None) -> Self:
        """A word, and what is known of it."""
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.traits = traits or Traits()
        return reason

    # on the way
    NEW_SPEC = "NewSpec"
    INPUTS_CHANGED = "InputsChanged"
    ATTEMPT_RAISED = "AttemptRaised"
    TUNING = "Tuning"
    SUPERSEDED = "Superseded", Traits(not_sent=True)
    STILL_TUNING = "StillTuning"
    FINISHING = "Finishing", Traits(announces=True)
    RUN_SUCCEEDED = "RunSucceeded"
    FIELDS_CHANGED = "FieldsChanged"
    FIELDS_DRIFTED = "FieldsDrifted"
    RUN_EXISTS = "RunExists"
    INTENT_FOUND = "IntentFound"
    UP_TO_DATE = "UpToDate"
    SPEC_REMOVED = "SpecRemoved"
    HISTORY_LIMIT = "HistoryLimit"
    ORPHANED = "Orphaned"

    # a person has to act
    INVALID_SPEC = "InvalidSpec", Traits(YOU, _FIX_FILES)
    INVALID_DATASET = "InvalidDataset", Traits(YOU, _FIX_FILES)
    DATASET_UNREACHABLE = (
        "DatasetUnreachable",
        Traits(
            YOU,
            "The dataset's path is not in the commit, or is no plain file: commit the file.",
            passes=True,
            not_sent=True,
        ),
    )
    OUTCOME_UNKNOWN = (
        "OutcomeUnknown",
        Traits(
            YOU,
            "Look at the provider. Is the model there: `gitune adopt NAME MODEL`. Is it not: "
            "`gitune forget NAME --intent`, and the create is decided anew. Gitune never sends it again on a guess.",
            passes=True,
        ),
    )
    FOREIGN_MODEL = (
        "ForeignModel",
        Traits(
            YOU,
            "Another model has the id that ours would get, or our mark under an id that is not ours. Rename the spec; "
            "a model without a mark, or a copy with ours, can be taken over with `gitune adopt NAME MODEL`; one that "
            "was yours under another name of this repository, with `instance:` in gitune.yaml (the message names it).",
        ),
    )
    RUN_FAILED = "RunFailed", Traits(YOU, _ANOTHER_RUN, ends_run=True)
    RUN_CANCELLED = "RunCancelled", Traits(YOU, _ANOTHER_RUN, ends_run=True)
    DEADLINE_EXCEEDED = "DeadlineExceeded", Traits(YOU, _ANOTHER_RUN, ends_run=True)
    EVALUATION_FAILED = (
        "EvaluationFailed",
        Traits(
            YOU,
            "Change the inputs for another run; or lower `minScore` or correct the evaluation set, and the "
            "finished run is scored again for nothing; or promote it as it is with `gitune promote NAME`.",
        ),
    )
    LOST = (
        "Lost",
        Traits(
            YOU,
            "The model was deleted on the provider, or the spec names another provider than the one its run is on "
            "(the message says which). Raise `spec.attempt` to tune it again, or revert to inputs whose run still "
            "exists.",
        ),
    )
    DRIFTED = (
        "Drifted",
        Traits(YOU, "Somebody changed what Gitune knows the model by. Put it back, or raise `spec.attempt`."),
    )
    BASE_MODEL_NOT_TUNABLE = (
        "BaseModelNotTunable",
        Traits(YOU, "Choose a base model that the provider tunes; `gitune doctor` lists them."),
    )
    BASE_MODEL_GONE = (
        "BaseModelGone",
        Traits(
            YOU,
            "The provider no longer has the base model of the run that serves. Choose another one, which is a new run: "
            "`gitune doctor` lists those that can be tuned.",
            passes=True,
        ),
    )
    BUDGET_EXCEEDED = (
        "BudgetExceeded",
        Traits(
            YOU,
            "Raise `policy.budget.perMonth`, or wait for the next month. A run whose outcome is not known counts "
            "as spent.",
            passes=True,
            unpaid=True,
        ),
    )
    PRICE_UNKNOWN = (
        "PriceUnknown",
        Traits(
            YOU,
            "Give the provider's `prices` in gitune.yaml, in the budget's currency and with the day they were "
            "looked up.",
            passes=True,
            unpaid=True,
        ),
    )
    PROVIDER_REJECTED = (
        "ProviderRejected",
        Traits(
            YOU,
            "The message is the provider's own; `gitune doctor` looks for the usual causes.",
            refused=True,
            keeps_intent=True,
        ),
    )
    ATTEMPT_LOWERED = (
        "AttemptLowered",
        Traits(YOU, "An attempt only rises: write the highest one that was paid for, or a new one."),
    )
    NOT_REVIEWED = (
        "NotReviewed",
        Traits(
            YOU,
            "The message says which pull request or commit was not reviewed as it is. `/gitune apply` on that pull "
            "request grants it, or a new pull request that changes the spec; at a terminal "
            "`gitune apply --allow review:NAME`.",
        ),
    )
    GUARDED = (
        "Guarded",
        Traits(
            YOU,
            "Read the plan; if it is meant, allow by name what the message says, such as "
            "`gitune apply --allow creates`.",
            passes=True,
        ),
    )

    # something else ends it
    SUSPENDED = (
        "Suspended",
        Traits(
            "you, whenever you like",
            "Take `suspend: true` out of the spec when it is to go on. It does not count as stalled.",
            unknown=True,
        ),
    )
    EVALUATING = (
        "Evaluating",
        Traits(
            "the provider",
            "Nothing: the finished run is being evaluated in the background, and is then promoted or held. After a "
            "restart the evaluation continues where it stopped.",
            passes=True,
            counts=True,
        ),
    )
    DELETE_PENDING = (
        "DeletePending",
        Traits(
            "the grace period, `policy.deleteGrace`",
            "Bring the spec back, and the model stays; or `gitune approve-delete NAME`, and it is deleted at the "
            "next pass.",
            passes=True,
        ),
    )
    VISIBILITY = ("Visibility", Traits("the provider", "Nothing, for some minutes.", passes=True, announces=True))
    SPEC_MISSING = (
        "SpecMissing",
        Traits(
            "the next pass",
            "Nothing: the next pass checks once more before a run is stopped, since one reading can be wrong.",
            passes=True,
            unknown=True,
        ),
    )
    TREE_INCOMPLETE = (
        "TreeIncomplete",
        Traits(
            "a commit or a file that can be read",
            "Fix what `gitune validate` names. Nothing counts as removed meanwhile.",
            passes=True,
            unknown=True,
        ),
    )
    BASE_MODEL_NOT_READY = (
        "BaseModelNotReady",
        Traits("the other spec", "Nothing, unless that one is held itself.", passes=True, announces=True),
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        Traits(
            "the provider",
            "Nothing: it is tried again when the provider's quota allows.",
            passes=True,
            counts=True,
            announces=True,
            refused=True,
            keeps_intent=True,
        ),
    )
    QUEUED = (
        "Queued",
        Traits("a run that ends", "Nothing: it starts when a run ends.", passes=True, counts=True, announces=True),
    )
    SETTLING = (
        "Settling",
        Traits(
            "the spec being left alone for `policy.settle`",
            "Nothing: the run is started when no edit has come for that long. What tunes goes on meanwhile.",
            passes=True,
            announces=True,
            unpaid=True,
        ),
    )
    INTERRUPTED = (
        "Interrupted",
        Traits(
            "the next pass",
            "Nothing: HEAD moved, the lease went to another daemon, or this one was ending.",
            passes=True,
            not_sent=True,
        ),
    )
    PROVIDER_UNREADABLE = (
        "ProviderUnreadable",
        Traits(
            "the provider",
            "Nothing for a while; then `gitune doctor`. Nothing is cancelled or counted as gone meanwhile.",
            passes=True,
            counts=True,
            unknown=True,
            keeps_intent=True,
        ),
    )


def traits_of(word: str) -> Traits:
    """What is known of a reason as a status file says it; nothing is known of a word of another version of Gitune."""
    return Reason(word).traits if word in set(Reason) else Traits()
