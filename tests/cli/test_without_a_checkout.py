"""Before the first commit the working tree is planned; in a bare repository, its HEAD."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import Commit, Process, Ran, WriteSpec
from tests.git.repositories import Work

Actions = list[tuple[str, str]]


def actions(done: Ran) -> Actions:
    assert done.returncode == 0, done.stderr
    return [(one["action"], one["name"]) for one in json.loads(done.stdout)["actions"]]


@pytest.fixture
def bare(folder: Path, spec: WriteSpec, commit: Commit) -> Callable[[], Path]:
    """A bare clone of a repository with one spec."""

    def made() -> Path:
        spec("sums")
        commit("one")
        place = folder.parent / "bare.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(folder), str(place)], check=True)
        Work(place).git("remote", "remove", "origin")
        return place

    return made


def test_before_the_first_commit_everything_on_disk_is_a_create(gitune: Process, folder: Path, spec: WriteSpec) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    spec("sums")
    spec("words")
    done = gitune("plan", "--offline", "-o", "json")

    assert actions(done) == [("create", "sums"), ("create", "words")]
    assert json.loads(done.stdout)["revision"] is None
    assert "apply acts on commits, and there is none" in done.stderr
    assert gitune("validate").stdout == "no problems\n2 specs, 200 examples\n"


def test_before_the_first_commit_nothing_is_applied(gitune: Process, folder: Path, spec: WriteSpec) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    spec("sums")
    for words in (("apply",), ("apply", "--worktree"), ("status",)):
        done = gitune(*words)
        assert (done.returncode, "has no commit yet" in done.stderr) == (1, True), words


def test_the_first_commit_changes_nothing_of_what_is_planned(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    spec("sums")
    before = json.loads(gitune("plan", "--offline", "-o", "json").stdout)
    commit("one")
    after = json.loads(gitune("plan", "--offline", "-o", "json").stdout)

    assert [one["digest"] for one in before["actions"]] == [one["digest"] for one in after["actions"]]


def test_in_a_bare_repository_its_head_is_planned_and_validated(gitune: Process, bare: Callable[[], Path]) -> None:
    place = bare()
    done = gitune("plan", "--offline", "-o", "json", cwd=place)

    assert actions(done) == [("create", "sums")]
    assert json.loads(done.stdout)["revision"] == Work(place).git("rev-parse", "HEAD")
    assert "differ" not in done.stderr
    for words in ((), (".",), ("specs",), ("specs/sums.yaml",)):
        assert gitune("validate", *words, cwd=place).stdout == "no problems\n1 spec, 100 examples\n"
    assert "there is no spec at nowhere" in gitune("validate", "nowhere", cwd=place).stderr


def test_a_bare_repository_without_a_commit_says_so(gitune: Process, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    for command in ("plan", "validate"):
        done = gitune(command)
        assert (done.returncode, "has no commit yet" in done.stderr) == (1, True), command


def test_a_suspended_spec_is_applied_in_a_bare_repository_and_its_ledger_read_there(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("sums", "  suspend: true\n")
    commit("one")
    place = folder.parent / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(folder), str(place)], check=True)
    Work(place).git("remote", "remove", "origin")

    assert gitune("apply", cwd=place).returncode == 0
    for words in ((), ("--offline",)):
        (model,) = json.loads(gitune("status", "-o", "json", *words, cwd=place).stdout)["models"]
        assert model["name"] == "sums"


def test_what_needs_files_says_what_works_instead(gitune: Process, bare: Callable[[], Path]) -> None:
    done = gitune("apply", "--worktree", cwd=bare())

    assert done.returncode == 1
    assert "is a bare repository: it has no working tree" in done.stderr
    assert "Leave out --worktree" in done.stderr
