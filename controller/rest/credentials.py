"""A key, or nothing, to the headers that prove who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from controller.errors import Rejected, RejectedKind
from controller.rest.secrets import Secret

KEY_HEADER = "x-goog-api-key"  # a header and never ?key=: URLs end up in logs
GET_A_KEY = "Get a key at https://aistudio.google.com/apikey"


class Credentials(Protocol):
    """Who asks. ``name`` says in words what it is, ``hint`` how to mend it."""

    @property
    def name(self) -> str:
        """As in "the key in GEMINI_API_KEY"."""
        ...

    @property
    def hint(self) -> str:
        """What to do when it is not accepted."""
        ...

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        """The headers of one request; ``fresh`` asks for new ones. Raises `ProviderError`."""
        ...

    @property
    def renews(self) -> bool:
        """Whether ``fresh`` can bring other headers."""
        ...


class NoAuth:
    """Nobody in particular."""

    name = "the request"
    hint = "This endpoint wants a key: name its variable in apiKeyEnv."
    renews = False

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - nothing to renew
        """None."""
        return {}


class ApiKey:
    """A key of the Gemini API, sent in a header of its own. ``source`` names where it came from, in words."""

    renews = False

    def __init__(self, key: Secret, source: str) -> None:
        self._key = key
        self.name = f"the key in {source}"
        self.hint = f"{GET_A_KEY} and set {source} to it."

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - a key does not renew
        """The key's header. Raises `Rejected` (UNAUTHENTICATED) for a key that cannot stand in one."""
        text = self._key.reveal().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Rejected(
                f"{self.name} is not a key: it is empty, or has blanks, line ends or other odd characters in it",
                kind=RejectedKind.UNAUTHENTICATED,
                hint=self.hint,
            )
        return {KEY_HEADER: text}
