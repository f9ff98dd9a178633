"""The page and its neighbours over real sockets."""

import asyncio
import hashlib
import hmac
import http.client
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.connections import ConnectionLimits
from controller.daemon.loop import Loop
from controller.daemon.schedule import Cause
from controller.daemon.view import StatusView
from controller.daemon.web.html import MOST_MODELS, index_html, model_html
from controller.daemon.web.server import ListenAddress, Web, parse_address
from controller.daemon.web.webhook import LARGEST, Deliveries
from controller.errors import ControllerError, Problem
from controller.network import is_loopback
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.observed import LossPoint
from controller.state.reasons import Reason
from controller.state.recorded import Advice, Record, Run, Score
from controller.system import SystemClock
from controller.testing.clock import START
from tests.daemon.household import Household

SECRET = b"0123456789abcdef0123456789abcdef"
NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b[31m"


@dataclass
class Served:
    loop: Loop
    url: str

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    async def get(self, path: str, **headers: str) -> tuple[int, Any, bytes]:
        return await asyncio.to_thread(self._ask, "GET", path, None, headers)

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        return (await asyncio.to_thread(self._ask, "POST", path, body, headers))[0]


@asynccontextmanager
async def serving(
    house: Household, *, webhooks: bool = True, limits: ConnectionLimits | None = None
) -> AsyncIterator[Served]:
    known: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    deliveries = Deliveries(lambda: SECRET) if webhooks else None
    web = Web(ListenAddress("127.0.0.1", 0), SystemClock(), deliveries, known.set_result)
    web = web if limits is None else replace(web, limits=limits)
    with web.bound() as answer:
        task = asyncio.create_task(answer([house.loop]))
        try:
            yield Served(house.loop, await asyncio.wait_for(known, 10))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def delivery(body: bytes = b"{}", number: int = 1, secret: bytes = SECRET) -> dict[str, str]:
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push", "X-GitHub-Delivery": str(number)}


async def causes(loop: Loop) -> frozenset[Cause]:
    """What rings now; only time where nothing does."""
    return await loop.triggers.wait(0.0)


async def test_health_readiness_and_numbers_follow_the_loop() -> None:
    house = Household()
    async with serving(house) as served:
        assert (await served.get("/healthz"))[0] == 200
        assert (await served.get("/readyz"))[0] == 503
        await house.settle()
        assert (await served.get("/readyz"))[0] == 200
        code, headers, text = await served.get("/metrics")
        assert code == 200
        assert headers["content-type"].startswith("text/plain; version=0.0.4")
        families = {family.name: family for family in text_string_to_metric_families(text.decode())}
        assert {"gitune_pass_duration_seconds", "gitune_creates", "gitune_holds", "gitune_runs"} <= set(families)
        assert b"tunedModels" not in text  # a model's name is in no label
        house.clock.advance(3600.0)
        assert (await served.get("/healthz"))[0] == 503


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
async def test_promtool_accepts_the_numbers() -> None:
    house = Household()
    await house.settle()
    done = await asyncio.to_thread(promtool, house.metrics.text())
    assert done.returncode == 0, done.stderr.decode()


def promtool(text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)


async def test_the_page_shows_the_models_and_lets_nothing_in() -> None:
    house = Household()
    await house.settle()
    async with serving(house) as served:
        code, headers, body = await served.get("/")
        assert code == 200
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert b"tunedModels/first-" in body
        assert b"http://" not in body.replace(b"http://www.w3.org", b"")
        assert b"https://" not in body
        code, headers, curve = await served.get("/curves/first.svg")
        assert (code, headers["content-type"]) == (200, "image/svg+xml")
        assert curve.startswith(b"<svg")
        for path in ("/static/style.css", "/static/refresh.js", "/static/icon.svg", "/models/first"):
            assert (await served.get(path))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../html.py",
        "/static/%2e%2e%2fframe.html",
        "/static/..%2f..%2fhtml.py",
        "/models/nobody",
        "/models/..%2fetc",
        "/curves/nobody.svg",
        "/nothing",
        "/docs",
    ],
)
async def test_nothing_else_is_there(path: str) -> None:
    async with serving(Household()) as served:
        assert (await served.get(path))[0] in {400, 404}


async def test_a_page_that_rebinds_a_name_to_this_machine_is_answered_nothing() -> None:
    async with serving(Household()) as served:
        assert (await served.get("/", Host="evil.example"))[0] == 400


async def test_a_signed_push_wakes_the_loop_once() -> None:
    house = Household()
    async with serving(house) as served:
        assert await served.post("/webhooks/github", b"{}", delivery()) == 202
        assert await causes(house.loop) == {Cause.WEBHOOK}
        assert await served.post("/webhooks/github", b"{}", delivery()) == 200
        assert await causes(house.loop) == {Cause.TIME}


async def test_forged_and_oversized_webhooks_have_no_effect() -> None:
    house = Household()
    large = b"x" * (LARGEST + 1)
    async with serving(house) as served:
        assert await served.post("/webhooks/github", b"{}", delivery(secret=b"another-secret-of-length")) == 401
        assert await served.post("/webhooks/github", b"{ }", delivery()) == 401
        assert await served.post("/webhooks/github", b"{}", {}) == 401
        assert await served.post("/webhooks/github", large, delivery(large)) == 413
        assert await causes(house.loop) == {Cause.TIME}


