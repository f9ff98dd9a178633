"""An error of one of Google's APIs, a google.rpc.Status as JSON, to what it says and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from controller.errors import ProviderError, RejectedKind
from controller.providers.google.credentials import SCOPE
from controller.providers.google.json_fields import Object, an_object, objects, text
from controller.rest import BadBody, Complaint, Dialect, RawResponse, RequestFacts, parse_json, refusal, said
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
    error = an_object(parsed).get("error")
    if not isinstance(error, Mapping):
        return Complaint()
    details = objects(error.get("details"))
    status = found if _STATUS.fullmatch(found := text(error, "status")) else ""
    message = said(text(error, "message"))
    links = [text(link, "url") for d in details for link in objects(d.get("links"))]
    quotas = [_quota(violation) for d in details for violation in objects(d.get("violations"))]
    return Complaint(
        spoken=True,
        status=status,
        message=message,
        retry=max((s for d in details if (s := retry_delay(text(d, "retryDelay"))) is not None), default=None),
        helps=tuple(said(link) for link in links if link.startswith("https://")),
        quotas=tuple(said(quota, 100) for quota in quotas if quota),
        verdict=_verdict(answer.code, asked, status, message, frozenset(text(d, "reason") for d in details)),
        contended=status == "ABORTED",
    )


def _quota(violation: Object) -> str:
    return text(violation, "quotaId") or text(violation, "subject") or text(violation, "description")


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
    bad_key = code == HTTPStatus.BAD_REQUEST and message.startswith("API key ")
    bad_key = bad_key or not reasons.isdisjoint({"API_KEY_INVALID", "API_KEY_EXPIRED"})
    if bad_key or code == HTTPStatus.UNAUTHORIZED or status == "UNAUTHENTICATED":
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
    hint = "Let the model's owner share it, or use their key."
    return RejectedKind.FORBIDDEN, f"{asked.access} may not do this", hint


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
