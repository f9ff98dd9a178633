"""Who asks: what all credentials promise, nobody in particular, and one request for those that fetch their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import httpx

from controller.rest.failures import FOREIGN, meaning
from controller.rest.status import RawResponse


class Credentials(Protocol):
    """Who asks. ``name`` says in words what it is, ``hint`` how to fix it."""

    @property
    def name(self) -> str:
        """As in "the key in MY_API_KEY"."""
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


_LARGEST = 1024 * 1024  # bytes


def ask_once(
    method: str, url: str, body: bytes | str | None, headers: Mapping[str, str], seconds: float
) -> RawResponse | str:
    """One blocking request: the answer, at most 1 MB of it, as it came; else, in words, what kept it.

    Words and no exception: one raised here would carry the foreign one along, and its text may hold a token.
    """
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=seconds) as client,
            client.stream(method, url, content=body, headers=dict(headers)) as response,
        ):
            data = bytearray()
            for part in response.iter_raw():
                data += part
                if len(data) > _LARGEST:
                    raise httpx.DecodingError("too large")
    except FOREIGN as error:
        return meaning(error).message
    return RawResponse(response.status_code, response.headers, bytes(data))
