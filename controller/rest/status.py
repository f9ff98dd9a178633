"""An HTTP answer that is not a success to one of our errors, with advice a person can follow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind, Transient
from controller.rest.body import JSON, BadBody, looks_like_html, parse_json
from controller.rest.failures import LOOK_FIRST, Repeat, lost
from controller.rest.redaction import said
from controller.rest.timing import retry_after, retry_delay

SCOPE = "https://www.googleapis.com/auth/generative-language.tuning"
_STATUS = re.compile(r"[A-Z_]{1,40}")
CHECK_ENDPOINT = "Check the endpoint: what answers there is not the tuning API, or a proxy stands before it."


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error envelope as google.rpc.Status has it, other shapes read as far as they go.

    ``spoken`` is False where the body is no envelope at all: then the API itself has said nothing.
    """

    spoken: bool = False
    status: str = ""
    message: str = ""
    reasons: frozenset[str] = frozenset()
    retry: float | None = None
    helps: tuple[str, ...] = ()
    quotas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A whole answer. Header names are lower case; ``body`` is unpacked."""

    code: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the answer is an answer to. ``access`` names the credentials in words, ``access_hint`` how to fix them."""

    endpoint: str
    repeat: Repeat
    access: str
    access_hint: str
    now: datetime


def complaint(body: bytes) -> Complaint:
    """What an error's body says; never raises."""
    try:
        parsed = parse_json(body)
    except BadBody:
        return Complaint()
    if isinstance(parsed, list) and parsed:  # Google's streaming endpoints wrap the envelope in a list
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, Mapping) else None
    if not isinstance(error, Mapping):
        return Complaint()
    details = [d for d in _items(error.get("details")) if isinstance(d, Mapping)]
    return Complaint(
        spoken=True,
        status=status if _STATUS.fullmatch(status := _text(error.get("status"))) else "",
        message=said(_text(error.get("message"))),
        reasons=frozenset(r for d in details if (r := _text(d.get("reason")))),
        retry=max((s for d in details if (s := retry_delay(_text(d.get("retryDelay")))) is not None), default=None),
        helps=tuple(said(t) for d in details for t in _links(d)),
        quotas=tuple(said(t, 100) for d in details for t in _violations(d)),
    )


