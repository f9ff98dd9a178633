"""A lease in a cell: in memory, in a file, and on a branch of a real repository."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.daemon.lease import LASTS, Cell, CellLease
from controller.errors import LedgerError, RevisionConflict
from controller.ledger.opening import open_cell
from controller.settings import LedgerSettings
from controller.testing import FakeClock, SeededChance
from tests.daemon.household import MemoryCell
from tests.git.repositories import new_work

Make = Callable[[], Cell]


@pytest.fixture(params=["memory", "file", "branch", "remote"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Cells that all stand for the same text."""
    clock = FakeClock()
    if request.param == "memory":
        one = MemoryCell()
        return lambda: one
    if request.param == "file":
        return lambda: open_cell(LedgerSettings(), tmp_path, tmp_path / "home", clock.now, os.environ)
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    settings = LedgerSettings()
    if request.param == "remote":
        subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "there.git")], check=True)
        settings = LedgerSettings(remote=str(tmp_path / "there.git"))
    return lambda: open_cell(settings, repository, tmp_path / "home", clock.now, os.environ)


async def test_a_cell_keeps_what_was_written_and_refuses_who_did_not_read_it(make: Make) -> None:
    one, two = make(), make()
    assert await one.read() == (None, "")
    tip = await one.write(None, "one 1")
    assert await two.read() == (tip, "one 1")
    with pytest.raises(RevisionConflict):
        await two.write(None, "two 1")
    newer = await two.write(tip, "two 2")
    with pytest.raises(RevisionConflict):
        await one.write(tip, "one 2")
    assert await one.read() == (newer, "two 2")


async def test_of_many_who_write_at_once_one_wins(make: Make) -> None:
    cells = [make() for _ in range(6)]
    tip = await cells[0].write(None, "start 0")
    tries = [cell.write(tip, f"w{n} {n}") for n, cell in enumerate(cells)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in done) == 1
    assert all(isinstance(answer, str | RevisionConflict) for answer in done)


def leases(make: Make, clock: FakeClock) -> tuple[CellLease, CellLease]:
    return (
        CellLease(make(), "one", clock, SeededChance(1)),
        CellLease(make(), "two", clock, SeededChance(2)),
    )


async def test_who_has_it_keeps_it_and_the_other_waits_for_its_whole_length(make: Make) -> None:
    clock = FakeClock()
    one, two = leases(make, clock)
    assert await one.take()
    for _ in range(5):
        clock.advance(LASTS * 0.6)
        assert await one.take()
        assert not await two.take()
    assert two.holder == "one"
    clock.advance(LASTS * 0.9)
    assert not await two.take()
    clock.advance(LASTS * 0.2)
    assert await two.take()
    assert not await one.still_held()


async def test_who_slept_for_longer_than_the_lease_finds_it_gone(make: Make) -> None:
    clock = FakeClock()
    one, two = leases(make, clock)
    await one.take()
    await two.take()
    clock.advance(LASTS + 1)
    assert await two.take()
    assert not await one.still_held()
    assert not await one.take()


async def test_a_lease_that_was_given_back_is_free_at_once(make: Make) -> None:
    clock = FakeClock()
    one, two = leases(make, clock)
    await one.take()
    assert not await two.take()
    await one.release()
    assert await two.take()


async def test_a_lease_is_not_written_again_before_a_third_of_it_is_over() -> None:
    cell, clock = MemoryCell(), FakeClock()
    lease = CellLease(cell, "one", clock, SeededChance())
    for _ in range(10):
        assert await lease.take()
        clock.advance(LASTS / 40)
    assert cell.writes == 1


async def test_a_holder_that_surely_runs_no_more_is_not_waited_for() -> None:
    cell, clock = MemoryCell(), FakeClock()
    await CellLease(cell, "dead", clock, SeededChance(1)).take()
    assert not await CellLease(cell, "two", clock, SeededChance(2), lambda who: who == "other").take()
    assert await CellLease(cell, "two", clock, SeededChance(2), lambda who: who == "dead").take()


class Losing(MemoryCell):
    """Writes, and loses the answer where it is told to."""

    loses = False

    async def write(self, tip: str | None, text: str) -> str:
        new = await super().write(tip, text)
        if self.loses:
            raise LedgerError("the answer was lost")
        return new


async def one_whose_answer_was_lost() -> tuple[CellLease, CellLease, FakeClock]:
    """Two leases in one cell; the first was written, and nobody told so."""
    cell, clock = Losing(), FakeClock()
    one, two = CellLease(cell, "one", clock, SeededChance(1)), CellLease(cell, "two", clock, SeededChance(2))
    cell.loses = True
    with pytest.raises(LedgerError):
        await one.take()
    cell.loses = False
    return one, two, clock


async def test_nobody_stands_by_for_himself_after_an_answer_was_lost() -> None:
    one, two, _ = await one_whose_answer_was_lost()
    assert not await two.take()
    assert await one.take()


async def test_whose_write_was_lost_and_then_written_over_has_nothing() -> None:
    one, two, clock = await one_whose_answer_was_lost()
    assert not await two.take()
    clock.advance(LASTS + 1)
    assert await two.take()
    assert not await one.take()
    assert not await one.still_held()


async def test_the_lease_of_a_branch_grows_no_history(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    work, clock = await asyncio.to_thread(new_work, repository), FakeClock()
    cell = open_cell(LedgerSettings(), repository, tmp_path / "home", clock.now, os.environ)
    lease = CellLease(cell, "one", clock, SeededChance())
    for _ in range(4):
        assert await lease.take()
        clock.advance(LASTS / 2)
    assert work.git("rev-list", "--count", "gitune-status-lease") == "1"
