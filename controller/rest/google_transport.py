"""google-auth's token requests to answers, over httpx: its own transports would bring a second HTTP client along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from controller.rest.foreign import FOREIGN, meaning
from controller.rest.origin import is_loopback

_LARGEST = 1024 * 1024
# Google's metadata addresses are http by design; everything else that hands out tokens is https or this machine.
_METADATA = frozenset({"metadata.google.internal", "169.254.169.254", "fd00:ec2::254"})


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """What google-auth reads of an answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


class TokenRequest:
    """A callable with the signature of google.auth.transport.Request."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> TokenResponse:
        """The answer, at most 1 MB of it. Raises google-auth's TransportError."""
        from google.auth.exceptions import TransportError  # noqa: PLC0415 - only once google-auth is in use

        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or "") and parts.hostname not in _METADATA:
            raise TransportError("a token is not asked for over plain http")
        try:
            return self._send(url, method, body, headers, timeout)
        except FOREIGN as error:
            fault = meaning(error).message
        raise TransportError(f"{parts.hostname}: {fault}", retryable=True)

    def _send(
        self,
        url: str,
        method: str,
        body: bytes | str | None,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> TokenResponse:
        wait = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout)
        with self._client.stream(method, url, content=body, headers=dict(headers or {}), timeout=wait) as response:
            data = bytearray()
            for part in response.iter_raw():
                data += part
                if len(data) > _LARGEST:
                    raise httpx.DecodingError("too large")
        plain = response.status_code == HTTPStatus.OK or response.status_code >= HTTPStatus.BAD_REQUEST
        return TokenResponse(response.status_code if plain else HTTPStatus.BAD_GATEWAY, response.headers, bytes(data))
