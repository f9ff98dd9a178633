"""Of another commit only what differs is read, and what comes out is what reading all of it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.engine.caches import Last
from controller.engine.desire import Readings, read_desired
from controller.ports import Entry, Facts, OneByOne, Tree
from controller.settings import Settings
from controller.source.repo import CommitSource
from controller.state.desired import Desired
from controller.state.reasons import Reason
from controller.testing import FREE, MemorySource
from tests.engine.stage import rows, spec_text
from tests.git.repositories import Work, new_work

EVALUATED = spec_text("e", evaluation="{dataset: {path: held-out.jsonl}, metric: exactMatch, minScore: 0.5}")


@dataclass
class Watched(OneByOne):
    """A tree that notes what is read."""

    tree: Tree
    seen: list[str] = field(default_factory=list)

    @property
    def revision(self) -> str | None:
        return self.tree.revision

    def entries(self) -> Sequence[Entry]:
        return self.tree.entries()

    def read(self, path: str, limit: int) -> bytes:
        self.seen.append(path)
        return self.tree.read(path, limit)


@dataclass
class Desk:
    """A repository, and one reader of its commits."""

    work: Work
    source: CommitSource
    readings: Readings = field(default_factory=Readings)
    settings: Settings = field(default_factory=Settings)
    can: dict[str, Facts] = field(default_factory=lambda: {"local": FREE})

    async def read(self, act: Callable[[], object] = lambda: None) -> tuple[Desired, list[str]]:
        """What the next commit asks for, as reading it anew gives it, and what had to be read for it."""
        act()
        self.work.commit({})
        watched = Watched(await self.source.tree())
        found = await self.readings.read(watched, self.settings, self.can)
        assert found == read_desired(await self.source.tree(), self.settings, self.can)
        return found, sorted(watched.seen)

    def write(self, path: str, text: str) -> None:
        self.work.commit({path: text})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    work = new_work(tmp_path / "repository")
    specs = {f"specs/{name}.yaml": spec_text(name) for name in ("a", "b", "c")}
    work.commit({**specs, "specs/rows.jsonl": rows(), "specs/held-out.jsonl": rows(3, 100)})
    source = CommitSource(work.root, tmp_path / "home")
    yield Desk(work, source)
    await source.close()


async def test_a_file_that_many_name_is_read_once_and_afterwards_only_what_differs(desk: Desk) -> None:
    assert (await desk.read())[1] == ["specs/a.yaml", "specs/b.yaml", "specs/c.yaml", "specs/rows.jsonl"]
    assert (await desk.read())[1] == []
    found, seen = await desk.read(lambda: desk.write("specs/b.yaml", spec_text("b", attempt="2")))
    assert seen == ["specs/b.yaml"]
    assert [model.attempt for model in found.models] == [1, 2, 1]


async def test_rows_that_change_change_all_who_name_them(desk: Desk) -> None:
    before, _ = await desk.read()
    after, seen = await desk.read(lambda: desk.write("specs/rows.jsonl", rows(21)))
    assert seen == ["specs/rows.jsonl"]
    assert {model.dataset.count for model in after.models} == {21}
    assert before.models[0].dataset.digest != after.models[0].dataset.digest


async def test_held_out_rows_that_change_are_read_again_and_so_are_those_they_are_kept_apart_from(desk: Desk) -> None:
    await desk.read(lambda: desk.write("specs/e.yaml", EVALUATED))
    found, seen = await desk.read(lambda: desk.write("specs/held-out.jsonl", rows(4, 100)))
    assert seen == ["specs/held-out.jsonl", "specs/rows.jsonl"]
    evaluation = found.models[-1].evaluation
    assert evaluation is not None
    assert evaluation.dataset.count == 4


async def test_what_rests_on_several_specs_is_judged_anew_each_time(desk: Desk) -> None:
    await desk.read()
    twice, seen = await desk.read(lambda: desk.write("specs/z.yaml", spec_text("a")))
    assert seen == ["specs/z.yaml"]
    assert [(model.name, len(model.problems)) for model in twice.invalid] == [("a", 2)]
    on_top = spec_text("z").replace("models/tiny", "{from: a}")
    fallen, _ = await desk.read(lambda: desk.write("specs/top.yaml", on_top))
    assert [model.name for model in fallen.invalid] == ["a", "z"]
    mended, seen = await desk.read((desk.work.root / "specs/z.yaml").unlink)
    assert seen == []
    assert [model.name for model in mended.models] == ["a", "b", "c", "z"]


async def test_a_file_that_moved_has_its_problems_where_it_is_now(desk: Desk) -> None:
    desk.write("specs/bad.yaml", spec_text("bad", attempt="none"))
    await desk.read()
    found, _ = await desk.read(lambda: desk.work.git("mv", "specs/bad.yaml", "specs/worse.yaml"))
    assert {problem.file for problem in found.errors} == {"specs/worse.yaml"}


async def test_a_link_that_says_what_a_file_said_is_not_the_file(desk: Desk) -> None:
    await desk.read()

    def swap() -> None:
        (desk.work.root / "specs/a.yaml").unlink()
        (desk.work.root / "specs/a.yaml").symlink_to(spec_text("a"))

    found, seen = await desk.read(swap)
    assert seen == ["specs/a.yaml"]
    assert not found.complete
    assert [model.name for model in found.models] == ["b", "c"]


async def test_other_settings_and_another_provider_judge_anew_what_was_read(desk: Desk) -> None:
    await desk.read()
    desk.can = {"local": replace(FREE, examples=replace(FREE.examples, inline_bytes=10))}
    found, _ = await desk.read()
    assert {model.reason for model in found.invalid} == {Reason.INVALID_DATASET}
    desk.settings = Settings(specs=("specs/a.yaml",))
    found, _ = await desk.read()
    assert [model.name for model in found.invalid] == ["a"]


TEXTS = st.sampled_from(
    (
        *(spec_text(name, **more) for name in "abc" for more in ({}, {"attempt": "2"}, {"attempts": "2"})),
        *(spec_text("b").replace("models/tiny", f"{{from: {name}}}") for name in "abc"),
        *(spec_text("a").replace("name: a", f"name: a, formerNames: [{name}]") for name in "bc"),
        EVALUATED,
        *(rows(20), rows(21), rows(5), "no rows\n", "kind: Other\n", "", None),
    )
)
PATHS = st.sampled_from(("specs/a.yaml", "specs/b.yaml", "specs/d/a.yaml", "specs/rows.jsonl", "specs/held-out.jsonl"))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.dictionaries(PATHS, TEXTS, max_size=3), min_size=1, max_size=8))
async def test_whatever_was_read_before_the_next_tree_says_the_same(commits: list[dict[str, str | None]]) -> None:
    source = MemorySource({"specs/rows.jsonl": rows()})
    readings = Readings()
    for changes in commits:
        source.edit(changes)
        tree = await source.tree()
        asked = (tree, Settings(), {"local": FREE})
        assert await readings.read(*asked) == read_desired(*asked)


def test_what_two_rounds_had_no_use_for_is_forgotten() -> None:
    kept: Last[str, int] = Last()
    kept.put("a", 1)
    kept.put("b", 2)
    kept.turn()
    assert kept.get("a") == 1
    kept.turn()
    assert (kept.get("a"), kept.get("b")) == (1, None)


async def test_the_rows_that_judge_a_model_are_not_suggested_to_train_it() -> None:
    judged = "{dataset: {path: held-out.jsonl}, metric: exactMatch, minScore: 0.5}"
    spec = spec_text("a", evaluation=judged)
    for path, hint in {
        "held-ut.jsonl": "Commit the file",
        "numbrs.jsonl": "Did you mean 'specs/numbers.jsonl'",
    }.items():
        files = {
            "specs/a.yaml": spec.replace("rows.jsonl", path, 1),
            "specs/held-out.jsonl": rows(),
            "specs/numbers.jsonl": rows(),
        }
        found = read_desired(await MemorySource(files).tree(), Settings(), {"local": FREE})
        ((problem,),) = (model.problems for model in found.invalid)
        assert problem.code == "GT401"
        assert hint in problem.hint
