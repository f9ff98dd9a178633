"""What httpx, TLS and the sockets raise, and what a repeat would do, to the error that says what may be done next."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum

import httpx

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind, Transient
from controller.network import Proxy

LOOK_FIRST = "It may have been carried out: look for it before asking again."


class Repeat(StrEnum):
    """What happens when the same request is carried out twice."""

    READ = "read"  # nothing: a question
    HARMLESS = "harmless"  # what the first one did already: an update, a delete, a cancel
    ONCE = "once"  # it would be paid for twice


def lost(message: str, repeat: Repeat, *, sent: bool, hint: str = "") -> ProviderError:
    """The error of a request without a usable answer; ``sent`` is True where bytes of it may have left."""
    if sent and repeat is Repeat.ONCE:
        return OutcomeUnknown(message, hint=LOOK_FIRST)
    return Transient(message, hint=hint)


def garbled(message: str, repeat: Repeat, *, broken: bool, hint: str = "") -> ProviderError:
    """The error of an answer that cannot be read; ``broken`` is True where asking again may bring a whole one."""
    if repeat is Repeat.ONCE:
        return OutcomeUnknown(message, hint=LOOK_FIRST)
    if broken:
        return Transient(message, hint=hint)
    return Rejected(message, kind=RejectedKind.RESPONSE, hint=hint)


CHECK_NETWORK = "Check the network and the endpoint; it is asked again on the next pass."


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a foreign exception says. ``unsent`` is True where no byte of the request can have left.

    ``lasting`` is True where the same request cannot end otherwise.
    """

    message: str
    hint: str = CHECK_NETWORK
    unsent: bool = False
    lasting: bool = False


_BUG = "This is a fault of Gitune: please report it."

# The most specific class first: the first one that fits decides.
MEANINGS: tuple[tuple[type[Exception], Meaning], ...] = (
    (httpx.ConnectTimeout, Meaning("no connection could be made in time", unsent=True)),
    (httpx.PoolTimeout, Meaning("no free connection in time", unsent=True)),
    (httpx.ReadTimeout, Meaning("the answer did not come in time")),
    (httpx.WriteTimeout, Meaning("the request could not be sent in time")),
    (httpx.TimeoutException, Meaning("no answer in time")),
    (httpx.ConnectError, Meaning("no connection could be made", unsent=True)),
    (httpx.ReadError, Meaning("the connection broke while the answer was read")),
    (httpx.WriteError, Meaning("the connection broke while the request was sent")),
    (httpx.CloseError, Meaning("the connection could not be closed")),
    (httpx.NetworkError, Meaning("the connection broke")),
    (httpx.ProxyError, Meaning("the proxy refused the connection", unsent=True)),
    (httpx.UnsupportedProtocol, Meaning("the endpoint is neither http nor https", unsent=True, lasting=True)),
    (httpx.LocalProtocolError, Meaning("the request cannot be put on the wire", _BUG, lasting=True)),
    (httpx.RemoteProtocolError, Meaning("the connection closed before the whole answer was there")),
    (httpx.ProtocolError, Meaning("the other side does not speak HTTP")),
    (httpx.TransportError, Meaning("the connection failed")),
    (httpx.DecodingError, Meaning("the answer's compression is broken")),
    (httpx.TooManyRedirects, Meaning("the endpoint sends requests in a circle", lasting=True)),
    (httpx.RequestError, Meaning("the request failed")),
    (httpx.HTTPStatusError, Meaning("the answer is an error")),
    (httpx.HTTPError, Meaning("the request failed")),
    (httpx.InvalidURL, Meaning("the endpoint is not a URL", "Correct the endpoint.", unsent=True, lasting=True)),
    (httpx.CookieConflict, Meaning("the answer's cookies contradict each other")),
    (httpx.StreamConsumed, Meaning("the answer was read twice", _BUG)),
    (httpx.StreamClosed, Meaning("the answer was read after its end", _BUG)),
    (httpx.ResponseNotRead, Meaning("the answer was used before it was read", _BUG)),
    (httpx.RequestNotRead, Meaning("the request was used before it was read", _BUG)),
    (httpx.StreamError, Meaning("the answer broke off", _BUG)),
    # A transport that is not httpx's own may let these through.
    (ConnectionRefusedError, Meaning("nothing listens at the endpoint", unsent=True)),
    (socket.gaierror, Meaning("the endpoint's name cannot be resolved", unsent=True)),
    (UnicodeError, Meaning("the endpoint's name is not a host name", unsent=True, lasting=True)),
    (OSError, Meaning("the connection broke")),
)

# httpx says ConnectError to all of these; the exception below it tells them apart.
_BELOW: tuple[tuple[type[Exception], Meaning], ...] = (
    (
        ssl.SSLCertVerificationError,
        Meaning(
            "the server's certificate is not trusted",
            "Something between here and the API may be reading along: check the endpoint and the network. The "
            "authority of a network of your own is named in SSL_CERT_FILE; there is no switch to turn the check off.",
            unsent=True,
            lasting=True,
        ),
    ),
    (ssl.SSLError, Meaning("no secure connection could be made", unsent=True)),
    (ConnectionRefusedError, Meaning("nothing listens at the endpoint", unsent=True)),
    (
        socket.gaierror,
        Meaning("the endpoint's name cannot be resolved", "Check the endpoint's spelling and the DNS.", unsent=True),
    ),
)

FOREIGN: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,
    UnicodeError,
)


def meaning(error: Exception, proxy: Proxy | None = None) -> Meaning:
    """What an exception of `FOREIGN` says, where the request went by way of a ``proxy``."""
    if proxy is not None and isinstance(error, httpx.ProxyError):
        # The status alone: the words behind it are the proxy's own.
        code = re.match(r"[1-5][0-9]{2}(?= |$)", str(error))
        told = f"{_named(proxy)} refused to connect" + (f" ({code[0]})" if code else "")
        return Meaning(told, f"Check {proxy.variable}, with its user and password.", unsent=True)
    if isinstance(error, httpx.ConnectError):
        chain = _chain(error)
        if proxy is not None and not any(isinstance(link, ssl.SSLError) for link in chain):
            return Meaning(
                f"{_named(proxy)} cannot be reached", f"Check {proxy.variable} and the network.", unsent=True
            )
        for kind, said in _BELOW:
            if any(isinstance(link, kind) for link in chain):
                return said
    return next(said for kind, said in MEANINGS if isinstance(error, kind))


def _named(proxy: Proxy) -> str:
    return f"the proxy {proxy.shown} of {proxy.variable}"


def translate(
    error: Exception, repeat: Repeat, *, endpoint: str, sent: bool, proxy: Proxy | None = None
) -> ProviderError:
    """The error of ours that an exception of `FOREIGN` becomes. ``sent`` is what is known of the request's bytes."""
    said = meaning(error, proxy)
    message = f"{endpoint}: {said.message}"
    left = sent and not said.unsent
    if said.lasting and not (left and repeat is Repeat.ONCE):
        return Rejected(message, kind=RejectedKind.PRECONDITION, hint=said.hint)
    return lost(message, repeat, sent=left, hint=said.hint)


def _chain(error: BaseException) -> tuple[BaseException, ...]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        if isinstance(link, BaseExceptionGroup):
            links.extend(link.exceptions)
        link = link.__cause__ or link.__context__
    return tuple(links)
