"""A working tree is read as git would commit it, by real git, and no filter of a repository is ever run."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from controller.errors import Unreadable
from controller.ports import Tree
from controller.source.checkin import CheckoutSource
from controller.source.repo import CommitSource
from controller.source.tree import differing
from tests.git.repositories import Trap, Work

Make = Callable[..., Work]
Read = Callable[[Work], Awaitable[tuple[Tree, Tree]]]
LIMIT = 1_000_000
TEXT = "text_input,output\nä,b\n$Id$\n"


@pytest.fixture
async def trees(gitune_home: Path) -> AsyncIterator[Read]:
    """HEAD and the working tree."""
    opened: list[CommitSource | CheckoutSource] = []

    async def read(work: Work) -> tuple[Tree, Tree]:
        head = CommitSource(work.root, gitune_home)
        disk = CheckoutSource(work.root, gitune_home, os.environ)
        opened.extend((head, disk))
        return await head.tree(), await disk.tree()

    yield read
    for source in opened:
        await source.close()


def checked_out(work: Work, attributes: str, *config: str) -> Path:
    """A file that git converted when it was checked out."""
    work.commit({"data/a.csv": TEXT})
    for setting in config:
        work.git("config", *setting.split("=", 1))
    path = work.root / "data" / "a.csv"
    path.unlink()
    (work.root / ".gitattributes").write_text(attributes)
    work.git("add", ".gitattributes")
    work.git("commit", "-qm", "attributes")
    work.git("checkout", "--", "data/a.csv")
    return path


def stored(work: Work, name: str) -> bytes:
    return subprocess.run(["git", "show", name], cwd=work.root, check=True, capture_output=True).stdout


CONVERSIONS = {
    "crlf": ("*.csv text eol=crlf\n", ()),
    "auto": ("* text=auto\n", ("core.eol=crlf",)),
    "autocrlf": ("", ("core.autocrlf=true",)),
    "encoding": ("*.csv text working-tree-encoding=UTF-16\n", ()),
    "encoding without mark": ("*.csv text working-tree-encoding=UTF-16LE\n", ()),
    "older encoding": ("*.csv text working-tree-encoding=ISO-8859-1\n", ()),
    "ident": ("*.csv ident\n", ()),
    "all": ("*.csv text eol=crlf ident working-tree-encoding=UTF-16\n", ()),
}


@pytest.mark.parametrize("kind", CONVERSIONS)
@pytest.mark.parametrize("touched", [False, True])
async def test_what_git_converts_at_checkout_is_no_difference_and_reads_as_the_commit(
    make: Make, trees: Read, kind: str, *, touched: bool
) -> None:
    work = make()
    path = checked_out(work, CONVERSIONS[kind][0], *CONVERSIONS[kind][1])
    assert path.read_bytes() != TEXT.encode()
    if touched:
        os.utime(path, (1, 1))

    head, disk = await trees(work)

    assert disk.read("data/a.csv", LIMIT) == head.read("data/a.csv", LIMIT) == TEXT.encode()
    assert differing(head, disk, ["data/a.csv", ".gitattributes"]) == ()
    assert work.git("status", "--porcelain") == ""


@pytest.mark.parametrize("kind", CONVERSIONS)
async def test_an_edit_is_a_difference_and_reads_as_git_would_commit_it(make: Make, trees: Read, kind: str) -> None:
    work = make()
    path = checked_out(work, CONVERSIONS[kind][0], *CONVERSIONS[kind][1])
    encoded = path.read_bytes()
    path.write_bytes(encoded + encoded.replace(b"\xff\xfe", b""))  # all rows twice, one byte-order mark

    head, disk = await trees(work)
    found = disk.read("data/a.csv", LIMIT)

    assert differing(head, disk, ["data/a.csv"]) == ("data/a.csv",)
    work.git("add", "data/a.csv")
    assert found == stored(work, ":data/a.csv")
    assert found.count(b"text_input") == 2


async def test_a_new_file_reads_as_git_would_commit_it(make: Make, trees: Read) -> None:
    work = make()
    work.commit({".gitattributes": "*.csv text\n"})
    (work.root / "new.csv").write_bytes(b"a\r\nb\r\n")
    (work.root / "new.bin").write_bytes(b"a\r\nb\r\n")

    _, disk = await trees(work)

    assert disk.read("new.csv", LIMIT) == b"a\nb\n"
    assert disk.read("new.bin", LIMIT) == b"a\r\nb\r\n"


async def test_the_settings_of_the_user_and_attributes_beside_the_repository_count(
    make: Make, trees: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[core]\n\tautocrlf = input\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    work = make()
    work.commit({"a.csv": "a\nb\n", "b.csv": "a\nb\n"})
    (work.root / ".git" / "info").mkdir(exist_ok=True)
    (work.root / ".git" / "info" / "attributes").write_text("b.csv -text\n")
    for name in ("a.csv", "b.csv"):
        (work.root / name).write_bytes(b"a\r\nb\r\n")

    head, disk = await trees(work)

    assert differing(head, disk, ["a.csv", "b.csv"]) == ("b.csv",)
    assert work.git("diff", "--name-only") == "b.csv"


async def test_a_filter_of_the_repository_is_never_run_and_its_files_are_unchanged_while_git_says_so(
    make: Make, trees: Read, tmp_path: Path
) -> None:
    work = make()
    marker = tmp_path / "ran"
    turn = tmp_path / "turn"
    turn.write_text(f"#!/bin/sh\necho ran >> {marker}\ntr a-z n-za-m\n")
    turn.chmod(0o755)
    path = checked_out(work, "*.csv filter=turn\n", f"filter.turn.clean={turn}", f"filter.turn.smudge={turn}")
    committed = stored(work, "HEAD:data/a.csv")
    assert committed == TEXT.encode() != path.read_bytes()
    os.utime(work.root / ".git" / "index", (2**31, 2**31))  # past the moment in which file times tell nothing
    marker.unlink()

    head, disk = await trees(work)

    assert disk.read("data/a.csv", LIMIT) == committed
    assert differing(head, disk, ["data/a.csv"]) == ()
    path.write_text("mine")
    head, disk = await trees(work)
    assert differing(head, disk, ["data/a.csv"]) == ("data/a.csv",)
    assert not marker.exists()


async def test_an_armed_repository_runs_nothing(trap: Trap, trees: Read) -> None:
    (trap.work.root / "data.jsonl").write_text("another row\r\n")

    head, disk = await trees(trap.work)

    assert differing(head, disk, ["specs/a.yaml", "data.jsonl"]) == ("data.jsonl",)
    assert trap.sprung() == []


@pytest.mark.parametrize("touched", [False, True])
async def test_data_that_git_lfs_checked_out_reads_as_the_pointer_that_is_committed(
    make: Make, trees: Read, tmp_path: Path, *, touched: bool
) -> None:
    work = make()
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(TEXT.encode())}\n"
    for name, answer in (("clean", pointer), ("smudge", TEXT)):
        (tmp_path / name).write_text(answer)
        work.git("config", f"filter.lfs.{name}", f"cat > /dev/null; cat {tmp_path / name}")
    path = checked_out(work, "*.csv filter=lfs diff=lfs merge=lfs -text\n")
    work.git("add", "--renormalize", ".")
    work.git("commit", "-qm", "pointers")
    assert stored(work, "HEAD:data/a.csv") == pointer.encode()
    assert path.read_text() == TEXT
    if touched:
        os.utime(path, (1, 1))

    head, disk = await trees(work)

    assert disk.read("data/a.csv", LIMIT) == pointer.encode()
    assert differing(head, disk, ["data/a.csv"]) == ()
    path.write_text("other")
    head, disk = await trees(work)
    assert differing(head, disk, ["data/a.csv"]) == ("data/a.csv",)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
async def test_what_git_is_told_to_take_for_unchanged_reads_as_the_commit(make: Make, trees: Read, flag: str) -> None:
    work = make()
    work.commit({"a.csv": "a\n", "b.csv": "b\n"})
    work.git("update-index", flag, "a.csv")
    for name in ("a.csv", "b.csv"):
        (work.root / name).write_text("edited\n")

    head, disk = await trees(work)

    assert disk.read("a.csv", LIMIT) == b"a\n"
    assert disk.read("b.csv", LIMIT) == b"edited\n"
    assert differing(head, disk, ["a.csv", "b.csv"]) == ("b.csv",)


async def test_what_a_sparse_checkout_leaves_out_is_there_and_what_was_deleted_is_not(make: Make, trees: Read) -> None:
    work = make()
    work.commit({"specs/a.yaml": "a\n", "specs/b.yaml": "b\n", "out/c.csv": "c\n"})
    work.git("sparse-checkout", "set", "specs")
    (work.root / "specs" / "b.yaml").unlink()
    assert not (work.root / "out").exists()

    head, disk = await trees(work)

    assert [entry.path for entry in disk.entries()] == ["out/c.csv", "specs/a.yaml"]
    assert disk.read("out/c.csv", LIMIT) == b"c\n"
    with pytest.raises(Unreadable):
        disk.read("specs/b.yaml", LIMIT)
    assert differing(head, disk, ["out/c.csv", "specs/a.yaml", "specs/b.yaml"]) == ("specs/b.yaml",)


async def test_another_mode_or_time_is_no_difference_and_a_link_is(make: Make, trees: Read) -> None:
    work = make()
    work.commit({"a.csv": "a\n", "b.csv": "b\n", "c.csv": "c\n"})
    (work.root / "a.csv").chmod(0o755)
    os.utime(work.root / "b.csv", (1, 1))
    (work.root / "c.csv").unlink()
    (work.root / "c.csv").symlink_to("a.csv")

    head, disk = await trees(work)

    assert differing(head, disk, ["a.csv", "b.csv", "c.csv"]) == ("c.csv",)


@pytest.mark.parametrize("options", [(), ("--object-format=sha256",)])
async def test_a_staged_edit_is_a_difference_in_either_object_format(
    make: Make, trees: Read, options: tuple[str, ...]
) -> None:
    work = make("repository", *options)
    path = checked_out(work, "*.csv text eol=crlf\n")
    head, disk = await trees(work)
    assert differing(head, disk, ["data/a.csv"]) == ()

    path.write_bytes(b"other\r\n")
    work.git("add", "data/a.csv")
    head, disk = await trees(work)

    assert differing(head, disk, ["data/a.csv"]) == ("data/a.csv",)
    assert disk.read("data/a.csv", LIMIT) == b"other\n"


async def test_a_repository_without_an_index_or_a_commit_is_read_as_it_lies(make: Make, trees: Read) -> None:
    work = make()
    (work.root / "a.csv").write_bytes(b"a\r\n")
    source = CheckoutSource(work.root, work.root.parent / "home", os.environ)
    assert (await source.tree()).read("a.csv", LIMIT) == b"a\r\n"
    await source.close()

    work.commit({"b.csv": "b\n"})
    (work.root / ".git" / "index").write_bytes(b"damaged")
    head, disk = await trees(work)

    assert disk.read("a.csv", LIMIT) == b"a\r\n"
    (work.root / "b.csv").write_text("other\n")
    assert differing(head, disk, ["b.csv"]) == ("b.csv",)


async def test_what_git_calls_unchanged_goes_by_the_name_it_has_in_head(make: Make, trees: Read) -> None:
    work = make()
    work.commit({"a.csv": "a\n", "b.csv": "b\n", "c.csv": "c\n"})
    (work.root / "b.csv").write_text("d\n")
    (work.root / "new.csv").write_text("e\n")
    head, disk = await trees(work)

    names = {entry.path: entry.content for entry in disk.entries()}
    committed = {entry.path: entry.content for entry in head.entries()}

    assert names == {**committed, "b.csv": "", "new.csv": ""}
    found = list(disk.read_many(["new.csv", "a.csv", "nowhere", "b.csv", "c.csv"], LIMIT))
    assert [one.code if isinstance(one, Unreadable) else one for one in found] == [
        b"e\n",
        b"a\n",
        "GT401",
        b"d\n",
        b"c\n",
    ]


async def test_files_larger_than_fits_into_memory_at_once_are_compared_to_their_end(make: Make, trees: Read) -> None:
    work = make()
    work.commit({"a.csv": "x" * 70_000_000})
    with (work.root / "a.csv").open("r+b") as file:
        file.seek(69_999_999)
        file.write(b"y")

    assert differing(*(await trees(work)), ["a.csv"]) == ("a.csv",)
