"""Where requests may go, and how many of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Rejected, RejectedKind, Transient
from controller.rest import ClientLimits, NoAuth, Repeat, Rest, Timing, checked_endpoint
from controller.rest.timing import Pace, backoff, retry_after, retry_delay
from controller.testing import FakeClock
from controller.testing.wire import answer, listening

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://generativelanguage.googleapis.com",
        "https://proxy.test/gemini",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:8080",
        "http://127.9.9.9",
    ],
)
def test_https_and_this_machine_may_be_asked(endpoint: str) -> None:
    assert checked_endpoint(endpoint + "/") == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.test",
        "http://localhost.evil.test",
        "http://0.0.0.0:80",
        "ftp://example.com",
        "127.0.0.1:8080",
        "",
        "https://",
        "https://user:secret-password@example.com",
        "https://example.com?key=x",
        "https://example.com#x",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://[::1",
        "https://example.com\r\nx: y",
    ],
)
def test_any_other_endpoint_is_refused_with_advice(endpoint: str) -> None:
    with pytest.raises(Rejected) as caught:
        checked_endpoint(endpoint)
    assert caught.value.kind is RejectedKind.PRECONDITION
    assert "https://HOST" in caught.value.hint
    assert "secret-password" not in caught.value.message


@pytest.mark.parametrize(
    "path",
    ["", "v1beta", "//evil.test/x", "/v1beta/../x", "/v1beta/x?key=1", "/v1beta/x#y", "/a b", "/%2e%2e/x", "/x/"],
)
async def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_sent(timing: Timing, path: str) -> None:
    rest = Rest("http://127.0.0.1:9", NoAuth(), ClientLimits(), None, timing)
    with pytest.raises(Rejected):
        await rest.request("GET", path, repeat=Repeat.READ)
    await rest.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_what_json_has_no_form_for_is_refused_without_being_shown(timing: Timing, value: object) -> None:
    rest = Rest("http://127.0.0.1:9", NoAuth(), ClientLimits(), None, timing)
    with pytest.raises(Rejected) as caught:
        await rest.request("POST", "/x", None, {"x": ["row of somebody", value]}, repeat=Repeat.ONCE)  # type: ignore[list-item]  # each is one
    await rest.close()
    assert "somebody" not in repr(caught.value)


@given(st.text(max_size=80) | st.from_regex(r"[+-]?[0-9.]{1,30}s?", fullmatch=True))
def test_no_text_of_a_server_makes_us_wait_longer_than_a_day(text: str) -> None:
    for seconds in (retry_after(text, NOW), retry_delay(text)):
        assert seconds is None or 0 <= seconds <= 86_400


@given(st.integers(1, 12), st.none() | st.floats(0, 86_400))
def test_a_wait_is_never_shorter_than_what_was_asked(tries: int, asked: float | None) -> None:
    for chance in (min, max):
        timing = Timing(lambda: NOW, lambda: 0.0, asyncio.sleep, chance)
        wait = backoff(tries, asked, ClientLimits(), timing)
        assert (asked or 0.0) <= wait <= (asked or 0.0) + ClientLimits().longest_backoff


async def test_a_minute_never_sees_more_requests_than_allowed(timing: Timing, clock: FakeClock) -> None:
    pace, starts = Pace(ClientLimits(requests_per_minute=3), timing), []
    for _ in range(10):
        async with pace.seat():
            starts.append(clock.monotonic())
        clock.advance(1.0)
    assert all(late - early >= 60 for early, late in zip(starts, starts[3:], strict=False))
    assert starts[-1] < 190


async def test_only_so_many_requests_run_at_once(timing: Timing) -> None:
    pace, running, most = Pace(ClientLimits(at_once=2), timing), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with pace.seat():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(one() for _ in range(10)))
    assert most == 2


async def test_waiting_for_our_turn_does_not_count_against_the_deadline(timing: Timing, clock: FakeClock) -> None:
    async with listening(answer({})) as wire:
        rest = Rest(wire.url, NoAuth(), ClientLimits(deadline=5.0, requests_per_minute=1), None, timing)
        for _ in range(3):
            await rest.request("GET", "/x", repeat=Repeat.READ)
        await rest.close()
    assert len(wire.requests) == 3
    assert clock.monotonic() >= 120


async def test_requests_that_have_a_time_together_share_it_and_others_do_not(timing: Timing, clock: FakeClock) -> None:
    async with listening(answer({})) as wire:
        rest = Rest(wire.url, NoAuth(), ClientLimits(), None, timing)
        bound = rest.within(10.0)
        assert await bound.request("GET", "/x", repeat=Repeat.READ) == {}
        clock.advance(11.0)
        with pytest.raises(Transient, match="together"):
            await bound.request("GET", "/x", repeat=Repeat.READ)
        assert await rest.request("GET", "/x", repeat=Repeat.READ) == {}
        assert await rest.within(10.0).request("GET", "/x", repeat=Repeat.READ) == {}
        await rest.close()
    assert len(wire.requests) == 3  # what has no time left is not sent


async def test_waiting_for_our_turn_takes_none_of_the_time_that_requests_have_together(
    timing: Timing, clock: FakeClock
) -> None:
    async with listening(answer({})) as wire:
        rest = Rest(wire.url, NoAuth(), ClientLimits(requests_per_minute=1), None, timing)
        bound = rest.within(5.0)
        for _ in range(4):
            await bound.request("GET", "/x", repeat=Repeat.READ)
        await rest.close()
    assert clock.monotonic() >= 180


async def test_a_request_that_is_given_up_at_any_moment_keeps_no_place_from_the_next(timing: Timing) -> None:
    async with listening(answer({}), answer({})) as wire:
        rest = Rest(wire.url, NoAuth(), ClientLimits(at_once=1), None, timing)
        for moments in range(12):
            asked = asyncio.create_task(rest.request("GET", "/v1/models", repeat=Repeat.READ))
            for _ in range(moments):
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            async with asyncio.timeout(2):
                assert await rest.request("GET", "/v1/models", repeat=Repeat.READ) == {}
        await rest.close()
