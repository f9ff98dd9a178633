"""Commands that hang, shout or are not there."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.git import awaited, process
from controller.git.failures import GitFailed
from controller.git.process import Ask, GitOutput, environment
from controller.threads import in_thread

Run = Callable[[Ask], Awaitable[GitOutput]]


@pytest.fixture(params=["awaited", "in a thread"])
def run(request: pytest.FixtureRequest) -> Run:
    """A command is run the same, whoever waits for it."""
    return awaited.run if request.param == "awaited" else _in_thread


async def _in_thread(ask: Ask) -> GitOutput:
    return await in_thread(process.run, ask)


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git of ours at the front of PATH."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def written(path: Path) -> None:
    while not path.exists() or not path.read_text():
        time.sleep(0.01)


async def test_a_git_that_hangs_is_killed_with_all_it_started(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    stand_in(tmp_path / "bin", f"sleep 60 & echo $! > {child}\nwait", monkeypatch)
    started = time.monotonic()

    with pytest.raises(GitFailed, match=r"stopped after 0\.5 s"):
        await run(Ask(("fetch",), tmp_path, seconds=0.5))

    assert time.monotonic() - started < 5
    await asyncio.sleep(0.1)
    assert not alive(int(child.read_text()))


async def test_what_outlives_a_git_that_ended_is_killed_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child"
    stand_in(tmp_path / "bin", f"sleep 60 & echo $! > {child}", monkeypatch)

    with pytest.raises(GitFailed, match="stopped after"):
        await run(Ask(("fetch",), tmp_path, seconds=0.5))

    await asyncio.sleep(0.1)
    assert not alive(int(child.read_text()))


async def test_a_cancelled_git_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    stand_in(tmp_path / "bin", f"echo $$ > {pid}\nexec sleep 60", monkeypatch)
    task = asyncio.create_task(awaited.run(Ask(("fetch",), tmp_path)))
    await asyncio.to_thread(written, pid)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert not alive(int(pid.read_text()))


async def test_a_git_without_end_of_output_is_stopped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "exec yes", monkeypatch)
    monkeypatch.setattr("controller.git.process.LARGEST_OUTPUT", 1_000_000)

    with pytest.raises(GitFailed, match="more than 1000000 bytes"):
        await run(Ask(("ls-tree",), tmp_path))


async def test_no_git_on_path_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitFailed, match="not found") as caught:
        await run(Ask(("version",), tmp_path))

    assert "Install git" in caught.value.hint


async def test_what_git_says_is_shown_without_passwords_and_control_characters(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        tmp_path / "bin", "printf 'fatal: https://me:hunter2@h/x \\033[31mred\\nhint: no\\n' >&2; exit 128", monkeypatch
    )

    with pytest.raises(GitFailed) as caught:
        (await run(Ask(("push",), tmp_path))).raise_for_code()

    assert caught.value.message == "git push failed with exit code 128: fatal: https://h/x ?[31mred"


async def test_only_what_is_given_is_in_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "env", monkeypatch)
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    monkeypatch.setenv("GIT_SSH_COMMAND", "evil")

    answer = await run(Ask(("x",), tmp_path))

    names = {line.partition("=")[0] for line in answer.text.splitlines()} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert names == set(environment(tmp_path, "none"))
    assert "secret" not in answer.text


async def test_settings_with_secrets_are_in_no_repr(tmp_path: Path) -> None:
    ask = Ask(("push",), tmp_path, settings=(("http.extraHeader", "hunter2"),))

    assert "hunter2" not in repr(ask)
