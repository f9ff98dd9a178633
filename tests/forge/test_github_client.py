"""The client against a code host that judges every request by GitHub's own description."""

from __future__ import annotations

import pytest

from controller.errors import CodeHostError
from controller.forges.github.client import WORKFLOW_LOGIN, GitHub
from controller.ports.code_host import (
    Annotation,
    Authored,
    Check,
    CheckState,
    CommitStatus,
    Level,
    Said,
    Sign,
    StatusState,
)
from controller.rest import Secret
from controller.testing.wire import answer, listening
from tests.forge.conftest import Waits
from tests.forge.stand_in import BOT, REPOSITORY, Failure, StandIn

HEAD, BASE, MERGED = "a" * 40, "b" * 40, "c" * 40


async def test_a_pull_request_is_read_with_its_head_base_and_merge(stand: StandIn, github: GitHub) -> None:
    stand.open_pull(7, HEAD, BASE)
    before = await github.pull(7)
    stand.merge(7, MERGED)
    after = await github.pull(7)

    assert (before.number, before.head, before.base, before.base_branch, before.merged) == (
        7,
        HEAD,
        BASE,
        "main",
        False,
    )
    assert (after.merged, after.merge_commit, after.is_open) == (True, MERGED, False)
    assert [pull.number for pull in await github.pulls_of(MERGED)] == [7]


async def test_comments_are_read_over_all_pages(stand: StandIn, github: GitHub) -> None:
    for number in range(230):
        stand.say(7, "someone", f"remark {number}")

    found = await github.comments(7)

    assert [c.body for c in found] == [f"remark {n}" for n in range(230)]
    assert [path for _, path in stand.requests if "issues/7/comments" in path] == [
        f"/repos/acme/models/issues/7/comments?per_page=100&page={page}" for page in (1, 2, 3)
    ]


async def test_a_comment_is_made_edited_and_answered_with_a_sign(stand: StandIn, github: GitHub) -> None:
    made = await github.create_comment(7, Said("first"))
    edited = await github.edit_comment(made.id, Said("second"))
    await github.answer(made.id, Sign.SEEN)

    assert (made.author, edited.body, edited.pull) == (BOT, "second", 7)
    assert stand.bodies(7) == ["second"]
    assert stand.reactions == [(made.id, "eyes")]


async def test_the_comments_changed_last_come_first_and_only_so_many_pages_are_read(
    stand: StandIn, github: GitHub
) -> None:
    ids = [stand.say(n, "someone", f"under {n}") for n in range(205)]
    await github.edit_comment(ids[0], Said("edited"))

    found = await github.latest_comments(2)

    assert (found[0].body, found[0].pull, len(found)) == ("edited", 0, 200)


async def test_a_workflows_own_token_writes_as_the_actions_bot(github: GitHub) -> None:
    assert await github.login() == WORKFLOW_LOGIN


@pytest.mark.parametrize(
    ("kind", "may"), [("admin", True), ("maintain", True), ("write", True), ("read", False), ("none", False)]
)
async def test_only_who_may_push_may_write(stand: StandIn, github: GitHub, kind: str, *, may: bool) -> None:
    stand.permissions["jane"] = kind

    assert await github.may_write("jane") is may


async def test_a_stranger_and_a_name_nobody_can_have_may_not_write(stand: StandIn, github: GitHub) -> None:
    assert await github.may_write("stranger") is False
    asked = len(stand.requests)
    for name in ("../../user", "dependabot[bot]", "", "a b", "x" * 200):
        assert await github.may_write(name) is False
    assert len(stand.requests) == asked


async def test_annotations_go_out_fifty_at_a_time_and_a_second_check_takes_the_place_of_the_first(
    stand: StandIn, github: GitHub
) -> None:
    notes = tuple(Annotation("specs/a.yaml", n, Level.WARNING, f"line {n}", "GT203") for n in range(1, 121))
    check = Check(name="gitune/plan", head=HEAD, result=CheckState.PASSED, title="t", summary="s", annotations=notes)
    await github.publish(check)
    await github.publish(Check(name="gitune/plan", head=HEAD, result=CheckState.FAILED, title="t2", summary="s2"))

    assert len(stand.checks) == 1
    assert [n["start_line"] for n in stand.checks[0]["notes"]] == list(range(1, 121))
    assert (stand.checks[0]["title"], stand.checks[0]["conclusion"]) == ("t2", "failure")


