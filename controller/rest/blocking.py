"""One blocking request of a library that fetches tokens by itself, to its answer, or to why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from controller.rest.failures import FOREIGN, meaning
from controller.rest.status import RawResponse

_LARGEST = 1024 * 1024  # bytes


def ask_once(
    method: str, url: str, body: bytes | str | None, headers: Mapping[str, str], seconds: float
) -> RawResponse | str:
    """The answer, at most 1 MB of it, as it came; else, in words, what kept it.

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
