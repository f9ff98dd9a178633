"""A Git LFS pointer to its object: from the clone's store or the repository's own remote, and verified."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from controller.dataset.pointers import LfsPointer, parse_pointer
from controller.downloads.fetching import Fetching
from controller.downloads.lfs import LfsObjects, LfsRemote, lfs_remote
from controller.errors import Unreadable
from controller.git.parsing import NetworkUrl, parse_location
from tests.downloads.store import Answer, ObjectServer, data_of
from tests.loopback import answering

Make = Callable[..., Fetching]
ROWS = b'{"text_input": "1", "output": "2"}\n' * 30
OID = hashlib.sha256(ROWS).hexdigest()
POINTER = LfsPointer(OID, len(ROWS))
MOST = 1 << 20
TOKEN = "Basic canary-of-the-repository"


def written(oid: str = OID, size: int = len(ROWS), more: str = "") -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\n{more}oid sha256:{oid}\nsize {size}\n".encode()


class Batch:
    """A remote's LFS API: ``answer`` is what it says of the one object; ``asked`` what it was sent."""

    def __init__(self) -> None:
        self.answer: object = {}
        self.code = 200
        self.asked: list[tuple[str, Mapping[str, str], Any]] = []
        self.url = ""

    def says(self, **download: object) -> None:
        self.answer = {"transfer": "basic", "objects": [{"oid": OID, "actions": {"download": download}}]}


@pytest.fixture
def batch() -> Iterator[Batch]:
    made = Batch()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            told = json.dumps(made.answer).encode()
            self.send_response(made.code)
            self.send_header("Content-Type", "application/vnd.git-lfs+json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def do_GET(self) -> None:
            made.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, None))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ROWS)))
            self.end_headers()
            self.wfile.write(ROWS)

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as made.url:
        yield made


@pytest.fixture
def objects(fetching: Make, batch: Batch) -> LfsObjects:
    async def remote() -> LfsRemote:
        return LfsRemote(f"{batch.url}/o/n.git/info/lfs", TOKEN)

    return LfsObjects(fetching(""), "clone", remote)


async def nowhere() -> None:
    return None


async def refusal(objects: LfsObjects, pointer: LfsPointer = POINTER, most: int = MOST) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        await objects.fetch(pointer, most)
    return caught.value


def test_a_pointer_is_read_and_other_files_are_not_pointers() -> None:
    assert parse_pointer(written()) == POINTER
    assert parse_pointer(ROWS) is None
    assert parse_pointer(written() + b"\n" * 1100) is None


@pytest.mark.parametrize(
    "data",
    [
        written(more="ext-0-foo sha256:" + "a" * 64 + "\n"),
        written().replace(b"git-lfs", b"hawser"),
        written().replace(b"sha256", b"sha1"),
        written().replace(b"/v1", b"/v2"),
        written(oid="A" * 64),
        written(oid="a" * 63),
        written().replace(b"size ", b"size -"),
        written() + b"oid sha256:" + b"b" * 64 + b"\n",
        written().replace(b"\n", b"\r\n"),
    ],
)
def test_a_pointer_of_another_kind_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_pointer(data)

    assert caught.value.code == "GT429"


def in_clone(folder: Path, data: bytes = ROWS) -> Path:
    path = folder / OID[:2] / OID[2:4] / OID
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def test_an_object_of_the_clone_is_read_without_asking_anybody(fetching: Make, tmp_path: Path) -> None:
    in_clone(tmp_path)

    assert data_of(LfsObjects(fetching(""), "clone", nowhere, tmp_path).open(POINTER, MOST)) == ROWS


@pytest.mark.parametrize("spoil", ["another", "longer", "link", "pipe"])
def test_what_is_not_the_object_is_never_read_from_the_clone(fetching: Make, tmp_path: Path, spoil: str) -> None:
    path = in_clone(tmp_path, ROWS.replace(b"1", b"7") if spoil == "another" else ROWS)
    if spoil == "longer":
        path.write_bytes(ROWS + b"x")
    elif spoil in {"link", "pipe"}:
        path.unlink()
        (tmp_path / "real").write_bytes(ROWS)
        path.symlink_to(tmp_path / "real") if spoil == "link" else os.mkfifo(path)

    assert LfsObjects(fetching(""), "clone", nowhere, tmp_path).open(POINTER, MOST) is None


