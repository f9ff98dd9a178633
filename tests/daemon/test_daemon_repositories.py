"""Several repositories in one daemon: apart in all that they do, together in what is served, and told apart in both."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from controller.cli.main import run
from controller.daemon.choices import NoticeFormat
from controller.daemon.loop import Loop
from controller.daemon.metrics import Gathered, Metrics
from controller.daemon.notices import Grade, Notice, as_body
from controller.daemon.supervisor import supervise
from controller.daemon.view import StatusView
from controller.daemon.web.html import overview_html
from controller.daemon.web.webhook import repository_of
from controller.git.parsing import full_name
from controller.testing.clock import START
from tests.daemon.conftest import Yard
from tests.daemon.household import Household
from tests.daemon.process import Running, running
from tests.e2e.stand import Repository, rows, settings, spec
from tests.git.forges import forge

HEAD = "apiVersion: gitune.dev/v1alpha1\nkind: Daemon\nrepositories:\n"
SECRET = "0123456789abcdef0123456789abcdef"


def another(yard: Yard, folder: Path, name: str) -> Repository:
    """A second repository at the same service, with one spec."""
    made = Repository(folder)
    folder.mkdir()
    made.git("init", "-q", "-b", "main")
    made.write("gitune.yaml", settings(yard.service.url))
    made.write("specs/rows.jsonl", rows())
    made.write(f"specs/{name}.yaml", spec(name))
    made.commit()
    return made


def at_rest(daemon: Running, name: str) -> bool:
    said = [event for event in daemon.said("pass.ended") if event.get("repository") == name]
    return bool(said) and said[-1]["result"] == "changed" and said[-1]["next"] > 2.0


@contextmanager
def following(yard: Yard, text: str, *words: str, **environ: str) -> Iterator[Running]:
    file = yard.home.parent / "repositories.yaml"
    file.write_text(HEAD + text)
    with running("--repositories", str(file), *words, home=yard.home, **environ) as daemon:
        yield daemon


def deliver(daemon: Running, body: bytes, number: int) -> int:
    parts = urlsplit(daemon.url)
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"{number}",
    }
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request("POST", "/webhooks/github", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
def test_each_has_its_own_ledger_and_lease_and_a_broken_one_stops_no_other(yard: Yard, tmp_path: Path) -> None:
    other = another(yard, tmp_path / "other", "letters")
    bare = tmp_path / "there.git"
    other.git("clone", "-q", "--bare", str(other.root), str(bare))
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    text = (
        f"- {{name: local, root: {yard.repository.root}}}\n"
        f"- {{name: remote, repo: {bare}, interval: 5s}}\n"
        f"- {{name: broken, root: {nothing}}}\n"
    )
    with following(yard, text, "--listen", "127.0.0.1:0") as daemon:
        daemon.wait(lambda: at_rest(daemon, "local") and at_rest(daemon, "remote"))
        daemon.wait(lambda: [e for e in daemon.said("pass.failed") if e.get("repository") == "broken"])
        assert sorted(name.split("/")[1].rsplit("-", 2)[0] for name in yard.service.created) == ["letters", "numbers"]
        status, text = daemon.get("/readyz")
        assert (status, text) == (200, "ready\nlocal ready\nremote ready\nbroken not ready\n")
        assert daemon.get("/repositories/broken/readyz")[0] == 503
        assert daemon.get("/repositories/local/readyz") == (200, "local ready\n")
        assert daemon.get("/healthz") == (200, "ok\n")
        page = daemon.get("/")[1]
        assert page.index("/repositories/broken/") < page.index("/repositories/local/")
        assert "is not in a git repository" in page
        one = daemon.get("/repositories/remote/")[1]
        assert 'href="/repositories/remote/models/letters"' in one
        assert "numbers" not in one
        assert daemon.get("/repositories/remote/models/letters")[0] == 200
        assert daemon.get("/repositories/remote/curves/letters.svg")[0] == 200
        assert daemon.get("/repositories/local/models/letters")[0] == 404
        assert daemon.get("/models/letters")[0] == 404
        assert_numbers(daemon.get("/metrics")[1])
        nothing.rmdir()
        another(yard, nothing, "mended")
        daemon.wait(lambda: at_rest(daemon, "broken"))
        assert daemon.end() < 10.0
        assert daemon.process.returncode == 0
    assert yard.repository.git("ls-tree", "-r", "--name-only", "gitune-status").count("status/") == 1
    assert "status/letters.yaml" in Repository(bare).git("ls-tree", "-r", "--name-only", "gitune-status")
    assert set(yard.service.created.values()) == {1}


def assert_numbers(text: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len(families) == text.count("# TYPE ")
    models = {s.labels["repository"]: s.value for s in families["gitune_models"].samples}
    assert models == {"local": 1.0, "remote": 1.0, "broken": 0.0}
    creates = {s.labels["repository"]: s.value for s in families["gitune_creates"].samples if s.name.endswith("_total")}
    assert creates == {"local": 1.0, "remote": 1.0}
    assert all("repository" in sample.labels for family in families.values() for sample in family.samples)


@pytest.mark.slow
def test_a_webhook_wakes_the_repository_it_names_and_a_commit_its_own(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "served" / "acme").mkdir(parents=True)
    for name in ("models", "other"):
        made = another(yard, tmp_path / name, name)
        made.git("clone", "-q", "--bare", str(made.root), str(tmp_path / "served" / "acme" / f"{name}.git"))
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    words = ("--listen", "127.0.0.1:0", "--webhook-secret-file", str(secret), "--lease", "none", "--interval", "3600")
    with forge(tmp_path / "served") as there:
        text = "".join(f"- {{name: {name}, repo: '{there.url}/acme/{name}.git'}}\n" for name in ("models", "other"))
        with following(yard, text, *words) as daemon:
            daemon.wait(lambda: at_rest(daemon, "models") and at_rest(daemon, "other"))

            def woken(name: str) -> float:
                families = text_string_to_metric_families(daemon.get("/metrics")[1])
                samples = [s for family in families if family.name == "gitune_wakes" for s in family.samples]
                mine = [s for s in samples if s.labels["repository"] == name and s.labels["cause"] == "webhook"]
                return sum(s.value for s in mine)

            assert deliver(daemon, json.dumps({"repository": {"full_name": "Acme/Other"}}).encode(), 1) == 202
            daemon.wait(lambda: woken("other") == 1)
            assert deliver(daemon, json.dumps({"repository": {"full_name": "acme/unknown"}}).encode(), 2) == 202
            assert deliver(daemon, json.dumps({"repository": {"full_name": "acme/other"}}).encode(), 1) == 200
            assert deliver(daemon, b"payload=%7B%7D", 3) == 202  # not JSON: both are woken
            daemon.wait(lambda: woken("other") == 2 and woken("models") == 1)
            assert daemon.end() < 10.0


@pytest.mark.slow
def test_each_repository_has_the_token_that_its_variable_holds(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    yard.repository.git("clone", "-q", "--bare", str(yard.repository.root), str(tmp_path / "served" / "mine.git"))
    yard.repository.git("clone", "-q", "--bare", str(yard.repository.root), str(tmp_path / "served" / "theirs.git"))
    with forge(tmp_path / "served") as there:
        there.wanted = "Basic " + base64.b64encode(b"x-access-token:the-right-token").decode()
        text = (
            f"- {{name: mine, repo: '{there.url}/mine.git', tokenEnv: MINE}}\n"
            f"- {{name: theirs, repo: '{there.url}/theirs.git', tokenEnv: THEIRS}}\n"
        )
        tokens = {"MINE": "the-right-token", "THEIRS": "another-token", "GITHUB_TOKEN": "nobodys-token"}
        with following(yard, text, "--lease", "none", GITHUB_SERVER_URL=there.url, **tokens) as daemon:
            daemon.wait(lambda: at_rest(daemon, "mine"))
            daemon.wait(lambda: [e for e in daemon.said("pass.failed") if e.get("repository") == "theirs"])
            assert daemon.end() < 10.0
        given = {(path.split("/")[1], token) for path, token in there.requests if token}
    wrong = "Basic " + base64.b64encode(b"x-access-token:another-token").decode()
    assert given == {("mine.git", there.wanted), ("theirs.git", wrong)}
    assert not [word for word in tokens.values() if word in "".join(daemon.lines)]


class Faulty(Household):
    """A household whose source meets what nobody foresaw, for a while."""

    faults = 2

    def location(self) -> str:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("a-very-private-row")
        return super().location()


async def test_what_nobody_foresaw_in_one_ends_no_other_and_it_begins_again() -> None:
    broken, well = Faulty(who="one"), Household(who="two")
    loops: list[Loop] = []

    async def look(seen: object) -> None:
        assert isinstance(seen, list)
        loops.extend(seen)
        while not all(loop.view.passed for loop in loops):  # noqa: ASYNC110 - a view has no event
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    followed = [Loop(h.loop._means, h.who, name=h.who) for h in (broken, well)]
    with capture_logs() as said:
        assert await asyncio.wait_for(supervise(followed, (look,)), 20) == 0
    assert [loop.view.name for loop in loops] == ["one", "two"]
    assert broken.faults == 0
    (first, *_) = [event for event in said if event["event"] == "repository.failed"]
    assert (first["kind"], first["at"].rpartition(" ")[2]) == ("ZeroDivisionError", "location")
    assert "a-very-private-row" not in str(said)


async def test_what_nobody_foresaw_ends_a_daemon_that_has_one() -> None:
    broken = Faulty()
    with pytest.raises(ZeroDivisionError):
        await supervise((Loop(broken.loop._means, "here"),))


def test_numbers_of_several_are_one_family_each() -> None:
    parts = {"a": Metrics(), "b": Metrics()}
    parts["a"].asked("local", "create", "success")
    parts["b"].asked("local", "create", "success")
    text = Gathered(parts).text().decode()
    assert 'gitune_creates_total{provider="local",repository="a"} 1.0' in text
    assert 'gitune_creates_total{provider="local",repository="b"} 1.0' in text
    assert text.count("# TYPE gitune_creates_total counter") == 1
    assert Gathered(parts).text().decode() == text
    assert "repository" not in parts["a"].text().decode()


def test_the_page_of_all_shows_what_waits_on_a_person_first_and_runs_nothing() -> None:
    nasty = "<script>alert(1)</script>"
    views = [
        StatusView("https://host/well", name="well", looked=START, passed=START),
        StatusView(nasty, name="held", looked=START, passed=START, failure=nasty, hint=nasty),
        StatusView("new", name="new"),
    ]
    html = overview_html(views, START)
    assert html.index("/repositories/held/") < html.index("/repositories/well/")
    assert nasty not in html
    assert "&lt;script&gt;" in html


def test_a_notice_names_its_repository_where_there_are_several() -> None:
    alone = Notice(Grade.GOOD, "triage", "serves what git asks for", "Promoted", "")
    one = Notice(Grade.GOOD, "triage", "serves what git asks for", "Promoted", "", repository="acme")
    alone_body, body = as_body(alone, NoticeFormat.JSON), as_body(one, NoticeFormat.JSON)
    assert isinstance(alone_body, dict)
    assert isinstance(body, dict)
    assert "repository" not in alone_body
    assert body["repository"] == "acme"
    assert one.line.startswith("acme/triage: ")
    assert alone.line.startswith("triage: ")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"repository": {"full_name": "acme/models", "id": 1}, "ref": "x"}', "acme/models"),
        (b"{}", ""),
        (b'{"repository": null}', ""),
        (b'{"repository": {"full_name": 7}}', ""),
        (b"[]", ""),
        (b"payload=%7B%7D", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_whatever_a_delivery_says_names_a_repository_or_none(body: bytes, name: str) -> None:
    assert repository_of(body) == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/Acme/Models.git", "acme/models"),
        ("git@github.com:acme/models", "acme/models"),
        ("ssh://git@host:2222/group/sub/models.git", "group/sub/models"),
        ("/srv/models.git", ""),
        ("ext::sh", ""),
        (None, ""),
    ],
)
def test_a_forge_calls_a_repository_by_the_path_of_its_address(address: str | None, name: str) -> None:
    assert full_name(address) == name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--repo", "/x"), "--repo does not go with --repositories"),
        (("--branch", "b"), "--branch does not go with --repositories"),
        (("--worktree",), "--worktree does not go with --repositories"),
        (("--root", "."), "--root does not go with --repositories"),
        (("--config", "x"), "--config does not go with --repositories"),
        ((), "No such file"),
    ],
)
def test_what_else_says_what_is_followed_is_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "--repositories", "nowhere.yaml", *words]) == 1
    assert said in capsys.readouterr().err


def test_every_problem_of_the_file_is_told_with_its_place_and_nothing_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "repositories.yaml"
    file.write_text(HEAD + "- {name: A, repo: 'https://host/x'}\n- {name: b, root: here}\n")
    assert run(["run", "--repositories", str(file), "--no-color"]) == 1
    error = capsys.readouterr().err
    assert "repositories.yaml:4:10" in error.replace("\n", "")
    assert "GT342" in error
    assert "GT344" in error
