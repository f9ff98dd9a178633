"""What repeating a request would do, and a failure's facts, to the error that says what may be done next."""

from __future__ import annotations

from enum import StrEnum

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind, Transient

LOOK_FIRST = "It may have been carried out: look for it before asking again."


class Repeat(StrEnum):
    """What happens when the same request is carried out twice."""

    READ = "read"  # nothing: a question
    HARMLESS = "harmless"  # what the first one did already: an update, a delete, a cancel
    ONCE = "once"  # it would be paid for twice


def lost(message: str, repeat: Repeat, *, sent: bool, hint: str = "") -> ProviderError:
    """The error of a request without a usable answer; ``sent`` is True where bytes of it may have left."""
    if sent and repeat is Repeat.ONCE:
        return OutcomeUnknown(message, hint=LOOK_FIRST)
    return Transient(message, hint=hint)


def garbled(message: str, repeat: Repeat, *, broken: bool, hint: str = "") -> ProviderError:
    """The error of an answer that cannot be read; ``broken`` is True where asking again may bring a whole one."""
    if repeat is Repeat.ONCE:
        return OutcomeUnknown(message, hint=LOOK_FIRST)
    if broken:
        return Transient(message, hint=hint)
    return Rejected(message, kind=RejectedKind.RESPONSE, hint=hint)
