"""What rests on data outside of the commit is known to the next process while that may be read and is here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from controller.downloads.downloader import Downloader
from controller.downloads.kept import KeptFile
from controller.ports import Wanted
from controller.readings import ReadingsFile
from controller.testing import MemorySource
from tests.downloads.store import Answer
from tests.engine.stage import Stage, spec_text
from tests.engine.test_data_outside import PIN, ROWS, Place, desired, pinned, place, pointer

__all__ = ["place"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What outside of the commit was read."""
    seen: list[Wanted] = []
    known = Downloader.open

    def note(self: Downloader, wanted: Wanted, most: int) -> KeptFile | None:
        seen.append(wanted)
        return known(self, wanted, most)

    monkeypatch.setattr(Downloader, "open", note)
    return seen


def anew(stage: Stage, place: Place, listed: str | None = None) -> Stage:
    """The same in a new process."""
    return replace(stage, cache=ReadingsFile(place.home / "readings", "one"), downloads=place.downloads(listed))


def in_lfs(place: Place) -> Path:
    path = place.home / "lfs" / PIN[:2] / PIN[2:4] / PIN
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ROWS)
    return path


def pointing(place: Place) -> Stage:
    source = MemorySource({"specs/numbers.yaml": spec_text(), "specs/rows.jsonl": pointer()})
    return Stage(source=source, clock=place.clock)


@pytest.mark.parametrize("where", ["uri", "pointer"])
async def test_the_next_process_reads_none_of_it_before_its_rows_are_asked_for(
    place: Place, opened: list[Wanted], where: str
) -> None:
    in_lfs(place)
    stage = place.stage() if where == "uri" else pointing(place)
    cold = await desired(anew(stage, place))
    opened.clear()

    warm = await desired(anew(stage, place))

    assert warm == cold
    assert [model.name for model in warm.models] == ["numbers"]
    assert opened == []
    assert len(list(warm.models[0].dataset.examples)) == warm.models[0].dataset.count
    assert len(opened) == 1


async def test_what_is_not_listed_any_more_is_refused_though_it_is_known(place: Place) -> None:
    stage = place.stage()
    await desired(anew(stage, place))

    assert [p.code for p in (await desired(anew(stage, place, ""))).problems] == ["GT422"]


async def test_what_is_not_here_any_more_is_fetched_again(place: Place) -> None:
    stage = place.stage()
    await desired(anew(stage, place))
    shutil.rmtree(place.home / "data")

    found = await desired(anew(stage, place))

    assert len(place.store.asked) == 2
    assert list(found.models[0].dataset.examples)


async def test_an_object_that_is_gone_is_missed(place: Place) -> None:
    path, stage = in_lfs(place), pointing(place)
    assert (await desired(anew(stage, place))).models
    path.unlink()

    assert [p.code for p in (await desired(anew(stage, place))).problems] == ["GT429"]


async def test_another_pin_is_another_reading(place: Place) -> None:
    await desired(anew(place.stage(), place))

    assert [p.code for p in (await desired(anew(place.stage("ab" * 32), place))).problems] == ["GT423"]


@pytest.mark.parametrize(("base", "misnamed"), [("models/tiny", []), ("tiny", ["GT037"])])
async def test_what_could_not_be_fetched_is_not_kept(place: Place, base: str, misnamed: list[str]) -> None:
    text = pinned(spec_text().replace("models/tiny", base)).replace("{uri}", place.uri)
    stage = Stage(source=MemorySource({"specs/numbers.yaml": text}), clock=place.clock)
    place.store.answers.clear()
    assert [p.code for p in (await desired(anew(stage, place))).problems] == [*misnamed, "GT424"]
    place.store.answers["/data/rows.jsonl"] = Answer(ROWS)

    found = await desired(anew(stage, place))

    assert {p.code for p in found.problems} == {*misnamed, "GT204"}
