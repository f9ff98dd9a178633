"""Rings and the passes they become."""

import asyncio
import time

from controller.daemon.schedule import Cause, Triggers
from controller.system import SystemClock


def later(seconds: float) -> float:
    return time.monotonic() + seconds


async def test_a_ring_wakes_at_once_and_names_its_cause() -> None:
    triggers = Triggers(SystemClock())
    began = time.monotonic()
    asyncio.get_running_loop().call_later(0.05, triggers.fire, Cause.FILES)
    assert await triggers.wait(later(10)) == {Cause.FILES}
    assert time.monotonic() - began < 1.0


async def test_without_a_ring_time_wakes() -> None:
    assert await Triggers(SystemClock()).wait(later(0.02)) == {Cause.TIME}


async def test_rings_during_a_pass_are_one_more_pass() -> None:
    triggers = Triggers(SystemClock())
    triggers.fire(Cause.START)
    await triggers.wait(later(10))
    for cause in (Cause.FILES, Cause.WEBHOOK) * 50:
        triggers.fire(cause)
    assert await triggers.wait(later(10)) == {Cause.FILES, Cause.WEBHOOK}
    assert await triggers.wait(later(0.02)) == {Cause.TIME}


async def test_an_event_right_after_a_pass_that_time_began_does_not_wait() -> None:
    triggers = Triggers(SystemClock())
    await triggers.wait(later(0.01))
    triggers.fire(Cause.FILES)
    began = time.monotonic()
    assert await triggers.wait(later(10)) == {Cause.FILES}
    assert time.monotonic() - began < 0.3


async def test_a_storm_is_two_passes() -> None:
    triggers, passes = Triggers(SystemClock()), 0

    async def follow() -> None:
        nonlocal passes
        while await triggers.wait(later(60)):
            passes += 1

    task = asyncio.create_task(follow())
    until = later(1.0)
    while time.monotonic() < until:
        for _ in range(1000):
            triggers.fire(Cause.FILES)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.8)
    triggers.end()
    await asyncio.wait_for(task, 5)
    assert passes == 2


async def test_the_end_wakes_with_no_pass_to_make_and_does_not_wait_for_a_storm() -> None:
    triggers = Triggers(SystemClock())
    triggers.fire(Cause.FILES)
    await triggers.wait(later(10))
    triggers.fire(Cause.FILES)
    asyncio.get_running_loop().call_later(0.02, triggers.end)
    began = time.monotonic()
    assert await triggers.wait(later(10)) == frozenset()
    assert time.monotonic() - began < 0.4
    assert triggers.over
