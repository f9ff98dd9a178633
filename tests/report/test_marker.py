"""What a comment remembers comes back whole, and what is not whole approves nothing."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.report.marker import Marker, Stage, Stamp, is_marked, read, written

STAMP = Stamp("numbers", "create", "a" * 32, "000001", "000002", "000003", "000004")
MARKER = Marker(Stage.PLANNED, "b" * 40, "c" * 64, "abcdef", (STAMP,), "d" * 40)


def test_it_comes_back_as_it_was() -> None:
    for marker in (MARKER, replace(MARKER, stamps=None), replace(MARKER, stamps=(), commit="")):
        assert read(f"{written(marker)}\n### Gitune plan\n") == marker
        assert is_marked(written(marker))


def broken(**fields: object) -> str:
    said = json.loads(written(MARKER).removeprefix("<!-- gitune: ").removesuffix(" -->")) | fields
    return f"<!-- gitune: {json.dumps(said)} -->"


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "### Gitune plan",
        "words before " + written(MARKER),
        written(MARKER)[:-20],
        broken(v=2),
        broken(purpose="help"),
        broken(stage="approved"),
        broken(head="main"),
        broken(digest=7),
        broken(config=""),
        broken(stamps="not base64!"),
        broken(stamps=base64.b64encode(b"not zlib").decode()),
        broken(stamps=packed({"numbers": "create"})),
        broken(stamps=packed([["numbers", "create"]])),
        broken(stamps=packed([["../numbers", "create", "a" * 32, *["000001"] * 4]])),
        broken(stamps=packed([["numbers", "create", "a" * 31, *["000001"] * 4]])),
        broken(stamps=base64.b64encode(zlib.compress(b"[" * (2 << 20))).decode()),
    ],
)
def test_what_is_not_whole_is_nothing(body: str) -> None:
    assert read(body) is None


@given(st.text(max_size=300))
def test_no_text_is_an_error(text: str) -> None:
    assert read(text) is None
    assert read(f'<!-- gitune: {{"v":1,{text} -->') is None
