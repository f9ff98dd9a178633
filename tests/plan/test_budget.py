"""The budget: what is not known counts as spent, and what has no price is not bought."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from controller.plan.actions import Create
from controller.plan.admission import spent
from controller.plan.cost import cost
from controller.plan.world import World
from controller.settings import Budget, Policy, Prices
from controller.state.identity import Hyperparameters
from controller.state.observed import RemoteState
from controller.state.recorded import Answer, Intent, Recorded, RunOutcome
from controller.testing import FREE
from tests.plan.worlds import actions, full_name, record_of, remote_of, run_of, slot_of, spec, words, world_of

PRICES = Prices("2026-01-01", "USD", MappingProxyType({"models/tiny": 1_000_000.0}))  # a dollar per token
NUMBERS = spec(hyperparameters=Hyperparameters(epoch_count=10))
HIGH = NUMBERS.dataset.bytes * 10 / 2.0


def priced(world: World, budget: float | None, **fields: object) -> World:
    policy = Policy(budget=Budget(budget, "USD") if budget is not None else None)
    given: dict[str, Any] = {
        "prices": MappingProxyType({"local": PRICES}),
        "facts": MappingProxyType({"local": replace(FREE, free=False)}),
        **fields,
    }
    return replace(world, policy=policy, month="2026-01", **given)


def test_a_cost_is_a_range_from_the_bytes_that_are_trained_on() -> None:
    found = cost(NUMBERS, PRICES)
    assert found is not None
    assert found.low == pytest.approx(HIGH / 3, abs=1e-5)
    assert found.high == pytest.approx(HIGH)
    assert cost(NUMBERS, None) is None
    assert cost(NUMBERS, replace(PRICES, per_million_tokens={})) is None


def test_a_create_carries_its_cost_and_without_a_budget_nothing_is_held() -> None:
    (action,) = actions(priced(world_of(NUMBERS), None))
    assert isinstance(action, Create)
    assert action.cost is not None
    assert action.cost.high == pytest.approx(HIGH)


def test_a_create_over_the_budget_is_held_and_one_within_it_goes_on() -> None:
    assert words(priced(world_of(NUMBERS), HIGH)) == [("create", "NewSpec")]
    assert words(priced(world_of(NUMBERS), HIGH - 1)) == [("hold", "BudgetExceeded")]
    two = world_of(NUMBERS, replace(NUMBERS, name="second"))
    assert words(priced(two, HIGH * 1.5)) == [("create", "NewSpec"), ("hold", "BudgetExceeded")]


def test_what_was_spent_this_month_counts_and_last_month_does_not() -> None:
    other = spec("other")
    run = run_of(other, cost=HIGH)
    record = record_of(other, active=None, runs=(run,))
    world = world_of(NUMBERS, records=(record,))
    assert ("hold", "BudgetExceeded") in words(priced(world, HIGH * 1.5))
    old = replace(record, runs=(replace(run, started="2025-12-31T23:00:00Z"),))
    assert ("create", "NewSpec") in words(priced(world_of(NUMBERS, records=(old,)), HIGH * 1.5))


def test_a_clock_put_back_into_last_month_opens_no_second_budget() -> None:
    other = spec("other")
    record = record_of(other, active=None, runs=(run_of(other, cost=HIGH),))  # begun in January
    world = replace(priced(world_of(NUMBERS, records=(record,)), HIGH * 1.5), month="2025-12")
    assert ("hold", "BudgetExceeded") in words(world)


def test_an_open_intent_counts_as_spent_and_not_twice_for_its_own_create() -> None:
    other = spec("other")
    intent = Intent(full_name(other), other.fingerprint, 1, "0" * 16, "c" * 40, "local", "2026-01-05T00:00:00Z", HIGH)
    record = record_of(other, active=None, intent=intent)
    world = world_of(NUMBERS, records=(record,))
    assert ("hold", "BudgetExceeded") in words(priced(world, HIGH * 1.5))
    own = replace(intent, model=full_name(NUMBERS), fingerprint=NUMBERS.fingerprint)
    mine = world_of(NUMBERS, records=(record_of(NUMBERS, active=None, intent=own),))
    assert words(priced(mine, HIGH)) == [("create", "NewSpec")]


@pytest.mark.parametrize(
    "fields",
    [
        {"prices": MappingProxyType({})},
        {"stale_prices": frozenset({"local"})},
        {"prices": MappingProxyType({"local": replace(PRICES, currency="EUR")})},
    ],
)
def test_without_a_fitting_price_a_budget_refuses(fields: dict[str, object]) -> None:
    assert words(priced(world_of(NUMBERS), HIGH, **fields)) == [("hold", "PriceUnknown")]


def test_a_provider_that_costs_nothing_needs_no_price() -> None:
    free = {"prices": MappingProxyType({}), "facts": MappingProxyType({"local": FREE})}
    assert words(priced(world_of(NUMBERS), 1.0, **free)) == [("create", "NewSpec")]


def test_what_was_sent_again_at_an_unknown_time_counts_in_each_month() -> None:
    other = spec("other")
    long_ago = "2025-06-05T00:00:00Z"
    intent = Intent(full_name(other), other.fingerprint, 1, "0" * 16, "c" * 40, "local", long_ago, HIGH)
    for answer, spent_then in ((Answer.LOST, 0.0), (Answer.REPEATED, HIGH)):
        record = record_of(other, active=None, runs=(), intent=replace(intent, answer=answer))
        assert spent(Recorded({"other": record}, "t"), "2026-01") == spent_then


def test_no_superseded_run_is_stopped_where_the_budget_does_not_cover_what_was_to_follow_all_of_them() -> None:
    """A spec took over a name whose run tunes too: two runs make way for one."""
    second = spec(hyperparameters=Hyperparameters(epoch_count=8))
    first, tuning = spec(), RemoteState.CREATING
    record = record_of(
        first,
        pending=slot_of(first, tuning),
        retired=(slot_of(second, tuning),),
        runs=(run_of(first, RunOutcome.TUNING), run_of(second, RunOutcome.TUNING)),
    )
    world = world_of(NUMBERS, records=(record,), remotes=(remote_of(first, tuning), remote_of(second, tuning)))

    assert words(priced(world, HIGH - 1)) == [("hold", "BudgetExceeded")]
    assert [word for word, _ in words(priced(world, HIGH))] == ["cancel", "cancel", "retune"]


def test_one_name_over_the_budget_stops_no_cancel_of_another() -> None:
    """The cheap spec's successor is paid for, the dear one's is not."""
    dear, cheap = spec("dear"), spec("cheap")
    tuning = RemoteState.CREATING
    records = tuple(
        record_of(model, pending=slot_of(model, tuning), runs=(run_of(model, RunOutcome.TUNING),))
        for model in (cheap, dear)
    )
    now = (spec("cheap", hyperparameters=Hyperparameters(epoch_count=1)), replace(NUMBERS, name="dear"))
    world = world_of(*now, records=records, remotes=(remote_of(cheap, tuning), remote_of(dear, tuning)))

    assert [word for word, _ in words(priced(world, HIGH / 2))] == ["cancel", "retune", "hold"]
