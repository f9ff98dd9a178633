"""A token of GitHub to the headers of a request, and an answer that is no success to one of our errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.forges.github.fields import text
from controller.rest import (
    BadBody,
    Complaint,
    Dialect,
    RawResponse,
    Repeat,
    RequestFacts,
    Secret,
    location_of,
    lost,
    parse_json,
    refusal,
    retry_after,
    said,
)

VERSION = "2022-11-28"  # https://docs.github.com/rest/about-the-rest-api/api-versions


class Token:
    """A bearer token; GitHub tells its kinds apart by itself."""

    renews = False
    name = "the GitHub token"
    hint = "In a workflow pass `github-token: ${{ github.token }}` and give the job the permissions of docs/action.md."

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - a token does not renew
        """The headers that every request bears. Raises `Rejected` for a token that cannot stand in one."""
        token = self._token.reveal().strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Rejected(
                "the GitHub token is empty or not a token", kind=RejectedKind.UNAUTHENTICATED, hint=self.hint
            )
        return {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token}",
            "x-github-api-version": VERSION,
        }


# GitHub asks for at least a minute where a secondary limit names no time:
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
_SECONDARY_WAIT = 60.0
_LIMITED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_KINDS: Mapping[int, tuple[RejectedKind, str]] = {
    400: (RejectedKind.INVALID, "GitHub refuses the request"),
    401: (RejectedKind.UNAUTHENTICATED, "GitHub does not know the token"),
    403: (RejectedKind.FORBIDDEN, "the token may not do this"),
    404: (RejectedKind.NOT_FOUND, "GitHub has no such resource, or does not show it to this token"),
    409: (RejectedKind.EXISTS, "GitHub sees a conflict"),
    410: (RejectedKind.NOT_FOUND, "it is gone from GitHub"),
    422: (RejectedKind.INVALID, "GitHub refuses the request"),
}
_LOWEST_FAILURE = 500
# Where a renamed or transferred repository is found by its number:
# https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
_BY_NUMBER = re.compile(r"/repositories/([0-9]{1,18})(?:/.*)?")


class Moved(Rejected):
    """The repository has another name by now; ``number`` is what it keeps."""

    def __init__(self, message: str, number: str) -> None:
        super().__init__(message, kind=RejectedKind.NOT_FOUND, hint=MOVED_HINT)
        self.number = number


MOVED_HINT = (
    "It was renamed or transferred: give Gitune the new name, and leave `instance:` in gitune.yaml as it was, since "
    "owner marks of the models hold it."
)


def refuse(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    """The error that a status other than 2xx becomes."""
    message = _message(answer)
    if answer.code in _LIMITED and (wait := _wait(answer, asked, message)) is not None:
        return Transient(
            f"GitHub's rate limit is used up: {message or 'no reason given'} ({answer.code})",
            hint="It is asked again when the limit lets it; fewer pushes at once use less of it.",
            retry_after=wait,
            quota=True,
        )
    if 300 <= answer.code < 400:  # noqa: PLR2004 - the class of redirects
        return _redirect(answer, asked)
    if answer.code >= _LOWEST_FAILURE:
        words = f"GitHub failed: {message or 'no reason given'} ({answer.code})"
        return lost(words, asked.repeat, sent=True, hint="See https://www.githubstatus.com, then run the job again.")
    kind, words = _KINDS.get(answer.code, (RejectedKind.RESPONSE, "GitHub answered in a way that is not understood"))
    return Rejected(f"{words}: {message or 'no reason given'} ({answer.code})", kind=kind, hint=_hint(answer, asked))


def _redirect(answer: RawResponse, asked: RequestFacts) -> ProviderError:
    there, here = location_of(answer, asked), urlsplit(asked.endpoint)
    ours = there is not None and (there.scheme, there.netloc) == (here.scheme, here.netloc)
    if there is None or not ours or not (found := _BY_NUMBER.fullmatch(there.path.removeprefix(here.path))):
        return refusal(answer, asked, Complaint())
    return Moved(f"the repository has moved ({answer.code}); redirects are not followed", found[1])


def _wait(answer: RawResponse, asked: RequestFacts, message: str) -> float | None:
    """Seconds until the limit is open again; None where this is no rate limit."""
    named = retry_after(answer.headers.get("retry-after"), asked.now)
    if named is not None:
        return named
    if answer.headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = answer.headers.get("x-ratelimit-reset", "").strip()
        known = reset.isascii() and reset.isdigit() and len(reset) < 12  # noqa: PLR2004 - seconds of thousands of years
        return max(0.0, float(reset) - asked.now.timestamp()) + 1.0 if known else _SECONDARY_WAIT
    if answer.code == HTTPStatus.TOO_MANY_REQUESTS or "secondary rate limit" in message.lower():
        return _SECONDARY_WAIT
    return None


def _hint(answer: RawResponse, asked: RequestFacts) -> str:
    if answer.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        needed = answer.headers.get("x-accepted-github-permissions", "")
        return f"{asked.access_hint} Needed here: {said(needed, 100)}." if needed else asked.access_hint
    return "This is a fault of Gitune: please report it." if asked.repeat is not Repeat.READ else ""


def _message(answer: RawResponse) -> str:
    try:
        return said(text(parse_json(answer.body), "message"))
    except BadBody:
        return ""


DIALECT = Dialect(refuse, request_ids=("x-request-id", "x-github-request-id"))