async def test_an_object_is_asked_for_at_the_remote_and_kept(objects: LfsObjects, batch: Batch) -> None:
    batch.says(href=f"{batch.url}/objects/{OID}", header={"Authorization": "Basic of-the-object", "Host": "evil"})

    await objects.fetch(POINTER, MOST)

    assert data_of(objects.open(POINTER, MOST)) == ROWS
    (path, headers, body), (_, sent, _) = batch.asked
    assert path == "/o/n.git/info/lfs/objects/batch"
    assert (headers["authorization"], headers["accept"]) == (TOKEN, "application/vnd.git-lfs+json")
    assert body["objects"] == [{"oid": OID, "size": len(ROWS)}]
    assert (sent["authorization"], sent["host"]) == ("Basic of-the-object", batch.url.removeprefix("http://"))


async def test_our_token_is_not_sent_where_the_remote_sends_us(
    objects: LfsObjects, batch: Batch, store: ObjectServer
) -> None:
    batch.says(href=f"{batch.url}/objects/{OID}")

    await objects.fetch(POINTER, MOST)

    assert "authorization" not in batch.asked[1][1]


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/x",
        "https://2852039166/x",
        "https://user:password@example.org/x",
        "file:///etc/passwd",
        "http://example.org/x",
        "https://example.org/x\\@evil",
        "https://exa mple.org/x",
        "/relative",
        "https://127.0.0.1:1/x",
        "https://localhost:1/x",
    ],
)
async def test_the_remote_cannot_send_us_anywhere_but_to_a_public_address(
    objects: LfsObjects, batch: Batch, href: str
) -> None:
    batch.says(href=href)

    found = await refusal(objects)

    assert found.code == "GT429"
    assert "password" not in found.message


async def test_another_server_on_loopback_is_not_the_remote(
    objects: LfsObjects, batch: Batch, store: ObjectServer
) -> None:
    store.answers["/x"] = Answer(ROWS)
    batch.says(href=f"{store.url}/x")

    assert (await refusal(objects)).code == "GT429"
    assert store.asked == []


async def test_another_object_than_the_pointers_is_refused(objects: LfsObjects, batch: Batch) -> None:
    other = LfsPointer("b" * 64, len(ROWS))
    batch.answer = {
        "objects": [{"oid": other.oid, "actions": {"download": {"href": f"{batch.url}/objects/{other.oid}"}}}]
    }

    assert (await refusal(objects, other)).code == "GT429"
    assert objects.open(other, MOST) is None


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"objects": "x"},
        {"objects": [{"oid": "c" * 64, "actions": {"download": {"href": "HERE"}}}]},
        {"objects": [{"oid": OID}]},
        {"objects": [{"oid": OID, "actions": {"download": {"href": 7}}}]},
        {"objects": [{"oid": OID, "error": {"code": 404, "message": "no such object"}}]},
        [],
    ],
)
async def test_an_answer_without_an_address_says_what_to_do(objects: LfsObjects, batch: Batch, answer: object) -> None:
    batch.answer = json.loads(json.dumps(answer).replace("HERE", batch.url))

    found = await refusal(objects)

    assert (found.code, "git lfs fetch" in found.hint) == ("GT429", True)


async def test_a_remote_that_refuses_names_the_token(objects: LfsObjects, batch: Batch) -> None:
    batch.code = 403

    found = await refusal(objects)

    assert found.code == "GT429"
    assert "canary" not in found.message + found.hint


async def test_a_pointer_that_claims_too_much_asks_nobody(objects: LfsObjects, batch: Batch) -> None:
    assert (await refusal(objects, LfsPointer(OID, MOST + 1))).code == "GT403"
    assert batch.asked == []


async def test_a_larger_object_than_the_pointer_says_is_cut_off(objects: LfsObjects, batch: Batch) -> None:
    batch.says(href=f"{batch.url}/objects/{OID}")

    assert (await refusal(objects, LfsPointer(OID, 10))).code in {"GT427", "GT429"}


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("https://github.com/o/n.git", "https://github.com/o/n.git/info/lfs"),
        ("https://github.com/o/n", "https://github.com/o/n.git/info/lfs"),
        ("https://host:8443/o/n/", "https://host:8443/o/n.git/info/lfs"),
        ("git@host:o/n.git", "https://host/o/n.git/info/lfs"),
        ("ssh://git@host:2222/o/n", "https://host/o/n.git/info/lfs"),
    ],
)
def test_the_api_is_looked_for_where_git_lfs_looks(address: str, endpoint: str) -> None:
    location = parse_location(address)
    assert isinstance(location, NetworkUrl)

    found = lfs_remote(location, {"GITHUB_TOKEN": "canary-token"})

    assert found.endpoint == endpoint
    assert bool(found.secret) is ("https://github.com/" in address)
