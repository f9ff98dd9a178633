"""Git goes through the proxy of the environment and trusts its authorities, by the same rules as everything else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.git.failures import GitFailed
from tests.git.forges import CodeHost, forge
from tests.git.repositories import clone, new_work
from tests.git.test_git_remote import commit, files_below, remote
from tests.loopback import Tunnel, self_signed

ADDRESS = "https://forge.example.test/models.git"
BASIC = "Basic " + base64.b64encode(b"jane:canary-of-the-proxy").decode()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[CodeHost]:
    """A forge with TLS for a name that only a proxy finds."""
    work = new_work(tmp_path / "work")
    work.commit({"a": "1"})
    (tmp_path / "served").mkdir()
    clone(work.root, tmp_path / "served" / "models.git", "--bare")
    with forge(tmp_path / "served", self_signed(tmp_path, "forge.example.test")) as running:
        yield running


def trusting(folder: Path, tunnel: Tunnel, variable: str = "HTTPS_PROXY") -> dict[str, str]:
    url = tunnel.url.replace("://", "://jane:canary-of-the-proxy@")
    return {variable: url, "SSL_CERT_FILE": str(folder / "ca.crt")}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_branch_is_pushed_and_fetched_through_a_proxy(
    variable: str, secured: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    with Tunnel(secured.server_address[1], authorization=BASIC).running() as tunnel:
        there = remote(ADDRESS, gitune_home, trusting(tmp_path, tunnel, variable))
        made = await commit(there, "first")
        await there.swap(None, made)
        assert await there.fetched() == made
        assert {target for target, _ in tunnel.asked} == {"forge.example.test:443"}
    assert secured.requests
    assert not [path for path in files_below(gitune_home) if b"canary" in path.read_bytes()]


async def test_a_proxy_that_refuses_is_said_without_its_password(
    secured: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    with Tunnel(secured.server_address[1], authorization="Basic other").running() as tunnel:
        with pytest.raises(GitFailed) as caught:
            await remote(ADDRESS, gitune_home, trusting(tmp_path, tunnel)).tip()
        assert tunnel.asked
    assert "407" in caught.value.message
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"
    assert secured.requests == []


async def test_a_proxy_that_is_not_there_is_said_without_its_password(gitune_home: Path) -> None:
    environ = {"HTTPS_PROXY": "http://jane:canary-of-the-proxy@127.0.0.1:9"}
    with pytest.raises(GitFailed) as caught:
        await remote(ADDRESS, gitune_home, environ).tip()
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(GitFailed, match="HTTPS_PROXY names a proxy of a kind") as caught:
        await remote(ADDRESS, gitune_home, {"HTTPS_PROXY": "socks5://jane:canary@127.0.0.1:9"}).tip()
    assert "canary" not in caught.value.message


async def test_without_the_authority_nothing_is_sent_and_a_wrong_one_is_named(
    secured: CodeHost, gitune_home: Path, tmp_path: Path
) -> None:
    with Tunnel(secured.server_address[1]).running() as tunnel:
        with pytest.raises(GitFailed, match="certificate"):
            await remote(ADDRESS, gitune_home, {"HTTPS_PROXY": tunnel.url}).tip()
        (tmp_path / "company.pem").write_text("not a certificate")
        for name, words in (("company.pem", "holds no certificate in PEM form"), ("nowhere.pem", "cannot be read")):
            environ = {"HTTPS_PROXY": tunnel.url, "SSL_CERT_FILE": str(tmp_path / name)}
            with pytest.raises(GitFailed, match=f"SSL_CERT_FILE names {tmp_path / name}, which {words}"):
                await remote(ADDRESS, gitune_home, environ).tip()
        assert secured.requests == []
        # Git's own variable is for git alone, and comes first.
        environ |= {"GIT_SSL_CAINFO": str(tmp_path / "ca.crt")}
        assert await remote(ADDRESS, gitune_home, environ).tip() is None
    assert secured.requests


async def test_what_needs_no_proxy_goes_there_directly(secured: CodeHost, gitune_home: Path, tmp_path: Path) -> None:
    port = secured.server_address[1]
    environ = {"ALL_PROXY": "http://127.0.0.1:9", "SSL_CERT_FILE": str(tmp_path / "ca.crt")}
    assert await remote(f"https://127.0.0.1:{port}/models.git", gitune_home, environ).tip() is None
    assert secured.requests
    with forge(tmp_path / "served") as plain:
        assert await remote(f"{plain.url}/models.git", gitune_home, environ).tip() is None
    with pytest.raises(GitFailed):
        await remote(ADDRESS, gitune_home, environ).tip()
