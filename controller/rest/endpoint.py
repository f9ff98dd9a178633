"""An endpoint as written to one that may be asked, and a request to what may be told of it: route and id."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from controller.errors import Rejected, RejectedKind
from controller.network import is_loopback
from controller.rest.redaction import said

ENDPOINT_HINT = "Write it as https://HOST, or as http://127.0.0.1:PORT for a server on this machine."


# What stands in an address without a second reading: no escapes, no dots that climb, nothing that a shell obeys.
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,251}[a-z0-9_])?")
_BELOW: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:@+,=-]{1,200}){0,20}")
_PORTS: Final = {"http": 80, "https": 443}


def checked_endpoint(endpoint: str) -> str:
    """The endpoint in its one spelling, put together from the parts that were looked at.

    Scheme and host in lower case, no dot behind the host, no default port, no slash at the end: two endpoints are the
    same where their texts are. Raises `Rejected` (PRECONDITION) where it may not be asked.
    """
    parts = _split(endpoint)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise _refused_endpoint(endpoint, "is not an http or https address")
    if "@" in parts.netloc:
        raise _refused_endpoint(endpoint, "has a user or password in it; credentials have their own place")
    if parts.query or parts.fragment or any(c.isspace() or not c.isprintable() for c in endpoint):
        raise _refused_endpoint(endpoint, "has a query, a fragment or blanks in it")
    host, path = _host(parts.hostname), parts.path.rstrip("/")
    if host is None or not _BELOW.fullmatch(path):
        raise _refused_endpoint(
            endpoint, "is not written plainly: ASCII alone (a name of other letters as xn--…), no escapes, no `..`"
        )
    if parts.scheme == "http" and not is_loopback(host.strip("[]")):
        raise _refused_endpoint(
            endpoint, "is plain http to another machine: keys and data would be readable on the way"
        )
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{path}"


def covers(trusted: str, endpoint: str) -> bool:
    """Whether one checked endpoint is another one or stands below it: the same origin, and its path or a longer one."""
    return endpoint == trusted or endpoint.startswith(f"{trusted}/")


def _host(name: str) -> str | None:
    if ":" in name:
        try:
            return f"[{ipaddress.IPv6Address(name)}]" if "%" not in name else None
        except ValueError:
            return None
    name = name.removesuffix(".")
    return name if _HOST.fullmatch(name) and ".." not in name else None


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
