"""A repository that is not where it was: the new address is named, and nothing is sent there."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from controller.git.failures import GitFailed
from controller.git.mirror import mirror_for
from controller.git.parsing import NetworkUrl, parse_location
from controller.git.remote import Remote
from tests.git.forges import forge
from tests.git.repositories import clone, new_work
from tests.git.test_git_remote import commit
from tests.loopback import answering

REF = "refs/heads/gitune-status"
TOKEN = "tok-hunter2-en"
BASIC = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@dataclass
class Redirecting:
    """Answers everything with one status and one Location; ``{path}`` and ``{query}`` are those of the request."""

    location: str
    code: int = 301
    url: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Redirecting"]:
        with answering(_handler(self)) as self.url:
            yield self


def _handler(moved: Redirecting) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            moved.requests.append((self.command, self.path, self.headers.get("authorization", "")))
            path, _, query = self.path.partition("?")
            self.send_response(moved.code)
            if moved.location:
                to = moved.location.format(path=path.replace("/old.git", "/new.git"), query=query, here=moved.url)
                self.send_header("location", to)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 - the names are the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Tests print nothing."""

    return Handler


def remote(url: str, home: Path, **environ: str) -> Remote:
    location = parse_location(url)
    assert isinstance(location, NetworkUrl)
    return Remote(location, REF, mirror_for(location.url, home), environ)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["{here}{path}?{query}", "{path}?{query}"])
async def test_the_new_address_is_named_with_what_to_do(gitune_home: Path, code: int, location: str) -> None:
    with Redirecting(location, code).running() as moved:
        there = remote(f"{moved.url}/acme/old.git", gitune_home, GITHUB_TOKEN=TOKEN, GITHUB_SERVER_URL=moved.url)
        with pytest.raises(GitFailed) as caught:
            await there.tip()
    assert f"{moved.url}/acme/old.git has moved to {moved.url}/acme/new.git" in caught.value.message
    assert f"{moved.url}/acme/new.git" in caught.value.hint
    assert "instance: 127.0.0.1/acme/old" in caught.value.hint
    assert "GITHUB_TOKEN" not in caught.value.hint
    assert TOKEN not in caught.value.message + caught.value.hint
    assert BASIC.split()[1] not in caught.value.message + caught.value.hint
    assert {(method, token) for method, _, token in moved.requests} == {("GET", BASIC)}
    assert {path for _, path, _ in moved.requests} == {"/acme/old.git/info/refs?service=git-upload-pack"}


async def test_nothing_goes_to_the_host_that_a_redirect_names(gitune_home: Path, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with forge(tmp_path / "served") as other, Redirecting(f"{other.url}{{path}}?{{query}}").running() as moved:
        there = remote(f"{moved.url}/acme/old.git", gitune_home, GITHUB_TOKEN=TOKEN, GITHUB_SERVER_URL=moved.url)
        with pytest.raises(GitFailed, match="has moved to") as caught:
            await there.tip()
        made = await commit(there, "first")
        with pytest.raises(GitFailed, match="has moved to"):
            await there.swap(None, made)
        assert other.requests == []
    assert f"{other.url}/acme/new.git" in caught.value.message
    assert all("/acme/old.git/" in path for _, path, _ in moved.requests)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://code.test/users/sign_in",
        "https://user:secret-password@code.test/acme/new.git/info/refs",
        "ftp://code.test/acme/new.git/info/refs",
        "javascript:alert(1)/info/refs",
        "https:///info/refs",
        "https://[::1/info/refs",
        "https://code.test/" + "x" * 3000 + "/info/refs",
        "https://code.test/a%0a%1b[31m/info/refs",
        "--upload-pack=touch/info/refs",
    ],
)
async def test_a_redirect_that_names_no_repository_is_said_to_be_that(gitune_home: Path, location: str) -> None:
    with Redirecting(location.replace("{", "{{"), 302).running() as moved:
        there = remote(f"{moved.url}/acme/old.git", gitune_home)
        with pytest.raises(GitFailed) as caught:
            await there.tip()
    said = caught.value.message + caught.value.hint
    assert "redirects are not followed" in said
    assert "secret-password" not in said
    assert said.isprintable()
    assert len(said) < 3000


async def test_a_repository_where_it_was_is_read_and_written(gitune_home: Path, tmp_path: Path) -> None:
    made = new_work(tmp_path / "work")
    made.commit({"a": "1"})
    (tmp_path / "served").mkdir()
    clone(made.root, tmp_path / "served" / "old.git", "--bare")
    with forge(tmp_path / "served") as server:
        there = remote(f"{server.url}/old.git", gitune_home)
        first = await commit(there, "first")
        await there.swap(None, first)
        assert await there.tip() == first
