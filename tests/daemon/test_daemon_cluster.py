"""A Lease object over real TLS, by the real client library, with the answers and the silence of an API server."""

import asyncio
import datetime as dt
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from controller.cli.main import run
from controller.daemon import cluster
from controller.daemon.cluster import NONCE, ClusterCell, open_cluster_cell
from controller.daemon.lease import LASTS, CellLease
from controller.errors import ControllerError, RevisionConflict
from controller.testing import FakeClock, SeededChance
from tests.daemon.apiserver import NAMESPACE, ApiServer, drop, hang
from tests.daemon.conftest import Yard
from tests.daemon.process import Running, running


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    return folder


@pytest.fixture
def api(account: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer().running(account) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", server.url.rpartition(":")[2])
        yield server


@pytest.fixture
async def cells(api: ApiServer, account: Path) -> AsyncIterator[tuple[ClusterCell, ClusterCell]]:
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(open_cluster_cell("gitune", clock.now, account))
        yield one, await stack.enter_async_context(open_cluster_cell("gitune", clock.now, account))


Cells = tuple[ClusterCell, ClusterCell]


def leases(cells: Cells, clock: FakeClock) -> tuple[CellLease, CellLease]:
    return CellLease(cells[0], "one/1", clock, SeededChance(1)), CellLease(cells[1], "two/1", clock, SeededChance(2))


async def test_what_was_written_is_read_and_who_did_not_read_it_is_refused(api: ApiServer, cells: Cells) -> None:
    api.ship()
    one, two = cells
    tip, text = await one.read()
    assert text == ""
    newer = await one.write(tip, "one 1")
    assert await two.read() == (newer, "one 1")
    with pytest.raises(RevisionConflict):
        await two.write(tip, "two 1")
    assert await one.read() == (newer, "one 1")


async def test_of_many_who_write_at_once_one_wins(api: ApiServer, account: Path) -> None:
    api.ship()
    async with AsyncExitStack() as stack:
        opened = [open_cluster_cell("gitune", FakeClock().now, account) for _ in range(6)]
        many = [await stack.enter_async_context(one) for one in opened]
        tips = [(await cell.read())[0] for cell in many]
        tries = [cell.write(tip, f"w{n} {n}") for n, (cell, tip) in enumerate(zip(many, tips, strict=True))]
        done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in done) == 1
    assert all(isinstance(answer, str | RevisionConflict) for answer in done)
    assert api.writes == 1


async def test_two_contenders_hand_it_over_when_it_is_given_back_or_runs_out(api: ApiServer, cells: Cells) -> None:
    api.ship()
    clock = FakeClock()
    one, two = leases(cells, clock)
    assert await one.take()
    assert not await two.take()
    assert two.holder == "one/1"
    await one.release()
    assert await two.take()
    clock.advance(LASTS * 0.9)
    assert not await one.take()
    clock.advance(LASTS * 0.9)
    assert await two.take()  # nobody took it: it is renewed, late as it is
    assert not await one.take()
    clock.advance(LASTS + 1)
    assert await one.take()
    assert not await two.still_held()


async def test_the_object_tells_the_truth_to_whoever_lists_leases(api: ApiServer, cells: Cells) -> None:
    api.ship()
    clock = FakeClock()
    one, two = leases(cells, clock)
    await one.take()
    spec = dict(api.lease()["spec"])
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec.get("leaseTransitions", 0)) == ("one/1", 30, 0)
    assert moment(spec["acquireTime"]) == moment(spec["renewTime"])
    clock.advance(LASTS / 2)
    await one.take()
    await one.release()
    assert api.lease()["spec"].get("holderIdentity", "") == ""
    assert not {"acquireTime", "renewTime"} & api.lease()["spec"].keys()
    await two.take()
    assert (api.lease()["spec"]["holderIdentity"], api.lease()["spec"]["leaseTransitions"]) == ("two/1", 1)


