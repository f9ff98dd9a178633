"""Every shape of repository a person can have, read without git being started in it."""

import asyncio
import gc
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.git.failures import GitFailed, NoRepository, NotFound
from controller.git.layout import (
    RepositoryLayout,
    checked_out,
    default_branch,
    find_repository,
    head,
    network_identity,
    open_repository,
)
from controller.git.mirror import Mirror, mirror_of
from controller.git.parsing import blob_id
from controller.threads import in_thread
from tests.git.repositories import Work, clone

Make = Callable[..., Work]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [pid for task in tasks for pid in task.read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids if Path(f"/proc/{pid}/cmdline").exists()]


async def view(folder: Path, home: Path) -> Mirror:
    return mirror_of(open_repository(folder), home)


async def test_every_name_of_a_commit_is_understood(make: Make, gitune_home: Path) -> None:
    work = make()
    first = work.commit({"a": "1"})
    second = work.commit({"a": "2"})
    work.git("tag", "-a", "-m", "a tag", "v1", first)
    work.git("update-ref", "refs/remotes/origin/main", first)
    work.git("branch", "feature/deep")
    mirror = await view(work.root, gitune_home)

    for name in ("HEAD", "main", "refs/heads/main", "feature/deep", second, second[:10]):
        assert mirror.commit(name) == second
    for name in ("HEAD~1", "main~", "HEAD^", "v1", "origin/main", "refs/tags/v1", "main~1^0"):
        assert mirror.commit(name) == first


async def test_packed_refs_are_read(make: Make, gitune_home: Path) -> None:
    work = make()
    commit = work.commit({"a": "1"})
    work.git("pack-refs", "--all")

    assert not (work.root / ".git" / "refs" / "heads" / "main").exists()
    assert (await view(work.root, gitune_home)).commit("main") == commit


async def test_a_detached_head_is_its_commit(make: Make, gitune_home: Path) -> None:
    work = make()
    first = work.commit({"a": "1"})
    work.commit({"a": "2"})
    work.git("checkout", "-q", "--detach", first)

    assert (await view(work.root, gitune_home)).commit("HEAD") == first


async def test_a_branch_without_a_commit_says_so(make: Make, gitune_home: Path) -> None:
    with pytest.raises(NotFound, match="main has no commit yet") as caught:
        (await view(make().root, gitune_home)).commit("HEAD")

    assert caught.value.hint


def test_of_a_bare_repository_the_linked_working_trees_are_checked_out(make: Make, tmp_path: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    clone(work.root, tmp_path / "bare.git", "--bare")
    words = ["git", "-C", str(tmp_path / "bare.git"), "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked")]
    subprocess.run(words, check=True)

    assert checked_out(open_repository(tmp_path / "bare.git")) == {"refs/heads/side": tmp_path / "linked"}


async def test_a_linked_working_tree_has_its_own_head(make: Make, gitune_home: Path, tmp_path: Path) -> None:
    work = make()
    first = work.commit({"a": "1"})
    second = work.commit({"a": "2"})
    work.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), first)

    linked = open_repository(tmp_path / "linked")

    assert head(linked) == "refs/heads/side"
    trees = {"refs/heads/main": work.root, "refs/heads/side": tmp_path / "linked"}
    assert checked_out(linked) == checked_out(open_repository(work.root)) == trees
    assert (mirror_of(linked, gitune_home)).commit("HEAD") == first
    assert (mirror_of(linked, gitune_home)).commit("main") == second


def test_the_default_branch_is_that_of_the_origin_else_the_one_that_is_checked_out(make: Make, tmp_path: Path) -> None:
    origin = make()
    origin.git("checkout", "-q", "-b", "trunk/one")
    assert default_branch(open_repository(origin.root)) == "trunk/one"
    origin.commit({"a": "1"})
    there = Work(tmp_path / "there")
    origin.git("clone", "-q", str(origin.root), str(there.root))
    there.git("checkout", "-q", "-b", "work")
    assert default_branch(open_repository(there.root)) == "trunk/one"
    origin.git("checkout", "-q", "--detach")
    assert default_branch(open_repository(origin.root)) == ""


async def test_a_bare_repository_is_read_where_it_is_named(make: Make, gitune_home: Path, tmp_path: Path) -> None:
    commit = make("work").commit({"a": "1"})
    clone(tmp_path / "work", tmp_path / "bare.git", "--bare")

    found = open_repository(tmp_path / "bare.git")

    assert found.top is None
    assert (mirror_of(found, gitune_home)).commit("HEAD") == commit


