"""Secrets that are replaced in their files while the daemon runs: the new one counts, the old one no more."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from controller.daemon.notices import Grade, Notice, Notifier, read_url
from controller.errors import Rejected, RejectedKind
from controller.settings import Environment
from controller.state.reasons import Reason
from controller.system import SystemChance, SystemClock
from tests.daemon.conftest import Yard
from tests.daemon.process import Running, running
from tests.git.forges import forge
from tests.loopback import answering

OLD, NEW = "0123456789abcdef-the-old-one", "fedcba9876543210-the-new-one"
SETTINGS = """\
apiVersion: gitune.dev/v1alpha1
kind: Controller
defaultProvider: local
providers: {{local: {{type: local, endpoint: "{url}", apiKeyEnv: THE_KEY}}}}
"""


def swapped(file: Path, text: str) -> None:
    """Another file under the same name in one step, as Kubernetes and careful people do it."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def delivered(daemon: Running, secret: str, number: int) -> int:
    parts = urlsplit(daemon.url)
    signature = hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(number),
    }
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request("POST", "/webhooks/github", b"{}", headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("hangup", [True, False])
def test_a_webhook_secret_that_was_replaced_counts_and_the_old_one_is_refused(
    yard: Yard,
    tmp_path: Path,
    hangup: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    file = tmp_path / "secret"
    file.write_text(OLD)
    with yard.daemon("--listen", "127.0.0.1:0", "--webhook-secret-file", str(file)) as daemon:
        assert (delivered(daemon, OLD, 1), delivered(daemon, NEW, 2)) == (202, 401)
        swapped(file, NEW)
        if hangup:
            opened = len(daemon.said("ports.opened"))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait(lambda: len(daemon.said("ports.opened")) > opened)
        assert (delivered(daemon, OLD, 3), delivered(daemon, NEW, 4)) == (401, 202)
        file.unlink()
        assert (delivered(daemon, OLD, 5), delivered(daemon, NEW, 6)) == (503, 503)
        file.write_text(NEW)
        assert delivered(daemon, NEW, 7) == 202
        assert daemon.end() < 10.0
    assert not [secret for secret in (OLD, NEW) if secret in "".join(daemon.lines)]


@pytest.mark.slow
def test_a_provider_key_that_was_replaced_in_its_file_is_sent_from_then_on(yard: Yard, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{OLD}\n")
    yard.service.wanted = OLD
    yard.repository.write("gitune.yaml", SETTINGS.format(url=yard.service.url))
    yard.repository.commit()
    variables = {"THE_KEY_FILE": str(file), "GITUNE_TRUSTED_ENDPOINTS": yard.service.url}
    with yard.daemon("--interval", "1", **variables) as daemon:
        daemon.wait(lambda: len(yard.service.created) == 1)
        yard.service.wanted = NEW
        yard.commit(epochs=3)
        daemon.wait(lambda: [e for e in daemon.said("request.failed") if e.get("status") == 401])
        assert len(yard.service.created) == 1
        swapped(file, NEW)
        daemon.wait(lambda: len(yard.service.created) == 2)
        assert daemon.end() < 10.0
    assert not [secret for secret in (OLD, NEW) if secret in "".join(daemon.lines)]


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


@pytest.mark.slow
@pytest.mark.parametrize("listed", [True, False])
def test_a_token_of_the_code_host_that_was_replaced_in_its_file_is_sent_from_then_on(
    yard: Yard,
    tmp_path: Path,
    listed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Tokens of an app last an hour: whoever makes them writes each into the same file."""
    (tmp_path / "served").mkdir()
    yard.repository.git("clone", "-q", "--bare", str(yard.repository.root), str(tmp_path / "served" / "mine.git"))
    file = tmp_path / "token"
    file.write_text(OLD)
    with forge(tmp_path / "served") as there:
        there.wanted = basic(OLD)
        words: tuple[str, ...] = ("--repo", f"{there.url}/mine.git", "--branch", "main")
        variable = "GITHUB_TOKEN_FILE"
        if listed:
            text = f"- {{name: mine, repo: '{there.url}/mine.git', tokenEnv: MINE}}\n"
            (tmp_path / "list.yaml").write_text(f"apiVersion: gitune.dev/v1alpha1\nkind: Daemon\nrepositories:\n{text}")
            words, variable = ("--repositories", str(tmp_path / "list.yaml")), "MINE_FILE"
        environ = {variable: str(file), "GITHUB_SERVER_URL": there.url}
        with running(*words, "--interval", "1", "--lease", "none", home=yard.home, **environ) as daemon:
            daemon.wait(lambda: len(yard.service.created) == 1)
            there.wanted = basic(NEW)
            daemon.wait(lambda: daemon.said("pass.failed"))
            swapped(file, NEW)
            failed = len(there.requests)
            daemon.wait(lambda: basic(NEW) in {token for _, token in there.requests[failed:]})
            daemon.wait(lambda: daemon.events[-1].get("result") == "changed")
            assert daemon.end() < 10.0
    assert not [secret for secret in (OLD, NEW) if secret in "".join(daemon.lines)]


NOTICE = Notice(Grade.PROBLEM, "numbers", "waits on a person", Reason.LOST, "gone", "m", "a" * 40)


def taking(taken: list[str]) -> type[BaseHTTPRequestHandler]:
    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            taken.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Tests print nothing."""

    return Post


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not so():  # noqa: ASYNC110 - another thread's list
            await asyncio.sleep(0.01)


async def test_notices_go_to_the_address_that_the_file_holds_now(tmp_path: Path) -> None:
    file, taken, others = tmp_path / "url", list[str](), list[str]()
    with answering(taking(taken)) as one, answering(taking(others)) as two, capture_logs() as logs:
        file.write_text(f"{one}/services/address-one")
        notifier = Notifier(lambda: read_url(file), SystemClock(), SystemChance())
        task = asyncio.create_task(notifier.run())
        try:
            notifier.put((NOTICE,))
            await until(lambda: taken)
            file.write_text(f"{two}/services/address-two")
            notifier.put((NOTICE,))
            await until(lambda: others)
            file.unlink()
            notifier.put((NOTICE,))
            await until(lambda: [line for line in logs if line["event"] == "notice.lost"])
            file.write_text(f"{one}/services/address-three")
            notifier.put((NOTICE,))
            await until(lambda: len(taken) == 2)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert (taken, others) == ([f"/services/address-{n}" for n in ("one", "three")], ["/services/address-two"])


def test_a_variable_that_is_set_is_not_looked_for_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" in-the-file \n")
    environ = Environment({"KEY": "set", "KEY_FILE": str(file), "OTHER_FILE": str(file), "EMPTY": "", "EMPTY_FILE": ""})
    assert (environ["KEY"], environ["OTHER"], environ["EMPTY"]) == ("set", "in-the-file", "")
    assert "OTHER" in environ
    assert "NOBODY" not in environ
    assert environ.get("NOBODY") is None
    assert set(environ) == {"KEY", "KEY_FILE", "OTHER_FILE", "EMPTY", "EMPTY_FILE"}


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_without_a_secret_is_an_error_that_names_the_variable_and_shows_nothing(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Rejected, match="KEY_FILE") as caught:
        Environment({"KEY_FILE": str(file)})["KEY"]
    assert caught.value.kind is RejectedKind.UNAUTHENTICATED
    assert "xxx" not in caught.value.message + caught.value.hint


def test_the_edition_rises_with_each_change_of_a_file_that_was_read(tmp_path: Path) -> None:
    file, unread = tmp_path / "key", tmp_path / "unread"
    file.write_text(OLD)
    environ = Environment({"KEY_FILE": str(file), "UNREAD_FILE": str(unread)})
    assert environ.edition == 0
    assert environ["KEY"] == OLD
    unread.write_text("nobody asked for it")
    assert environ.edition == 0
    swapped(file, NEW)
    os.utime(file, ns=(1, 1))
    assert environ["KEY"] == NEW  # a look at the value hides no change
    assert [environ.edition, environ.edition] == [1, 1]
    file.unlink()
    assert environ.edition == 2
