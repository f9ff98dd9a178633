"""Data outside of the commit: fetched before a pass decides, kept, pinned; what is not there holds its spec alone."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from controller.downloads.downloader import Downloader
from controller.downloads.lfs import LfsObjects
from controller.downloads.opening import open_fetching
from controller.downloads.sources import data_sources
from controller.downloads.stores import StoreAccess
from controller.engine.desire import Readings, desired_of
from controller.engine.downloads import in_background, kept_only
from controller.engine.reconcile import preview_offline
from controller.errors import Severity
from controller.plan.actions import Create, Hold
from controller.rest import Timing
from controller.state.desired import Desired
from controller.state.reasons import Reason
from controller.testing import FakeClock, MemorySource, SeededChance
from tests.downloads.store import Answer, ObjectServer
from tests.engine.stage import Stage, rows, spec_text

ROWS = rows().encode()
PIN = hashlib.sha256(ROWS).hexdigest()


def pinned(text: str, pin: str = PIN) -> str:
    return text.replace("{path: rows.jsonl}", f"{{uri: {{uri}}, sha256: {pin}}}")


class Place:
    """A store with the rows, and a stage whose spec names them by their address."""

    def __init__(self, store: ObjectServer, home: Path) -> None:
        self.store = store
        self.home = home
        self.uri = f"{store.url}/data/rows.jsonl"
        self.clock = FakeClock()
        store.answers["/data/rows.jsonl"] = Answer(ROWS)

    def downloads(self, listed: str | None = None) -> Downloader:
        sources = data_sources(self.store.url if listed is None else listed)
        timing = Timing(self.clock.now, self.clock.monotonic, self.clock.sleep, SeededChance().uniform)
        fetching = open_fetching(self.home, StoreAccess(sources, {}, {}), None, timing)

        async def nowhere() -> None:
            return None

        return Downloader(fetching, LfsObjects(fetching, "here", nowhere, self.home / "lfs"))

    def stage(self, pin: str = PIN, **files: str) -> Stage:
        text = pinned(spec_text(), pin).replace("{uri}", self.uri)
        source = MemorySource({"specs/numbers.yaml": text, **files}, identity="example.com/models")
        return Stage(source=source, clock=self.clock, downloads=self.downloads())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ObjectServer().running() as store:
        yield Place(store, tmp_path / "home")


async def desired(stage: Stage) -> Desired:
    return await desired_of(stage.ports, await stage.source.tree(), stage.settings)


async def test_a_set_that_moves_out_of_the_commit_is_the_run_that_was_paid_for(place: Place) -> None:
    inside, outside = Stage(), place.stage()
    await inside.run()
    moved = replace(outside, provider=inside.provider, ledger=inside.ledger, clock=inside.clock)

    before, after = await desired(inside), await desired(outside)

    assert before.models[0].fingerprint == after.models[0].fingerprint
    assert await moved.step() == [("numbers", "wait")]
    assert [path for path, _ in place.store.asked] == ["/data/rows.jsonl"]


async def test_later_passes_and_offline_plans_ask_nobody(place: Place) -> None:
    stage = place.stage()
    assert isinstance((await stage.plan()).actions[0], Create)
    place.store.answers.clear()

    offline = await preview_offline(replace(stage.ports, downloads=place.downloads()), stage.settings)

    assert isinstance((await stage.plan()).actions[0], Create)
    assert isinstance(offline.plan.actions[0], Create)
    assert len(place.store.asked) == 1


async def test_what_was_not_fetched_is_said_and_holds_its_spec_without_being_an_error(place: Place) -> None:
    stage = place.stage(**{"specs/other.yaml": spec_text("other"), "specs/rows.jsonl": rows()})

    shown = await preview_offline(stage.ports, stage.settings)

    held, other = shown.plan.actions
    assert isinstance(held, Hold)
    assert (held.name, held.reason) == ("numbers", Reason.DATASET_UNREACHABLE)
    assert isinstance(other, Create)
    problems = shown.world.desired.problems
    assert [(p.code, p.severity, p.line) for p in problems if p.file == "specs/numbers.yaml"] == [
        ("GT426", Severity.WARNING, 6)
    ]
    assert place.store.asked == []


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda place: place.store.answers.clear(), "GT424"),
        (lambda place: place.store.answers.update({"/data/rows.jsonl": Answer(ROWS + b"\n")}), "GT423"),
        (lambda place: place.store.answers.update({"/data/rows.jsonl": Answer(code=503)}), "GT425"),
    ],
)
async def test_what_cannot_be_fetched_holds_its_spec_and_leaves_a_run_that_serves_alone(
    place: Place, spoil: Callable[[Place], object], code: str
) -> None:
    inside = Stage()
    await inside.run()
    outside = replace(place.stage(), provider=inside.provider, ledger=inside.ledger, clock=inside.clock)
    spoil(place)

    plan = await outside.plan()

    assert [(a.word, a.reason) for a in plan.actions] == [("hold", Reason.DATASET_UNREACHABLE)]
    assert code in plan.actions[0].message
    assert [p.code for p in (await desired(outside)).problems] == [code]


async def test_what_is_not_listed_is_not_read_though_it_is_kept(place: Place) -> None:
    stage = place.stage()
    await stage.plan()
    closed = replace(stage, downloads=place.downloads(""))

    assert [p.code for p in (await desired(closed)).problems] == ["GT422"]


async def test_what_failed_is_left_alone_for_a_while_and_then_asked_for_again(place: Place) -> None:
    stage = place.stage()
    place.store.answers.clear()
    for _ in range(3):
        assert [p.code for p in (await desired(stage)).problems] == ["GT424"]
    assert len(place.store.asked) == 1

    place.store.answers["/data/rows.jsonl"] = Answer(ROWS)
    await place.clock.sleep(31.0)

    assert [model.name for model in (await desired(stage)).models] == ["numbers"]


async def test_a_daemon_reads_a_commit_again_until_its_data_came(place: Place) -> None:
    stage, readings = place.stage(), Readings()
    asked = (await stage.source.tree(), stage.settings, stage.ports.facts, stage.downloads)
    place.store.answers.clear()
    assert (await readings.read(*asked)).models == ()
    place.store.answers["/data/rows.jsonl"] = Answer(ROWS)
    await place.clock.sleep(31.0)

    assert [model.name for model in (await readings.read(*asked)).models] == ["numbers"]
    assert (await readings.read(*asked)) is (await readings.read(*asked))


async def test_a_daemons_pass_does_not_wait_for_a_slow_store_and_a_later_one_finds_what_came(place: Place) -> None:
    going = threading.Event()
    well = place.store.answer

    def slow(path: str, headers: Mapping[str, str]) -> Answer:
        going.wait(10.0)
        return well(path, headers)

    place.store.answer = slow  # type: ignore[method-assign] # the server of this test alone
    stage = place.stage()
    async with in_background(stage.downloads, 0.05) as downloads:
        waiting = replace(stage, downloads=downloads)
        first, second = await desired(waiting), await desired(waiting)
        going.set()
        found = first
        for _ in range(500):
            found = found if found.models else await desired(waiting)

    assert [[p.code for p in one.problems] for one in (first, second)] == [["GT425"], ["GT425"]]
    assert [model.name for model in found.models] == ["numbers"]
    assert len(place.store.asked) == 1


async def test_what_is_on_its_way_is_given_up_where_the_daemon_ends(place: Place) -> None:
    going = threading.Event()

    def slow(path: str, headers: Mapping[str, str]) -> Answer:
        going.wait(10.0)
        return Answer()

    place.store.answer = slow  # type: ignore[method-assign] # the server of this test alone
    stage = place.stage()
    async with in_background(stage.downloads, 0.05) as downloads:
        assert (await desired(replace(stage, downloads=downloads))).models == ()
    going.set()

    assert list((place.home / "data" / "incoming").iterdir()) == []


async def test_evaluation_rows_may_lie_outside_too(place: Place) -> None:
    evaluation = f"{{dataset: {{uri: {place.uri}, sha256: {PIN}}}, metric: exactMatch, minScore: 0.5}}"
    source = MemorySource({"specs/numbers.yaml": spec_text(evaluation=evaluation), "specs/rows.jsonl": rows(30, 50)})
    stage = Stage(source=source, clock=place.clock, downloads=place.downloads())

    (found,) = (await desired(stage)).models

    assert found.evaluation is not None
    assert found.evaluation.dataset.path == place.uri


def pointer(oid: str = PIN) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(ROWS)}\n"


async def test_a_pointer_is_followed_to_the_clones_store(place: Place) -> None:
    source = MemorySource({"specs/numbers.yaml": spec_text(), "specs/rows.jsonl": pointer()})
    stage = Stage(source=source, clock=place.clock, downloads=place.downloads())
    plain = await desired(Stage())

    missing = await desired(stage)
    path = place.home / "lfs" / PIN[:2] / PIN[2:4] / PIN
    path.parent.mkdir(parents=True)
    path.write_bytes(ROWS)
    await place.clock.sleep(31.0)
    found = await desired(stage)

    assert [p.code for p in missing.problems] == ["GT429"]
    assert found.models[0].fingerprint == plain.models[0].fingerprint
    assert found.models[0].dataset.path == "specs/rows.jsonl"


async def test_a_spec_that_is_a_pointer_is_not_followed(place: Place) -> None:
    source = MemorySource({"specs/numbers.yaml": pointer(), "specs/rows.jsonl": rows()})

    stage = Stage(source=source, downloads=kept_only(place.downloads()))
    found = await desired(stage)

    assert found.models == ()
    assert not found.complete
