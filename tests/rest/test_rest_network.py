"""The environment's proxies and certificate authorities on real sockets, with real TLS."""

from __future__ import annotations

import asyncio
import base64
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from controller.errors import OutcomeUnknown, ProviderError, Rejected, Transient
from controller.network import authorities, passwords, proxy_for
from controller.rest import JSON, RawResponse, Repeat, Rest, ask_once, redact
from tests.loopback import Tunnel, answering, self_signed

HOST = "api.example.test"
PASSWORD = "canary/pass word"
ENCODED = "canary%2Fpass%20word"
BASIC = "Basic " + base64.b64encode(f"jane:{PASSWORD}".encode()).decode()


class Api(BaseHTTPRequestHandler):
    """A JSON API that tries to leave a cookie, and says what it was sent."""

    protocol_version = "HTTP/1.1"
    heads: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.heads.append({k.lower(): v for k, v in self.headers.items()})
        self.send_response(200)
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(tmp_path: Path) -> Iterator[int]:
    """The port of an API with TLS for `HOST`, whose authority is ``ca.crt``."""
    Api.heads.clear()
    with answering(Api, self_signed(tmp_path, HOST)) as url:
        yield port_of(url)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's authority is named by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))


async def token(method: str, url: str, body: bytes | None = None) -> RawResponse | str:
    """A token is asked for in a thread of its own."""
    return await asyncio.to_thread(ask_once, method, url, body, {}, 5.0)


async def got(rest: Rest, repeat: Repeat = Repeat.READ) -> JSON:
    return await rest.request("GET", "/v1/things", repeat=repeat)


