"""Who asks: what all credentials promise, nobody in particular, and one request for those that fetch their tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import httpx

from controller.errors import Rejected
from controller.network import Proxy
from controller.rest.backend import counted
from controller.rest.body import BadBody, read_bounded
from controller.rest.failures import FOREIGN, meaning
from controller.rest.status import RawResponse
from controller.rest.way import as_httpx, proxy_of, verifying


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

    For threads without a loop; ``seconds`` holds for the whole of it, however slowly the answer comes. Words and no
    exception: one raised here would carry the foreign one along, and its text may hold a token.
    """
    try:
        proxy = proxy_of(url)
        return asyncio.run(_asked(httpx.Request(method, url, content=body, headers=dict(headers)), proxy, seconds))
    except Rejected as error:
        return error.message
    except TimeoutError:
        return "no whole answer in time"
    except BadBody as fault:
        return fault.message
    except FOREIGN as error:
        return meaning(error, proxy).message


async def _asked(request: httpx.Request, proxy: Proxy | None, seconds: float) -> RawResponse:
    transport = counted(
        httpx.AsyncHTTPTransport(
            verify=verifying() if request.url.scheme == "https" else True,
            proxy=None if proxy is None else as_httpx(proxy),
            trust_env=False,
        ),
        _LARGEST,
    )
    async with asyncio.timeout(seconds), httpx.AsyncClient(transport=transport, timeout=seconds) as client:
        response = await client.send(request, stream=True, follow_redirects=False)
        try:
            body = await read_bounded(response.aiter_raw(), "", _LARGEST, _LARGEST)
        finally:
            await response.aclose()
    return RawResponse(response.status_code, response.headers, body)
