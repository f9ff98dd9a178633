"""Passes of a daemon, one by one, on ports in memory."""

from dataclasses import replace

from controller.daemon.lease import LASTS
from controller.errors import LedgerError, SourceError, Transient
from controller.settings import Policy, Settings
from controller.state.reasons import Reason
from controller.testing import MemorySource
from tests.daemon.household import TIME, Household, two_specs
from tests.engine.stage import INSTANCE, rows, spec_text


async def test_what_is_committed_is_created_and_then_nothing_is_sent_or_written() -> None:
    house = Household()
    await house.settle()
    before = len(house.provider.mutations), len(house.ledger.messages), house.cell.writes
    for _ in range(20):
        house.clock.advance(60.0)
        assert (await house.turn()).result == "unchanged"
    assert sum(house.provider.paid.values()) == 2
    assert (len(house.provider.mutations), len(house.ledger.messages), house.cell.writes) == before


async def test_a_settled_look_reads_no_spec_and_asks_for_one_listing() -> None:
    house = Household()
    await house.settle()
    house.source.fail(SourceError("the tree was read"))
    calls = len(house.provider.calls)
    assert (await house.turn()).result == "unchanged"
    assert [call.operation for call in house.provider.calls[calls:]] == ["observe"]


async def test_thousands_of_models_are_listed_less_often_than_git_and_ledger_are_looked_at() -> None:
    house = Household()
    await house.settle()
    one = next(iter(house.provider.models.values()))
    names = [f"tunedModels/other-{number}" for number in range(5000)]
    house.provider.models |= {name: replace(one, name=name, description="") for name in names}
    await house.settle()
    calls = len(house.provider.calls)
    house.clock.advance(60.0)
    assert (await house.turn()).result == "unchanged"
    assert len(house.provider.calls) == calls
    house.clock.advance(60.0)
    assert (await house.turn()).result == "unchanged"
    assert [call.operation for call in house.provider.calls[calls:]] == ["observe"]
    house.source.edit({"specs/third.yaml": spec_text("third")})
    assert (await house.turn()).result == "changed"


async def test_a_whole_pass_is_made_from_time_to_time_even_where_nothing_moves() -> None:
    house = Household()
    await house.settle()
    house.clock.advance(3601.0)
    assert (await house.turn()).result == "changed"


async def test_what_somebody_did_at_the_provider_is_seen_by_the_next_look() -> None:
    house = Household()
    await house.settle()
    house.provider.models.popitem()
    house.clock.advance(601.0)  # no longer so fresh that the provider may just be slow to show it
    assert (await house.turn()).result == "changed"
    assert Reason.LOST in {outcome.action.reason for outcome in house.loop.view.outcomes}


async def test_what_somebody_wrote_into_the_ledger_is_seen_by_the_next_look() -> None:
    house = Household()
    await house.settle()
    recorded = await house.ledger.load()
    await house.ledger.save({}, recorded.tip, "somebody dropped everything")
    assert (await house.turn()).result == "changed"
    assert sum(house.provider.paid.values()) == 2  # both models are there under our mark


async def test_a_commit_is_acted_on_by_the_next_pass() -> None:
    house = Household()
    await house.settle()
    house.source.edit({"specs/third.yaml": spec_text("third")})
    assert (await house.turn()).result == "changed"
    assert sum(house.provider.paid.values()) == 3


async def test_a_failing_create_waits_longer_each_time_and_holds_nobody_else_up() -> None:
    house = Household()
    house.provider.fail("create", Transient("not now"), times=50)
    await house.turn()
    tried = len(house.provider.mutations)
    assert tried == 2
    for _ in range(5):
        house.source.edit({"README.md": str(_)})
        await house.turn()  # commits come fast, and each is a pass; what failed is not asked again so soon
    assert len(house.provider.mutations) == tried
    house.source.edit({"specs/zeta.yaml": spec_text("zeta"), "specs/other.jsonl": rows(30)})
    await house.turn()
    assert len(house.provider.mutations) == tried + 1  # the new one is tried at once
    waits = []
    for _ in range(8):
        wait = (await house.turn()).wait
        waits.append(wait)
        house.clock.advance(wait + 0.01)
    assert max(waits) > 8 * min(waits)


async def test_a_model_that_failed_is_tried_when_its_wait_is_over() -> None:
    house = Household()
    house.provider.fail("create", Transient("not now"), times=1)
    turn = await house.turn()
    assert sum(house.provider.paid.values()) == 1
    house.clock.advance(turn.wait + 1.0)
    await house.turn()
    assert sum(house.provider.paid.values()) == 2


async def test_failures_of_whole_passes_back_off_and_make_the_daemon_unready() -> None:
    house = Household()
    await house.settle()
    waits = []
    for _ in range(4):
        house.ledger.fail("tip", LedgerError("the disk is full"))
        turn = await house.turn()
        assert turn.result == "failed"
        waits.append(turn.wait)
    assert waits == sorted(waits)
    assert not house.loop.view.is_ready
    assert house.loop.view.failure == "the disk is full"
    assert (await house.turn()).result == "changed"
    assert house.loop.view.is_ready


async def test_a_daemon_is_ready_only_after_its_first_whole_pass() -> None:
    house = Household()
    assert not house.loop.view.is_ready
    await house.turn()
    assert house.loop.view.is_ready


async def test_new_settings_open_everything_anew() -> None:
    house = Household()
    await house.settle()
    house.settings = Settings(policy=Policy(max_creates=0))
    house.source.edit({"gitune.yaml": "changed", "specs/third.yaml": spec_text("third")})
    turn = await house.turn()
    assert (house.opened, house.closed) == (2, 1)
    assert turn.result == "refused"
    assert "policy.maxCreates" in house.loop.view.failure
    assert sum(house.provider.paid.values()) == 2


