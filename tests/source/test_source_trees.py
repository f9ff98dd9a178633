"""Commits and working trees, with real git, real links, pipes and files of eight gigabytes."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.errors import SourceError, Unreadable
from controller.git.mirror import Mirror
from controller.git.process import GitOutput
from controller.ports import Entry, EntryKind, Relation, Tree
from controller.source.checkin import CheckoutSource
from controller.source.remote import open_remote
from controller.source.repo import CommitSource
from controller.source.tree import WorktreeSource, differing
from controller.threads import in_thread
from tests.git.forges import forge
from tests.git.repositories import Trap, Work, clone

Make = Callable[..., Work]
LIMIT = 1_000_000


@pytest.fixture
async def opened(gitune_home: Path) -> AsyncIterator[Callable[..., CommitSource]]:
    sources: list[CommitSource] = []

    def new(root: Path, revision: str | None = None) -> CommitSource:
        sources.append(CommitSource(root, gitune_home, revision))
        return sources[-1]

    yield new
    for source in sources:
        await source.close()


@pytest.fixture(params=["commit", "working tree"])
async def tree(request: pytest.FixtureRequest, make: Make, opened: Callable[..., CommitSource]) -> Tree:
    """The same files, as a commit and as they lie on disk."""
    work = make()
    (work.root / "specs").mkdir()
    (work.root / "specs" / "link.yaml").symlink_to("/etc/hostname")
    (work.root / "linked").symlink_to("specs")
    first = work.commit({"specs/a.yaml": "a: 1\n", "data/x.jsonl": "{}\n", "data/ü.csv": "", ".hidden": "h"})
    work.git("update-index", "--add", "--cacheinfo", f"160000,{first},module")
    work.git("commit", "-qm", "module")
    (work.root / "module" / ".git").mkdir(parents=True)
    source = opened(work.root) if request.param == "commit" else WorktreeSource(work.root / "specs")
    return await source.tree()


async def test_every_path_is_listed_with_its_kind_and_nothing_is_followed(tree: Tree) -> None:
    entries = tree.entries()

    assert [(entry.path, entry.kind) for entry in entries] == [
        (".hidden", EntryKind.FILE),
        ("data/x.jsonl", EntryKind.FILE),
        ("data/ü.csv", EntryKind.FILE),
        ("linked", EntryKind.SYMLINK),
        ("module", EntryKind.SUBMODULE),
        ("specs/a.yaml", EntryKind.FILE),
        ("specs/link.yaml", EntryKind.SYMLINK),
    ]
    assert Entry("specs/a.yaml", EntryKind.FILE, 5) in entries


async def test_files_are_read_up_to_their_limit(tree: Tree) -> None:
    assert tree.read("specs/a.yaml", 5) == b"a: 1\n"
    assert tree.read("data/ü.csv", 0) == b""
    with pytest.raises(Unreadable) as caught:
        tree.read("specs/a.yaml", 4)
    assert caught.value.code == "GT403"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("specs/b.yaml", "GT401"),
        ("specs/A.yaml", "GT401"),
        ("specs/a.yaml/x", "GT401"),
        ("nowhere/at/all", "GT401"),
        ("specs/link.yaml", "GT402"),
        ("linked", "GT402"),
        ("linked/a.yaml", "GT420"),
        ("specs", "GT404"),
        ("module", "GT405"),
        ("module/x", "GT405"),
        (".git/config", "GT401"),
        ("../x", "GT401"),
        ("specs/../specs/a.yaml", "GT401"),
        ("", "GT401"),
    ],
)
async def test_what_is_not_a_file_of_ours_gives_its_code_and_a_hint(tree: Tree, path: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        tree.read(path, LIMIT)

    assert caught.value.code == code
    assert caught.value.hint


async def test_a_misspelt_path_is_answered_with_the_right_one(tree: Tree) -> None:
    with pytest.raises(Unreadable) as caught:
        tree.read("specs/A.yaml", LIMIT)

    assert caught.value.hint == "Did you mean 'specs/a.yaml'?"


async def test_a_pipe_and_a_socket_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    tree = await WorktreeSource(tmp_path).tree()
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a path of a socket has at most 108 bytes
        listening.bind("socket")
        started = time.monotonic()
        for path in ("pipe", "socket"):
            with pytest.raises(Unreadable) as caught:
                tree.read(path, LIMIT)
            assert caught.value.code == "GT406"
    assert time.monotonic() - started < 1
    assert {entry.kind for entry in tree.entries()} == {EntryKind.OTHER}


async def test_eight_gigabytes_are_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jsonl").open("wb") as file:
        file.truncate(8 * 1024**3)
    tree = await WorktreeSource(tmp_path).tree()
    started = time.monotonic()

    with pytest.raises(Unreadable, match="8,589,934,592 bytes") as caught:
        tree.read("huge.jsonl", LIMIT)

    assert caught.value.code == "GT403"
    assert time.monotonic() - started < 1


@contextmanager
def swapping(place: Path, target: Path, content: Path) -> Iterator[None]:
    """Put a link and a file in one place, by turns, as fast as it goes."""
    ending = threading.Event()

    def swap() -> None:
        link, file = place.with_suffix(".link"), place.with_suffix(".file")
        while not ending.is_set():
            link.symlink_to(target)
            link.replace(place)
            os.link(content, file)
            file.replace(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


async def test_a_link_that_is_swapped_in_while_we_look_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "harmless").write_text("harmless")
    root = tmp_path / "tree"
    root.mkdir()
    (root / "data").write_text("harmless")
    tree = await WorktreeSource(root).tree()
    seen: set[bytes | str] = set()

    with swapping(root / "data", tmp_path / "secret", tmp_path / "harmless"):
        until, both = time.monotonic() + 20, {b"harmless", "GT402"}
        for number in itertools.count():
            seen.add(read_or_code(tree, "data"))
            if time.monotonic() > until or (number > 1500 and both <= seen):
                break

    assert seen <= {b"harmless", "GT402", "GT401"}
    assert both <= seen


async def test_a_file_that_is_being_written_is_never_half_read(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a" * 100_000)
    tree = await WorktreeSource(tmp_path).tree()
    ending = threading.Event()

    def write() -> None:
        with (tmp_path / "data").open("r+b", buffering=0) as file:
            while not ending.is_set():
                file.write(b"b" * 10)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        until = time.monotonic() + 20
        refused = False
        while not refused and time.monotonic() < until:
            refused = read_or_code(tree, "data") == "GT407"
    finally:
        ending.set()
        thread.join()

    assert refused, "a writer that never pauses leaves no moment at which the file is whole"
    await asyncio.sleep(0.05)
    assert len(tree.read("data", 10**9)) >= 100_000


def read_or_code(tree: Tree, path: str, limit: int = 10**9) -> bytes | str:
    try:
        return tree.read(path, limit)
    except Unreadable as error:
        return error.code


async def test_differing_files_are_named(make: Make, opened: Callable[..., CommitSource]) -> None:
    work = make()
    work.commit({"same": "1", "edited": "1", "removed": "1"})
    (work.root / "edited").write_text("2")
    (work.root / "removed").unlink()
    (work.root / "added").write_text("1")
    paths = ["added", "edited", "in neither", "removed", "same"]

    found = differing(await opened(work.root).tree(), await WorktreeSource(work.root).tree(), paths)

    assert found == ("added", "edited", "removed")


async def test_a_source_follows_head_or_what_it_was_told(make: Make, opened: Callable[..., CommitSource]) -> None:
    work = make()
    first = work.commit({"a": "1"})
    followed, fixed = opened(work.root), opened(work.root, first)
    second = work.commit({"a": "2"})

    assert (await followed.tree()).revision == second
    assert (await fixed.tree()).revision == first
    assert (await followed.tree("main~1")).revision == first
    assert (await followed.tree(first)).read("a", 1) == b"1"
    third = work.commit({"a": "3"})
    assert (await followed.tree()).revision == third


@pytest.mark.parametrize("revision", ["nothing", "-x", "--help", "HEAD~9", "f" * 40, "HEAD:a", ""])
async def test_a_revision_that_is_not_there_is_a_source_error(
    make: Make, opened: Callable[..., CommitSource], revision: str
) -> None:
    work = make()
    commit = work.commit({"a": "1"})

    if revision == "":
        assert (await opened(work.root).tree(revision)).revision == commit
    else:
        with pytest.raises(SourceError) as caught:
            await opened(work.root).tree(revision)
        assert caught.value.hint


async def test_identity_is_the_network_remote_else_the_root_commit(
    make: Make, opened: Callable[..., CommitSource], tmp_path: Path
) -> None:
    work = make()
    assert await opened(work.root).identity() is None, "nothing is committed yet"
    root = work.commit({"a": "1"})
    work.commit({"a": "2"})
    clone(work.root, tmp_path / "clone")
    clone(work.root, tmp_path / "shallow", "--depth=1")

    assert await opened(work.root).identity() == root
    assert await opened(tmp_path / "clone").identity() == root, "a path is no name that others share"
    assert await opened(tmp_path / "shallow").identity() is None
    work.git("remote", "add", "origin", "git@github.com:Acme/Models.git")
    assert await opened(work.root).identity() == "github.com/acme/models"


async def test_a_commit_that_a_clone_lacks_is_unknown_until_it_is_fetched(
    make: Make, opened: Callable[..., CommitSource], tmp_path: Path
) -> None:
    work = make()
    first = work.commit({"a": "1"})
    clone(work.root, tmp_path / "clone")
    second = work.commit({"a": "2"})
    source = opened(tmp_path / "clone")

    others = frozenset({first, second, "no commit id"})
    told = {first: Relation.SAME, second: Relation.UNKNOWN, "no commit id": Relation.APART}
    assert await source.relations(first, others) == told
    Work(tmp_path / "clone").git("fetch", "-q")
    assert await source.relations(first, others) == {**told, second: Relation.BEHIND}, "HEAD has not moved"


async def test_a_commit_without_its_tree_and_one_that_no_branch_holds_are_known(
    make: Make, opened: Callable[..., CommitSource], tmp_path: Path
) -> None:
    work = make()
    first = work.commit({"a": "1"})
    second = work.commit({"a": "2"})
    work.git("config", "uploadpack.allowFilter", "true")
    clone(work.root, tmp_path / "treeless", "--filter=tree:0", "--no-checkout")
    work.git("reset", "-q", "--hard", first)
    third = work.commit({"a": "3"})

    assert await opened(work.root).relations(third, frozenset({second})) == {second: Relation.APART}
    assert await opened(tmp_path / "treeless").relations(second, frozenset({first})) == {first: Relation.AHEAD}
    Work(tmp_path / "treeless").git("fetch", "-q")
    assert await opened(tmp_path / "treeless").relations(third, frozenset({second})) == {second: Relation.APART}


async def test_a_commit_that_a_shallow_clone_or_an_origin_lacks_stands_apart(
    make: Make, opened: Callable[..., CommitSource], gitune_home: Path, tmp_path: Path
) -> None:
    work = make()
    first = work.commit({"a": "1"})
    second = work.commit({"a": "2"})
    clone(work.root, tmp_path / "shallow", "--depth=1")
    clone(work.root, tmp_path / "origin.git", "--bare")
    third = work.commit({"a": "3"})
    origin = open_remote(str(tmp_path / "origin.git"), "main", gitune_home, {})

    shallow = await opened(tmp_path / "shallow").relations(second, frozenset({first, third}))
    assert shallow == {first: Relation.APART, third: Relation.APART}
    assert await origin.relations(second, frozenset({first, third})) == {first: Relation.AHEAD, third: Relation.APART}
    await origin.close()


async def test_names_that_are_not_utf8_are_listed_and_never_read(
    make: Make, opened: Callable[..., CommitSource]
) -> None:
    work = make()
    (work.root / os.fsdecode(b"bad\xff")).write_text("x")
    work.commit({})

    for source in (opened(work.root), WorktreeSource(work.root)):
        (entry,) = (await source.tree()).entries()
        assert entry == Entry("bad\\xff", EntryKind.OTHER, entry.size)
        with pytest.raises(Unreadable):
            (await source.tree()).read(entry.path, LIMIT)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder in a folder, 1,500 times; taken away again, since pytest's own clean-up recurses."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


async def test_very_deep_folders_are_listed(deep: Path) -> None:
    assert (await WorktreeSource(deep).tree()).entries() == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_folder_that_cannot_be_listed_makes_the_whole_tree_unreadable(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)

    with pytest.raises(SourceError):
        (await WorktreeSource(tmp_path).tree()).entries()


@pytest.mark.parametrize("root", ["missing", "file"])
async def test_a_root_that_is_no_folder_is_a_source_error(
    tmp_path: Path, opened: Callable[..., CommitSource], root: str
) -> None:
    (tmp_path / "file").write_text("")

    for source in (WorktreeSource(tmp_path / root), opened(tmp_path / root)):
        with pytest.raises(SourceError):
            await source.tree()


async def test_outside_git_there_are_no_commits_but_files(tmp_path: Path, opened: Callable[..., CommitSource]) -> None:
    (tmp_path / "a").write_text("1")

    with pytest.raises(SourceError) as caught:
        await opened(tmp_path).tree()

    assert "git init" in caught.value.hint
    assert (await WorktreeSource(tmp_path).tree()).read("a", 1) == b"1"
    assert await WorktreeSource(tmp_path).identity() is None
    with pytest.raises(SourceError):
        await WorktreeSource(tmp_path).tree("HEAD")


async def test_an_armed_repository_runs_nothing(trap: Trap, opened: Callable[..., CommitSource]) -> None:
    source = opened(trap.work.root)

    committed, working = await source.tree(), await WorktreeSource(trap.work.root).tree()
    paths = [entry.path for entry in committed.entries()]

    assert await source.identity() is not None
    assert differing(committed, working, paths) == ()
    assert trap.sprung() == []


async def test_many_reads_at_once(make: Make, opened: Callable[..., CommitSource]) -> None:
    work = make()
    work.commit({f"d/{n}": str(n) for n in range(300)})
    tree = await opened(work.root).tree()

    contents = await asyncio.gather(*(in_thread(tree.read, f"d/{n}", 10) for n in range(300)))

    assert contents == [str(n).encode() for n in range(300)]


async def test_in_the_middle_of_a_rebase_the_branch_is_followed_as_it_was(
    make: Make, opened: Callable[..., CommitSource]
) -> None:
    work = make()
    first = work.commit({"specs/a.yaml": "a: 1\n"})
    last = [work.commit({"specs/a.yaml": f"a: {number}\n"}) for number in (2, 3)][-1]
    source = opened(work.root)
    work.git("-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "-q", "-i", first)

    assert work.git("rev-parse", "HEAD") != last
    assert (await source.tip(), (await source.tree()).revision) == (last, last)
    work.git("rebase", "--abort")
    assert await source.tip() == last


async def test_a_rebase_of_a_detached_head_is_followed_where_it_began(
    make: Make, opened: Callable[..., CommitSource]
) -> None:
    work = make()
    first = work.commit({"specs/a.yaml": "a: 1\n"})
    last = [work.commit({"specs/a.yaml": f"a: {number}\n"}) for number in (2, 3)][-1]
    work.git("checkout", "-q", "--detach")
    work.git("-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "-q", "-i", first)

    assert await opened(work.root).tip() == last


async def test_in_the_middle_of_a_bisect_the_branch_is_followed(
    make: Make, opened: Callable[..., CommitSource]
) -> None:
    work = make()
    commits = [work.commit({"specs/a.yaml": f"a: {number}\n"}) for number in range(5)]
    source = opened(work.root)
    work.git("bisect", "start", commits[-1], commits[0])

    assert work.git("rev-parse", "HEAD") == commits[2]
    assert await source.tip() == commits[-1]
    work.git("bisect", "reset")
    work.git("checkout", "-q", commits[1])
    assert await source.tip() == commits[1]


async def test_a_merge_that_is_not_committed_changes_nothing(make: Make, opened: Callable[..., CommitSource]) -> None:
    work = make()
    work.commit({"specs/a.yaml": "a: 1\n"})
    work.git("checkout", "-q", "-b", "other")
    work.commit({"specs/b.yaml": "b: 1\n"})
    work.git("checkout", "-q", "main")
    ours = work.commit({"specs/c.yaml": "c: 1\n"})
    work.git("merge", "-q", "--no-commit", "other")

    assert await opened(work.root).tip() == ours


@pytest.mark.parametrize("place", ["local", "network"])
async def test_a_repository_that_names_its_objects_by_sha256_is_read(
    make: Make, gitune_home: Path, tmp_path: Path, place: str
) -> None:
    work = make("named-by-sha256", "--object-format=sha256")
    first = work.commit({"a.txt": "1"})
    second = work.commit({"a.txt": "2"})
    assert len(second) == 64
    (tmp_path / "served").mkdir()
    clone(work.root, tmp_path / "served" / "o.git", "--bare")
    with forge(tmp_path / "served") as server:
        address = str(work.root) if place == "local" else f"{server.url}/o.git"
        for known in (None, first):
            source = open_remote(address, "main", gitune_home / str(known), {})
            tree = await source.tree(known)
            assert (tree.revision, tree.read("a.txt", 9)) == ((first, b"1") if known else (second, b"2"))
            assert await source.relations(second, frozenset({first})) == {first: Relation.AHEAD}
            assert [landing.commit for landing in await source.landings(second, "", frozenset(), 9)] == [second, first]
            await source.close()
    committed = await CommitSource(work.root, gitune_home).tree()
    assert differing(committed, await WorktreeSource(work.root).tree(), ["a.txt"]) == ()


async def test_commits_are_described_by_author_time_and_first_line(
    make: Make, opened: Callable[..., CommitSource]
) -> None:
    work = make()
    first = work.commit({"a": "1"})
    work.git(
        "commit", "-q", "--allow-empty", "--author", "Jörg Ä <j@example.com>", "-m", "Ünï -- \x1b[31m\n\nmore\nlines"
    )
    second = work.git("rev-parse", "HEAD").strip()
    source = opened(work.root)

    found = await source.described(frozenset({first, second, "f" * 40, "--help", ""}))

    assert set(found) == {first, second}
    assert (found[second].author, found[second].message) == ("Jörg Ä <j@example.com>", "Ünï -- \x1b[31m")
    assert found[second].parent == first
    assert found[second].at.startswith("20")
    assert await source.described(frozenset()) == {}
    assert await WorktreeSource(work.root).described(frozenset({first})) == {}


def test_files_are_read_many_at_once_and_each_as_by_itself(tree: Tree) -> None:
    paths = ["specs/a.yaml", "nowhere", "linked", "data/ü.csv", "specs/a.yaml", "data/x.jsonl"]

    found = list(tree.read_many(paths, 5))

    assert [one.code if isinstance(one, Unreadable) else one for one in found] == [
        read_or_code(tree, path, 5) for path in paths
    ]


@pytest.fixture(params=["commit", "working tree", "checkout"])
def large(request: pytest.FixtureRequest, make: Make, gitune_home: Path) -> Iterator[Tree]:
    """A file of 40 MB, in a tree of each kind."""
    work = make()
    work.commit({"large": "0123456789abcdef" * 2_500_000})
    sources: dict[str, CommitSource | WorktreeSource] = {
        "commit": CommitSource(work.root, gitune_home),
        "working tree": WorktreeSource(work.root),
        "checkout": CheckoutSource(work.root, gitune_home, {}),
    }
    source = sources[request.param]
    yield source.read_tree()
    source.release()


def test_a_large_file_comes_in_pieces_that_are_its_bytes(large: Tree) -> None:
    pieces = list(large.chunks("large", 40_000_000))

    assert b"".join(pieces) == large.read("large", 40_000_000)
    assert max(map(len, pieces)) <= 1 << 20
    with pytest.raises(Unreadable) as caught:
        next(large.chunks("large", 39_999_999))
    assert caught.value.code == "GT403"


def test_who_stops_in_the_middle_of_a_large_file_leaves_nothing_behind(large: Tree) -> None:
    for _ in large.chunks("large", 40_000_000):
        break
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        pieces = large.chunks("large", 40_000_000)
        next(pieces)
        del pieces

    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert large.read("large", 40_000_000)[:4] == b"0123"


async def test_a_file_that_grows_while_its_pieces_are_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a" * 3_000_000)
    pieces = WorktreeSource(tmp_path).read_tree().chunks("data", 10**9)

    next(pieces)
    with (tmp_path / "data").open("ab") as file:
        file.write(b"b")
    with pytest.raises(Unreadable) as caught:
        list(pieces)

    assert caught.value.code == "GT407"


async def test_how_a_new_commit_stands_to_thousands_is_told_by_a_few_commands(
    make: Make, opened: Callable[..., CommitSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = make()
    commits = [work.commit({"a": str(number)}) for number in range(40)]
    work.git("checkout", "-q", "-b", "side", commits[5])
    apart = work.commit({"b": "1"})
    work.git("checkout", "-q", "main")
    source, asked = opened(work.root), list[tuple[str, ...]]()
    ask = Mirror.ask

    def noted(mirror: Mirror, *words: str) -> GitOutput:
        asked.append(words)
        return ask(mirror, *words)

    monkeypatch.setattr(Mirror, "ask", noted)
    others = frozenset({*commits, apart, "f" * 40})

    first = await source.relations(commits[-2], others)
    assert first == {
        **dict.fromkeys(commits, Relation.AHEAD),
        commits[-2]: Relation.SAME,
        commits[-1]: Relation.BEHIND,
        apart: Relation.APART,
        "f" * 40: Relation.UNKNOWN,
    }
    asked.clear()
    second = await source.relations(commits[-1], others)
    assert second == {**first, commits[-2]: Relation.AHEAD, commits[-1]: Relation.SAME}
    assert len(asked) < 10
