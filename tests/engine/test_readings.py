"""Commits are read once, working trees every time."""

from controller.engine.desire import Readings
from controller.settings import Settings
from controller.testing import FREE, MemorySource
from tests.engine.stage import rows, spec_text


async def test_a_commit_is_read_once_and_another_one_anew() -> None:
    source = MemorySource({"specs/a.yaml": spec_text("a"), "specs/rows.jsonl": rows()})
    readings, settings = Readings(), Settings()
    first = await readings.read(await source.tree(), settings, {"local": FREE})
    assert await readings.read(await source.tree(), settings, {"local": FREE}) is first
    source.edit({"specs/b.yaml": spec_text("b")})
    second = await readings.read(await source.tree(), settings, {"local": FREE})
    assert [model.name for model in second.models] == ["a", "b"]


async def test_other_settings_read_the_same_commit_anew() -> None:
    source = MemorySource({"specs/a.yaml": spec_text("a"), "specs/rows.jsonl": rows()})
    readings = Readings()
    first = await readings.read(await source.tree(), Settings(), {"local": FREE})
    assert await readings.read(await source.tree(), Settings(specs=("other/*.yaml",)), {"local": FREE}) is not first


async def test_what_could_not_be_reached_is_looked_for_again() -> None:
    source = MemorySource({"specs/a.yaml": spec_text("a")})
    readings = Readings()
    first = await readings.read(await source.tree(), Settings(), {"local": FREE})
    assert [model.name for model in first.invalid] == ["a"]
    assert await readings.read(await source.tree(), Settings(), {"local": FREE}) is not first