async def test_a_body_that_says_no_length_is_cut_off_at_the_limit() -> None:
    house = Household()
    async with serving(house) as served:
        parts = urlsplit(served.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = "POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(40):
                writer.write(chunk)
                await writer.drain()
        assert b"413" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert await causes(house.loop) == {Cause.TIME}


async def test_without_a_secret_there_is_no_door() -> None:
    async with serving(Household(), webhooks=False) as served:
        assert await served.post("/webhooks/github", b"{}", delivery()) == 404


async def test_a_flood_of_webhooks_is_stopped() -> None:
    async with serving(Household()) as served:
        answers = [await served.post("/webhooks/github", b"{}", {}) for _ in range(80)]
    assert 429 in answers


async def test_a_head_that_is_too_large_is_refused() -> None:
    async with serving(Household()) as served:
        parts = urlsplit(served.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 100_000)
        with suppress(ConnectionError):
            await writer.drain()
        assert b"400" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()


async def test_who_sends_slowly_is_let_go_and_others_are_answered_meanwhile() -> None:
    async with serving(
        Household(), limits=ConnectionLimits(head=5.0, body=5.0, answer=5.0, idle=5, life=0.5)
    ) as served:
        parts = urlsplit(served.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        assert (await served.get("/healthz"))[0] == 200
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def view_of(record: Record) -> StatusView:
    return StatusView(NASTY, revision="a" * 40, records={record.name: record}, failure=NASTY, hint=NASTY)


def test_data_can_do_nothing_in_a_page() -> None:
    stalled = Condition(ConditionType.STALLED, Truth.TRUE, Reason.RUN_FAILED, NASTY)
    run = Run(
        model=NASTY, provider_type="local", base=NASTY, fingerprint=NASTY, attempt=1, dataset_digest="", error=NASTY
    )
    record = Record(name=NASTY, provider=NASTY, conditions=(stalled,), runs=(run,))
    view = replace(view_of(record), problems=(Problem(NASTY, 1, 1, "GT001", NASTY, hint=NASTY),))
    for html in (index_html(view, START), model_html(view, NASTY, START) or ""):
        assert "&lt;script&gt;" in html
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html


def test_a_model_that_stalls_says_what_to_do() -> None:
    stalled = Condition(ConditionType.STALLED, Truth.TRUE, Reason.RUN_FAILED, "it failed")
    html = index_html(view_of(Record(name="numbers", provider="local", conditions=(stalled,))), START)
    assert "What to do:" in html
    assert "spec.attempt" in html


def test_losses_that_are_no_numbers_break_no_page() -> None:
    run = Run(
        model="m",
        provider_type="local",
        base="b",
        fingerprint="f",
        attempt=1,
        dataset_digest="",
        losses=(LossPoint(1, 1, float("nan")), LossPoint(2, 1, float("inf"))),
    )
    html = model_html(view_of(Record(name="numbers", provider="local", runs=(run,))), "numbers", START)
    assert html is not None
    assert "inf" in html


def test_a_score_is_shown_with_its_baseline_and_advice_without_a_number_with_its_reason_alone() -> None:
    run = Run(
        model="m",
        provider_type="local",
        base="b",
        fingerprint="f",
        attempt=1,
        dataset_digest="",
        advice=Advice(None, "the run diverged"),
        score=Score("exactMatch", "e" * 64, 18, 20, unanswered=1, baseline=9),
    )
    html = model_html(view_of(Record(name="numbers", provider="local", runs=(run,))), "numbers", START)
    assert html is not None
    assert "18 of 20 right, 1 not answered; baseline 9 of 20 (always the most frequent answer)" in html
    assert "None epochs" not in html


def test_a_page_of_ten_thousand_models_shows_the_worst_and_counts_the_rest() -> None:
    stalled = Condition(ConditionType.STALLED, Truth.TRUE, Reason.LOST, "")
    ready = Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE, "")
    records = {f"m{n}": Record(name=f"m{n}", provider="local", conditions=(ready,)) for n in range(10_000)}
    records["zz"] = Record(name="zz", provider="local", conditions=(stalled,))
    html = index_html(StatusView("here", records=records), START)
    assert html.index("/models/zz") < html.index("/models/m0")
    assert f"And {10_001 - MOST_MODELS} more" in html
    assert len(html) < 300_000


@pytest.mark.parametrize("text", ["8080", "localhost", "localhost:", ":80", "host:99999", "host:-1", "host:8x"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ControllerError, match="HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "loopback"), [("127.0.0.1:0", True), ("[::1]:80", True), ("localhost:80", True), ("0.0.0.0:80", False)]
)
def test_an_address_says_who_can_reach_it(text: str, loopback: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_loopback(parse_address(text).host) is loopback


async def test_an_address_that_is_taken_is_a_clear_error() -> None:
    house = Household()
    async with serving(house) as served:
        port = int(urlsplit(served.url).port or 0)
        web = Web(ListenAddress("127.0.0.1", port), SystemClock())
        with pytest.raises(ControllerError, match="cannot be bound"), web.bound():
            pass
