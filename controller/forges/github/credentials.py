"""A token of GitHub (a workflow's own, a person's or an app's) to the headers of a request."""

from __future__ import annotations

from collections.abc import Mapping

from controller.errors import Rejected, RejectedKind
from controller.rest import Secret

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
        text = self._token.reveal().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Rejected(
                "the GitHub token is empty or not a token", kind=RejectedKind.UNAUTHENTICATED, hint=self.hint
            )
        return {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {text}",
            "x-github-api-version": VERSION,
        }