async def test_a_renewal_moves_the_time_of_the_renewal_alone(api: ApiServer, account: Path) -> None:
    api.ship()
    clock = FakeClock()
    async with open_cluster_cell("gitune", clock.now, account) as cell:
        lease = CellLease(cell, "one/1", clock, SeededChance(1))
        await lease.take()
        before = dict(api.lease()["spec"])
        clock.advance(LASTS / 2)
        await lease.take()
    after = api.lease()["spec"]
    assert after["acquireTime"] == before["acquireTime"]
    assert (moment(after["renewTime"]) - moment(before["renewTime"])).total_seconds() == pytest.approx(LASTS / 2, abs=1)
    assert after.get("leaseTransitions", 0) == 0


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


async def test_labels_and_annotations_of_others_stay(api: ApiServer, cells: Cells) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gitune", "uid": "7"}
    api.ship(labels={"team": "demo"}, annotations={"kept": "yes"}, ownerReferences=[owner])
    one, _ = leases(cells, FakeClock())
    await one.take()
    await one.release()
    metadata = api.lease()["metadata"]
    assert metadata["labels"] == {"team": "demo"}
    assert metadata["annotations"]["kept"] == "yes"
    assert NONCE in metadata["annotations"]
    assert metadata["ownerReferences"] == [owner]


async def test_nothing_is_written_while_it_is_not_held_and_nothing_too_early(api: ApiServer, cells: Cells) -> None:
    api.ship()
    clock = FakeClock()
    one, two = leases(cells, clock)
    for _ in range(10):
        assert await one.take()
        assert not await two.take()
        clock.advance(LASTS / 40)
    assert api.writes == 1
    await one.release()
    await one.release()
    assert api.writes == 2


async def test_a_write_whose_answer_was_lost_is_known_again(api: ApiServer, cells: Cells) -> None:
    api.ship()
    clock = FakeClock()
    one, two = leases(cells, clock)
    api.lost = drop("update")
    with pytest.raises(ControllerError, match="update of the lease gitune/gitune"):
        await one.take()
    assert api.lease()["spec"]["holderIdentity"] == "one/1"
    api.lost = lambda _: None
    assert not await two.take()
    assert await one.take()
    assert api.lease()["spec"].get("leaseTransitions", 0) == 0


async def test_a_lost_renewal_keeps_nobody_from_work(api: ApiServer, cells: Cells) -> None:
    api.ship()
    clock = FakeClock()
    one, _ = leases(cells, clock)
    await one.take()
    clock.advance(LASTS / 2)
    api.lost = drop("update")
    with pytest.raises(ControllerError):
        await one.still_held()
    api.lost = lambda _: None
    assert await one.still_held()


async def test_an_api_server_that_hangs_is_given_up_in_time(
    api: ApiServer, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.ship()
    one, _ = leases(cells, FakeClock())
    monkeypatch.setattr(cluster, "_DEADLINE", 0.3)
    api.lost = hang(1.0)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ControllerError, match="no answer within"):
        await one.take()
    assert asyncio.get_running_loop().time() - began < 0.9


async def test_a_token_that_was_rotated_on_disk_is_read_again(api: ApiServer, cells: Cells, account: Path) -> None:
    api.ship()
    clock = FakeClock()
    one, _ = leases(cells, clock)
    await one.take()
    api.tokens = {"second-token"}
    (account / "token").write_text("second-token")
    clock.advance(LASTS / 2)
    assert await one.still_held()


REFUSALS = [
    (401, "token", "the API server answered 401"),
    (403, "get", "the API server answered 403"),
    (500, "", "the API server answered 500"),
]


@pytest.mark.parametrize(("code", "_why", "said"), REFUSALS)
async def test_a_refusal_names_its_code_and_what_to_do(
    api: ApiServer, cells: Cells, code: int, _why: str, said: str
) -> None:
    if code == 401:
        api.tokens = set()
    if code == 403:
        api.verbs = set()
    if code == 500:
        api.fault = lambda _: (500, b'{"kind":"Status","code":500}', "application/json")
    with pytest.raises(ControllerError, match=said) as raised:
        await cells[0].read()
    assert raised.value.hint
    assert "token" not in raised.value.message


async def test_without_the_object_it_is_made_where_that_is_allowed(api: ApiServer, cells: Cells) -> None:
    one, two = leases(cells, FakeClock())
    with pytest.raises(
        ControllerError, match="create of the lease gitune/gitune: the API server answered 403"
    ) as raised:
        await one.take()
    assert "lease.yaml" in raised.value.hint
    api.verbs = {"get", "update", "create"}
    assert await one.take()
    assert not await two.take()
    assert api.lease()["metadata"]["namespace"] == NAMESPACE