async def failed(rest: Rest, repeat: Repeat = Repeat.READ) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await got(rest, repeat)
    return caught.value


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_of_the_environment_is_gone_through_with_its_password(
    variable: str, api: int, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tunnel(api, authorization=BASIC).running() as tunnel:
        monkeypatch.setenv(variable, tunnel.url.replace("://", f"://jane:{ENCODED}@"))
        assert await got(connect(f"https://{HOST}")) == {}
        assert tunnel.asked == [(f"{HOST}:443", BASIC)]
    (head,) = Api.heads
    assert head["host"] == HOST
    assert "proxy-authorization" not in head


@pytest.mark.usefixtures("trusting")
async def test_a_proxy_that_is_spoken_to_over_tls_is_checked_too(
    api: int, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "proxy").mkdir()
    with Tunnel(api).running(self_signed(tmp_path / "proxy")) as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        assert "certificate is not trusted" in (await failed(connect(f"https://{HOST}"))).message
        assert tunnel.asked == []
        both = tmp_path / "both.crt"
        both.write_bytes(b"".join((tmp_path / one / "ca.crt").read_bytes() for one in (".", "proxy")))
        monkeypatch.setenv("SSL_CERT_FILE", str(both))
        assert await got(connect(f"https://{HOST}")) == {}
        assert [target for target, _ in tunnel.asked] == [f"{HOST}:443"]


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("url", ["http://127.0.0.1", "https://127.0.0.1", "http://localhost"])
async def test_nothing_to_this_machine_goes_through_a_proxy(
    url: str, api: int, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, "http://jane:made-up-password-1@127.0.0.1:9")
    if url.startswith("https"):
        assert await got(connect(f"{url}:{api}")) == {}
        return
    with answering(Api) as plain:
        assert await got(connect(f"{url}:{port_of(plain)}")) == {}


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_proxied"),
    [
        ("", "https://api.example.test", True),
        ("*", "https://api.example.test", False),
        ("api.example.test", "https://api.example.test", False),
        ("API.Example.Test", "https://api.example.test", False),
        (".example.test", "https://api.example.test", False),
        ("*.example.test", "https://api.example.test", False),
        ("other, example.test", "https://api.example.test", False),
        ("ample.test", "https://api.example.test", True),
        ("api.example.test.evil", "https://api.example.test", True),
        ("api.example.test:443", "https://api.example.test", False),
        ("api.example.test:8443", "https://api.example.test", True),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.3:8443", False),
        ("2.3", "https://10.1.2.3", True),
        ("fd00::/8", "https://[fd00::1]", False),
        ("[fd00::1]:443", "https://[fd00::1]", False),
        ("", "https://127.0.0.2", False),
        ("", "https://[::1]", False),
        ("", "http://localhost.:80", False),
        ("", "http://metadata.google.internal/x", False),
        ("", "http://169.254.169.254/latest", False),
        ("", "https://localhost.example.test", True),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_needs_no_proxy_is_said_by_host_domain_network_and_port(
    no_proxy: str, url: str, name: str, *, is_proxied: bool
) -> None:
    environ = {"ALL_PROXY": "proxy.example.test:3128", name: no_proxy}
    assert (proxy_for(url, environ) is not None) is is_proxied


def test_the_lower_case_and_the_narrower_variable_come_first() -> None:
    environ = {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2", "ALL_PROXY": "http://c:3"}
    found = proxy_for("https://host", environ)
    assert found is not None
    assert (found.variable, found.shown, found.url) == ("https_proxy", "b:2", "http://b:2")
    assert proxy_for("https://host", {"https_proxy": "", "HTTPS_PROXY": "http://a:1"}) is None
    assert proxy_for("https://host", {"HTTP_PROXY": "http://a:1"}) is None


@pytest.mark.parametrize(
    "value",
    ["socks5://jane:canary-pw@h:1", "http://jane:canary-pw@", "http://jane:canary-pw@h:x", "http://a b:1", "://"],
)
async def test_a_variable_that_names_no_proxy_is_named_and_its_value_is_not(
    value: str, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(Rejected, match="HTTPS_PROXY") as caught:
        connect("https://api.example.test")
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"
    connect("http://127.0.0.1:1")  # what does not need it does not ask for it


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_named_without_its_password_and_nothing_was_sent(
    *,
    status: int,
    repeat: Repeat,
    api: int,
    connect: Callable[..., Rest],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Tunnel(api, status=status).running() as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url.replace("://", f"://jane:{ENCODED}@"))
        error = await failed(connect(f"https://{HOST}", tries=1), repeat)
        shown = tunnel.url.removeprefix("http://")
    assert isinstance(error, Transient), "no byte of it went further than the proxy"
    assert error.message == f"https://{HOST}: the proxy {shown} of HTTPS_PROXY refused to connect ({status})"
    assert "HTTPS_PROXY" in error.hint
    assert Api.heads == []
    for text in (error.message, error.hint, caplog.text, repr(error.__context__), repr(error.__cause__)):
        assert "canary" not in text
    assert redact(f"a log of another library: {PASSWORD} {ENCODED}") == "a log of another library: *** ***"


@pytest.mark.parametrize("repeat", Repeat)
async def test_a_proxy_that_is_not_there_is_what_cannot_be_reached(
    repeat: Repeat, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://jane:canary-pw@127.0.0.1:9")
    error = await failed(connect(f"https://{HOST}", tries=1), repeat)
    assert isinstance(error, Transient)
    assert error.message == f"https://{HOST}: the proxy 127.0.0.1:9 of HTTPS_PROXY cannot be reached"


@pytest.mark.usefixtures("trusting")
async def test_a_create_that_broke_behind_the_proxy_may_have_been_carried_out(
    connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Silent(Api):
        def do_POST(self) -> None:
            self.close_connection = True

    with answering(Silent, self_signed(tmp_path, HOST)) as url, Tunnel(port_of(url)).running() as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        rest = connect(f"https://{HOST}", tries=1)
        with pytest.raises(OutcomeUnknown):
            await rest.request("POST", "/v1/things", body={}, repeat=Repeat.ONCE)


def hashed(certificate: Path) -> str:
    """What OpenSSL looks a certificate up by in a folder."""
    command = ["openssl", "x509", "-subject_hash", "-noout", "-in", str(certificate)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def test_without_the_authority_the_server_is_not_trusted_whoever_names_one(
    api: int, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):  # other programs' variables
        monkeypatch.setenv(variable, str(tmp_path / "ca.crt"))
    error = await failed(connect(f"https://127.0.0.1:{api}"))
    assert isinstance(error, Rejected)
    assert "SSL_CERT_FILE" in error.hint
    folder = tmp_path / "hashed"
    folder.mkdir()
    shutil.copy(tmp_path / "ca.crt", folder / f"{hashed(tmp_path / 'ca.crt')}.0")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{folder}")
    assert await got(connect(f"https://127.0.0.1:{api}")) == {}
    assert Api.heads[-1]["host"] == f"127.0.0.1:{api}"


@pytest.mark.parametrize(
    ("variable", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "cannot be read: No such file or directory"),
        ("SSL_CERT_FILE", "", "holds no certificate in PEM form"),
        ("SSL_CERT_FILE", "not a certificate\n", "holds no certificate in PEM form"),
        ("SSL_CERT_FILE", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
        ("SSL_CERT_DIR", None, "is not a folder"),
        ("SSL_CERT_DIR", "a file", "is not a folder"),
    ],
)
async def test_certificates_that_cannot_be_used_are_named_with_their_variable(
    *,
    variable: str,
    content: str | None,
    words: str,
    connect: Callable[..., Rest],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / "company.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv(variable, str(file))
    with pytest.raises(Rejected) as caught:
        connect("https://api.example.test")
    assert caught.value.message.startswith(f"{variable} names {file}, which {words}")
    assert variable in caught.value.hint
    assert f"{variable} names {file}" in str(await token("GET", "https://api.example.test/token"))
    with answering(Api) as plain:
        assert await got(connect(plain)) == {}, "this machine needs none"


@pytest.mark.usefixtures("trusting")
async def test_neither_netrc_nor_cookies_are_sent(
    api: int, connect: Callable[..., Rest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST}\nlogin canary-login\npassword canary-password\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with Tunnel(api).running() as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        rest = connect(f"https://{HOST}")
        await got(rest)
        await got(rest)
        said = await token("GET", f"https://{HOST}/token")
    assert not isinstance(said, str), said
    assert len(Api.heads) == 3
    for head in Api.heads:
        assert "authorization" not in head
        assert "cookie" not in head


@pytest.mark.usefixtures("trusting")
async def test_a_token_is_asked_for_through_the_proxy(api: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with Tunnel(api, authorization=BASIC).running() as tunnel:
        monkeypatch.setenv("https_proxy", tunnel.url.replace("://", f"://jane:{ENCODED}@"))
        answered = await token("POST", f"https://{HOST}/token", b"a=b")
        assert not isinstance(answered, str), answered
        assert answered.code == 200
        assert tunnel.asked == [(f"{HOST}:443", BASIC)]
        monkeypatch.setenv("https_proxy", tunnel.url)
        assert await token("POST", f"https://{HOST}/token", b"a=b") == (
            f"the proxy {tunnel.url.removeprefix('http://')} of https_proxy refused to connect (407)"
        )


def test_passwords_are_known_however_the_variable_is_written() -> None:
    for value in (f"http://jane:{ENCODED}@h:1", f"jane:{ENCODED}@h", f"socks5://jane:{ENCODED}@h"):
        assert set(passwords({"ALL_PROXY": value})) == {ENCODED, PASSWORD}
    assert passwords({"HTTPS_PROXY": "http://h:1"}) == ()
    assert authorities({}) is None
