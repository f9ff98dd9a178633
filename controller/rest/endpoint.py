"""An endpoint as written to one that may be asked, and a request to what may be told of it: route and id."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from controller.errors import Rejected, RejectedKind
from controller.rest.redaction import said

ENDPOINT_HINT = "Write it as https://HOST, or as http://127.0.0.1:PORT for a server on this machine."


def checked_endpoint(endpoint: str) -> str:
    """The endpoint without a slash at its end. Raises `Rejected` (PRECONDITION) where it may not be asked."""
    parts = _split(endpoint)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _refused_endpoint(endpoint, "is not an http or https address")
    if parts.username or parts.password:
        raise _refused_endpoint(endpoint, "has a user or password in it; credentials have their own place")
    if parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in endpoint):
        raise _refused_endpoint(endpoint, "has a query, a fragment or blanks in it")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise _refused_endpoint(
            endpoint, "is plain http to another machine: keys and data would be readable on the way"
        )
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


def _refused_endpoint(endpoint: str, why: str) -> Rejected:
    return Rejected(f"the endpoint {said(endpoint, 120)} {why}", kind=RejectedKind.PRECONDITION, hint=ENDPOINT_HINT)


_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def route_of(path: str, words: frozenset[str]) -> str:
    """``/v1/things/triage-1:ask`` to ``/v1/things/{id}:ask``; ``words`` are those that are no name."""
    return "/".join(_part(part, words) for part in path.split("/"))


def _part(part: str, words: frozenset[str]) -> str:
    if not part or part in words:
        return part
    _, colon, verb = part.partition(":")
    return "{id}" + (f":{verb}" if colon and verb in words else "")


def request_id(headers: Mapping[str, str], names: Iterable[str]) -> str:
    """What the other side calls the request in its own log; "" where it does not say, or says something odd."""
    return next((found for name in names if _ID.fullmatch(found := headers.get(name, ""))), "")