async def test_a_check_that_is_being_made_is_shown_and_then_replaced(stand: StandIn, github: GitHub) -> None:
    assert await github.begin("gitune/plan", HEAD)
    assert [run["status"] for run in stand.checks] == ["in_progress"]

    await github.publish(Check(name="gitune/plan", head=HEAD, result=CheckState.PASSED, title="t", summary="s"))
    assert await github.begin("gitune/plan", HEAD)

    assert [run["status"] for run in stand.checks] == ["in_progress"]


async def test_a_token_that_may_not_write_is_known_before_anything_is_planned(stand: StandIn, github: GitHub) -> None:
    stand.read_only = True

    assert not await github.begin("gitune/plan", HEAD)
    assert stand.checks == []


async def test_what_a_comment_remembers_is_hidden_in_it_and_comes_back(stand: StandIn, github: GitHub) -> None:
    made = await github.create_comment(7, Said("seen by all", '{"v":2}'))

    assert stand.bodies(7) == ['<!-- gitune: {"v":2} -->\nseen by all']
    assert (made.body, made.memory, made.updated) == ("seen by all", '{"v":2}', "2026-11-02T12:00:01Z")
    with pytest.raises(CodeHostError, match="cannot be stored in an HTML comment"):
        await github.create_comment(7, Said("x", '{"-->"}'))


async def test_a_comment_that_is_gone_is_none_and_deleting_it_again_is_no_error(stand: StandIn, github: GitHub) -> None:
    made = await github.create_comment(7, Said("x"))
    there = await github.comment(made.id)
    await github.delete_comment(made.id)
    await github.delete_comment(made.id)

    assert there is not None
    assert there.body == "x"
    assert await github.comment(made.id) is None


async def test_branches_are_asked_for_by_name(stand: StandIn, github: GitHub) -> None:
    stand.tip_of = {"main": HEAD, "a/b": BASE}.__getitem__

    assert await github.default_branch() == "main"
    assert (await github.tip("main"), await github.tip("a/b")) == (HEAD, BASE)


async def test_the_commits_of_a_pull_request_are_read_as_they_were_written(stand: StandIn, github: GitHub) -> None:
    written = {"author": {"name": "Jane", "email": "j@example.com", "date": "2026-11-01T10:00:00Z"}, "message": "One\n"}
    stand.commits[7] = [{"sha": HEAD, "commit": written}]

    assert await github.commits_of(7) == (Authored("Jane <j@example.com>", "2026-11-01T10:00:00Z", "One"),)


async def test_a_long_description_of_a_status_is_cut(stand: StandIn, github: GitHub) -> None:
    await github.set_status(HEAD, CommitStatus("gitune/a", StatusState.PENDING, "x" * 300))

    assert stand.statuses == [{"state": "pending", "context": "gitune/a", "description": "x" * 140, "commit": HEAD}]


async def test_what_has_not_changed_is_not_sent_again(stand: StandIn, github: GitHub) -> None:
    stand.say(7, "someone", "remark")
    first = await github.comments(7)

    assert await github.comments(7) == first
    stand.say(7, "someone", "another")
    assert len(await github.comments(7)) == 2


async def test_a_primary_rate_limit_is_waited_for_until_its_reset(stand: StandIn, github: GitHub, waits: Waits) -> None:
    reset = str(int(waits.timing().now().timestamp()) + 30)
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    stand.failures.append(Failure("GET .*comments", 403, "API rate limit exceeded", limited))

    assert await github.comments(7) == ()
    assert waits.slept == [pytest.approx(31.0, abs=1.0)]


async def test_a_secondary_rate_limit_is_waited_for_as_long_as_it_says(
    stand: StandIn, github: GitHub, waits: Waits
) -> None:
    stand.failures.append(Failure("PATCH", 403, "You have exceeded a secondary rate limit", {"retry-after": "17"}))
    made = await github.create_comment(7, Said("x"))

    await github.edit_comment(made.id, Said("y"))

    assert waits.slept == [pytest.approx(17.0, abs=1.0)]


async def test_a_new_comment_waits_for_a_limit_too_since_nothing_was_said_then(
    stand: StandIn, github: GitHub, waits: Waits
) -> None:
    stand.failures.append(Failure("POST", 429, "slow down", {"retry-after": "5"}))

    await github.create_comment(7, Said("once"))

    assert (stand.bodies(7), waits.slept) == (["once"], [5.0])


