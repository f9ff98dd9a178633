"""A controller that sleeps between its intent and its create, and what it finds when it wakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import pytest

from controller.dataset.loading import Examples
from controller.errors import LedgerError
from controller.plan.actions import Held
from controller.state.desired import Example
from controller.state.reasons import Reason
from controller.state.recorded import Record
from controller.testing import FREE, SERVER_CHOSEN, MemoryLedger, MemoryProvider
from tests.engine.stage import Stage, rows, spec_text


class SleepyLedger(MemoryLedger):
    """Others have their turn after the first save, while the one who saved sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Write, then sleep."""
        new = await super().save(records, tip, message)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return new


def two_controllers(*, chooses_id: bool) -> tuple[Stage, Stage, SleepyLedger]:
    """Two on one repository, one ledger and one provider."""
    ledger = SleepyLedger()
    provider = MemoryProvider("local", facts=FREE if chooses_id else SERVER_CHOSEN)
    sleeper = Stage(ledger=ledger, provider=provider)
    other = Stage(source=sleeper.source, ledger=ledger, provider=provider, clock=sleeper.clock)
    return sleeper, other, ledger


@pytest.mark.parametrize("chooses_id", [True, False])
async def test_a_sleeper_does_not_pay_for_inputs_that_another_one_has_replaced(*, chooses_id: bool) -> None:
    sleeper, other, ledger = two_controllers(chooses_id=chooses_id)

    async def meanwhile() -> None:
        await other.run()  # settles the open intent, by id or by the visibility window
        sleeper.clock.advance(3600)
        recorded = await ledger.load()
        record = recorded.records["numbers"]
        if record.intent is not None:
            await ledger.save({}, recorded.tip, "Forget the intent of numbers")
        files = {"specs/numbers.yaml": spec_text(hyperparameters="{epochCount: 9}"), "specs/rows.jsonl": rows()}
        sleeper.source.commit(files)
        await other.run()

    ledger.meanwhile = meanwhile
    done = await sleeper.run()
    assert [type(outcome) for outcome in done.outcomes] == [Held]
    held = done.outcomes[0]
    assert isinstance(held, Held)
    assert held.reason is Reason.SUPERSEDED
    epochs = [model.hyperparameters.epoch_count for model in sleeper.provider.models.values()]
    assert epochs.count(9) == 1
    assert len(epochs) == sleeper.provider.paid.total() == (2 if chooses_id else 1)
    pending = ledger.records["numbers"].pending
    assert pending is not None
    assert pending.model in sleeper.provider.models
    assert ledger.records["numbers"].intent is None


async def test_a_create_goes_on_where_others_wrote_of_something_else() -> None:
    sleeper, _, ledger = two_controllers(chooses_id=True)

    async def meanwhile() -> None:
        recorded = await ledger.load()
        more = {**recorded.records, "letters": Record(name="letters", provider="local")}
        await ledger.save(more, recorded.tip, "Status of letters")

    ledger.meanwhile = meanwhile
    assert await sleeper.step() == [("numbers", "create")]
    assert set(ledger.records) == {"letters", "numbers"}
    assert ledger.records["numbers"].pending is not None


async def test_no_create_is_sent_where_the_ledger_cannot_be_asked_just_before() -> None:
    sleeper, _, ledger = two_controllers(chooses_id=False)

    async def meanwhile() -> None:
        ledger.fail("tip", LedgerError("no route to host"))

    ledger.meanwhile = meanwhile
    done = await sleeper.run()
    held = done.outcomes[0]
    assert isinstance(held, Held)
    assert held.reason is Reason.INTERRUPTED
    assert "not sent" in held.message
    assert sleeper.provider.mutations == []
    assert await sleeper.step() == [("numbers", "create")]
    assert list(sleeper.provider.paid.values()) == [1]


async def test_no_create_is_sent_where_the_rows_are_no_longer_those_that_were_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    real = Examples.__iter__

    def one_row_less(examples: Examples) -> Iterator[Example]:
        def source() -> Iterable[bytes]:
            return [b"".join(examples.source()).split(b"\n", 1)[1]]

        return real(replace(examples, source=source))

    with monkeypatch.context() as changed:
        changed.setattr(Examples, "__iter__", one_row_less)
        (held,) = (await stage.run()).outcomes

    assert isinstance(held, Held)
    assert held.reason is Reason.DATASET_UNREACHABLE
    assert "have changed since" in held.message
    assert stage.provider.paid.total() == 0
    assert stage.ledger.records["numbers"].intent is None

    assert await stage.step() == [("numbers", "create")]
    assert stage.provider.paid.total() == 1
