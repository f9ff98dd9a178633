"""The first-parent history of a branch as real git has it: merges count once, paths are names and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.errors import SourceError
from controller.source.repo import CommitSource
from controller.source.tree import WorktreeSource
from tests.git.repositories import Work, new_work

ODD = "specs/a [b]*?:(top)\\é.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return new_work(tmp_path / "work")


def source(work: Work, tmp_path: Path) -> CommitSource:
    return CommitSource(work.root, tmp_path / "home")


async def landed(found: CommitSource, revision: str, *paths: str, since: str = "", most: int = 100) -> list[str]:
    try:
        return [one.commit for one in await found.landings(revision, since, frozenset(paths), most)]
    finally:
        await found.close()


async def test_a_merge_is_one_landing_whatever_its_branch_holds(work: Work, tmp_path: Path) -> None:
    first = work.commit({"specs/a.yaml": "1", "README.md": "1"})
    work.git("checkout", "-q", "-b", "change")
    work.commit({"specs/a.yaml": "2"})
    work.commit({"specs/a.yaml": "3"})
    work.git("checkout", "-q", "main")
    readme = work.commit({"README.md": "2"})
    work.git("merge", "-q", "--no-ff", "-m", "Merge", "change")
    merged = work.git("rev-parse", "HEAD")

    assert await landed(source(work, tmp_path), "HEAD") == [merged, readme, first]
    assert await landed(source(work, tmp_path), "HEAD", "specs/a.yaml") == [merged, first]
    assert await landed(source(work, tmp_path), merged, "specs/a.yaml", most=1) == [merged]
    assert await landed(source(work, tmp_path), merged, since=readme) == [merged]
    assert await landed(source(work, tmp_path), readme, since=merged) == []


async def test_a_path_is_taken_by_the_letter(work: Work, tmp_path: Path) -> None:
    work.commit({"specs/a b.yaml": "1"})
    odd = work.commit({ODD: "1"})

    assert await landed(source(work, tmp_path), "HEAD", ODD) == [odd]
    assert await landed(source(work, tmp_path), "HEAD", "specs/*") == []
    assert await landed(source(work, tmp_path), "HEAD", "--all", "-n1") == []


async def test_what_a_rebase_leaves_is_told_and_a_message_may_say_anything(work: Work, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    commit = work.commit({"a": "2"}, "One\n\n%H %x00 \\0\n^deadbeef --not\n\nthe end")
    found = source(work, tmp_path)
    try:
        (landing, before) = await found.landings("HEAD", "", frozenset(), 10)
    finally:
        await found.close()

    assert (landing.commit, landing.parent, before.parent) == (commit, before.commit, "")
    assert landing.author == "a@example.com <a@example.com>"
    assert landing.message.splitlines()[0] == "One"
    assert landing.message.endswith("the end")
    assert landing.at == work.git("log", "-1", "--format=%aI")
    assert landing.landed == work.git("log", "-1", "--format=%cI")


async def test_a_start_that_is_not_here_is_the_whole_history_and_one_that_is_no_commit_too(
    work: Work, tmp_path: Path
) -> None:
    commit = work.commit({"a": "1"})

    assert await landed(source(work, tmp_path), "HEAD", since="f" * 40) == [commit]
    assert await landed(source(work, tmp_path), "HEAD", since="--all") == [commit]


async def test_a_shallow_clone_and_a_working_tree_do_not_say_what_landed(work: Work, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    work.commit({"a": "2"})
    shallow = tmp_path / "shallow"
    work.git("clone", "-q", "--depth=1", f"file://{work.root}", str(shallow))

    with pytest.raises(SourceError, match="shallow") as caught:
        await landed(CommitSource(shallow, tmp_path / "home"), "HEAD")
    assert "fetch-depth: 0" in caught.value.hint
    with pytest.raises(SourceError):
        await WorktreeSource(work.root).landings("HEAD", "", frozenset(), 1)
