"""Every exception of httpx has a meaning here, and whether a request left decides what a create becomes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind, Transient
from controller.rest import ClientLimits, NoAuth, Repeat, Rest, Timing
from controller.rest.failures import FOREIGN, MEANINGS, meaning, translate
from controller.testing.wire import Wire
from tests.loopback import self_signed


def kinds() -> list[type[Exception]]:
    """Every exception class that httpx exports."""
    exported = [getattr(httpx, name) for name in httpx.__all__]
    return sorted(
        {e for e in exported if isinstance(e, type) and issubclass(e, Exception)}, key=lambda kind: kind.__name__
    )


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "https://x.test")
        return kind("x", request=request, response=httpx.Response(500, request=request))
    if kind in {httpx.StreamConsumed, httpx.ResponseNotRead, httpx.RequestNotRead, httpx.StreamClosed}:
        return kind()
    return kind("x")


@pytest.mark.parametrize("kind", kinds())
def test_every_exception_of_httpx_is_mapped_by_its_own_row(kind: type[Exception]) -> None:
    rows = [row for row, _ in MEANINGS]
    assert kind in rows
    first = next(row for row in rows if issubclass(kind, row))
    assert first is kind, f"{first.__name__} stands before {kind.__name__} and hides it"
    assert issubclass(kind, FOREIGN)


@pytest.mark.parametrize("kind", kinds())
def test_a_create_is_only_called_undone_where_nothing_left(kind: type[Exception]) -> None:
    error = translate(made(kind), Repeat.ONCE, endpoint="https://x.test", sent=True)
    unsent = meaning(made(kind)).unsent
    assert isinstance(error, OutcomeUnknown) is not unsent


@pytest.mark.parametrize("kind", kinds())
def test_nothing_but_a_create_is_ever_unknown(kind: type[Exception]) -> None:
    for repeat in (Repeat.READ, Repeat.HARMLESS):
        for sent in (True, False):
            assert not isinstance(translate(made(kind), repeat, endpoint="x", sent=sent), OutcomeUnknown)


@pytest.mark.parametrize(
    ("below", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens"),
        (OSError("All connection attempts failed"), "no connection could be made"),
        (ssl.SSLError("handshake failure"), "no secure connection"),
    ],
)
def test_a_failed_connection_says_why(below: Exception, words: str) -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = below
    assert words in meaning(error).message


class Failing(httpx.AsyncBaseTransport):
    """A transport that raises, and tells nobody how far it came."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        self.asked += 1
        raise self.error


async def create(rest: Rest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await rest.request("POST", "/v1beta/tunedModels", None, {}, repeat=Repeat.ONCE)
    await rest.close()
    return caught.value


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("x"), Transient),
        (httpx.ConnectTimeout("x"), Transient),
        (httpx.PoolTimeout("x"), Transient),
        (ConnectionRefusedError(), Transient),
        (httpx.ReadTimeout("x"), OutcomeUnknown),
        (httpx.RemoteProtocolError("x"), OutcomeUnknown),
        (ConnectionResetError(), OutcomeUnknown),
        (TimeoutError(), OutcomeUnknown),
    ],
)
async def test_a_transport_that_says_nothing_is_believed_to_have_sent(
    timing: Timing, error: Exception, outcome: type[ProviderError]
) -> None:
    transport = Failing(error)
    failed = await create(Rest("https://x.test", NoAuth(), ClientLimits(), transport, timing))
    assert type(failed) is outcome
    assert transport.asked == 1


async def test_a_certificate_that_nobody_signed_is_refused(connect: Callable[..., Rest], tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    wire = Wire(b"")
    await wire.start(tls=context)
    failed = await create(connect(wire.url.replace("http:", "https:")))
    await wire.stop()
    assert isinstance(failed, Rejected)
    assert (failed.kind, wire.requests) == (RejectedKind.PRECONDITION, [])
    assert "not trusted" in failed.message
