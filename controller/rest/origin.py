"""An endpoint as written to one that may be asked: https anywhere, plain http only on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from controller.errors import Rejected, RejectedKind
from controller.rest.texts import said

HINT = "Write it as https://HOST, or as http://127.0.0.1:PORT for a server on this machine."


def checked_endpoint(endpoint: str) -> str:
    """The endpoint without a slash at its end. Raises `Rejected` (PRECONDITION) where it may not be asked."""
    parts = _split(endpoint)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _refused(endpoint, "is not an http or https address")
    if parts.username or parts.password:
        raise _refused(endpoint, "has a user or password in it; credentials have their own place")
    if parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in endpoint):
        raise _refused(endpoint, "has a query, a fragment or blanks in it")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise _refused(endpoint, "is plain http to another machine: keys and data would be readable on the way")
    return endpoint.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its spelling alone: no name but ``localhost`` is trusted to stay here."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(endpoint: str) -> SplitResult | None:
    try:
        parts = urlsplit(endpoint)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    return parts


def _refused(endpoint: str, why: str) -> Rejected:
    return Rejected(f"the endpoint {said(endpoint, 120)} {why}", kind=RejectedKind.PRECONDITION, hint=HINT)