async def test_objects_borrowed_by_the_repository_are_read_too(make: Make, gitune_home: Path, tmp_path: Path) -> None:
    commit = make("origin").commit({"a": "borrowed"})
    clone(tmp_path / "origin", tmp_path / "clone", "--bare")
    git_dir = make("borrower").root / ".git"
    (git_dir / "objects" / "info" / "alternates").write_text(f"{tmp_path / 'clone' / 'objects'}\n")
    (git_dir / "refs" / "heads" / "main").write_text(f"{commit}\n")
    mirror = await view(tmp_path / "borrower", gitune_home)

    (entry,) = mirror.tree(mirror.commit("HEAD"))

    assert mirror.blob(entry) == b"borrowed"
    mirror.close()


async def test_a_shallow_clone_reads_its_commits_and_names_what_it_lacks(
    make: Make, gitune_home: Path, tmp_path: Path
) -> None:
    work = make("origin")
    first = work.commit({"a": "1"})
    second = work.commit({"a": "2"})
    clone(work.root, tmp_path / "clone", "--depth=1")
    mirror = await view(tmp_path / "clone", gitune_home)

    assert mirror.commit("HEAD") == second
    for gone in ("HEAD~1", first):
        with pytest.raises(NotFound) as caught:
            mirror.commit(gone)
        assert "shallow" in caught.value.hint
    assert mirror.root_commit() is None
    assert (await view(work.root, gitune_home)).root_commit() == first


async def test_content_that_a_partial_clone_left_out_is_never_fetched_behind_our_back(
    make: Make, gitune_home: Path, tmp_path: Path
) -> None:
    work = make("origin")
    work.commit({"a": "left out"})
    work.git("config", "uploadpack.allowFilter", "true")
    clone(work.root, tmp_path / "clone", "--no-checkout", "--filter=blob:none")
    mirror = await view(tmp_path / "clone", gitune_home)

    (entry,) = mirror.tree(mirror.commit("HEAD"))

    assert entry.size is None
    with pytest.raises(NotFound) as caught:
        mirror.blob(entry)
    assert "partial" in caught.value.hint


async def test_a_repository_that_is_packed_while_it_is_read_stays_readable(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({f"f{n}": f"content {n}" for n in range(20)})
    mirror = await view(work.root, gitune_home)
    tree = mirror.tree(mirror.commit("HEAD"))
    assert mirror.blob(tree[0]) == b"content 0"

    work.git("gc", "-q", "--prune=now")

    assert sorted([mirror.blob(entry) for entry in tree]) == sorted(f"content {n}".encode() for n in range(20))
    mirror.close()


async def test_many_readers_at_once_each_get_their_own_bytes(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({f"f{n}": f"{n}" * (n + 1) for n in range(50)})
    mirror = await view(work.root, gitune_home)
    tree = mirror.tree(mirror.commit("HEAD"))

    contents = await asyncio.gather(*(in_thread(mirror.blob, entry) for entry in tree))

    assert [blob_id(content) for content in contents] == [entry.oid for entry in tree]
    mirror.close()


async def test_a_reader_that_is_cancelled_does_not_mix_up_the_next_answer(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "first", "big": "x" * 20_000_000})
    mirror = await view(work.root, gitune_home)
    small, big = mirror.tree(mirror.commit("HEAD"))

    for delay in (0.0, 0.001, 0.01):
        reading = asyncio.create_task(in_thread(mirror.blob, big))
        await asyncio.sleep(delay)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert mirror.blob(small) == b"first"
    mirror.close()


async def test_closing_leaves_no_process_and_no_descriptor(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})

    async def once() -> None:
        mirror = await view(work.root, gitune_home)
        (entry,) = mirror.tree(mirror.commit("HEAD"))
        mirror.blob(entry)
        mirror.close()

    await once()
    before = descriptors()
    for _ in range(10):
        await once()

    assert descriptors() == before
    assert not [line for line in children() if "cat-file" in line]


