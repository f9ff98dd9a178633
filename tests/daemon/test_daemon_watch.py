"""Hints from real folders and repositories; one that is missed costs time, so these tests look at time."""

import asyncio
import math
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.source.watch import Watched, identity, watch
from tests.git.repositories import Work, new_work

pytestmark = pytest.mark.slow


class Rings:
    """When it rang."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def ring(self) -> None:
        self.at.append(time.monotonic())

    async def after(self, moment: float, within: float = 5.0) -> float:
        """Seconds from the moment to the next ring; infinitely many where none came in time."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if later := [at for at in self.at if at >= moment]:
                return later[0] - moment
            await asyncio.sleep(0.005)
        return math.inf

    async def quiet(self, seconds: float = 0.6) -> int:
        """How often it rings in that time."""
        before = len(self.at)
        await asyncio.sleep(seconds)
        return len(self.at) - before


@asynccontextmanager
async def watching(root: Path, *, files: bool = False) -> AsyncIterator[Rings]:
    rings = Rings()
    task = asyncio.create_task(watch(Watched(root, files=files), rings.ring))
    await asyncio.sleep(0.5)  # until the watches are set
    try:
        yield rings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ring_of(rings: Rings, act: Callable[[], object]) -> float:
    moment = time.monotonic()
    await asyncio.to_thread(act)
    return await rings.after(moment)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = new_work(tmp_path / "repository")
    made.commit({"specs/a.yaml": "a"})
    return made


async def test_a_commit_rings_at_once(work: Work) -> None:
    async with watching(work.root) as rings:
        assert await ring_of(rings, lambda: work.commit({"specs/a.yaml": "b"})) < 1.0


async def test_switching_the_branch_rings(work: Work) -> None:
    work.git("branch", "other")
    async with watching(work.root) as rings:
        assert await ring_of(rings, lambda: work.git("checkout", "-q", "other")) < math.inf


async def test_a_commit_on_a_packed_branch_rings(work: Work) -> None:
    work.git("pack-refs", "--all")
    async with watching(work.root) as rings:
        assert await ring_of(rings, lambda: work.commit({"specs/a.yaml": "b"})) < math.inf


async def test_the_ledger_and_other_branches_ring_for_nobody(work: Work) -> None:
    async with watching(work.root) as rings:
        for name in ("gitune-status", "gitune-status-lease", "someone/else"):
            work.git("update-ref", f"refs/heads/{name}", "HEAD")
        work.git("gc", "-q")
        rung = await rings.quiet()
    assert rung <= 1  # gc packs the refs: that HEAD's branch is now elsewhere looks like news


async def test_a_file_of_the_working_tree_rings_and_what_editors_leave_does_not(work: Work) -> None:
    async with watching(work.root, files=True) as rings:
        assert await ring_of(rings, lambda: (work.root / "specs/a.yaml").write_text("b")) < 1.0
        await rings.quiet(0.3)
        for name in ("specs/.a.yaml.swp", "specs/a.yaml~", "specs/4913"):
            (work.root / name).write_text("")
        work.git("update-ref", "refs/heads/other", "HEAD")
        assert await rings.quiet() == 0


async def test_an_editor_that_renames_a_new_file_over_the_old_one_rings(work: Work) -> None:
    new = work.root / "specs/new"
    async with watching(work.root, files=True) as rings:
        new.write_text("b")
        await rings.quiet(0.3)
        assert await ring_of(rings, lambda: new.replace(work.root / "specs/a.yaml")) < math.inf


async def test_files_in_new_nested_folders_ring(work: Work) -> None:
    deep = work.root / "specs/one/two/three"
    async with watching(work.root, files=True) as rings:
        assert await ring_of(rings, lambda: deep.mkdir(parents=True)) < math.inf
        await asyncio.sleep(0.3)
        assert await ring_of(rings, lambda: (deep / "b.yaml").write_text("b")) < math.inf


async def test_a_link_that_is_swapped_to_another_folder_rings_and_the_new_one_is_watched(tmp_path: Path) -> None:
    one, two = new_work(tmp_path / "one"), new_work(tmp_path / "two")
    one.commit({"specs/a.yaml": "a"})
    two.commit({"specs/a.yaml": "b"})
    link, new = tmp_path / "link", tmp_path / "new"
    link.symlink_to(one.root)
    async with watching(link) as rings:
        new.symlink_to(two.root)
        assert await ring_of(rings, lambda: new.replace(link)) < 3.5
        await asyncio.sleep(0.5)
        assert await ring_of(rings, lambda: two.commit({"specs/a.yaml": "c"})) < 1.0


async def test_a_root_that_is_taken_away_and_made_anew_is_watched_again(work: Work, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(work.root, kept)
    async with watching(work.root) as rings:
        shutil.rmtree(work.root)
        await asyncio.sleep(1.5)
        assert identity(work.root) == ""
        assert await ring_of(rings, lambda: kept.rename(work.root)) < 3.5
        await asyncio.sleep(0.5)
        assert await ring_of(rings, lambda: work.commit({"specs/a.yaml": "c"})) < 1.0


async def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async with watching(tmp_path / "later", files=True) as rings:
        assert await ring_of(rings, (tmp_path / "later").mkdir) < 3.5


async def test_a_link_that_leads_to_itself_is_waited_for(work: Work, tmp_path: Path) -> None:
    link, new = tmp_path / "link", tmp_path / "new"
    link.symlink_to(link)
    assert identity(link) == ""
    async with watching(link) as rings:
        new.symlink_to(work.root)
        assert await ring_of(rings, lambda: new.replace(link)) < 3.5


async def test_watching_leaves_no_task_and_no_descriptor(work: Work) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with watching(work.root):
        pass
    before, tasks = open_files(), len(asyncio.all_tasks())
    rounds = 6
    for _ in range(rounds):
        async with watching(work.root, files=True):
            pass
    await asyncio.sleep(0.1)  # a watch lets go of its descriptor in a thread
    assert len(asyncio.all_tasks()) == tasks
    assert open_files() < before + rounds // 2
