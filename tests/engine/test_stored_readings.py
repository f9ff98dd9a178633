"""What one process read is known to the next, and whatever is wrong with it, the answer is that of a cold read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from controller.engine.desire import Kept, read_desired
from controller.ports import Entry, Facts, OneByOne, Tree
from controller.readings import ReadingsFile
from controller.settings import Policy, ProviderSettings, Settings
from controller.source.repo import CommitSource
from controller.state.desired import Desired
from controller.testing import FREE
from tests.engine.stage import rows, spec_text
from tests.git.repositories import Work, new_work

SPECS = {
    "specs/a.yaml": spec_text("a"),
    "specs/b.yaml": spec_text("b").replace("name: b", "name: b, formerNames: [old]"),
    "specs/two.yaml": f"{spec_text('c')}---\n{spec_text('d')}",
    "specs/e.yaml": spec_text("e", evaluation="{dataset: {path: held-out.jsonl}, metric: exactMatch, minScore: 0.5}"),
    "specs/f.yaml": spec_text("f").replace("models/tiny", "{from: a}"),
    "specs/rows.jsonl": rows(25),
    "specs/held-out.jsonl": rows(4, 100),
}
WRONG = {
    "specs/broken.yaml": spec_text("w", attempts="2"),
    "specs/gone.yaml": spec_text("x").replace("rows.jsonl", "nowhere.jsonl"),
    "specs/bad-rows.yaml": spec_text("y").replace("rows.jsonl", "bad.jsonl"),
    "specs/bad.jsonl": '{"text_input": "a"}\n',
}


@dataclass
class Watched(OneByOne):
    """A tree that notes what is read."""

    tree: Tree
    seen: list[str] = field(default_factory=list)

    @property
    def revision(self) -> str | None:
        return self.tree.revision

    def entries(self) -> list[Entry]:
        return list(self.tree.entries())

    def read(self, path: str, limit: int) -> bytes:
        self.seen.append(path)
        return self.tree.read(path, limit)


@dataclass
class Desk:
    """A repository, and a data folder that outlives each process."""

    work: Work
    source: CommitSource
    folder: Path
    settings: Settings = field(default_factory=Settings)
    can: dict[str, Facts] = field(default_factory=lambda: {"local": FREE})

    @property
    def cache(self) -> ReadingsFile:
        return ReadingsFile(self.folder, "repository")

    @property
    def file(self) -> Path:
        (found,) = self.folder.iterdir()
        return found

    def read(self) -> tuple[Desired, list[str]]:
        """What a new process finds, which is what one without a cache finds, and what it had to read."""
        watched = Watched(self.source.read_tree())
        found = read_desired(watched, self.settings, self.can, Kept(self.cache))
        assert found == read_desired(self.source.read_tree(), self.settings, self.can)
        return found, sorted(set(watched.seen))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    work = new_work(tmp_path / "repository")
    work.commit(SPECS)
    return Desk(work, CommitSource(work.root, tmp_path / "home"), tmp_path / "home" / "readings")


def test_the_next_process_reads_nothing_that_is_the_same(desk: Desk) -> None:
    cold, seen = desk.read()
    assert seen == sorted(SPECS)
    warm, seen = desk.read()
    assert seen == []
    assert warm == cold
    assert [len(list(model.dataset.examples)) for model in warm.models] == [25] * 6


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"specs/a.yaml": spec_text("a", attempt="2")}, ["specs/a.yaml", "specs/rows.jsonl"]),
        ({"specs/held-out.jsonl": rows(5, 100)}, ["specs/e.yaml", "specs/held-out.jsonl", "specs/rows.jsonl"]),
        ({"README.md": "x"}, []),
    ],
)
def test_only_what_differs_and_what_rests_on_it_is_read(desk: Desk, change: dict[str, str], read: list[str]) -> None:
    desk.read()
    desk.work.commit(change)
    assert desk.read()[1] == read
    assert desk.read()[1] == []


def test_names_that_came_to_be_used_twice_are_told_at_their_places(desk: Desk) -> None:
    desk.read()
    desk.work.commit({"specs/again.yaml": spec_text("a")})
    found, _ = desk.read()
    assert {(p.file, p.line) for p in found.problems if p.code == "GT301"} == {
        ("specs/a.yaml", 3),
        ("specs/again.yaml", 3),
    }
    assert [model.name for model in found.invalid] == ["a", "f"]


def test_what_is_wrong_is_told_each_time(desk: Desk) -> None:
    desk.work.commit({**SPECS, **WRONG})
    cold, _ = desk.read()
    warm, seen = desk.read()
    assert warm == cold
    assert [model.name for model in warm.invalid] == ["w", "x", "y"]
    assert seen == ["specs/bad-rows.yaml", "specs/broken.yaml", "specs/gone.yaml", "specs/nowhere.jsonl"]


def test_facts_settings_and_policy_are_those_of_now(desk: Desk) -> None:
    first, _ = desk.read()
    desk.can = {"local": replace(FREE, start=replace(FREE.start, epoch_count=9))}
    assert desk.read()[0] != first
    desk.settings = Settings(
        default_provider="other",
        providers={"other": ProviderSettings("other", "local")},
        policy=Policy(checks={code: severity for code in ("GT204",) for severity in (first.problems[0].severity,)}),
    )
    desk.can = {"other": FREE}
    desk.read()
    assert desk.read()[1] == []


def test_no_row_is_in_the_file(desk: Desk) -> None:
    desk.read()
    data = desk.file.read_bytes()
    assert b"text_input" in data, "the name of a column"
    assert b'"output"' not in data


@pytest.mark.parametrize("length", [0, 1, 100, 128, 129, 500])
def test_a_file_that_was_cut_is_passed_over(desk: Desk, length: int) -> None:
    desk.read()
    os.truncate(desk.file, length)
    assert desk.read()[1] == sorted(SPECS)
    assert desk.read()[1] == []


def test_a_file_with_a_changed_byte_is_passed_over(desk: Desk) -> None:
    desk.read()
    data = bytearray(desk.file.read_bytes())
    for at in (5, 60, 200, len(data) - 1):
        data[at] ^= 1
        desk.file.write_bytes(data)
        data[at] ^= 1
        assert desk.read()[1] == sorted(SPECS)


def test_a_copy_is_passed_over(desk: Desk, tmp_path: Path) -> None:
    desk.read()
    path = desk.file
    (tmp_path / "copy").write_bytes(path.read_bytes())
    (tmp_path / "copy").replace(path)
    assert desk.read()[1] == sorted(SPECS)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_passed_over(desk: Desk, mode: int) -> None:
    desk.read()
    desk.file.chmod(mode)
    assert desk.read()[1] == sorted(SPECS)


def test_a_folder_that_others_may_write_is_left_alone(desk: Desk) -> None:
    desk.read()
    before = desk.file.read_bytes()
    desk.folder.chmod(0o777)
    desk.work.commit({"specs/g.yaml": spec_text("g")})
    assert "specs/a.yaml" in desk.read()[1]
    assert desk.file.read_bytes() == before


def test_a_link_in_the_place_of_the_file_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    desk.read()
    path = desk.file
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert desk.read()[1] == sorted(SPECS)
    assert not path.is_symlink()


def test_other_code_reads_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.read()
    with monkeypatch.context() as changed:
        changed.setattr("controller.readings.code", lambda: "0" * 32)
        assert desk.read()[1] == sorted(SPECS)
    assert desk.read()[1] == sorted(SPECS)


def test_a_place_that_cannot_be_written_stops_nothing(desk: Desk) -> None:
    desk.folder.parent.mkdir(parents=True, exist_ok=True)
    desk.folder.write_text("a file")
    assert desk.read()[1] == desk.read()[1] == sorted(SPECS)


def test_the_folder_does_not_grow_without_end(tmp_path: Path) -> None:
    for number in range(50):
        ReadingsFile(tmp_path, str(number)).save(b"x")
    assert len(list(tmp_path.iterdir())) == 32
    assert ReadingsFile(tmp_path, "49").load() == b"x"