async def test_a_mirror_that_is_forgotten_takes_its_process_with_it(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    mirror = await view(work.root, gitune_home)
    (entry,) = mirror.tree(mirror.commit("HEAD"))
    mirror.blob(entry)
    assert [line for line in children() if "cat-file" in line]

    del mirror
    gc.collect()

    assert not [line for line in children() if "cat-file" in line]


@pytest.mark.parametrize("damage", ["object", "head", "empty head", "gitfile"])
async def test_a_broken_repository_gives_an_error_with_a_reason(make: Make, gitune_home: Path, damage: str) -> None:
    work = make()
    commit = work.commit({"a": "1"})
    git = work.root / ".git"
    match damage:
        case "object":
            (git / "objects" / commit[:2] / commit[2:]).chmod(0o644)
            (git / "objects" / commit[:2] / commit[2:]).write_bytes(b"garbage")
        case "head":
            (git / "HEAD").write_bytes(b"\xff\xfe nothing")
        case "empty head":
            (git / "HEAD").write_text("")
        case _:
            shutil.rmtree(git)
            git.write_text("gitdir: nowhere\n")

    with pytest.raises(GitFailed) as caught:
        (await view(work.root, gitune_home)).commit("HEAD")

    assert caught.value.message


@pytest.mark.parametrize(
    ("setting", "value", "word"), [("refStorage", "reftable", "reftable"), ("objectFormat", "md5", "another way")]
)
async def test_storages_that_cannot_be_read_are_named(
    make: Make, gitune_home: Path, setting: str, value: str, word: str
) -> None:
    work = make()
    with (work.root / ".git" / "config").open("a") as config:
        config.write(f"[extensions]\n\t{setting} = {value}\n")

    with pytest.raises(NoRepository, match=word) as caught:
        await view(work.root, gitune_home)

    assert caught.value.hint


def test_outside_git_there_is_no_repository(tmp_path: Path) -> None:
    assert find_repository(tmp_path) is None
    with pytest.raises(NoRepository):
        open_repository(tmp_path)
    with pytest.raises(NoRepository):
        open_repository(tmp_path / "missing")


def test_the_repository_is_found_from_below(make: Make) -> None:
    work = make()
    (work.root / "a" / "b").mkdir(parents=True)

    assert find_repository(work.root / "a" / "b") == RepositoryLayout(work.root, work.root / ".git", work.root / ".git")


async def test_a_data_folder_that_others_can_write_is_refused(make: Make, gitune_home: Path) -> None:
    work = make()
    (gitune_home / "mirrors").mkdir(parents=True)
    (gitune_home / "mirrors").chmod(0o777)

    with pytest.raises(GitFailed, match="other users"):
        await view(work.root, gitune_home)


async def test_mirrors_are_closed_to_others_and_made_once(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})

    mirrors = await asyncio.gather(*(view(work.root, gitune_home) for _ in range(8)))

    assert len({mirror.path for mirror in mirrors}) == 1
    assert mirrors[0].path.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in (gitune_home / "mirrors").iterdir()) == [mirrors[0].path.name]


async def test_an_origin_with_a_password_is_named_without_it(make: Make) -> None:
    work = make()
    work.git("remote", "add", "origin", "https://me:hunter2@github.com/Acme/models.git")

    assert network_identity(open_repository(work.root)) == "github.com/acme/models"


async def test_an_origin_that_would_run_something_names_nothing(make: Make) -> None:
    work = make()
    work.git("remote", "add", "origin", "ext::sh -c touch% m")

    assert network_identity(open_repository(work.root)) is None


async def test_thousands_of_blobs_are_read_by_one_process_whatever_is_among_them(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({f"f{n:04}": f"{n}" for n in range(5000)})
    mirror = await view(work.root, gitune_home)
    tree = list(mirror.tree(mirror.commit("HEAD")))
    gone, other = tree[10]._replace(oid="f" * 40), tree[4500]._replace(size=99)
    tree[10], tree[4500] = gone, other

    found = list(mirror.blobs(tree))

    assert [str(n).encode() == one for n, one in enumerate(found)].count(False) == 2
    assert isinstance(found[10], NotFound)
    assert isinstance(found[4500], GitFailed)
    assert len([line for line in children() if "cat-file" in line]) == 1
    mirror.close()


@pytest.mark.parametrize("stand", ["exec sleep 60", "echo nonsense; exec sleep 60", "exec yes", "exit 1"])
async def test_a_git_that_does_not_answer_is_given_up(
    make: Make, gitune_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand: str
) -> None:
    work = make()
    work.commit({"a": "1"})
    mirror = await view(work.root, gitune_home)
    (entry,) = mirror.tree(mirror.commit("HEAD"))
    monkeypatch.setattr("controller.git.blobs.LOCAL_SECONDS", 0.5)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{stand}\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    with monkeypatch.context() as changed:
        changed.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        with pytest.raises(GitFailed):
            mirror.blob(entry)

    assert not [line for line in children() if "sleep" in line or "yes" in line]
    assert mirror.blob(entry) == b"1"
    mirror.close()


async def test_a_damaged_object_costs_itself_and_no_other(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1", "b": "2", "c": "3"})
    mirror = await view(work.root, gitune_home)
    tree = mirror.tree(mirror.commit("HEAD"))
    path = work.root / ".git" / "objects" / tree[1].oid[:2] / tree[1].oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"no object")

    first, second, third = mirror.blobs(tree)

    assert (first, third) == (b"1", b"3")
    assert isinstance(second, GitFailed)
    mirror.close()