async def test_a_limit_that_lasts_an_hour_is_told_and_not_waited_for(
    stand: StandIn, github: GitHub, waits: Waits
) -> None:
    stand.failures.append(Failure("GET", 429, "slow down", {"retry-after": "3600"}))

    with pytest.raises(CodeHostError) as caught:
        await github.comments(7)

    assert caught.value.retry_after == 3600
    assert waits.slept == []


async def test_a_comment_that_may_have_been_made_is_never_repeated_blindly(stand: StandIn, github: GitHub) -> None:
    stand.failures.append(Failure("POST", 502, "bad gateway", after=True))

    with pytest.raises(CodeHostError) as caught:
        await github.create_comment(7, Said("once"))

    assert caught.value.lost
    assert stand.bodies(7) == ["once"]


async def test_a_token_that_may_not_is_told_with_the_permission_that_is_missing(stand: StandIn, github: GitHub) -> None:
    missing = {"x-accepted-github-permissions": "pull_requests=write"}
    stand.failures.append(Failure("POST", 403, "Resource not accessible by integration", missing))

    with pytest.raises(CodeHostError, match="the token may not do this") as caught:
        await github.create_comment(7, Said("x"))

    assert "pull_requests=write" in caught.value.hint


async def test_the_token_stands_in_one_header_and_in_no_error(stand: StandIn, github: GitHub) -> None:
    stand.failures.append(Failure("GET", 401, "Bad credentials: made-up-token-of-a-test"))

    with pytest.raises(CodeHostError) as caught:
        await github.comments(7)

    assert stand.tokens == {"Bearer made-up-token-of-a-test"}
    assert "made-up-token-of-a-test" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", ["", "acme", "acme/../user", "acme/models/x", "a b/c", "acme/.git?x=1"])
def test_a_name_that_is_no_repository_is_refused(waits: Waits, name: str) -> None:
    with pytest.raises(CodeHostError, match="not the name of a repository"):
        GitHub(name, Secret("made-up-token"), waits.timing())


async def test_an_enterprise_server_is_asked_below_its_own_path(stand: StandIn, waits: Waits) -> None:
    client = GitHub(REPOSITORY, Secret("made-up-token-of-a-test"), waits.timing(), endpoint=f"{stand.url}/api/v3/")
    try:
        stand.open_pull(7, HEAD, BASE)
        assert (await client.pull(7)).head == HEAD
    finally:
        await client.close()


async def test_who_an_app_writes_as_is_said_and_not_asked(stand: StandIn, waits: Waits) -> None:
    client = GitHub(REPOSITORY, Secret("made-up-token"), waits.timing(), endpoint=stand.url, login="our-app[bot]")
    try:
        assert await client.login() == "our-app[bot]"
        assert stand.requests == []
    finally:
        await client.close()


MOVED = answer({"message": "Moved Permanently"}, 301, {"location": "/repositories/1234/issues/7/comments?per_page=100"})


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (answer({"full_name": "acme/tuned-models"}), "acme/models is called acme/tuned-models now"),
        (answer({"full_name": "[x](https://evil.test)"}), "the repository has moved (301)"),
        (answer({}, 404), "the repository has moved (301)"),
        (MOVED, "the repository has moved (301)"),
    ],
)
async def test_a_repository_that_was_renamed_is_named_and_nothing_is_sent_under_the_new_name(
    waits: Waits, second: bytes, said: str
) -> None:
    for ask in (GitHub.default_branch, lambda client: client.create_comment(7, Said("hello"))):
        async with listening(MOVED, second) as wire:
            client = GitHub(REPOSITORY, Secret("made-up-token-of-a-test"), waits.timing(), endpoint=wire.url)
            with pytest.raises(CodeHostError) as caught:
                await ask(client)
            await client.close()
        assert caught.value.message.startswith(said)
        assert "instance:" in caught.value.hint
        lines = [request.split(b"\r\n")[0] for request in wire.requests]
        assert lines[1:] == [b"GET /repositories/1234 HTTP/1.1"]


async def test_a_redirect_to_another_host_is_named_and_gets_no_token(waits: Waits) -> None:
    async with listening(answer({"full_name": "acme/other"})) as other:
        away = answer({}, 307, {"location": f"{other.url}/repositories/1234"})
        async with listening(away) as wire:
            client = GitHub(REPOSITORY, Secret("made-up-token-of-a-test"), waits.timing(), endpoint=wire.url)
            with pytest.raises(CodeHostError) as caught:
                await client.create_comment(7, Said("hello"))
            await client.close()
    assert "redirects to http://127.0.0.1/repositories/1234" in caught.value.message
    assert (len(wire.requests), other.requests) == (1, [])
