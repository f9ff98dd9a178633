"""What an address in a spec, a store, a resolver or a redirect can do to this machine: nothing that was not listed.

Each attack has a control: the same request, made as it may be, arrives. So a check that refuses everything, or a test
whose server would never have been reached, fails too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpcore
import pytest

from controller.rest import Reach
from controller.rest.reach import OutOfReach, checked, is_public
from tests.adversary.downloading import COMMIT, SECRET, Everything, fetching, outcome
from tests.loopback import self_signed


@pytest.fixture
def store() -> Iterator[Everything]:
    server = Everything()
    with server.running():
        yield server


# The list has `STORE/data`, `s3://bucket/team`, `gs://bucket/team` and `hf://datasets/acme`.
# (what a spec says, what it may say instead)
SPELLINGS: dict[str, tuple[str, str]] = {
    "another path": ("STORE/private/x", "STORE/data/x"),
    "a name that only begins the same": ("STORE/data-private/x", "STORE/data/private/x"),
    "a climb": ("STORE/data/../private/x", "STORE/data/private/x"),
    "a climb at the end": ("STORE/data/x/..", "STORE/data/x/y"),
    "an escaped climb": ("STORE/data/%2e%2e/private/x", "STORE/data/%65/x"),
    "a half escaped climb": ("STORE/data/.%2E/private/x", "STORE/data/a%2Eb/x"),
    "a twice escaped climb": ("STORE/data/%252e%252e/private/x", "STORE/data/e/x"),
    "an escaped slash": ("STORE/data%2f..%2fprivate/x", "STORE/data/f/x"),
    "a backslash": ("STORE/data/..\\private\\x", "STORE/data/private/x"),
    "an escaped backslash": ("STORE/data/%5c..%5cprivate", "STORE/data/5c"),
    "a path parameter": ("STORE/data/..;/private/x", "STORE/data/a,b/x"),
    "an overlong escape": ("STORE/data/%c0%ae%c0%ae/private/x", "STORE/data/%C3%A9/x"),
    "full-width dots": ("STORE/data/\uff0e\uff0e/private/x", "STORE/data/é/x"),
    "a two-dot leader": ("STORE/data/\u2025/private/x", "STORE/data/x"),
    "an empty part": ("STORE/data//private/x", "STORE/data/private/x"),
    "a query": ("STORE/data/x?url=http://169.254.169.254/", "STORE/data/x"),
    "a fragment": ("STORE/data/x#/../private", "STORE/data/x"),
    "a user": ("http://user@STOREHOST/data/x", "http://STOREHOST/data/x"),
    "a user that is the listed host": ("http://STOREHOST@127.0.0.1:1/data/x", "http://STOREHOST/data/x"),
    "a password": (f"http://user:{SECRET}@STOREHOST/data/x", "http://STOREHOST/data/x"),
    "a line end": ("STORE/data/x\r\nX-Injected: 1", "STORE/data/x"),
    "an escaped line end": ("STORE/data/x%0d%0aX-Injected:%201", "STORE/data/x%20y"),
    "a NUL": ("STORE/data/x\0.jsonl", "STORE/data/x.jsonl"),
    "an escaped NUL": ("STORE/data/x%00.jsonl", "STORE/data/x%2Ejsonl"),
    "a tab in the scheme": ("ht\ttp://STOREHOST/data/x", "http://STOREHOST/data/x"),
    "a turned direction": ("STORE/data/\u202ex", "STORE/data/x"),
    "another port": ("http://127.0.0.1:1/data/x", "STORE/data/x"),
    "another name of loopback": ("http://localhost:STOREPORT/data/x", "STORE/data/x"),
    "another loopback address": ("http://127.0.0.2:STOREPORT/data/x", "STORE/data/x"),
    "a short loopback address": ("http://127.1:STOREPORT/data/x", "STORE/data/x"),
    "a decimal address": ("http://2130706433:STOREPORT/data/x", "STORE/data/x"),
    "an octal address": ("http://0177.0.0.1:STOREPORT/data/x", "STORE/data/x"),
    "a hexadecimal address": ("http://0x7f000001:STOREPORT/data/x", "STORE/data/x"),
    "an address of IPv6": ("http://[::1]:STOREPORT/data/x", "STORE/data/x"),
    "a mapped address": ("http://[::ffff:127.0.0.1]:STOREPORT/data/x", "STORE/data/x"),
    "a zone": ("http://[::1%25lo]:STOREPORT/data/x", "STORE/data/x"),
    "letters that look like digits": ("http://①②⑦.0.0.1:STOREPORT/data/x", "STORE/data/x"),
    "plain http to another machine": ("http://example.org/data/x", "STORE/data/x"),
    "a file": ("file:///etc/passwd", "STORE/data/x"),
    "gopher": ("gopher://STOREHOST/data/x", "STORE/data/x"),
    "data": ("data:text/plain,x", "STORE/data/x"),
    "an scheme-less address": ("//STOREHOST/data/x", "STORE/data/x"),
    "the metadata server": ("https://169.254.169.254/latest/meta-data", "STORE/data/x"),
    "the metadata server by name": ("https://metadata.google.internal/x", "STORE/data/x"),
    "another bucket": ("s3://other/team/x", "s3://bucket/team/x"),
    "another prefix": ("s3://bucket/secret/x", "s3://bucket/team/x"),
    "a prefix that only begins the same": ("s3://bucket/team-b/x", "s3://bucket/team/b/x"),
    "a climb in a bucket": ("s3://bucket/team/../secret/x", "s3://bucket/team/secret/x"),
    "an escape in a bucket": ("s3://bucket/team/%2e%2e/secret/x", "s3://bucket/team/2e/x"),
    "a query in a bucket": ("s3://bucket/team/x?versionId=1", "s3://bucket/team/x"),
    "the acl of a bucket": ("s3://bucket/?acl", "s3://bucket/team/acl"),
    "a bucket with an authority in it": ("s3://user@bucket/team/x", "s3://bucket/team/x"),
    "a bucket that is a host": ("s3://bucket:80/team/x", "s3://bucket/team/x"),
    "a bucket in capitals": ("s3://BUCKET/team/x", "s3://bucket/team/x"),
    "a bucket of Google's under another's name": ("gs://other/team/x", "gs://bucket/team/x"),
    "a climb in a bucket of Google's": ("gs://bucket/team/../secret/x", "gs://bucket/team/secret/x"),
    "a generation": ("gs://bucket/team/x#1", "gs://bucket/team/x"),
    "another owner": (f"hf://datasets/other/n@{COMMIT}/x", f"hf://datasets/acme/n@{COMMIT}/x"),
    "an owner that only begins the same": (f"hf://datasets/acme-x/n@{COMMIT}/x", f"hf://datasets/acme/n@{COMMIT}/x"),
    "a branch": ("hf://datasets/acme/n@main/x", f"hf://datasets/acme/n@{COMMIT}/x"),
    "no commit": ("hf://datasets/acme/n/x", f"hf://datasets/acme/n@{COMMIT}/x"),
    "a climb in a dataset": (f"hf://datasets/acme/n@{COMMIT}/../../x", f"hf://datasets/acme/n@{COMMIT}/a/x"),
    "a model": (f"hf://acme/n@{COMMIT}/x", f"hf://datasets/acme/n@{COMMIT}/x"),
}


@pytest.mark.parametrize("name", SPELLINGS)
async def test_no_spelling_of_an_address_reads_what_is_not_listed(store: Everything, tmp_path: Path, name: str) -> None:
    host = store.url.removeprefix("http://")
    attack, control = (
        text.replace("STOREHOST", host).replace("STOREPORT", host.rpartition(":")[2]).replace("STORE", store.url)
        for text in SPELLINGS[name]
    )
    listed = f"{store.url}/data s3://bucket/team gs://bucket/team hf://datasets/acme"
    one = fetching(tmp_path, listed)
    stores = fetching(tmp_path, listed, store.url).stores  # where S3 and the hub answer is listed for them alone
    one = replace(one, stores={**one.stores, **{scheme: stores[scheme] for scheme in ("gs", "s3", "hf")}})

    assert await outcome(one, attack) in {"GT031", "GT422"}
    assert store.asked == []
    assert await outcome(one, control) == ""
    assert len(store.asked) == 1


PRIVATE = (
    *("127.0.0.1", "127.8.8.8", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("0.0.0.0", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "203.0.113.9"),  # noqa: S104 - nobody binds
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fe80::1%1", "fc00::1"),
    *("fec0::1", "ff02::1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1"),
    "5f00::1",
)
PUBLIC = ("93.184.215.14", "8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1")


class Sockets(httpcore.AsyncNetworkBackend):
    """Connects nobody, and remembers to where it should have."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore.ConnectError


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_stands_for_a_private_address_is_not_connected_to(address: str) -> None:
    sockets = Sockets()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return [address]

    with pytest.raises(OutOfReach):
        await checked(sockets, Reach(), resolve).connect_tcp("data.example.org", 443)

    assert sockets.asked == []
    # The control: where the operator names its network, it is.
    named = Reach((ipaddress.ip_network(address.partition("%")[0]), ipaddress.ip_network("fe80::/10")))
    with pytest.raises(httpcore.ConnectError):
        await checked(sockets, named, resolve).connect_tcp("data.example.org", 443)
    assert sockets.asked == [str(ipaddress.ip_address(address))]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


