"""What a comment remembers comes back whole, and what is not whole grants nothing."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.forges.github.client import joined, split
from controller.ports.code_host import Said
from controller.review.memory import Memory, Stamp, StoryStage, config_digest, is_plan, read, written
from controller.settings import Policy, ProviderSettings, Settings
from controller.state.reviews import Basis

BASIS = Basis(
    action="create",
    reason="NewSpec",
    asked="a" * 32,
    digest="b" * 32,
    fingerprint="c" * 64,
    attempt=1,
    spec="000001",
    dataset="000002",
    base="000003",
    observed="000004",
)
REMOVED = Basis(action="hold", reason="SpecMissing", asked="a" * 32, digest="b" * 32)
STAMPS = (Stamp("numbers", BASIS), Stamp("others", REMOVED))
MEMORY = Memory(StoryStage.PLANNED, "b" * 40, "main", "abcdef", STAMPS, ("numbers",), "d" * 40, "2026-11-02T12:00:00Z")
ROW = ["numbers", "create", "NewSpec", "a" * 32, "b" * 32, "c" * 64, 1, *["000001"] * 4]


def test_it_comes_back_as_it_was() -> None:
    for memory in (MEMORY, replace(MEMORY, stamps=None), replace(MEMORY, stamps=(), commit="", names=())):
        assert read(written(memory)) == memory
        assert is_plan(written(memory))


def test_a_branch_cannot_end_the_comment_that_hides_it() -> None:
    memory = replace(MEMORY, base="a-->b--x<!--")

    body = joined(Said("### Gitune plan\n", written(memory)))

    assert body.count("-->") == 1
    assert read(split(body).memory) == memory
    assert split(body).body == "### Gitune plan\n"


def test_what_an_older_release_wrote_is_known_as_ours_and_remembers_nothing() -> None:
    old = '{"v":1,"purpose":"plan","stage":"planned","head":"","digest":"","config":"abcdef"}'

    assert is_plan(old)
    assert read(old) is None


def test_the_configurations_digest_is_over_what_a_plan_is_made_with() -> None:
    settings = Settings()
    others = (
        replace(settings, policy=Policy(max_creates=1)),
        replace(settings, default_provider="gemini"),
        replace(settings, providers={"local": ProviderSettings("local", "local", endpoint="http://127.0.0.1:1")}),
        replace(settings, instance="acme/models"),
    )

    assert len({config_digest(settings), *(config_digest(other) for other in others)}) == 5


def broken(**fields: object) -> str:
    return json.dumps(json.loads(written(MEMORY)) | fields)


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "### Gitune plan",
        "words before " + written(MEMORY),
        written(MEMORY)[:-20],
        broken(v=1),
        broken(v=3),
        broken(purpose="help"),
        broken(stage="approved"),
        broken(head="main"),
        broken(base=7),
        broken(config="x"),
        broken(names="numbers"),
        broken(names=["../numbers"]),
        broken(stamps="not base64!"),
        broken(stamps=base64.b64encode(b"not zlib").decode()),
        broken(stamps=packed({"numbers": "create"})),
        broken(stamps=packed([["numbers", "create"]])),
        broken(stamps=packed([["../numbers", *ROW[1:]]])),
        broken(stamps=packed([[*ROW[:3], "a" * 31, *ROW[4:]]])),
        broken(stamps=packed([[*ROW[:6], True, *ROW[7:]]])),
        broken(stamps=base64.b64encode(zlib.compress(b"[" * (2 << 20))).decode()),
    ],
)
def test_what_is_not_whole_is_nothing(text: str) -> None:
    assert read(text) is None


def test_a_row_that_is_whole_is_read() -> None:
    memory = read(broken(stamps=packed([ROW])))

    assert memory is not None
    assert [stamp.name for stamp in memory.stamps or ()] == ["numbers"]


@given(st.text(max_size=300))
def test_no_text_is_an_error(text: str) -> None:
    assert read(text) is None
    assert read(f'{{"v":2,{text}') is None
    assert split(f"<!-- gitune: {text}").body
