"""A spec's history to the landings that made it ask for what it asks: by effect, through moves, to the last act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import SourceError
from controller.plan.grants import ABSENT
from controller.ports import Opened
from controller.review.trail import History, Step
from controller.state.recorded import Record, Slot
from controller.testing import MemorySource
from tests.e2e.stand import rows, spec
from tests.engine.stage import Stage

FILES = {"specs/numbers.yaml": spec(), "specs/rows.jsonl": rows(), "README.md": "read me"}

RUN = Slot("tunedModels/numbers-1", "f" * 64, 1, "Active")


@pytest.fixture
def stage() -> Stage:
    return Stage(MemorySource(FILES))


async def steps(stage: Stage, record: Record | None = None, *names: str) -> list[str]:
    """The commits of the steps, the newest first."""
    found: tuple[Step, ...] = await history(stage).steps(stage.source.head or "", names or ("numbers",), record)
    return [step.landing.commit for step in found]


def history(stage: Stage) -> History:
    return History(Opened(stage.ports, stage.settings))


async def test_only_what_changes_what_is_asked_for_is_a_step(stage: Stage) -> None:
    first = stage.source.head
    longer = stage.source.edit({"specs/numbers.yaml": spec(epochs=3)})
    stage.source.edit({"specs/numbers.yaml": "# a remark\n" + spec(epochs=3)})
    stage.source.edit({"README.md": "read me again"})
    more = stage.source.edit({"specs/rows.jsonl": rows(21)})

    assert await steps(stage) == [more, longer, first]


async def test_a_move_of_a_spec_or_of_its_data_is_no_step(stage: Stage) -> None:
    first = stage.source.head
    stage.source.edit({"specs/numbers.yaml": None, "specs/deep/a.yaml": spec().replace("rows.jsonl", "../rows.jsonl")})
    moved = spec().replace("rows.jsonl", "other.jsonl")
    stage.source.edit({"specs/deep/a.yaml": None, "specs/b.yaml": moved, "specs/other.jsonl": rows()})

    assert await steps(stage) == [first]


async def test_a_spec_that_was_moved_and_then_removed_is_followed_all_the_same(stage: Stage) -> None:
    first = stage.source.head
    record = Record(name="numbers", provider="local", active=RUN, attempted=first or "")
    stage.source.edit({"specs/numbers.yaml": None, "specs/b.yaml": spec()})
    stage.source.edit({"README.md": "read me again"})
    removed = stage.source.edit({"specs/b.yaml": None})

    assert await steps(stage, record) == [removed]


async def test_a_rename_is_no_step_where_the_former_name_is_known(stage: Stage) -> None:
    first = stage.source.head
    stage.source.edit({"specs/numbers.yaml": spec("figures")})

    assert await steps(stage, None, "figures", "numbers") == [first]


async def test_what_was_acted_on_last_ends_the_trail(stage: Stage) -> None:
    asked = (await history(stage).steps(stage.source.head or "", ("numbers",), None))[0].asked
    record = Record(name="numbers", provider="local", asked=asked)
    third = stage.source.edit({"specs/numbers.yaml": spec(epochs=3)})
    fourth = stage.source.edit({"specs/numbers.yaml": spec(epochs=4)})

    assert await steps(stage, record) == [fourth, third]
    back = stage.source.edit({"specs/numbers.yaml": spec()})
    assert await steps(stage, record) == [back]


async def test_a_record_of_an_older_release_is_followed_back_to_the_commit_it_was_acted_on(stage: Stage) -> None:
    third = stage.source.edit({"specs/numbers.yaml": spec(epochs=3)})
    record = Record(name="numbers", provider="local", active=RUN, attempted=third)
    assert await steps(stage, record) == [third]
    fourth = stage.source.edit({"specs/numbers.yaml": spec(epochs=4)})

    assert await steps(stage, record) == [fourth]
    assert await steps(stage, replace(record, attempted="")) == [fourth, third, await first_of(stage)]


async def first_of(stage: Stage) -> str:
    return (await stage.source.landings(stage.source.head or "", "", frozenset(), 100))[-1].commit


async def test_a_spec_that_was_broken_in_between_is_a_step_in_both_directions(stage: Stage) -> None:
    first = stage.source.head
    broken = stage.source.edit({"specs/numbers.yaml": spec().replace("epochCount: 2", "epochCount: two")})
    whole = stage.source.edit({"specs/numbers.yaml": spec()})

    assert await steps(stage) == [whole, broken, first]


async def test_a_history_that_cannot_be_read_is_an_error(stage: Stage) -> None:
    reading = history(stage)
    stage.source.fail(SourceError("gone"))

    with pytest.raises(SourceError):
        await reading.steps(stage.source.head or "", ("numbers",), None)


async def test_a_record_that_never_ran_was_not_acted_on_whatever_revision_it_names(stage: Stage) -> None:
    first = await first_of(stage)
    second = stage.source.edit({"specs/numbers.yaml": spec(epochs=3)})
    record = Record(name="numbers", provider="local", attempted=second)

    assert await steps(stage, record) == [second, first]


async def test_a_removal_that_could_not_be_read_as_one_is_its_own_step_once_another_file_is_mended(
    stage: Stage,
) -> None:
    record = Record(name="numbers", provider="local", active=RUN, attempted=stage.source.head or "")
    stage.source.edit({"specs/others.yaml": "{"})
    removed = stage.source.edit({"specs/numbers.yaml": None})
    stage.source.edit({"specs/others.yaml": spec("others")})
    stage.source.edit({"README.md": "read me again"})
    found = await history(stage).steps(stage.source.head or "", ("numbers",), record)

    assert [(step.landing.commit, step.asked) for step in found] == [(removed, ABSENT)]


async def test_a_file_that_cannot_be_read_and_is_mended_is_no_step_of_another_spec(stage: Stage) -> None:
    first = stage.source.head
    longer = stage.source.edit({"specs/numbers.yaml": spec(epochs=3)})
    stage.source.edit({"specs/others.yaml": "{"})
    stage.source.edit({"specs/others.yaml": spec("others")})

    assert await steps(stage) == [longer, first]
