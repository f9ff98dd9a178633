"""One exception tree, whose classes say what may be done next, and the problems that a file can have.

ControllerError
├── SpecInvalid          a file a user wrote is wrong: it has to be edited; carries every problem found
├── UnsafePlan           the plan was refused by a guard: a person has to allow it by name
├── RevisionConflict     somebody else wrote first: read again, decide again
├── SourceError          the desired side cannot be read whole: observe only
├── Unreadable           one path cannot be read: what rests on it is held, the rest goes on (``code`` says why)
├── CodeHostError        the code host did not do what was asked: what was paid for is not touched by that
├── LedgerError          the record cannot be read or written: no effect may be carried out
└── ProviderError        the tuning API did not do what was asked
    ├── Transient        ask again later; nothing happened (may carry ``retry_after``)
    │   └── Interrupted  not asked at all: the pass may not go on
    ├── Rejected         the same request will never succeed (``kind`` says why)
    └── OutcomeUnknown   it may have happened: look before asking again
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final


class Severity(StrEnum):
    """How much a problem matters: an error holds its spec; a warning and advice hold nothing."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with one place of one file. ``line`` and ``column`` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str = ""

    def __str__(self) -> str:
        """``file:line:column: CODE message``, as editors and terminals link it."""
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}"


_in_order: Final = attrgetter("file", "line", "column", "code", "message", "severity", "hint")


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, sorted as problems are, without comparing them in pairs."""
    return tuple(sorted(set(problems), key=_in_order))


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """What a code of problems stands for. One that is ``fixed`` keeps its severity, whatever a team's policy says."""

    severity: Severity
    meaning: str
    fixed: bool = False


class ControllerError(Exception):
    """Whatever Gitune raises on purpose. ``hint`` is the next step for a person, one sentence."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SpecInvalid(ControllerError):
    """Files a user wrote are wrong. ``problems`` holds every one found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = "") -> None:
        first = str(problems[0]) if problems else "no problem named"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(first + more, hint=hint)
        self.problems = problems


class UnsafePlan(ControllerError):
    """A guard refused the plan as a whole."""


class RevisionConflict(ControllerError):
    """A compare-and-swap lost: the ref or file is not what was read. Read again."""


class SourceError(ControllerError):
    """The repository or folder of specs cannot be read. Nothing may be taken for removed."""


class Unreadable(ControllerError):
    """One path of the desired side cannot be read. ``code`` is stable (GT4xx), the message names the path.

    ``meant`` is the path that the hint suggests, "" where it suggests none. ``unseen`` is True where nobody looked:
    then nothing is known to be wrong.
    """

    def __init__(self, message: str, *, code: str, hint: str = "", meant: str = "", unseen: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.meant = meant
        self.unseen = unseen


class CodeHostError(ControllerError):
    """The code host failed. ``lost`` is True where the request may have been carried out: look before asking again.

    ``retry_after`` (seconds) says when to ask again, None where that is no use; ``missing`` is True for a 404,
    ``forbidden`` for a 403: the token may not do it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        lost: bool = False,
        missing: bool = False,
        forbidden: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.lost = lost
        self.missing = missing
        self.forbidden = forbidden
        self.retry_after = retry_after


class LedgerError(ControllerError):
    """The ledger cannot be read or written. Without a durable record nothing may be paid for."""


class ProviderError(ControllerError):
    """The tuning API failed. ``provider`` is its key in gitune.yaml where it is known."""

    def __init__(self, message: str, *, hint: str = "", provider: str = "") -> None:
        super().__init__(message, hint=hint)
        self.provider = provider


class Transient(ProviderError):
    """Nothing happened; asking again later may work.

    ``retry_after`` is in seconds, None where unsaid; ``quota`` is True where a quota or a rate is used up (429).
    """

    def __init__(
        self, message: str, *, hint: str = "", provider: str = "", retry_after: float | None = None, quota: bool = False
    ) -> None:
        super().__init__(message, hint=hint, provider=provider)
        self.retry_after = retry_after
        self.quota = quota


class Interrupted(Transient):
    """The request was not sent: the daemon ends, HEAD moved, or another one holds the lease. The next pass decides."""


class RejectedKind(StrEnum):
    """Why a request can never succeed as it is."""

    INVALID = "invalid"  # 400, 422: the request itself
    UNAUTHENTICATED = "unauthenticated"  # a bad or missing key (some answer 400 to one) or token
    FORBIDDEN = "forbidden"  # 403: scopes, permission, suspended project
    NOT_FOUND = "not_found"  # 404
    EXISTS = "exists"  # 409: the id is taken
    PRECONDITION = "precondition"  # 400 FAILED_PRECONDITION: region, billing, state
    UNSUPPORTED = "unsupported"  # the provider has no such operation
    NO_ANSWER = "no_answer"  # a tuned model gave none to this prompt: blocked, or stopped before it
    RESPONSE = "response"  # the answer to a read could not be understood


class Rejected(ProviderError):
    """The same request will never succeed."""

    def __init__(self, message: str, *, kind: RejectedKind, hint: str = "", provider: str = "") -> None:
        super().__init__(message, hint=hint, provider=provider)
        self.kind = kind

    @property
    def is_about_the_prompt(self) -> bool:
        """Whether a model that was asked refused what it was asked, which says nothing of any other prompt."""
        return self.kind in {RejectedKind.NO_ANSWER, RejectedKind.INVALID}


class OutcomeUnknown(ProviderError):
    """The request may have been carried out. Look before asking again."""
