"""An error of one of Google's APIs, a google.rpc.Status as JSON, to what it says and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from controller.errors import ProviderError, RejectedKind
from controller.providers.google.credentials import SCOPE
from controller.rest import JSON, BadBody, Complaint, Dialect, RawResponse, RequestFacts, parse_json, refusal, said
from controller.rest.status import Verdict
from controller.rest.timing import retry_delay

_STATUS = re.compile(r"[A-Z_]{1,40}")


def refuse(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    """The error that a status other than 2xx becomes."""
    return refusal(answer, asked, complaint(answer, asked))


def complaint(answer: RawResponse, asked: RequestFacts) -> Complaint:
    """What an error's body says, other shapes read as far as they go; never raises."""
    try:
        parsed = parse_json(answer.body)
    except BadBody:
        return Complaint()
    if isinstance(parsed, list) and parsed:  # Google's streaming endpoints wrap the envelope in a list
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, Mapping) else None
    if not isinstance(error, Mapping):
        return Complaint()
    details = [d for d in _items(error.get("details")) if isinstance(d, Mapping)]
    status = found if _STATUS.fullmatch(found := _text(error.get("status"))) else ""
    message = said(_text(error.get("message")))
    reasons = frozenset(r for d in details if (r := _text(d.get("reason"))))
    return Complaint(
        spoken=True,
        status=status,
        message=message,
        retry=max((s for d in details if (s := retry_delay(_text(d.get("retryDelay")))) is not None), default=None),
        helps=tuple(said(t) for d in details for t in _links(d)),
        quotas=tuple(said(t, 100) for d in details for t in _violations(d)),
        verdict=_verdict(answer.code, asked, status, message, reasons),
        contended=status == "ABORTED",
    )


_PRECONDITION_HINT = (
    "Often the region or the billing: the free tier is not offered everywhere; "
    "see https://ai.google.dev/gemini-api/docs/available-regions and the billing of the key's project."
)


def _verdict(code: int, asked: RequestFacts, status: str, message: str, reasons: frozenset[str]) -> Verdict | None:
    """What the status word and the reasons decide; None where the code alone does."""
    if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return None
    if code == HTTPStatus.FORBIDDEN or status == "PERMISSION_DENIED":
        return _forbidden(asked, message, reasons)
    # Google answers 400, not 401, to a key it does not know.
    unknown = code == HTTPStatus.BAD_REQUEST and message.startswith("API key ")
    if status == "UNAUTHENTICATED" or reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"} or unknown:
        return RejectedKind.UNAUTHENTICATED, f"{asked.access} is not valid", asked.access_hint
    if code == HTTPStatus.BAD_REQUEST and status == "FAILED_PRECONDITION":
        return RejectedKind.PRECONDITION, "the API refuses in this state", _PRECONDITION_HINT
    return None


def _forbidden(asked: RequestFacts, message: str, reasons: frozenset[str]) -> Verdict:
    if "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in reasons or "insufficient authentication scopes" in message:
        return RejectedKind.FORBIDDEN, f"{asked.access} lacks a scope", f"Grant it the scope {SCOPE}."
    if "CONSUMER_SUSPENDED" in reasons:
        return RejectedKind.FORBIDDEN, "the project is suspended", "See the project in the Google Cloud console."
    if "SERVICE_DISABLED" in reasons:
        return RejectedKind.FORBIDDEN, "the API is not enabled", "Enable generativelanguage.googleapis.com there."
    return (
        RejectedKind.FORBIDDEN,
        f"{asked.access} may not do this",
        "Let the model's owner share it, or use their key.",
    )


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def _items(value: JSON) -> Sequence[JSON]:
    return value if isinstance(value, list) else ()


def _links(detail: Mapping[str, JSON]) -> list[str]:
    links = [link for link in _items(detail.get("links")) if isinstance(link, Mapping)]
    return [url for link in links if (url := _text(link.get("url"))).startswith("https://")]


def _violations(detail: Mapping[str, JSON]) -> list[str]:
    found = [v for v in _items(detail.get("violations")) if isinstance(v, Mapping)]
    return [
        t for v in found if (t := _text(v.get("quotaId")) or _text(v.get("subject")) or _text(v.get("description")))
    ]


GOOGLE = Dialect(
    refuse,
    words=frozenset(
        (
            *("v1", "v1beta", "v1beta1", "projects", "locations", "publishers", "endpoints"),
            *("models", "tunedModels", "tuningJobs", "operations", "permissions", "files", "jobs", "batches"),
            *("generateContent", "cancel", "fine-tunes"),
        )
    ),
    request_ids=("x-request-id", "x-goog-request-id"),
)
