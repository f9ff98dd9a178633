"""The process's environment to what httpx goes through, a proxy, and checks certificates by."""

from __future__ import annotations

import os
import ssl

import httpx

from controller.network import Proxy, authorities, passwords, proxy_for
from controller.rest.redaction import know


def proxy_of(url: str) -> Proxy | None:
    """The proxy on the way to an address, passwords of proxies known to `redact`. Raises `Rejected`."""
    for secret in passwords(os.environ):
        know(secret)
    return proxy_for(url, os.environ)


def as_httpx(proxy: Proxy) -> httpx.Proxy:
    """The same for httpx. A proxy that is spoken to over TLS is checked like every other server."""
    return httpx.Proxy(proxy.url, ssl_context=verifying() if proxy.url.startswith("https://") else None)


def verifying() -> ssl.SSLContext:
    """What certificates are checked by: the authorities of the environment, else the well-known ones.

    Raises `Rejected` for variables that name none.
    """
    named = authorities(os.environ)
    return httpx.create_ssl_context(trust_env=False) if named is None else named.context()