async def test_after_the_end_no_effect_goes_out_and_none_is_called_done() -> None:
    house = Household()
    await house.turn()
    house.source.edit({"specs/third.yaml": spec_text("third")})
    house.loop.end()
    sent = len(house.provider.mutations)
    await house.turn()
    assert len(house.provider.mutations) == sent
    assert Reason.INTERRUPTED in {getattr(outcome, "reason", None) for outcome in house.loop.view.outcomes}


async def test_a_head_that_moves_under_a_plan_stops_its_effects_and_is_decided_again() -> None:
    asked: list[int] = []

    class Moving(MemorySource):
        async def tip(self) -> str:
            asked.append(1)
            return f"{await super().tip()}{' moved' if len(asked) == 2 else ''}"

    kept = two_specs()
    tree = await kept.tree()
    house = Household(Moving(tree.files, identity=INSTANCE))
    turn = await house.turn()
    assert sum(house.provider.paid.values()) == 1  # the first was stopped, the second was asked for at the right tip
    assert turn.wait < 1.0
    await house.turn()
    assert sum(house.provider.paid.values()) == 2


async def test_only_one_of_two_replicas_acts_and_the_other_goes_on_when_it_stops() -> None:
    one = Household()
    two = Household(one.source, one.provider, one.ledger, one.cell, one.clock, who="two")
    assert (await one.turn()).result == "changed"
    assert (await two.turn()).result == "standby"
    assert two.loop.view.standby == "one"
    assert set(two.loop.view.records) == {"first", "second"}
    one.clock.advance(LASTS + 1.0)  # nobody hears of the first any more
    assert (await two.turn()).result == "changed"
    assert sum(one.provider.paid.values()) == 2


async def test_a_replica_that_slept_through_its_lease_has_no_effect_when_it_wakes() -> None:
    one = Household()
    two = Household(one.source, one.provider, one.ledger, one.cell, one.clock, who="two")
    await one.turn()
    await two.turn()
    one.clock.advance(LASTS + 1.0)
    await two.turn()
    one.source.edit({"specs/third.yaml": spec_text("third")})
    assert (await one.turn()).result == "standby"
    await two.turn()
    assert sum(one.provider.paid.values()) == 3


async def test_who_ends_gives_the_lease_back_at_once() -> None:
    one = Household()
    two = Household(one.source, one.provider, one.ledger, one.cell, one.clock, who="two")
    await one.turn()
    await one.loop.close()
    assert (await two.turn()).result == "changed"


async def test_a_daemon_whose_repository_was_away_for_seconds_knows_its_own_lease() -> None:
    house = Household()
    assert (await house.turn()).result == "changed"
    house.cell.away, house.place = True, "nowhere"
    assert (await house.turn()).result == "failed"
    house.cell.away, house.place = False, "here"
    assert house.cell.text.startswith("one "), "it could not be given back"
    assert (await house.turn()).result == "changed"


async def test_what_another_took_meanwhile_is_not_taken_for_its_own() -> None:
    house = Household()
    await house.turn()
    house.cell.away, house.place = True, "nowhere"
    await house.turn()
    house.cell.away, house.cell.text, house.cell.writes = False, "two 1", house.cell.writes + 1
    assert (await house.turn()).result == "standby"


async def test_an_update_that_changes_nothing_is_not_repeated_in_haste() -> None:
    house = Household()
    house.source.edit({"specs/first.yaml": spec_text("first", description="'Two  blanks.'")})
    house.provider.folds = house.provider.echoes = True
    await house.turn()
    house.provider.finish()
    waits = []
    for _ in range(6):
        house.clock.advance(5.0)
        waits.append((await house.turn()).wait)
    assert waits[-1] > 30.0


async def test_who_edits_on_every_few_seconds_is_paid_for_twice() -> None:
    house = Household()
    house.provider.time = house.clock.now().isoformat()
    house.source.edit({"specs/second.yaml": None})
    await house.turn()
    ((name, made),) = house.provider.models.items()
    house.provider.models[name] = replace(made, created=house.provider.time)
    record = house.ledger.records["first"]
    young = replace(record, runs=tuple(replace(run, started=house.provider.time) for run in record.runs))
    await house.ledger.save({"first": young}, house.ledger.version, "as young as it is")
    for epochs in range(6, 14):
        house.clock.advance(3.0)
        house.provider.time = house.clock.now().isoformat()
        house.source.edit({"specs/first.yaml": spec_text("first", hyperparameters=f"{{epochCount: {epochs}}}")})
        await house.turn()
    assert sum(house.provider.paid.values()) == 1
    house.clock.advance(60.0)
    house.provider.time = house.clock.now().isoformat()
    await house.turn()
    assert sum(house.provider.paid.values()) == 2


async def test_passes_are_counted_by_how_they_ended() -> None:
    house = Household()
    await house.settle()
    text = house.metrics.text().decode()
    assert 'gitune_pass_duration_seconds_count{result="unchanged"} 1.0' in text
    assert 'gitune_creates_total{provider="local"} 2.0' in text
    assert 'gitune_runs{state="Succeeded"} 2.0' in text
    assert "gitune_lease_held 0.0" in text


async def test_the_age_of_a_commit_grows_until_a_pass_has_dealt_with_it() -> None:
    house = Household()
    await house.settle()
    assert house.loop.age() == 0.0
    house.source.edit({"specs/third.yaml": spec_text("third")})
    house.ledger.fail("load", LedgerError("not now"))
    await house.loop.turn(TIME)
    house.clock.advance(30.0)
    assert house.loop.age() >= 30.0
    await house.loop.turn(TIME)
    assert house.loop.age() == 0.0
