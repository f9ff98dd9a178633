"""Who asks: the promise of all credentials, and nobody in particular."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Credentials(Protocol):
    """Who asks. ``name`` says in words what it is, ``hint`` how to fix it."""

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
