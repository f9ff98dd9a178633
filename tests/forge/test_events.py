"""Events against the payloads that GitHub's community keeps as samples, old and new, whole and lacking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.forges.github.events import (
    Commented,
    Other,
    PullRequest,
    Push,
    RunEnded,
    Timer,
    default_branch,
    parse_event,
)

SAMPLES: dict[str, list[Any]] = json.loads(Path(__file__).with_name("webhooks.json").read_text("utf-8"))
ALL = [(name, number) for name, payloads in SAMPLES.items() for number in range(len(payloads))]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_every_sample_is_understood(name: str, number: int) -> None:
    payload = SAMPLES[name][number]

    match parse_event(name, payload):
        case PullRequest(number=pull, head=head, base=base, base_branch=branch):
            assert (name, pull) == ("pull_request", payload["number"])
            assert (len(head), len(base)) == (40, 40)
            assert branch
        case Push(branch=branch):
            assert name == "push"
            assert default_branch(payload)
            assert branch or payload["ref"].startswith("refs/tags/")
        case RunEnded(head=head, event=started, head_repository=repository):
            run = payload["workflow_run"]
            assert (name, started, repository) == ("workflow_run", run["event"], run["head_repository"]["full_name"])
            assert len(head) == 40
        case Commented():
            assert "pull_request" in payload["issue"]
        case Timer():
            assert name.endswith("_dispatch")
        case Other():
            # a branch deleted, or a comment under an issue that is no pull request
            assert payload.get("deleted") or "pull_request" not in payload.get("issue", {})


def sample(name: str) -> Any:
    return json.loads(json.dumps(SAMPLES[name][0]))


def test_a_head_in_another_repository_or_in_none_is_a_forks() -> None:
    payload = sample("pull_request")
    ours = payload["repository"]["full_name"]
    heads = {ours: False, ours.upper(): False, "stranger/models": True, None: True}
    for name, fork in heads.items():
        payload["pull_request"]["head"]["repo"] = {"full_name": name} if name else None
        event = parse_event("pull_request", payload)
        assert isinstance(event, PullRequest)
        assert event.is_fork is fork, name


def test_a_comment_under_a_pull_request_is_somebodys_word() -> None:
    payload = sample("issue_comment")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/x/y/pulls/1"}
    payload["action"] = "edited"

    event = parse_event("issue_comment", payload)

    assert isinstance(event, Commented)
    assert event.created is False
    assert "body" not in repr(event)


def test_an_event_nobody_knows_says_nothing() -> None:
    assert parse_event("watch", {}) == Other("watch")
    assert parse_event("schedule", {}) == Timer()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["pull_request", "head", "sha", "repo", "number", "ref", "after", "comment", "issue", "id"]
            ),
            below,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([*SAMPLES, "schedule", "watch"]), JUNK)
def test_no_payload_is_an_error(name: str, payload: Any) -> None:
    parse_event(name, payload)


@given(st.sampled_from(ALL), st.data())
def test_a_sample_that_lacks_a_field_is_no_error_either(which: tuple[str, int], data: st.DataObject) -> None:
    name, number = which
    payload = json.loads(json.dumps(SAMPLES[name][number]))
    node = payload
    while isinstance(node, dict) and node:
        key = data.draw(st.sampled_from(sorted(node)))
        if data.draw(st.booleans()) or not isinstance(node[key], dict):
            del node[key]
            break
        node = node[key]

    parse_event(name, payload)
