"""What a daemon reads after a commit, counted: as much in a large repository as in a small one."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from benches.case import Case, settings, spec, spec_path
from tests.daemon.process import Running, running
from tests.performance.conftest import LARGE, SMALL, TOGETHER
from tests.performance.counted import Counting, Work

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("performance"), pytest.mark.timeout(900)]


Passes = tuple[dict[str, Work], dict[str, Work]]


@dataclass
class Daemon:
    """One that runs, and is counted."""

    case: Case
    counting: Counting
    process: Running

    def settled(self, passes: int = 0) -> None:
        """Once a pass after so many leaves nothing to do before the interval is over."""
        ended = "pass.ended"
        said = self.process.said
        self.process.wait(lambda: len(said(ended)) > passes and said(ended)[-1]["next"] > 30, 600)

    def work(self) -> Work:
        """What it has done so far."""
        told = self.counting.folder / "counted.json"
        told.unlink(missing_ok=True)
        os.kill(self.process.process.pid, signal.SIGUSR2)
        self.process.wait(told.exists, 60)
        return self.counting.work(self.case)

    def commit(self, files: dict[str, str]) -> Work:
        """What it does about a commit, until it is at rest again."""
        before, passes = self.work(), len(self.process.said("pass.ended"))
        self.case.repository.commit(files)
        self.settled(passes)
        time.sleep(1.0)  # a pass that follows at once belongs to it
        self.settled()
        return self.work().less(before)


def after_commits(case: Case, folder: Path) -> dict[str, Work]:
    """What a daemon does about one changed spec, about a file that is no spec, and about other settings."""
    case.restore()
    counting = Counting.made(folder / "counted")
    program = case.program("run")
    environ = counting.environ(program)
    with running("--root", str(case.root), home=folder / "home", **environ) as process:
        daemon = Daemon(case, counting, process)
        daemon.settled()
        done = {
            "no spec": daemon.commit({"NOTES.md": "Nothing.\n"}),
            "one spec": daemon.commit({spec_path(0): f"{spec(0, TOGETHER)}  runHistoryLimit: 5\n"}),
            "settings": daemon.commit({"gitune.yaml": settings(case.served.url, deletes=2)}),
        }
    case.restore()
    return done


@pytest.fixture(scope="module")
def passes(cases: tuple[Case, Case], tmp_path_factory: pytest.TempPathFactory) -> Passes:
    small, large = (after_commits(case, tmp_path_factory.mktemp(f"daemon-{case.size}")) for case in cases)
    return small, large


def read(work: Work) -> tuple[int, int]:
    """Documents and blobs."""
    return work.documents, len(work.blobs)


def test_a_changed_spec_is_read_and_no_other(passes: Passes) -> None:
    small, large = (side["one spec"] for side in passes)

    assert read(small) == read(large)
    assert read(large) <= (3, 3)


def test_a_commit_that_touches_no_spec_reads_none(passes: Passes) -> None:
    small, large = (side["no spec"] for side in passes)

    assert read(small) == read(large)
    assert read(large) <= (2, 2)


def test_a_changed_setting_reads_no_file_twice(passes: Passes) -> None:
    for size, side in zip((SMALL, LARGE), passes, strict=True):
        documents, blobs = read(side["settings"])

        assert documents <= 2 * size + 2
        assert blobs <= 2 * size + size // TOGETHER + 3


@pytest.mark.parametrize("what", ["no spec", "one spec", "settings"])
def test_a_pass_asks_as_much_of_a_large_account_as_of_a_small_one(passes: Passes, what: str) -> None:
    small, large = (side[what].requests for side in passes)

    assert small.keys() == large.keys() <= {"list", "base"}