async def test_of_two_who_make_it_one_wins(api: ApiServer, cells: Cells) -> None:
    api.verbs = {"get", "update", "create"}
    one, two = cells
    assert await one.read() == await two.read() == (None, "")
    await one.write(None, "one 1")
    with pytest.raises(RevisionConflict):
        await two.write(None, "two 1")


async def test_an_object_that_was_deleted_while_it_was_held_is_lost_and_made_anew(api: ApiServer, cells: Cells) -> None:
    api.ship()
    api.verbs = {"get", "update", "create"}
    clock = FakeClock()
    one, _ = leases(cells, clock)
    await one.take()
    api.leases.clear()
    await one.release()
    assert await one.take()
    assert api.lease()["spec"]["holderIdentity"] == "one/1"


ANSWERS = {
    "no JSON": (200, b"<html>", "application/json"),
    "not an object": (200, b"[1]", "application/json"),
    "no metadata": (200, b"{}", "application/json"),
    "a holder that is no text": (
        200,
        b'{"metadata":{"name":"x","resourceVersion":"1"},"spec":{"holderIdentity":7}}',
        "",
    ),
    "a refusal without a content type": (500, b"oops", ""),
    "a refusal that is no JSON": (503, b"<html>", "application/json"),
    "a refusal of a proxy": (502, b"<html>", "text/html"),
    "a list for a Status": (500, b"[]", "application/json"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_whatever_is_answered_is_one_of_our_errors(
    api: ApiServer, cells: Cells, answer: tuple[int, bytes, str]
) -> None:
    api.fault = lambda _: answer
    with pytest.raises(ControllerError):
        await cells[0].read()


async def test_a_holder_of_another_make_is_waited_for_like_our_own(api: ApiServer, cells: Cells) -> None:
    api.ship()
    api.lease()["spec"] = {"holderIdentity": " kubectl  by hand", "leaseDurationSeconds": 5}
    clock = FakeClock()
    one, _ = leases(cells, clock)
    assert not await one.take()
    assert one.holder == "kubectl_by_hand"
    clock.advance(LASTS + 1)
    assert await one.take()


@pytest.mark.parametrize("damage", ["ca.crt", "KUBERNETES_SERVICE_HOST"])
async def test_an_account_that_is_not_whole_is_told(
    api: ApiServer, account: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.ship()
    if damage == "ca.crt":
        (account / "ca.crt").write_text("nothing")
    else:
        monkeypatch.delenv(damage)
    with pytest.raises(ControllerError, match="cannot be used"):
        async with open_cluster_cell("gitune", FakeClock().now, account):
            pass


async def test_a_server_that_the_cluster_does_not_vouch_for_gets_no_token(
    api: ApiServer, account: Path, tmp_path: Path
) -> None:
    api.ship()
    other = tmp_path / "other"
    other.mkdir()
    with ApiServer().running(other):
        (account / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    async with open_cluster_cell("gitune", FakeClock().now, account) as cell:
        with pytest.raises(ControllerError, match="cannot be had"):
            await cell.read()
    assert api.requests == []


@pytest.mark.parametrize("text", ["[", "{}", "clusters: 7"])
async def test_a_kubeconfig_that_cannot_be_read_is_told(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(ControllerError, match="cannot be used"):
        async with open_cluster_cell("gitune", FakeClock().now, tmp_path / "none"):
            pass


async def test_outside_a_cluster_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ControllerError, match="there is no cluster here"):
        async with open_cluster_cell("gitune", FakeClock().now, tmp_path / "none"):
            pass


def test_outside_a_cluster_the_daemon_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert run(["run", "--lease", "kubernetes"]) == 1
    assert "there is no cluster here" in capsys.readouterr().err


def test_without_the_library_the_daemon_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['lightkube'] = None\n")
    command = [sys.executable, "-m", "controller", "run", "--lease", "kubernetes"]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).resolve().parents[2]}"}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install '.[kubernetes]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_without_such_a_lease_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--lease-name", "mine"]) == 1
    assert "--lease-name goes with --lease kubernetes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["../secrets/x", "Gitune", "a/b", "-a", "a..b", "a?b", "", "x" * 201, "a." * 100 + "a"]
)
def test_a_name_that_is_none_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--lease", "kubernetes", f"--lease-name={name}"]) == 1
    assert "is no name of an object" in capsys.readouterr().err


