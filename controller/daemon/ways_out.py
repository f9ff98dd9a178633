"""A reason to what a person does about it. The long form is docs/lifecycle.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from controller.conditions import Reason

_RAISE = "Change the training inputs or raise spec.attempt; both say in git that another run may be paid for."

WAYS_OUT: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.INVALID_SPEC: "Mend what `gitune validate` names and commit. Until then the model stays as it is.",
        Reason.INVALID_DATASET: "Mend what `gitune validate` names and commit. Until then the model stays as it is.",
        Reason.DATASET_UNREACHABLE: "Commit the dataset as a plain file under the path that the spec names.",
        Reason.OUTCOME_UNKNOWN: (
            "Look at the provider. Is the model there: `gitune adopt NAME MODEL`; "
            "is it not: `gitune forget NAME --intent`."
        ),
        Reason.FOREIGN_MODEL: (
            "Rename the spec. A model without a mark can be taken over with `gitune adopt NAME MODEL`; "
            "one that was yours under another name of this repository, with `instance:` in gitune.yaml."
        ),
        Reason.RUN_FAILED: _RAISE,
        Reason.RUN_CANCELLED: _RAISE,
        Reason.DEADLINE_EXCEEDED: _RAISE,
        Reason.EVALUATION_FAILED: "Change the inputs, lower minScore, or let it in with `gitune promote NAME`.",
        Reason.LOST: "Raise spec.attempt to tune it again, or revert to inputs whose run still exists.",
        Reason.DRIFTED: "Put back what was changed on the provider, or raise spec.attempt.",
        Reason.BASE_MODEL_NOT_TUNABLE: "Choose a base model that the provider tunes; `gitune doctor` lists them.",
        Reason.BUDGET_EXCEEDED: "Raise policy.budget, or wait for the next month.",
        Reason.PRICE_UNKNOWN: "Give the provider a price table for this base model, or take the budget out.",
        Reason.PROVIDER_REJECTED: "The message is the provider's own; `gitune doctor` looks for the usual causes.",
        Reason.GUARDED: "Read the plan; if it is meant, allow it by name with `gitune apply --allow …`.",
        Reason.NOT_REVIEWED: (
            "Say `/gitune apply` on the pull request that the message names, or `gitune apply --allow review:NAME`."
        ),
        Reason.SUSPENDED: "Take `suspend: true` out of the spec when it is to go on.",
        Reason.QUEUED: "Nothing: it starts when a run ends.",
        Reason.QUOTA_EXCEEDED: "Nothing: it is tried again when the provider's quota allows.",
        Reason.PROVIDER_UNREADABLE: "Nothing for a while; then `gitune doctor`.",
        Reason.BASE_MODEL_NOT_READY: "Nothing, unless the spec it is tuned on is held itself.",
        Reason.DELETE_PENDING: "Nothing: it is deleted after the grace period. Put the spec back to keep the model.",
    }
)


def way_out(reason: str) -> str:
    """The sentence for a reason; "" where it passes by itself and nobody need know more."""
    return next((text for known, text in WAYS_OUT.items() if known == reason), "")
