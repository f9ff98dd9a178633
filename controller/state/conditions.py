"""The conditions of one model, as in Kubernetes but without a time that moves by itself."""

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


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. ``reason`` is a word of `Reason`, or the word of another version of Gitune."""

    type: ConditionType
    status: Truth
    reason: str
    message: str = ""