async def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    sockets, answers = Sockets(), iter([["93.184.215.14"], ["127.0.0.1"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        return next(answers)

    with pytest.raises(httpcore.ConnectError):
        await checked(sockets, Reach(), resolve).connect_tcp("data.example.org", 443)

    assert sockets.asked == ["93.184.215.14"]


async def test_of_a_mixed_answer_the_public_addresses_alone_are_tried() -> None:
    sockets = Sockets()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["10.0.0.1", "93.184.215.14", "::1", "8.8.8.8"]

    with pytest.raises(httpcore.ConnectError):
        await checked(sockets, Reach(), resolve).connect_tcp("data.example.org", 443)

    assert sockets.asked == ["93.184.215.14", "8.8.8.8"]


async def test_a_listed_name_that_resolves_to_this_machine_is_not_asked_and_keeps_its_name_where_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    secured, seen = self_signed(tmp_path, "data.example.org"), []

    async def resolve(host: str, port: int) -> Sequence[str]:
        seen.append(host)
        return ["127.0.0.1"]

    with Everything().running(secured) as server:
        port = server.url.rpartition(":")[2]
        listed = f"https://data.example.org:{port}"
        text = f"{listed}/x"

        attacked = replace(fetching(tmp_path / "home", listed), resolve=resolve)
        assert await outcome(attacked, text) == "GT424"
        assert server.asked == []
        allowed = replace(fetching(tmp_path / "home", f"{listed} 127.0.0.0/8"), resolve=resolve)
        assert await outcome(allowed, text) == ""

    assert seen == ["data.example.org", "data.example.org"]
    assert server.asked[0][1]["host"] == f"data.example.org:{port}"
