"""A branch behind smart HTTP, followed through a mirror of our own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.errors import SourceError
from controller.ports import Relation
from controller.source.remote import RemoteSource, open_remote
from controller.source.repo import CommitSource
from tests.git.forges import CodeHost, forge
from tests.git.repositories import Work, clone, new_work


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A working tree whose bare copy is what the forge serves."""
    made = new_work(tmp_path / "work")
    made.commit({"specs/a.yaml": "a"})
    (tmp_path / "served").mkdir()
    clone(made.root, tmp_path / "served" / "models.git", "--bare")
    return made


@pytest.fixture
def server(work: Work, tmp_path: Path) -> Iterator[CodeHost]:
    with forge(tmp_path / "served") as running:
        yield running


def pushed(work: Work, tmp_path: Path, text: str, *words: str) -> str:
    commit = work.commit({"specs/a.yaml": text})
    work.git("push", "-q", *words, str(tmp_path / "served" / "models.git"), "main")
    return commit


def source(server: CodeHost, home: Path, branch: str = "main") -> RemoteSource:
    opened = open_remote(f"{server.url}/models.git", branch, home, dict(os.environ))
    assert isinstance(opened, RemoteSource)
    return opened


async def test_what_was_pushed_is_read_and_how_commits_stand_to_each_other_is_known(
    work: Work, server: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    first = work.git("rev-parse", "HEAD")
    there = source(server, gitune_home)
    assert await there.tip() == first
    assert (await there.tree()).revision == first
    second = pushed(work, tmp_path, "b")
    assert await there.tip() == second
    tree = await there.tree()
    assert (tree.revision, tree.read("specs/a.yaml", 10)) == (second, b"b")
    relations = await there.relations(second, frozenset({first, second, "1" * 40}))
    assert relations == {first: Relation.AHEAD, second: Relation.SAME, "1" * 40: Relation.APART}
    assert await there.identity() == f"{server.url.removeprefix('http://').partition(':')[0]}/models"
    await there.close()


async def test_a_tip_that_is_known_already_is_not_fetched_again(
    work: Work, server: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    there = source(server, gitune_home)
    await there.tree()
    before = len([path for path, _ in server.requests if path == "/models.git/git-upload-pack"])
    await there.tree()
    after = [path for path, _ in server.requests if path == "/models.git/git-upload-pack"]
    assert len(after) - before <= 1  # the listing of refs; no pack
    await there.close()


async def test_rewritten_history_is_read_as_it_is_now_and_stands_apart(
    work: Work, server: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    old = pushed(work, tmp_path, "b")
    there = source(server, gitune_home)
    await there.tree()
    work.git("reset", "-q", "--hard", "HEAD~1")
    new = pushed(work, tmp_path, "c", "--force")
    tree = await there.tree()
    assert (tree.revision, tree.read("specs/a.yaml", 10)) == (new, b"c")
    assert await there.relations(new, frozenset({old})) == {old: Relation.APART}
    await there.close()


async def test_a_branch_that_is_gone_and_a_server_that_does_not_answer_are_errors(
    server: CodeHost, gitune_home: Path
) -> None:
    there = source(server, gitune_home, "nothing")
    with pytest.raises(SourceError, match="has no branch nothing"):
        await there.tip()
    with pytest.raises(SourceError):
        await source(server, gitune_home / "other", "main/../x").tree()


async def test_an_address_on_this_machine_is_read_where_it_lies(work: Work, gitune_home: Path, tmp_path: Path) -> None:
    served = tmp_path / "served" / "models.git"
    there = open_remote(str(served), "main", gitune_home, {})
    assert isinstance(there, CommitSource)
    assert await there.tip() == work.git("rev-parse", "HEAD")
    await there.close()


@pytest.mark.parametrize("address", ["ext::sh -c touch% /tmp/x", "git://example.com/x", "-u", "http://example.com/x"])
def test_other_addresses_are_refused(address: str, gitune_home: Path) -> None:
    with pytest.raises(SourceError):
        open_remote(address, "main", gitune_home, {})
