"""An HTTP answer that is not a success, and what its body says, to one of our errors with advice to follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.rest.body import looks_like_html
from controller.rest.failures import Repeat, lost
from controller.rest.redaction import said
from controller.rest.timing import retry_after

CHECK_ENDPOINT = "Check the endpoint: what answers there is not the tuning API, or a proxy stands before it."
Verdict: TypeAlias = tuple[RejectedKind, str, str]  # with words for the message, and a hint


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the body of an error says, as far as it can be read; ``status`` is the API's own word for it.

    ``spoken`` is False where the API itself has said nothing. ``verdict`` stands where the body decides what the
    status code alone does not; ``contended`` says that two writers met.
    """

    spoken: bool = False
    status: str = ""
    message: str = ""
    retry: float | None = None
    helps: tuple[str, ...] = ()
    quotas: tuple[str, ...] = ()
    verdict: Verdict | None = None
    contended: bool = False


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


def refusal(answer: RawResponse, asked: RequestFacts, what: Complaint) -> ProviderError:
    """The error that a status other than 2xx becomes."""
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


# Where the same request is to be made in another place. What remains of 3xx may follow a request that was carried out,
# as 303 does (RFC 9110 §15.4.4).
_ELSEWHERE = frozenset({301, 302, 307, 308})


def _redirect(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    there = location_of(answer, asked)
    to = f" to {said(f'{there.scheme}://{there.hostname}{there.path}', 200)}" if there is not None else ""
    message = f"{asked.endpoint} redirects{to} ({answer.code}); redirects are not followed, the key would go along"
    if asked.repeat is Repeat.ONCE and answer.code not in _ELSEWHERE:
        return lost(message, asked.repeat, sent=True)
    return Rejected(
        message,
        kind=RejectedKind.RESPONSE,
        hint="If that address is the right one, write it as the endpoint; else a proxy or a sign-in page answered.",
    )


def location_of(answer: RawResponse, asked: RequestFacts) -> SplitResult | None:
    """Where a redirect leads to; None where it does not say, or not in a way that can be read."""
    try:
        there = urlsplit(urljoin(f"{asked.endpoint}/", answer.headers.get("location", "")[:2000]))
        there.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    return there if there.hostname and answer.headers.get("location") else None


def _too_many(answer: RawResponse, asked: RequestFacts, what: Complaint) -> Transient:
    used = f" ({', '.join(what.quotas)})" if what.quotas else ""
    return Transient(
        _sentence(asked, "a quota or another resource is used up", answer, what) + used,
        hint=_helped(
            "It is asked again by itself. More quota or room helps; requestsPerMinute in gitune.yaml slows Gitune.",
            what,
        ),
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
    if answer.code == HTTPStatus.CONFLICT and what.contended:
        message = _sentence(asked, "another request was changing it at the same time", answer, what)
        return lost(message, asked.repeat, sent=True, hint="It is asked again on the next pass.")
    kind, words, hint = _verdict(answer, asked, what)
    return Rejected(_sentence(asked, words, answer, what), kind=kind, hint=_helped(hint, what))


def _verdict(answer: RawResponse, asked: RequestFacts, what: Complaint) -> Verdict:
    match answer.code:
        case _ if what.verdict is not None:
            return what.verdict
        case HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            return RejectedKind.UNAUTHENTICATED, "a proxy asks for a sign-in", CHECK_ENDPOINT
        case HTTPStatus.UNAUTHORIZED:
            return RejectedKind.UNAUTHENTICATED, f"{asked.access} was not accepted", CHECK_ENDPOINT
        case HTTPStatus.FORBIDDEN:
            return RejectedKind.FORBIDDEN, "access is refused, by something before the API", CHECK_ENDPOINT
        case HTTPStatus.NOT_FOUND if what.spoken:
            return RejectedKind.NOT_FOUND, "it does not exist there", ""
        case HTTPStatus.CONFLICT:
            return RejectedKind.EXISTS, "the name is taken", "See what already uses that name."
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


def _sentence(asked: RequestFacts, words: str, answer: RawResponse, what: Complaint) -> str:
    code = f"{answer.code} {what.status}".strip()
    if what.message:
        return f"{words}: {what.message} ({code})"
    shape = "a web page" if looks_like_html(answer.body) else "no reason given"
    return f"{asked.endpoint}: {words}: {shape} ({code})"


def _helped(hint: str, what: Complaint) -> str:
    return " ".join(part for part in (hint, *(f"See {link}." for link in what.helps[:1])) if part)


def plain(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    """The error of an answer whose body nobody can read: its status is taken for the other side's own word."""
    return refusal(answer, asked, Complaint(spoken=True))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an API speaks beside HTTP itself.

    ``refuse`` reads the answers that are no success. ``words`` are those of its paths that may be told in a log:
    whatever is not among them may be a name, or as good as a password. ``request_ids`` are the headers (lower case)
    in which it says what it calls a request.
    """

    refuse: Callable[[RawResponse, RequestFacts], ProviderError] = plain
    words: frozenset[str] = frozenset()
    request_ids: tuple[str, ...] = ("x-request-id",)


PLAIN = Dialect()
