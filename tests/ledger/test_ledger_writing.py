"""The ledger in a directory, on a branch here and on one elsewhere: one behaviour, with real files and real git."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import LedgerError, RevisionConflict
from controller.ledger.branch import BranchLedger
from controller.ledger.codec import read_status
from controller.ledger.directory import DirectoryLedger
from controller.ledger.opening import open_ledger
from controller.ledger.rendering import made_of
from controller.settings import LedgerSettings
from controller.state.recorded import Record
from tests.git.forges import forge
from tests.git.repositories import Trap, Work, arm, clone
from tests.ledger.records import counted, now, record, run

Make = Callable[..., Work]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = "refs/heads/gitune-status"
PROGRAM = Path(__file__).parents[2]


def branch_ledger(work: Work, home: Path, clock: Callable[[], datetime] = now) -> BranchLedger:
    opened = open_ledger(LedgerSettings(), work.root, home, clock, {})
    assert isinstance(opened, BranchLedger)
    return opened


@dataclass
class Kind:
    """One kind of ledger, opened as often as wanted, as separate controllers would."""

    open: Callable[[str], BranchLedger | DirectoryLedger]


@pytest.fixture(params=["directory", "local", "path", "bare", "network", "local, SHA-256", "network, SHA-256"])
async def kind(request: pytest.FixtureRequest, make: Make, tmp_path: Path) -> AsyncIterator[Kind]:
    place, _, sha256 = request.param.partition(", ")
    work = make("specs", *(["--object-format=sha256"] if sha256 else []))
    work.commit({"specs/a.yaml": "a"})
    (tmp_path / "served").mkdir()
    clone(work.root, tmp_path / "served" / "o.git", "--bare")
    with forge(tmp_path / "served") as server:
        origins = {"path": f"{tmp_path}/served/o.git", "bare": f"file://{tmp_path}/served/o.git"}
        if origin := {**origins, "network": f"{server.url}/o.git"}.get(place):
            work.git("remote", "add", "origin", origin)

        def new(who: str) -> BranchLedger | DirectoryLedger:
            directory = ".gitune" if place == "directory" else None
            ledger = open_ledger(LedgerSettings(directory=directory), work.root, tmp_path / f"home-{who}", now, {})
            assert isinstance(ledger, BranchLedger | DirectoryLedger)
            return ledger

        yield Kind(new)


async def test_what_was_saved_is_loaded_by_somebody_else(kind: Kind) -> None:
    mine, theirs = kind.open("a"), kind.open("b")
    assert (await mine.load()).tip is None
    assert (await mine.load()).records == {}

    first = await mine.save({"a": record("a")}, None, "first")
    second = await mine.save({"a": record("a"), "b": record("b", 2)}, first, "second")

    seen = await theirs.load()
    assert seen.records == {"a": record("a"), "b": record("b", 2)}
    assert seen.tip == second != first


async def test_a_save_onto_an_old_tip_is_a_conflict_and_changes_nothing(kind: Kind) -> None:
    mine, theirs = kind.open("a"), kind.open("b")
    first = await mine.save({"a": counted("a", 1)}, None, "first")
    second = await theirs.save({"a": counted("a", 2)}, first, "second")

    for tip in (first, None, "1" * 40, "something else"):
        with pytest.raises(RevisionConflict):
            await mine.save({"a": counted("a", 3)}, tip, "lost")

    assert (await mine.load()).records == {"a": counted("a", 2)}
    assert (await mine.load()).tip == second


async def test_saving_the_same_again_writes_nothing(kind: Kind) -> None:
    ledger = kind.open("a")
    tip = await ledger.save({"a": record("a")}, None, "first")

    assert await ledger.save({"a": record("a")}, tip, "again") == tip
    assert (await kind.open("b").load()).tip == tip


async def test_who_wrote_knows_what_anybody_else_would_read(kind: Kind) -> None:
    given = replace(record("a", 12), display_name="half of a pair: \ud83d", runs=tuple(run(n, 900) for n in range(12)))
    ledger = kind.open("a")
    await ledger.save({"a": given, "b": record("b")}, None, "first")

    mine, theirs = await ledger.load(), await kind.open("b").load()
    assert mine == theirs
    assert mine.records["a"] != given
    assert await ledger.save(mine.records, mine.tip, "the same") == mine.tip


async def test_what_others_wrote_meanwhile_is_not_taken_for_what_we_wrote(kind: Kind) -> None:
    ledger, other = kind.open("a"), kind.open("b")
    first = await ledger.save({"a": counted("a", 1), "b": counted("b", 1)}, None, "first")
    second = await other.save({"a": counted("a", 2), "b": counted("b", 1)}, first, "second")

    with pytest.raises(RevisionConflict):
        await ledger.save({"a": counted("a", 1), "b": counted("b", 1)}, first, "what is there, as we think")
    seen = await ledger.load()
    assert (seen.records["a"], seen.tip) == (counted("a", 2), second)
    await ledger.save({"a": counted("a", 1), "b": counted("b", 1)}, second, "as it was")
    assert (await other.load()).records == {"a": counted("a", 1), "b": counted("b", 1)}


async def test_nothing_to_say_makes_no_ledger(kind: Kind) -> None:
    ledger = kind.open("a")

    assert await ledger.save({}, None, "nothing") is None
    assert (await ledger.load()).tip is None


async def test_a_forgotten_record_takes_its_files_with_it(kind: Kind) -> None:
    ledger = kind.open("a")
    tip = await ledger.save({"a": record("a"), "b": record("b")}, None, "two")

    await ledger.save({"b": record("b")}, tip, "one")

    assert (await kind.open("b").load()).records == {"b": record("b")}


async def test_writers_in_one_process_lose_nothing(kind: Kind) -> None:
    async def add(who: str) -> None:
        ledger = kind.open(who)
        for number in range(3):
            while True:
                seen = await ledger.load()
                entry = counted(f"{who}-{number}", number)
                try:
                    await ledger.save({**seen.records, entry.name: entry}, seen.tip, "add")
                    break
                except RevisionConflict:
                    continue

    await asyncio.gather(add("a"), add("b"), add("c"))

    assert sorted((await kind.open("d").load()).records) == [f"{who}-{n}" for who in "abc" for n in range(3)]


@pytest.mark.parametrize("directory", ["", ".gitune"], ids=["branch", "directory"])
def test_two_processes_writing_thirty_times_each_lose_no_update(make: Make, tmp_path: Path, directory: str) -> None:
    work = make()
    work.commit({"a": "1"})
    words = [sys.executable, "-m", "tests.ledger.writers", str(work.root)]
    writers = [
        subprocess.Popen(
            [*words, str(tmp_path / home), name, "30", directory],
            cwd=PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for home, name in (("h1", "left"), ("h2", "right"))
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    lost = sum(int(writer.communicate(timeout=120)[0]) for writer in writers)

    recorded = asyncio.run(
        open_ledger(LedgerSettings(directory=directory or None), work.root, tmp_path / "h3", now, {}).load()
    )

    assert sorted(recorded.records) == sorted(f"{name}-{n}" for name in ("left", "right") for n in range(30))
    assert lost > 0, "the two never met: the test shows nothing"
    if not directory:
        assert work.git("rev-list", "--count", REF) == "60"
        assert work.git("fsck", "--strict", "--no-dangling") == ""


async def test_the_users_branches_files_and_index_are_never_touched(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    (work.root / "a").write_text("not committed")
    before = (work.git("status", "--porcelain"), work.git("rev-parse", "HEAD"), work.git("symbolic-ref", "HEAD"))
    index = (work.root / ".git" / "index").read_bytes()

    await branch_ledger(work, gitune_home).save({"a": record("a")}, None, "first")

    assert (
        work.git("status", "--porcelain"),
        work.git("rev-parse", "HEAD"),
        work.git("symbolic-ref", "HEAD"),
    ) == before
    assert (work.root / ".git" / "index").read_bytes() == index
    assert work.git("branch", "--format=%(refname:short)").split() == ["gitune-status", "main"]


async def test_a_commit_says_who_when_and_why(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})

    tip = await branch_ledger(work, gitune_home, lambda: NOW).save({"a": record("a")}, None, "a is ready\n\nmore")

    shown = work.git("log", "-1", "--format=%H|%an|%ae|%cI|%s|%P", REF)
    assert shown == f"{tip}|Gitune|gitune@users.noreply.localhost|2026-01-02T03:04:05+00:00|a is ready|"
    assert work.git("ls-tree", "-r", "--name-only", REF).split() == [
        *("README.md", "curves/a.csv", "curves/a.svg", "status/a.yaml")
    ]


@pytest.mark.parametrize("packed_from", [1, 100_000], ids=["as a pack", "each by itself"])
@pytest.mark.parametrize("words", [(), ("--object-format=sha256",)], ids=["SHA-1", "SHA-256"])
async def test_what_git_is_given_at_once_is_what_git_itself_would_have_written(
    make: Make, gitune_home: Path, monkeypatch: pytest.MonkeyPatch, packed_from: int, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("controller.git.writing._PACKED_FROM", packed_from)
    work = make("repo", *words)
    work.commit({"a": "1"})
    many = {f"m-{n}": counted(f"m-{n}", n) for n in range(9)} | {"m": record("m"), "m-0a": record("m-0a")}
    ledger = branch_ledger(work, gitune_home)
    tip = await ledger.save(many, None, "many")
    await ledger.save({**many, "m-3": counted("m-3", 7)}, tip, "one of them")

    assert (await branch_ledger(work, gitune_home / "other").load()).records == {**many, "m-3": counted("m-3", 7)}
    assert work.git("fsck", "--strict", "--no-dangling") == ""
    work.git("read-tree", REF)
    assert work.git("write-tree") == work.git("rev-parse", f"{REF}^{{tree}}")
    packs = list((work.root / ".git" / "objects" / "pack").glob("*.pack"))
    assert len(packs) == (2 if packed_from == 1 else 0)


async def test_only_what_changed_is_made_and_only_what_others_changed_is_read(
    make: Make, gitune_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    read: list[str] = []

    def make_files(given: Record) -> tuple[dict[str, bytes], Record | None]:
        made.append(given.name)
        return made_of(given)

    def read_file(path: str, content: bytes) -> Record:
        read.append(path)
        return read_status(path, content)

    monkeypatch.setattr("controller.ledger.branch.made_of", make_files)
    monkeypatch.setattr("controller.ledger.branch.read_status", read_file)
    work = make()
    work.commit({"a": "1"})
    many = {f"m-{n}": record(f"m-{n}") for n in range(9)}
    other = branch_ledger(work, gitune_home / "other")
    tip = await other.save(many, None, "many")
    mine = branch_ledger(work, gitune_home)
    await mine.load()
    made.clear()
    read.clear()

    tip = await mine.save({**many, "m-3": counted("m-3", 7)}, tip, "one of them")
    await mine.load()
    assert (made, read) == (["m-3"], [])
    await other.load()
    await other.save({**many, "m-3": counted("m-3", 7)}, tip, "the same")
    assert (made, read) == (["m-3"], ["status/m-3.yaml"])


async def test_a_curve_that_somebody_took_away_comes_back_with_the_next_write(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    ledger = branch_ledger(work, gitune_home)
    await ledger.save({"a": record("a"), "b": record("b")}, None, "first")
    work.git("checkout", "-q", "gitune-status")
    work.git("rm", "-q", "curves/a.svg")
    work.commit({"README.md": "edited"})
    work.git("checkout", "-q", "main")
    seen = await ledger.load()

    assert await ledger.save(seen.records, seen.tip, "the same") == seen.tip
    await ledger.save({**seen.records, "b": counted("b", 2)}, seen.tip, "one changed")

    assert work.git("show", f"{REF}:curves/a.svg").startswith("<svg")
    assert work.git("show", f"{REF}:README.md").startswith("# Tuned models")


async def test_files_of_others_on_the_branch_are_kept(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    work.git("checkout", "-q", "--orphan", "gitune-status")
    work.git("rm", "-q", "--cached", "-r", ".")
    work.commit({"CODEOWNERS": "* @us", "docs/x/y.md": "deep"})
    work.git("checkout", "-q", "main")
    ledger = branch_ledger(work, gitune_home)

    await ledger.save({"a": record("a")}, (await ledger.load()).tip, "first")

    assert work.git("show", f"{REF}:docs/x/y.md") == "deep"
    assert work.git("show", f"{REF}:status/a.yaml").startswith("apiVersion")


async def test_a_branch_somebody_works_on_is_refused(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    work.git("checkout", "-q", "-b", "gitune-status")
    ledger = branch_ledger(work, gitune_home)

    with pytest.raises(LedgerError, match="checked out") as caught:
        await ledger.save({"a": record("a")}, (await ledger.load()).tip, "first")

    assert caught.value.hint
    assert work.git("status", "--porcelain") == ""


async def test_a_branch_somebody_works_on_elsewhere_is_told_with_its_place_before_anything_is_written(
    make: Make, gitune_home: Path, tmp_path: Path
) -> None:
    work = make()
    work.commit({"a": "1"})
    work.git("worktree", "add", "-q", "-b", "gitune-status", str(tmp_path / "elsewhere"))

    with pytest.raises(LedgerError) as caught:
        await branch_ledger(work, gitune_home).check()

    assert caught.value.message == f"the branch gitune-status is checked out in {tmp_path / 'elsewhere'}"


@pytest.mark.parametrize("change", ["deleted", "forced"])
async def test_a_branch_that_was_rewritten_or_deleted_is_a_conflict(make: Make, gitune_home: Path, change: str) -> None:
    work = make()
    commit = work.commit({"a": "1"})
    ledger = branch_ledger(work, gitune_home)
    tip = await ledger.save({"a": record("a")}, None, "first")
    if change == "deleted":
        work.git("branch", "-q", "-D", "gitune-status")
    else:
        work.git("branch", "-q", "-f", "gitune-status", commit)

    with pytest.raises(RevisionConflict):
        await ledger.save({"a": counted("a", 2)}, tip, "second")

    seen = await ledger.load()
    assert seen.tip == (None if change == "deleted" else commit)
    await ledger.save({"a": counted("a", 2)}, seen.tip, "second")
    assert (await ledger.load()).records == {"a": counted("a", 2)}


async def test_a_lock_left_by_a_killed_git_is_cleared_once_it_is_old(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    lock = work.root / ".git" / "refs" / "heads" / "gitune-status.lock"
    other = work.root / ".git" / "refs" / "heads" / "main.lock"
    for path in (lock, other):
        path.write_text("")
        os.utime(path, (now().timestamp() - 120,) * 2)

    await branch_ledger(work, gitune_home).save({"a": record("a")}, None, "first")

    assert not lock.exists()
    assert other.exists(), "only our own ref's lock is ours to judge"


@pytest.mark.parametrize("held", [True, False], ids=["open in a process", "young"])
async def test_a_lock_that_may_be_in_use_is_left_alone(make: Make, gitune_home: Path, *, held: bool) -> None:
    work = make()
    work.commit({"a": "1"})
    lock = work.root / ".git" / "refs" / "heads" / "gitune-status.lock"
    with lock.open("w") as file:
        if held:
            os.utime(lock, (now().timestamp() - 3600,) * 2)
        else:
            file.close()

        with pytest.raises(LedgerError, match="lock"):
            await branch_ledger(work, gitune_home).save({"a": record("a")}, None, "first")

    assert lock.exists()


async def test_an_armed_repository_and_an_armed_origin_run_nothing(
    trap: Trap, gitune_home: Path, tmp_path: Path
) -> None:
    clone(trap.work.root, tmp_path / "origin.git", "--bare", "-c", "core.hooksPath=/dev/null")
    trap.marker.unlink(missing_ok=True)
    arm(tmp_path / "origin.git", tmp_path / "evil")

    here = branch_ledger(trap.work, gitune_home)
    tip = await here.save({"a": record("a")}, None, "first")
    await here.save({"a": record("a", 2)}, tip, "second")
    remote = LedgerSettings(remote=str(tmp_path / "origin.git"))
    there = open_ledger(remote, trap.work.root, gitune_home, now, {})
    await there.save({"a": record("a")}, (await there.load()).tip, "first")

    assert (await here.load()).records == {"a": record("a", 2)}
    assert (await there.load()).records == {"a": record("a")}
    assert trap.sprung() == []


@pytest.mark.parametrize(
    "settings",
    [
        LedgerSettings(branch="-x"),
        LedgerSettings(branch="a..b"),
        LedgerSettings(branch="x.lock"),
        LedgerSettings(remote="upstream"),
        LedgerSettings(remote="ext::sh -c touch% m"),
        LedgerSettings(remote="git://example.com/x"),
        LedgerSettings(remote="/nowhere/at/all"),
    ],
)
async def test_settings_that_name_no_place_are_an_error_with_a_hint(
    make: Make, gitune_home: Path, settings: LedgerSettings
) -> None:
    work = make()
    work.commit({"a": "1"})

    with pytest.raises(LedgerError):
        await open_ledger(settings, work.root, gitune_home, now, {}).load()


async def test_a_broken_status_file_stops_the_whole_ledger(make: Make, gitune_home: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    ledger = branch_ledger(work, gitune_home)
    await ledger.save({"a": record("a"), "b": record("b")}, None, "first")
    work.git("checkout", "-q", "gitune-status")
    work.commit({"status/b.yaml": "garbled: ["})
    work.git("checkout", "-q", "main")

    with pytest.raises(LedgerError, match=r"status/b\.yaml:1"):
        await ledger.load()


async def test_a_link_in_place_of_a_status_file_is_refused(make: Make, gitune_home: Path, tmp_path: Path) -> None:
    work = make()
    work.commit({"a": "1"})
    work.git("checkout", "-q", "--orphan", "gitune-status")
    (work.root / "status").mkdir()
    (work.root / "status" / "a.yaml").symlink_to(tmp_path / "secret")
    work.commit({})
    work.git("checkout", "-q", "main")

    with pytest.raises(LedgerError, match="not a status file"):
        await branch_ledger(work, gitune_home).load()


async def test_a_kept_keep_that_was_damaged_is_fetched_anew(make: Make, tmp_path: Path) -> None:
    work = make("specs")
    work.commit({"a": "1"})
    (tmp_path / "served").mkdir()
    clone(work.root, tmp_path / "served" / "o.git", "--bare")
    with forge(tmp_path / "served") as server:
        work.git("remote", "add", "origin", f"{server.url}/o.git")
        await branch_ledger(work, tmp_path / "writer").save({"a": record("a")}, None, "first")
        await branch_ledger(work, tmp_path / "reader").load()
        damage(tmp_path / "reader" / "mirrors")

        reader = branch_ledger(work, tmp_path / "reader")

        assert (await reader.load()).records == {"a": record("a")}


async def test_a_keep_damaged_under_an_open_ledger_is_fetched_anew_once_a_save_has_met_it(
    make: Make, tmp_path: Path
) -> None:
    work = make("specs")
    work.commit({"a": "1"})
    (tmp_path / "served").mkdir()
    clone(work.root, tmp_path / "served" / "o.git", "--bare")
    with forge(tmp_path / "served") as server:
        work.git("remote", "add", "origin", f"{server.url}/o.git")
        first = await branch_ledger(work, tmp_path / "writer").save({"a": record("a")}, None, "first")
        ledger = branch_ledger(work, tmp_path / "reader")
        await ledger.load()
        damage(tmp_path / "reader" / "mirrors")
        with pytest.raises(LedgerError):
            await ledger.save({"a": record("a", 2)}, first, "on what cannot be read")

        assert (await ledger.load()).records == {"a": record("a")}
        await ledger.save({"a": record("a", 2)}, first, "second")
        assert (await branch_ledger(work, tmp_path / "writer").load()).records == {"a": record("a", 2)}


def damage(mirrors: Path) -> None:
    for pack in mirrors.rglob("*.pack"):
        pack.chmod(0o644)
        content = pack.read_bytes()
        pack.write_bytes(content[: len(content) // 2])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "ledger"
    (tmp_path / "ledger" / "status").chmod(0o755)


async def test_what_a_killed_writer_left_in_a_directory_is_swept(folder: Path) -> None:
    ledger = DirectoryLedger(folder)
    tip = await ledger.save({"a": record("a")}, None, "first")
    (folder / "status" / ".new-a.yaml").write_text("half a fi")

    assert (await ledger.load()).records == {"a": record("a")}
    await ledger.save({"a": record("a", 2)}, tip, "second")

    assert not (folder / "status" / ".new-a.yaml").exists()
    assert (await ledger.load()).records == {"a": record("a", 2)}


async def test_pictures_that_a_killed_writer_left_behind_are_brought_up_to_date(folder: Path) -> None:
    ledger = DirectoryLedger(folder)
    tip = await ledger.save({"a": record("a")}, None, "first")
    wanted = (folder / "README.md").read_bytes()
    (folder / "README.md").write_text("older")

    await ledger.save({"a": record("a")}, tip, "again")

    assert (folder / "README.md").read_bytes() == wanted


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_directory_that_cannot_be_written_is_an_error(folder: Path) -> None:
    ledger = DirectoryLedger(folder)
    tip = await ledger.save({"a": record("a")}, None, "first")
    (folder / "status").chmod(0o500)

    with pytest.raises(LedgerError):
        await ledger.save({"a": counted("a", 1)}, tip, "second")


async def test_a_file_where_the_directory_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(LedgerError):
        await DirectoryLedger(tmp_path / "taken" / "ledger").save({"a": record("a")}, None, "first")


async def test_a_link_in_the_directory_is_not_followed(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path / "ledger")
    await ledger.save({"a": record("a")}, None, "first")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "ledger" / "status" / "b.yaml").symlink_to(tmp_path / "secret")

    with pytest.raises(LedgerError) as caught:
        await ledger.load()

    assert "secret" not in caught.value.message


async def test_other_files_in_the_directory_are_kept(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")

    tip = await ledger.save({"a": record("a")}, None, "first")
    await ledger.save({}, tip, "forget")

    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (await ledger.load()).records == {}


def test_outside_git_the_ledger_is_a_directory(tmp_path: Path) -> None:
    assert isinstance(open_ledger(LedgerSettings(), tmp_path, tmp_path / "home", now, {}), DirectoryLedger)
