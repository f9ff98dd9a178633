"""A refusal in, the JSON envelope of a google.rpc.Status out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class StatusCode(Enum):
    """The codes of google.rpc.Code in use here: the number inside an operation, the HTTP status of a refusal."""

    CANCELLED = (1, 499)
    INVALID_ARGUMENT = (3, 400)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    FAILED_PRECONDITION = (9, 400)
    RESOURCE_EXHAUSTED = (8, 429)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)

    def __init__(self, number: int, http: int) -> None:
        self.number = number
        self.http = http


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of a request and its field, as a JSON path such as ``tuningTask.hyperparameters.batchSize``."""

    field: str
    description: str


class ApiError(Exception):
    """A request that is answered with an error; ``http`` differs from the code's own only for 405 and 413."""

    def __init__(
        self, code: StatusCode, message: str, *, details: Sequence[Mapping[str, Json]] = (), http: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.http = code.http if http is None else http


def invalid(*violations: Violation) -> ApiError:
    """The refusal of a malformed request: every fault in the message, and each with its field as BadRequest details."""
    details: dict[str, Json] = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": v.field, "description": v.description} for v in violations],
    }
    message = "\n".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)
    return ApiError(StatusCode.INVALID_ARGUMENT, message, details=[details])


def envelope(refused: ApiError) -> dict[str, Json]:
    """The body of an error answer."""
    error: dict[str, Json] = {"code": refused.http, "message": refused.message, "status": refused.code.name}
    if refused.details:
        error["details"] = list(refused.details)
    return {"error": error}