def refusal(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    """The error that a status other than 2xx becomes."""
    what = complaint(answer.body)
    if 300 <= answer.code < 400:  # noqa: PLR2004 - the class of redirects
        return _redirect(answer, asked)
    if answer.code == HTTPStatus.TOO_MANY_REQUESTS:
        return _too_many(answer, asked, what)
    if answer.code in _UNPROCESSED or (400 <= answer.code < 500 and answer.code not in _UNSURE):  # noqa: PLR2004
        return _rejected(answer, asked, what)
    return _unsure(answer, asked, what)


# 408 and 499: the server gave up waiting, perhaps in the middle. 409 ABORTED: two writers met.
_UNSURE = frozenset({408, 499})
# Not carried out, whatever else is wrong.
_UNPROCESSED = frozenset({501, 505})


def _redirect(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    there = urlsplit(answer.headers.get("location", "")[:2000])
    to = f" to {said(f'{there.scheme}://{there.hostname}', 120)}" if there.hostname else ""
    return Rejected(
        f"{asked.endpoint} redirects{to} ({answer.code}); redirects are not followed, the key would go along",
        kind=RejectedKind.RESPONSE,
        hint="If that address is the right one, write it as the endpoint; else a proxy or a sign-in page answered.",
    )


def _too_many(answer: RawResponse, asked: RequestFacts, what: Complaint) -> Transient:
    used = f" ({', '.join(what.quotas)})" if what.quotas else ""
    return Transient(
        _sentence(asked, "the quota is used up", answer, what) + used,
        hint=_helped("Wait, or ask for more quota; requestsPerMinute in gitune.yaml slows Gitune down.", what),
        retry_after=_wait(answer, asked, what),
        quota=True,
    )


def _wait(answer: RawResponse, asked: RequestFacts, what: Complaint) -> float | None:
    """Seconds until it may be asked again, as header or body say; the longer of both."""
    waits = [w for w in (what.retry, retry_after(answer.headers.get("retry-after"), asked.now)) if w is not None]
    return max(waits, default=None)


def _unsure(answer: RawResponse, asked: RequestFacts, what: Complaint) -> ProviderError:
    message = _sentence(asked, "the API failed", answer, what)
    error = lost(message, asked.repeat, sent=True, hint="Nothing to fix here: it is asked again on the next pass.")
    if isinstance(error, Transient):
        error.retry_after = _wait(answer, asked, what)
    return error


def _rejected(answer: RawResponse, asked: RequestFacts, what: Complaint) -> ProviderError:
    if answer.code == HTTPStatus.CONFLICT and what.status == "ABORTED":
        message = _sentence(asked, "another request was changing it at the same time", answer, what)
        return (
            OutcomeUnknown(message, hint=LOOK_FIRST)
            if asked.repeat is Repeat.ONCE
            else Transient(message, hint="It is asked again on the next pass.")
        )
    kind, words, hint = _verdict(answer, asked, what)
    return Rejected(_sentence(asked, words, answer, what), kind=kind, hint=_helped(hint, what))


def _verdict(answer: RawResponse, asked: RequestFacts, what: Complaint) -> tuple[RejectedKind, str, str]:
    if _about_access(answer, what):
        return _access(answer, asked, what)
    match answer.code:
        case HTTPStatus.NOT_FOUND if what.spoken:
            return RejectedKind.NOT_FOUND, "there is no such thing", ""
        case HTTPStatus.CONFLICT:
            return RejectedKind.EXISTS, "the name is taken", "See what already uses that name."
        case HTTPStatus.BAD_REQUEST if what.status == "FAILED_PRECONDITION":
            return RejectedKind.PRECONDITION, "the API refuses in this state", _PRECONDITION_HINT
        case HTTPStatus.NOT_IMPLEMENTED | HTTPStatus.METHOD_NOT_ALLOWED:
            return RejectedKind.UNSUPPORTED, "the API has no such operation", CHECK_ENDPOINT
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return RejectedKind.INVALID, "the request is too large", "Fewer or shorter examples make it smaller."
        case _ if not what.spoken:
            return RejectedKind.RESPONSE, "the tuning API did not answer here", CHECK_ENDPOINT
        case HTTPStatus.GONE:
            return RejectedKind.PRECONDITION, "what was asked for has expired", ""
        case _:
            return RejectedKind.INVALID, "the request is refused", ""


_PRECONDITION_HINT = (
    "Often the region or the billing: the free tier is not offered everywhere; "
    "see https://ai.google.dev/gemini-api/docs/available-regions and the billing of the key's project."
)
_ACCESS_STATUSES = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


def _about_access(answer: RawResponse, what: Complaint) -> bool:
    # Google answers 400, not 401, to a key it does not know.
    return (
        answer.code in {401, 403, 407}
        or what.status in _ACCESS_STATUSES
        or bool(what.reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"})
        or (answer.code == HTTPStatus.BAD_REQUEST and what.message.startswith("API key "))
    )


def _access(answer: RawResponse, asked: RequestFacts, what: Complaint) -> tuple[RejectedKind, str, str]:
    if answer.code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return RejectedKind.UNAUTHENTICATED, "a proxy asks for a sign-in", CHECK_ENDPOINT
    if answer.code == HTTPStatus.FORBIDDEN or what.status == "PERMISSION_DENIED":
        return _forbidden(asked, what)
    if not what.spoken:
        return RejectedKind.UNAUTHENTICATED, f"{asked.access} was not accepted", CHECK_ENDPOINT
    return RejectedKind.UNAUTHENTICATED, f"{asked.access} is not valid", asked.access_hint


def _forbidden(asked: RequestFacts, what: Complaint) -> tuple[RejectedKind, str, str]:
    if "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in what.reasons or "insufficient authentication scopes" in what.message:
        return RejectedKind.FORBIDDEN, f"{asked.access} lacks a scope", f"Grant it the scope {SCOPE}."
    if "CONSUMER_SUSPENDED" in what.reasons:
        return RejectedKind.FORBIDDEN, "the project is suspended", "See the project in the Google Cloud console."
    if "SERVICE_DISABLED" in what.reasons:
        return RejectedKind.FORBIDDEN, "the API is not enabled", "Enable generativelanguage.googleapis.com there."
    if not what.spoken:
        return RejectedKind.FORBIDDEN, "access is refused, by something before the API", CHECK_ENDPOINT
    return (
        RejectedKind.FORBIDDEN,
        f"{asked.access} may not do this",
        "Let the model's owner share it, or use their key.",
    )


def _sentence(asked: RequestFacts, words: str, answer: RawResponse, what: Complaint) -> str:
    code = f"{answer.code} {what.status}".strip()
    if what.message:
        return f"{words}: {what.message} ({code})"
    shape = "a web page" if looks_like_html(answer.body) else "no reason given"
    return f"{asked.endpoint}: {words}: {shape} ({code})"


def _helped(hint: str, what: Complaint) -> str:
    return " ".join(part for part in (hint, *(f"See {link}." for link in what.helps[:1])) if part)


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
