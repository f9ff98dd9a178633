"""Who may ask: keys, loopback, pages of other sites; and how a server starts and ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server.served import Served, tuned

MODELS = "/v1beta/tunedModels"


@pytest.fixture
def keyed(serving: Callable[..., Served], tmp_path: Path) -> Served:
    keys = tmp_path / "keys"
    keys.write_text("first-key\n\nsecond-key\n")
    return serving("--api-key-file", str(keys))


def test_a_key_of_the_file_opens_and_any_other_is_refused_as_google_does(keyed: Served) -> None:
    for key in ("first-key", "second-key"):
        assert keyed.call("GET", MODELS, headers={"x-goog-api-key": key}).status == 200
        assert keyed.call("GET", f"{MODELS}?key={key}").status == 200
    for headers in ({}, {"x-goog-api-key": "wrong"}, {"x-goog-api-key": ""}, {"authorization": "Bearer first-key"}):
        answer = keyed.call("GET", MODELS, headers=headers)
        assert answer.status == 400
        assert answer.error["status"] == "INVALID_ARGUMENT"
        assert answer.error["message"] == "API key not valid. Please pass a valid API key."
        assert answer.error["details"][0] == {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    assert "-key" not in keyed.journal


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
    ],
)
def test_without_keys_a_page_of_another_site_is_refused(answering: Served, headers: dict[str, str]) -> None:
    answer = answering.call("GET", MODELS, headers=headers)
    assert (answer.status, answer.error["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("headers", [{"origin": "http://localhost:3000"}, {"host": "localhost:1"}, {"host": "[::1]:1"}])
def test_without_keys_loopback_may_ask_by_any_of_its_names(answering: Served, headers: dict[str, str]) -> None:
    assert answering.call("GET", MODELS, headers=headers).status == 200


def refused(*flags: str) -> str:
    command = [sys.executable, "-m", "controller.server", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    return ended.stderr


def test_an_open_address_needs_a_key_file(tmp_path: Path) -> None:
    assert "only loopback may be bound" in refused("--data", str(tmp_path), "--host", "0.0.0.0")  # noqa: S104 -- refused


def test_a_key_file_that_is_empty_or_not_there_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert "holds no key" in refused("--data", str(tmp_path), "--api-key-file", str(empty))
    assert "cannot be read" in refused("--data", str(tmp_path), "--api-key-file", str(tmp_path / "none"))


def test_a_port_that_is_taken_is_an_error(answering: Served, tmp_path: Path) -> None:
    assert "cannot be bound" in refused("--data", str(tmp_path), "--port", answering.url.rsplit(":", 1)[1])


def test_an_open_address_with_keys_is_served(serving: Callable[..., Served], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("k")
    served = serving("--host", "0.0.0.0", "--api-key-file", str(keys))  # noqa: S104 -- with keys it may
    assert served.call("GET", MODELS, headers={"x-goog-api-key": "k"}).status == 200


def test_an_idle_server_ends_by_itself_but_not_while_it_trains(serving: Callable[..., Served]) -> None:
    served = serving("--idle-exit", "1")
    name = served.create("a", tuned(epochCount=1_000_000))
    time.sleep(1.8)
    assert served.process.poll() is None
    served.call("POST", f"/v1/{name}:cancel", {})
    assert served.process.wait(timeout=5) == 0


def test_a_told_server_ends_in_order_with_its_trainers(serving: Callable[..., Served]) -> None:
    served = serving()
    served.create("a", tuned(epochCount=1_000_000))
    served.until(served.trainers, bool, 10)
    assert served.stop() == 0
    assert served.trainers() == []


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /v1beta/models HTTP/1.1\r\nHost: [\r\n\r\n",
        b"GET /nowhere HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET /v1beta/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[\r\n\r\n",
        b"POST /v1beta/tunedModels HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
def test_a_request_that_is_not_well_formed_is_answered_with_400_and_no_traceback(
    serving: Callable[..., Served], request_line: bytes
) -> None:
    served = serving()
    parts = urlsplit(served.url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=10) as wire:
        wire.sendall(request_line)
        assert wire.recv(12) == b"HTTP/1.1 400"

    assert "Traceback" not in served.journal


def test_a_key_that_was_replaced_in_the_file_is_taken_and_the_old_one_is_not(
    serving: Callable[..., Served], tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first-key\n")
    served = serving("--api-key-file", str(keys))

    def codes() -> tuple[int, ...]:
        asked = ("first-key", "second-key", "")
        return tuple(served.call("GET", MODELS, headers={"x-goog-api-key": k}).status for k in asked)

    assert codes() == (200, 400, 400)
    keys.write_text("second-key\n")
    assert codes() == (400, 200, 400)
    for nothing in (keys.unlink, lambda: keys.write_text("\n")):
        nothing()
        assert codes() == (400, 400, 400)  # a file without a key lets nobody in
    keys.write_text("second-key\n")
    assert codes() == (400, 200, 400)
