"""Fetching and pushing over real smart HTTP and through ssh's command line."""

import base64
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.git.failures import GitFailed, NoRepository, NotFound, SwapLost
from controller.git.mirror import mirror_for
from controller.git.parsing import NetworkUrl, parse_location
from controller.git.remote import Remote
from controller.git.writing import CommitDraft, write_commit
from tests.git.forges import CodeHost, forge, stand_in_ssh
from tests.git.repositories import Work, clone, new_work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REF = "refs/heads/gitune-status"
TOKEN = "tok-hunter2-en"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A working tree whose bare copy is what the forge serves."""
    made = new_work(tmp_path / "work")
    made.commit({"a": "1"})
    (tmp_path / "served").mkdir()
    clone(made.root, tmp_path / "served" / "models.git", "--bare")
    return made


@pytest.fixture
def server(work: Work, tmp_path: Path) -> Iterator[CodeHost]:
    with forge(tmp_path / "served") as running:
        yield running


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def remote(url: str, home: Path, environ: dict[str, str] | None = None) -> Remote:
    location = parse_location(url)
    assert isinstance(location, NetworkUrl)
    return Remote(location, REF, mirror_for(location.url, home), environ or {})


async def commit(to: Remote, text: str, parent: str | None = None) -> str:
    draft = CommitDraft({"README.md": text.encode()}, (), parent, text, NOW)
    return (await write_commit(to.mirror, draft, frozenset()))[0]


async def test_a_branch_is_made_moved_and_fetched_again(server: CodeHost, gitune_home: Path, tmp_path: Path) -> None:
    there = remote(f"{server.url}/models.git", gitune_home)
    assert await there.tip() is None

    first = await commit(there, "first")
    await there.swap(None, first)
    second = await commit(there, "second", first)
    await there.swap(first, second)

    other = remote(f"{server.url}/models.git", tmp_path / "another home")
    assert await other.fetch() == second
    (entry,) = other.mirror.tree(second)
    assert other.mirror.blob(entry) == b"second"
    other.mirror.close()


async def test_a_push_onto_something_else_is_lost_and_changes_nothing(
    server: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    mine = remote(f"{server.url}/models.git", gitune_home)
    theirs = remote(f"{server.url}/models.git", tmp_path / "another home")
    first = await commit(theirs, "theirs")
    await theirs.swap(None, first)

    with pytest.raises(SwapLost):
        await mine.swap(None, await commit(mine, "mine"))
    with pytest.raises(SwapLost):
        await mine.swap("1" * 40, await commit(mine, "mine"))

    assert await mine.tip() == first


async def test_a_push_whose_answer_is_lost_is_looked_for(server: CodeHost, gitune_home: Path) -> None:
    there = remote(f"{server.url}/models.git", gitune_home)
    server.lose_pushes = 5
    first = await commit(there, "first")

    await there.swap(None, first)

    assert await there.tip() == first


async def test_a_push_that_did_not_arrive_is_an_error(server: CodeHost, gitune_home: Path, tmp_path: Path) -> None:
    there = remote(f"{server.url}/models.git", gitune_home)
    hook = tmp_path / "served" / "models.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(GitFailed, match="declined"):
        await there.swap(None, await commit(there, "first"))

    assert await there.tip() is None


async def test_the_token_goes_to_its_own_server_as_a_header_and_nowhere_else(
    server: CodeHost, gitune_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "words"
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {real} "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    header = f"Basic {base64.b64encode(f'x-access-token:{TOKEN}'.encode()).decode()}"
    server.wanted = header
    environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": server.url}

    there = remote(f"{server.url}/models.git", gitune_home, environ)
    await there.swap(None, await commit(there, "first"))

    assert {given for _, given in server.requests} == {header}
    assert "push" in log.read_text()
    assert TOKEN not in log.read_text()
    assert header.split()[1] not in log.read_text()
    assert files_below(gitune_home)
    assert not [path for path in files_below(gitune_home) if TOKEN.encode() in path.read_bytes()]

    server.wanted, server.requests = None, []
    elsewhere = remote(f"{server.url}/models.git", gitune_home, environ | {"GITHUB_SERVER_URL": "https://github.com"})
    await elsewhere.tip()
    assert {given for _, given in server.requests} == {""}


async def test_a_refused_login_is_an_error_with_a_way_out_and_without_the_token(
    server: CodeHost, gitune_home: Path
) -> None:
    server.wanted = "another"
    there = remote(f"{server.url}/models.git", gitune_home, {"GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": server.url})

    with pytest.raises(GitFailed) as caught:
        await there.tip()

    assert "GITHUB_TOKEN" in caught.value.hint
    assert TOKEN not in str(caught.value) + caught.value.hint


async def test_a_server_that_is_gone_is_an_error(gitune_home: Path) -> None:
    with pytest.raises(GitFailed):
        await remote("http://127.0.0.1:9/models.git", gitune_home).tip()


async def test_a_ref_that_is_not_there_cannot_be_fetched(server: CodeHost, gitune_home: Path) -> None:
    with pytest.raises((NotFound, GitFailed)):
        await remote(f"{server.url}/models.git", gitune_home).fetch()


async def test_locks_that_a_killed_fetch_left_are_cleared(server: CodeHost, gitune_home: Path) -> None:
    there = remote(f"{server.url}/models.git", gitune_home)
    await there.swap(None, await commit(there, "first"))
    (there.mirror.path / "shallow.lock").write_text("")
    (there.mirror.path / "refs" / "gitune").mkdir(parents=True)
    (there.mirror.path / "refs" / "gitune" / "fetched.lock").write_text("")

    assert await there.fetch() == await there.tip()


async def test_many_fetches_end_in_few_packs(server: CodeHost, gitune_home: Path, tmp_path: Path) -> None:
    writer = remote(f"{server.url}/models.git", tmp_path / "another home")
    reader = remote(f"{server.url}/models.git", gitune_home)
    tip = None
    for number in range(4):
        new = await commit(writer, str(number), tip)
        await writer.swap(tip, new)
        tip = await reader.fetch()
    packs = reader.mirror.path / "objects" / "pack"
    assert len(list(packs.glob("*.pack"))) == 4

    reader.mirror.tidy(3)

    assert len(list(packs.glob("*.pack"))) == 1
    assert tip is not None
    assert reader.mirror.has(tip)


async def test_ssh_is_started_without_questions(
    work: Work, gitune_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "ssh.log"
    stand_in_ssh(tmp_path / "bin", tmp_path / "served", log)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    for url in ("git@example.com:models.git", "ssh://git@example.com:2222/models.git"):
        there = remote(url, gitune_home)
        before = await there.tip()
        assert before is None or await there.fetch() == before
        new = await commit(there, url, before)
        await there.swap(before, new)
        assert await there.tip() == new

    words = log.read_text()
    assert "-o BatchMode=yes" in words
    assert "-p 2222" in words


@pytest.mark.parametrize("url", ["http://example.com/x.git", "git://127.0.0.1/x.git"])
def test_addresses_without_a_lock_on_the_door_are_refused(url: str) -> None:
    with pytest.raises(NoRepository):
        parse_location(url)
