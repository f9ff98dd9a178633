"""Clients with a canary for a key, whose waits pass at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from controller.providers.google.credentials import ApiKey
from controller.providers.google.envelope import GOOGLE
from controller.rest import ClientLimits, Rest, Secret, Timing
from controller.testing import FakeClock, SeededChance

LIMITS = ClientLimits(deadline=5.0)
CANARY = "canary-9f8e7d6c5b4a-key"


@pytest.fixture
def canary() -> str:
    return CANARY


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def timing(clock: FakeClock) -> Timing:
    return Timing(clock.now, clock.monotonic, clock.sleep, SeededChance().uniform)


@pytest.fixture
async def connect(timing: Timing) -> AsyncIterator[Callable[..., Rest]]:
    """Makes a `Rest`; keyword arguments are `ClientLimits`."""
    made: list[Rest] = []

    def make(url: str, **limits: float) -> Rest:
        changed = replace(LIMITS, **limits)  # type: ignore[arg-type]  # names of limits, each with its own number
        made.append(Rest(url, ApiKey(Secret(CANARY), "GEMINI_API_KEY"), changed, None, timing, dialect=GOOGLE))
        return made[-1]

    yield make
    for rest in made:
        await rest.close()
