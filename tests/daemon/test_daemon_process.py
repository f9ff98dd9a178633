"""The real command with real git, real signals and real sockets."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.daemon.conftest import Yard
from tests.daemon.process import Running, running
from tests.e2e.stand import Repository, rows, settings, spec
from tests.git.test_git_moved import Redirecting

pytestmark = pytest.mark.slow

COMMITS = int(os.environ.get("GITUNE_TEST_COMMITS", "8"))


def settled(daemon: Running, yard: Yard, creates: int) -> None:
    """Wait until that many were created and nothing is done any more."""
    daemon.wait(lambda: sum(yard.service.created.values()) >= creates)
    daemon.wait(lambda: at_rest(daemon))


def at_rest(daemon: Running) -> bool:
    """Whether the last it says is a pass after which it does not look again soon."""
    said = [event for event in daemon.events if str(event.get("event", "")).startswith(("action.", "pass."))]
    return bool(said) and said[-1]["event"] == "pass.ended" and said[-1]["next"] > 2.0


def test_each_commit_is_acted_on_at_once_and_then_nothing_is_asked_for_or_written(yard: Yard) -> None:
    with yard.daemon() as daemon:
        settled(daemon, yard, 1)
        moment = time.monotonic()
        yard.commit(epochs=3)
        daemon.wait(lambda: yard.service.since(moment))
        assert yard.service.since(moment)[0][0] - moment < 1.0
        settled(daemon, yard, 2)
        tip, changes = yard.repository.git("rev-parse", "gitune-status"), len(yard.service.changes)
        time.sleep(1.5)
        assert yard.repository.git("rev-parse", "gitune-status") == tip
        assert len(yard.service.changes) == changes
        assert daemon.end() < 10.0
        assert daemon.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_create_lets_it_be_answered_and_starts_no_other(yard: Yard, number: int) -> None:
    for one in range(17):
        yard.commit(f"more-{one}")
    yard.service.slow = 1.0
    with yard.daemon() as daemon:
        daemon.wait(lambda: len(yard.service.changes) == 16)  # as many as are sent at a time
        assert daemon.end(number) < 10.0
        assert daemon.process.returncode == 0
    assert len(yard.service.changes) == 16
    assert "Traceback" not in "".join(daemon.lines)
    yard.service.slow = 0.0
    with yard.daemon() as daemon:
        settled(daemon, yard, 18)
    assert set(yard.service.created.values()) == {1}


def test_a_create_that_is_never_answered_is_left_as_an_intent_and_paid_for_once(yard: Yard) -> None:
    yard.service.slow = 12.0
    with yard.daemon() as daemon:
        daemon.wait(lambda: yard.service.changes)
        assert daemon.end() < 10.0
    yard.service.slow = 0.0
    daemon.process.wait()
    time.sleep(3.0)  # the service carries it out after all
    with yard.daemon() as daemon:
        daemon.wait(lambda: daemon.said("action.done"))
    assert list(yard.service.created.values()) == [1]


def test_a_second_signal_ends_at_once(yard: Yard) -> None:
    yard.service.slow = 5.0
    with yard.daemon() as daemon:
        daemon.wait(lambda: yard.service.changes)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait(lambda: daemon.said("daemon.ending"))
        assert daemon.end() < 1.0
        assert daemon.process.returncode == 128 + signal.SIGTERM


def test_an_address_that_is_taken_ends_it_before_anything_is_written_or_sent(yard: Yard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with yard.daemon("--listen", f"127.0.0.1:{port}") as daemon:
            assert daemon.process.wait(30) == 1
    assert [line for line in daemon.lines if line.startswith("error: ")] == daemon.lines[:1]
    assert f"127.0.0.1 port {port} cannot be bound" in daemon.lines[0]
    assert not daemon.events
    assert not yard.service.requests
    assert yard.repository.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_hangup_opens_everything_anew_and_new_settings_need_none(yard: Yard) -> None:
    with yard.daemon() as daemon:
        settled(daemon, yard, 1)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait(lambda: len(daemon.said("ports.opened")) == 2)
        changed = settings(yard.service.url) + "policy: {maxCreates: 3}\n"
        yard.repository.write("gitune.yaml", changed)
        yard.repository.commit()
        daemon.wait(lambda: len(daemon.said("ports.opened")) >= 3)
        daemon.wait(lambda: at_rest(daemon))
        assert len(daemon.said("ports.opened")) == 3
    assert list(yard.service.created.values()) == [1]


def test_broken_settings_stop_nothing_that_runs_and_are_named_until_they_are_mended(yard: Yard) -> None:
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        settled(daemon, yard, 1)
        yard.repository.write("gitune.yaml", "apiVersion: [")
        yard.repository.commit()
        daemon.wait(lambda: daemon.said("pass.failed"))
        assert "gitune.yaml" in daemon.get("/")[1]
        assert daemon.process.poll() is None
        yard.repository.write("gitune.yaml", settings(yard.service.url))
        yard.commit(epochs=4)
        settled(daemon, yard, 2)


def test_the_working_tree_is_followed_where_that_costs_nothing(yard: Yard) -> None:
    with yard.daemon("--worktree") as daemon:
        settled(daemon, yard, 1)
        moment = time.monotonic()
        yard.repository.write("specs/numbers.yaml", spec("numbers", 7))
        daemon.wait(lambda: yard.service.since(moment))
        assert yard.service.since(moment)[0][0] - moment < 1.0
        settled(daemon, yard, 2)


def test_a_ledger_among_the_files_that_are_followed_wakes_and_stops_nobody(yard: Yard) -> None:
    yard.repository.write("gitune.yaml", settings(yard.service.url) + "ledger: {directory: state/ledger}\n")
    with yard.daemon("--worktree") as daemon:
        settled(daemon, yard, 1)
        passes = daemon.passes()
        time.sleep(1.5)
        assert daemon.passes() <= passes + 2
        assert not daemon.said("action.held")
    assert (yard.repository.root / "state/ledger/status/numbers.yaml").exists()


def storm(folder: Path, files: int, writes: int) -> None:
    """So many files made, each written to so many times in turn with the others, then all taken away."""
    folder.mkdir()
    open_files = [os.open(folder / f"{number}.txt", os.O_WRONLY | os.O_CREAT) for number in range(files)]
    for _ in range(writes):
        for descriptor in open_files:
            os.pwrite(descriptor, b"x", 0)
    for descriptor in open_files:
        os.close(descriptor)
    shutil.rmtree(folder)


def test_a_storm_of_a_hundred_thousand_events_is_two_passes_and_what_follows_it_is_seen(yard: Yard) -> None:
    with yard.daemon("--worktree") as daemon:
        settled(daemon, yard, 1)
        time.sleep(0.6)
        before = daemon.passes()
        storm(yard.repository.root / "storm", 500, 200)
        time.sleep(2.5)
        assert daemon.passes() - before <= 2
        yard.repository.write("specs/numbers.yaml", spec("numbers", 7))
        settled(daemon, yard, 2)


def test_a_repository_that_appears_later_is_waited_for(yard: Yard, tmp_path: Path) -> None:
    later = tmp_path / "later"
    with yard.daemon("--repo", str(later), "--interval", "1") as daemon:
        daemon.wait(lambda: daemon.said("pass.failed"))
        shutil.copytree(yard.repository.root, later)
        daemon.wait(lambda: [done for done in daemon.said("action.done") if done["action"] == "promote"])
        assert daemon.end() < 10.0
        assert daemon.process.returncode == 0


def test_a_branch_of_an_address_is_polled(yard: Yard, tmp_path: Path) -> None:
    bare = tmp_path / "there.git"
    yard.repository.git("init", "-q", "--bare", "-b", "main", str(bare))
    yard.repository.git("push", "-q", str(bare), "main")
    with yard.daemon("--repo", str(bare), "--branch", "main", "--interval", "1") as daemon:
        settled_by = daemon.wait(lambda: sum(yard.service.created.values()) == 1)
        assert settled_by < 30
        yard.commit(epochs=3)
        yard.repository.git("push", "-q", str(bare), "main")
        assert daemon.wait(lambda: sum(yard.service.created.values()) == 2) < 5.0
        assert daemon.end() < 10.0
    assert yard.repository.git("ls-remote", str(bare), "refs/heads/gitune-status")


def test_two_daemons_create_as_often_as_there_are_fingerprints(yard: Yard) -> None:
    with yard.daemon() as one, yard.daemon() as two:
        one.wait(lambda: sum(yard.service.created.values()) >= 1)
        for number in range(COMMITS):
            yard.commit(f"m{number % 4}", epochs=2 + number // 4)
            time.sleep(0.15)
        expected = {f"m{n}" for n in range(4)} | {"numbers"}
        one.wait(lambda: expected <= {name.split("/")[1].rsplit("-", 2)[0] for name in yard.service.created}, 60)
        time.sleep(3.0)
        assert one.end() < 10.0
        assert two.end() < 10.0
    assert set(yard.service.created.values()) == {1}
    assert "Traceback" not in "".join(one.lines + two.lines)


def test_a_daemon_whose_replica_was_killed_takes_over(yard: Yard) -> None:
    yard.service.finishes = False
    with yard.daemon() as one:
        one.wait(lambda: yard.service.created)
        with yard.daemon() as two:
            two.wait(lambda: two.passes("standby"))
            one.process.kill()
            one.process.wait()
            two.wait(lambda: two.passes("changed"))
            yard.service.finishes = True
            two.wait(lambda: [e for e in two.said("action.done") if e["action"] == "promote"])
    assert list(yard.service.created.values()) == [1]


def test_a_repository_that_is_not_there_is_an_error_that_time_can_mend(yard: Yard, tmp_path: Path) -> None:
    away = tmp_path / "away"
    yard.repository.root.rename(away)
    yard.repository.root.mkdir()
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        daemon.wait(lambda: daemon.said("pass.failed"))
        assert "not in a git repository" in daemon.get("/")[1]
        yard.repository.root.rmdir()  # nothing was put there meanwhile
        away.rename(yard.repository.root)
        daemon.wait(lambda: yard.service.created)


def test_a_repository_that_was_renamed_on_its_host_is_named_by_its_new_address(yard: Yard) -> None:
    with Redirecting("{here}{path}?{query}").running() as moved:
        address = f"{moved.url}/acme/old.git"
        with yard.daemon("--repo", address, "--interval", "1", "--listen", "127.0.0.1:0") as daemon:
            daemon.wait(lambda: daemon.said("pass.failed"))
            failed = daemon.said("pass.failed")[0]
            page = daemon.get("/")[1]
            assert daemon.end() < 10.0
    assert f"{address} has moved to {moved.url}/acme/new.git" in failed["said"]
    assert "instance: 127.0.0.1/acme/old" in failed["hint"]
    assert "/acme/new.git" in page
    assert not yard.service.requests


def test_a_link_that_is_swapped_to_another_clone_is_followed_there(yard: Yard, tmp_path: Path) -> None:
    other, link, new = tmp_path / "other", tmp_path / "link", tmp_path / "new"
    yard.repository.git("clone", "-q", str(yard.repository.root), str(other))
    link.symlink_to(yard.repository.root)
    with running("--root", str(link), home=yard.home) as daemon:
        settled(daemon, yard, 1)
        clone = Repository(other)
        clone.git("remote", "remove", "origin")
        clone.git("fetch", "-q", str(yard.repository.root), "gitune-status:gitune-status")
        clone.write("specs/numbers.yaml", spec("numbers", 9))
        clone.commit()
        new.symlink_to(other)
        new.replace(link)
        settled(daemon, yard, 2)
    assert list(yard.service.created.values()) == [1, 1]
    assert Repository(other).git("rev-parse", "gitune-status") != yard.repository.git("rev-parse", "gitune-status")


def test_rows_are_in_no_log_and_on_no_page(yard: Yard) -> None:
    yard.repository.write("specs/rows.jsonl", rows().replace('"1"', '"a-very-private-row"'))
    yard.repository.commit()
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        settled(daemon, yard, 1)
        pages = "".join(daemon.get(path)[1] for path in ("/", "/models/numbers", "/metrics", "/curves/numbers.svg"))
    assert "a-very-private-row" not in pages + "".join(daemon.lines)
