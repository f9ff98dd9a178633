"""What a store, a redirect or another process can do to a download: nothing that a pin, a cap or a clock does not end.

Each attack has a control of the same shape that arrives.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import signal
import socket
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.downloads.kept import Kept
from controller.downloads.sources import data_sources
from controller.errors import ControllerError
from tests.adversary.downloading import COMMIT, LIMITS, MOST, PIN, ROWS, SECRET, Everything, fetching, outcome
from tests.adversary.peers import BOMB, CHUNKED, OK, Peer, Say, chunk, dripping, for_ever, once, silent, stopping, whole
from tests.downloads.store import Answer, ObjectServer

MEGABYTE = 1 << 20
PART = ROWS[: len(ROWS) // 2]
GZIPPED = gzip.compress(ROWS)
PAGE = b"<!doctype html><title>Sign in</title>" + b" " * (len(ROWS) - 37)


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Say:
    lines = [b"HTTP/1.1 " + status, *(headers or (b"content-length: %d" % len(body),)), b"", b""]
    return once(b"\r\n".join(lines) + body)


def named(size: int, *more: bytes) -> tuple[bytes, ...]:
    return (b"content-length: %d" % size, *more)


# (what the server says, what it may say instead); the file is pinned.
ANSWERS: dict[str, tuple[Say, Say]] = {
    "other bytes": (once(whole(ROWS.replace(b"1", b"7"))), once(whole(ROWS))),
    "a byte more": (once(whole(ROWS + b"\n")), once(whole(ROWS))),
    "nothing": (once(whole(b"")), once(whole(ROWS))),
    "less than was said": (answer(PART, *named(len(ROWS))), answer(ROWS, *named(len(ROWS)))),
    "more than was said": (answer(ROWS, *named(len(PART))), answer(ROWS, *named(len(ROWS)))),
    "two lengths": (answer(ROWS, *named(len(ROWS), *named(len(PART)))), answer(ROWS, *named(len(ROWS)))),
    "a negative length": (answer(ROWS, b"content-length: -1"), answer(ROWS)),
    "no length at all": (answer(ROWS, b"x-a: b"), answer(ROWS, *named(len(ROWS), b"x-a: b"))),
    "a length beyond the cap": (answer(ROWS, *named(MOST + 1)), answer(ROWS)),
    "a length of a hundred digits": (answer(ROWS, b"content-length: " + b"9" * 100), answer(ROWS)),
    "gzip that was not asked for": (
        answer(GZIPPED, *named(len(GZIPPED), b"content-encoding: gzip")),
        answer(ROWS, *named(len(ROWS), b"content-encoding: identity")),
    ),
    "gzip of the right bytes under deflate": (
        answer(GZIPPED, *named(len(GZIPPED), b"content-encoding: deflate")),
        answer(ROWS),
    ),
    "brotli": (answer(ROWS, *named(len(ROWS), b"content-encoding: br")), answer(ROWS)),
    "a gzip bomb": (answer(BOMB, *named(len(BOMB), b"content-encoding: gzip")), answer(ROWS)),
    "a part, as 206": (
        answer(ROWS, *named(len(ROWS), b"content-range: bytes 0-9/10"), status=b"206 Partial Content"),
        answer(ROWS, status=b"200 Partial Content"),
    ),
    "a part, as 200": (answer(ROWS, *named(len(ROWS), b"content-range: bytes 0-9/99")), answer(ROWS)),
    "no content": (answer(b"", status=b"204 No Content"), answer(ROWS)),
    "a success of another kind": (answer(ROWS, status=b"203 Non-Authoritative"), answer(ROWS)),
    "not modified": (answer(b"", status=b"304 Not Modified"), answer(ROWS)),
    "a sign-in page": (once(whole(PAGE)), once(whole(ROWS))),
    "broken chunks": (once(CHUNKED + b"zz\r\n" + ROWS), once(CHUNKED + chunk(ROWS) + chunk(b""))),
    "chunks without an end": (once(CHUNKED + chunk(ROWS)), once(CHUNKED + chunk(ROWS) + chunk(b""))),
    "countless tiny chunks": (for_ever(chunk(b"x"), CHUNKED), once(CHUNKED + chunk(ROWS) + chunk(b""))),
    "chunks that go on for ever": (for_ever(chunk(b"x" * 4096), CHUNKED), once(CHUNKED + chunk(ROWS) + chunk(b""))),
    "extensions of a chunk that go on for ever": (
        for_ever(b"x", CHUNKED + b"1;"),
        once(CHUNKED + chunk(ROWS) + chunk(b"")),
    ),
    "trailers that go on for ever": (
        for_ever(b"x-a: b\r\n", CHUNKED + chunk(ROWS) + b"0\r\n"),
        once(CHUNKED + chunk(ROWS) + b"0\r\nx-a: b\r\n\r\n"),
    ),
    "a body that goes on for ever": (for_ever(ROWS, OK + b"content-length: 99999999999\r\n\r\n"), once(whole(ROWS))),
    "headers that go on for ever": (for_ever(b"x-a: b\r\n", OK), once(whole(ROWS, b"x-a: b\r\n"))),
    "interim answers that go on for ever": (
        for_ever(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        once(b"HTTP/1.1 103 Early Hints\r\n\r\n" + whole(ROWS)),
    ),
    "silence": (silent, once(whole(ROWS))),
    "a stop before the end": (stopping, once(whole(ROWS))),
    "a dripping body": (dripping(b"x", OK + b"content-length: 100000\r\n\r\n"), once(whole(ROWS))),
    "dripping headers": (dripping(b"x-a: b\r\n", OK), once(whole(ROWS))),
    "what is not HTTP": (once(ROWS), once(whole(ROWS))),
}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_answer_is_taken_for_the_file_that_is_not_it(tmp_path: Path, name: str) -> None:
    attack, control = ANSWERS[name]
    with Peer(attack).running() as server:
        found = await outcome(fetching(tmp_path, server.url), f"{server.url}/x")

    assert found in {"GT423", "GT424", "GT425", "GT427"}
    assert server.connections >= 1
    assert files(tmp_path) == []
    with Peer(control).running() as server:
        assert await outcome(fetching(tmp_path, server.url), f"{server.url}/x") == ""


@pytest.mark.parametrize("name", ["less than was said", "no length at all", "chunks without an end", "a sign-in page"])
async def test_half_a_file_and_a_web_page_are_not_pinned_either(tmp_path: Path, name: str) -> None:
    attack, control = ANSWERS[name]
    with Peer(attack).running() as server:
        assert await outcome(fetching(tmp_path, server.url), f"{server.url}/x", None) in {"GT425", "GT427"}
    with Peer(control).running() as server:
        assert await outcome(fetching(tmp_path, server.url), f"{server.url}/x", None) == ""


async def test_a_large_file_takes_the_memory_of_a_small_one(tmp_path: Path) -> None:
    body = os.urandom(MEGABYTE) * 64
    pin = hashlib.sha256(body).hexdigest()
    with Peer(once(whole(body))).running() as server:
        one = fetching(tmp_path, server.url, limits=replace(LIMITS, deadline=60.0, idle=20.0))
        tracemalloc.start()
        try:
            assert await outcome(one, f"{server.url}/x", pin, 2 * len(body)) == ""
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 8 * MEGABYTE


# Where a listed store leads: `THERE` is a server of its own whose /data is listed, `HERE` the one that was asked.
REDIRECTS: dict[str, tuple[str, str]] = {
    "another path there": ("THERE/private/x", "THERE/data/x"),
    "a climb there": ("THERE/data/../private/x", "THERE/data/private/x"),
    "an escaped climb there": ("THERE/data/%2e%2e/private/x", "THERE/data/private/x"),
    "a user there": ("http://user@THEREHOST/data/x", "http://THEREHOST/data/x"),
    "another name of it": ("http://localhost:THEREPORT/data/x", "THERE/data/x"),
    "its number": ("http://2130706433:THEREPORT/data/x", "THERE/data/x"),
    "its mapped address": ("http://[::ffff:127.0.0.1]:THEREPORT/data/x", "THERE/data/x"),
    "another listed host before an @": ("http://THEREHOST\\@127.0.0.1:THEREPORT/private/x", "THERE/data/x"),
    "no scheme": ("//THEREHOST/private/x", "//THEREHOST/data/x"),
    "the metadata server": ("http://169.254.169.254/latest/meta-data/?sig=canary", "THERE/data/x?sig=canary"),
    "the metadata server by name": ("https://metadata.google.internal/computeMetadata", "THERE/data/x"),
    "a file": ("file:///etc/passwd", "THERE/data/x"),
    "another scheme": ("gopher://THEREHOST/data/x", "THERE/data/x"),
    "a bucket": ("s3://bucket/team/x", "THERE/data/x"),
    "out of its own folder": ("/private/x", "/data/y"),
    "a line end": ("THERE/data/x%0d%0aX-Injected:1", "THERE/data/x"),
    "nowhere": ("", "THERE/data/x"),
    "a very long way": ("THERE/data/" + "x" * 9000, "THERE/data/" + "x" * 900),
    "what is no address": ("http://[::1", "THERE/data/x"),
    "a port that is none": ("http://127.0.0.1:99999/data/x", "THERE/data/x"),
}


@pytest.mark.parametrize("name", REDIRECTS)
@pytest.mark.parametrize("code", [302, 308])
async def test_no_redirect_leads_where_a_spec_may_not(tmp_path: Path, name: str, code: int) -> None:
    there, here = Everything(), ObjectServer()
    with there.running(), here.running():
        host = there.url.removeprefix("http://")
        attack, control = (
            text.replace("THEREHOST", host).replace("THEREPORT", host.rpartition(":")[2]).replace("THERE", there.url)
            for text in REDIRECTS[name]
        )
        one = fetching(tmp_path, f"{here.url}/data {there.url}/data")
        here.answers["/data/y"] = here.answers["/private/x"] = Answer(ROWS)
        here.answers["/data/x"] = Answer(code=code, headers={"Location": attack})

        assert await outcome(one, f"{here.url}/data/x") in {"GT422", "GT424"}
        assert (len(here.asked), there.asked) == (1, [])
        here.answers["/data/x"] = Answer(code=code, headers={"Location": control})
        assert await outcome(one, f"{here.url}/data/x") == ""
        assert len(here.asked) + len(there.asked) == 3


async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    with ObjectServer().running() as server:
        for number in range(9):
            server.answers[f"/{number}"] = Answer(code=302, headers={"Location": f"/{number + 1}"})
        server.answers["/9"] = Answer(ROWS)
        one = fetching(tmp_path, server.url)

        assert await outcome(one, f"{server.url}/0") == "GT427"
        assert len(server.asked) == 6
        assert await outcome(one, f"{server.url}/4") == ""


@pytest.mark.parametrize("text", ["s3://bucket/team/x", "gs://bucket/team/x"])
async def test_a_bucket_leads_nowhere_and_takes_no_signature_along(tmp_path: Path, text: str) -> None:
    there, here = Everything(), Everything()
    with there.running(), here.running():
        one = fetching(tmp_path, f"{there.url} s3://bucket gs://bucket", here.url)
        well = here.answer
        here.answer = lambda path, headers: (well(path, headers), Answer(code=307, headers={"Location": there.url}))[1]  # type: ignore[method-assign]

        assert await outcome(one, text) == "GT422"
        here.answer = well  # type: ignore[method-assign]
        assert await outcome(one, text) == ""

    assert there.asked == []


async def test_a_token_stays_with_its_host_and_an_address_of_the_web_gets_none(tmp_path: Path) -> None:
    there, here = Everything(), ObjectServer()
    path = f"/datasets/acme/n/resolve/{COMMIT}/x"
    with there.running(), here.running():
        here.answers[path] = Answer(code=302, headers={"Location": "/again"})
        here.answers["/again"] = Answer(code=302, headers={"Location": f"{there.url}/x"})
        one = fetching(tmp_path, f"hf:// {there.url}", here.url)

        assert await outcome(one, f"hf://datasets/acme/n@{COMMIT}/x") == ""
        assert await outcome(one, f"{there.url}/y") == ""

    assert [SECRET in headers.get("authorization", "") for _, headers in here.asked] == [True, True]
    assert [headers for _, headers in there.asked if SECRET in repr(headers)] == []


ENTRIES = [
    *("*", "https://", "https://*.example.org", "http://example.org", "s3://", "gs://", "s3://*", "0.0.0.0/0", "::/0"),
    *(
        "https://user:password@example.org",
        "https://example.org/?x",
        "https://example.org/../x",
        "file:///",
        "fc00::/6",
    ),
    *("https://2130706433", "hf://acme", "s3://bucket/%2e%2e", "example.org", "https://example.org\\@evil"),
    "10.0.0.0/7",
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_of_the_list_that_says_too_much_or_nothing_is_refused_without_being_quoted(entry: str) -> None:
    with pytest.raises(ControllerError) as caught:
        data_sources(f"https://example.org {entry}")

    assert "entry 2" in caught.value.message
    assert "user:password" not in caught.value.message
    assert len(data_sources("https://example.org https://example.com/a 10.0.0.0/8").prefixes) == 2


FETCH = """
import asyncio, sys
from pathlib import Path
from tests.adversary.downloading import fetching, outcome
home, url, deadline = sys.argv[1:]
from tests.adversary.downloading import LIMITS
from dataclasses import replace
one = fetching(Path(home), url, limits=replace(LIMITS, deadline=float(deadline), idle=30.0))
print(asyncio.run(outcome(one, url + "/x")) or "arrived")
"""


async def process(home: Path, url: str, deadline: float = 30.0) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", FETCH, str(home), url, str(deadline)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def half_then(wait: Callable[[], None]) -> Say:
    def ends_later(peer: socket.socket, _other: str) -> None:
        peer.sendall(OK + b"content-length: %d\r\n\r\n" % len(ROWS) + PART)
        wait()
        peer.sendall(ROWS[len(PART) :])

    return ends_later


async def test_a_kill_on_the_way_leaves_nothing_half_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    def incoming() -> list[int]:
        return [path.stat().st_size for path in (tmp_path / "incoming").glob("*")]

    with Peer(half_then(lambda: time.sleep(5.0))).running() as server:
        killed = await process(tmp_path, server.url)
        while incoming() != [len(PART)]:
            assert killed.returncode is None
            await asyncio.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        await killed.wait()

    assert incoming() == [len(PART)]
    assert not Kept(tmp_path).path(PIN).exists()
    with Peer(once(whole(ROWS))).running() as server:
        assert await outcome(fetching(tmp_path, server.url), f"{server.url}/x") == ""
    assert incoming() == []
    assert Kept(tmp_path).path(PIN).read_bytes() == ROWS


async def test_two_processes_fetch_at_once_and_neither_takes_the_others_part_away(tmp_path: Path) -> None:
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()
    both: list[None] = []

    def wait() -> None:
        both.append(None)
        if len(both) == 2:
            loop.call_soon_threadsafe(waiting.set)
        asyncio.run_coroutine_threadsafe(waiting.wait(), loop).result(30)

    with Peer(half_then(wait)).running() as server:
        first, second = await process(tmp_path, server.url), await process(tmp_path, server.url)
        said = [(await one.communicate())[0].strip() for one in (first, second)]

    assert said == [b"arrived", b"arrived"]
    assert Kept(tmp_path).path(PIN).read_bytes() == ROWS
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with Peer(once(whole(ROWS))).running() as server:
        assert await outcome(fetching(tmp_path / "data", server.url), f"{server.url}/x") == "GT428"
        assert await outcome(fetching(tmp_path / "other", server.url), f"{server.url}/x") == ""
