"""What `gitune serve` cannot be started with, told as every command tells its errors."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Process


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_a_port_that_is_taken_is_one_error_with_a_hint_and_exits_1(gitune: Process, tmp_path: Path, taken: str) -> None:
    done = gitune("serve", "--data", str(tmp_path / "data"), "--port", taken)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: 127.0.0.1 port {taken} cannot be bound: Address already in use",
        "hint: Another program may be using it: choose another port.",
    ]


def test_an_error_is_the_document_where_json_was_asked_for(gitune: Process, tmp_path: Path, taken: str) -> None:
    done = gitune("serve", "--data", str(tmp_path / "data"), "--port", taken, "-o", "json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "schemaVersion": 1,
        "error": {
            "class": "ControllerError",
            "message": f"127.0.0.1 port {taken} cannot be bound: Address already in use",
            "hint": "Another program may be using it: choose another port.",
            "problems": [],
        },
    }


def test_each_reason_comes_with_its_next_step(gitune: Process, tmp_path: Path) -> None:
    empty, binary, store = tmp_path / "empty", tmp_path / "binary", tmp_path / "store"
    empty.touch()
    binary.write_bytes(b"\xff\xfe")
    store.mkdir()
    (store / "tuning.sqlite3").write_text("this is no store")
    data = ("--data", str(tmp_path / "data"))
    for words, said, hint in (
        ((*data, "--host", "0.0.0.0"), "only loopback may be bound", "--api-key-file"),  # noqa: S104 - refused
        ((*data, "--api-key-file", str(empty)), "holds no key", "one key a line"),
        ((*data, "--api-key-file", str(binary)), "cannot be read: it is no text", "--api-key-file"),
        ((*data, "--api-key-file", str(tmp_path / "no")), "cannot be read: No such file", "--api-key-file"),
        (("--data", str(empty)), "cannot be used: File exists", "--data"),
        (("--data", str(store)), "cannot be read as a store", "--data"),
    ):
        done = gitune("serve", *words)
        error, told = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert error.startswith("error: ")
        assert said in error
        assert told.startswith("hint: ")
        assert hint in told
