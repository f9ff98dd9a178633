"""A world and the time to the facts that only a clock can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from controller.plan.world import World
from controller.state.recorded import Intent

# How long a provider may take to show what it has made (its list and its reads may be answered by replicas that lag).
VISIBILITY_WINDOW = timedelta(minutes=10)
# A price table older than this is refused: prices of tuning have moved within a quarter.
PRICES_GOOD_FOR = timedelta(days=90)


def with_times(world: World, now: datetime) -> World:
    """The world with its facts of time. ``now`` is UTC."""
    return replace(
        world,
        month=now.strftime("%Y-%m"),
        overdue=frozenset(_overdue(world, now)),
        fresh=frozenset(_fresh(world, now)),
        young=frozenset(_young(world, now)),
        due=frozenset(_due(world, now)),
        stale_prices=frozenset(_stale(world, now)),
    )


def seconds_since(text: str, now: datetime) -> float:
    """Seconds from an RFC 3339 time to ``now``; a text that is no time lies infinitely far back."""
    then = _moment(text)
    return (now - then).total_seconds() if then is not None else float("inf")


@lru_cache(maxsize=1 << 15)  # every run that is on record is asked for its age by every pass
def _moment(text: str) -> datetime | None:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    return then if then.tzinfo else None


def _overdue(world: World, now: datetime) -> Iterator[str]:
    for model in world.desired.models:
        record = world.record_of(model)
        pending = record.pending if record else None
        run = record.run(pending.model) if record and pending else None
        if run is None or model.max_duration is None or not run.started:
            continue
        # A start that cannot be read is no age: a paid run is not stopped for it.
        if model.max_duration < seconds_since(run.started, now) < float("inf"):
            yield run.model


def _fresh(world: World, now: datetime) -> Iterator[str]:
    for record in world.recorded.records.values():
        for run in record.runs:
            if run.started and seconds_since(run.started, now) < VISIBILITY_WINDOW.total_seconds():
                yield run.model


def _young(world: World, now: datetime) -> Iterator[Intent]:
    for record in world.recorded.records.values():
        intent = record.intent
        if intent is not None and seconds_since(intent.since, now) < VISIBILITY_WINDOW.total_seconds():
            yield intent


def _due(world: World, now: datetime) -> Iterator[str]:
    for record in world.recorded.records.values():
        for slot in record.slots:
            if slot.doomed and seconds_since(slot.doomed, now) >= world.policy.delete_grace:
                yield slot.model


def _stale(world: World, now: datetime) -> Iterator[str]:
    for key, prices in world.prices.items():
        if seconds_since(f"{prices.as_of}T00:00:00+00:00", now) > PRICES_GOOD_FOR.total_seconds():
            yield key