async def test_a_lease_that_is_opened_again_and_again_leaves_nothing_open(api: ApiServer, account: Path) -> None:
    api.ship()

    async def once() -> None:
        async with open_cluster_cell("gitune", FakeClock().now, account) as cell:
            await cell.read()

    await once()
    before = descriptors()
    for _ in range(20):
        await once()
    for _ in range(40):
        if descriptors() <= before:
            break
        await asyncio.sleep(0.05)  # the server's side of the last connection is closed by a thread
    assert descriptors() <= before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def kubernetes(api: ApiServer, account: Path) -> dict[str, Any]:
    return {"KUBECONFIG": str(api.kubeconfig(account))}


def at_rest(daemon: Running) -> bool:
    said = daemon.said("pass.ended")
    return bool(said) and said[-1]["next"] > 2.0


@pytest.mark.slow
def test_two_daemons_of_a_cluster_share_the_work_and_give_the_lease_back(
    yard: Yard, api: ApiServer, account: Path
) -> None:
    api.ship()
    environ = kubernetes(api, account)
    words = ("--lease", "kubernetes")
    with yard.daemon(*words, **environ) as one, yard.daemon(*words, **environ) as two:
        one.wait(lambda: sum(yard.service.created.values()) == 1)
        one.wait(lambda: api.writes and at_rest(one) and at_rest(two))
        one.wait(lambda: not api.lease()["spec"].get("holderIdentity"))
        writes = api.writes
        yard.commit(epochs=3)
        one.wait(lambda: sum(yard.service.created.values()) == 2)
        one.wait(lambda: api.writes > writes and not api.lease()["spec"].get("holderIdentity"))
        assert one.end() < 10.0
        assert two.end() < 10.0
    assert set(yard.service.created.values()) == {1}
    assert "gitune-status-lease" not in yard.repository.git("branch", "--list", "--all")
    assert "first-token" not in "".join(one.lines + two.lines)


@pytest.mark.slow
def test_each_of_several_repositories_has_a_lease_by_its_name(
    yard: Yard, api: ApiServer, account: Path, tmp_path: Path
) -> None:
    api.ship("team-numbers")
    file = tmp_path / "repositories.yaml"
    head = "apiVersion: gitune.dev/v1alpha1\nkind: Daemon\nrepositories:\n"
    file.write_text(f"{head}- {{name: numbers, root: {yard.repository.root}}}\n")
    words = ("--repositories", str(file), "--lease", "kubernetes", "--lease-name", "team")
    with running(*words, home=yard.home, **kubernetes(api, account)) as daemon:
        daemon.wait(lambda: sum(yard.service.created.values()) == 1 and at_rest(daemon))
        assert daemon.end() < 10.0
    assert api.writes >= 2
    assert {path.rpartition("/")[2] for _, path, _ in api.requests} == {"team-numbers"}


@pytest.mark.slow
def test_a_daemon_whose_api_server_is_away_begins_nothing_and_says_so(
    yard: Yard, api: ApiServer, account: Path
) -> None:
    api.ship()
    api.verbs = set()
    with yard.daemon("--lease", "kubernetes", "--listen", "127.0.0.1:0", **kubernetes(api, account)) as daemon:
        daemon.wait(lambda: daemon.said("pass.failed"))
        assert "answered 403" in daemon.get("/")[1]
        assert yard.service.changes == []
        api.verbs = {"get", "update"}
        daemon.wait(lambda: yard.service.created)


def test_alone_by_other_means_no_lease_is_kept(yard: Yard) -> None:
    with yard.daemon("--lease", "none") as daemon:
        daemon.wait(lambda: sum(yard.service.created.values()) == 1)
        daemon.wait(lambda: at_rest(daemon))
        assert daemon.end() < 10.0
    assert "gitune-status-lease" not in yard.repository.git("branch", "--list", "--all")
