"""What is worth telling, and how it is told over a real socket."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from structlog.testing import capture_logs

from controller.daemon.choices import NoticeFilter, NoticeFormat
from controller.daemon.notices import Grade, Notice, Notifier, as_body, notices, read_url
from controller.errors import ControllerError, Rejected
from controller.rest import redact
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run, RunOutcome, Slot
from controller.system import SystemChance, SystemClock
from controller.testing.wire import answer, listening


def record(outcome: RunOutcome = RunOutcome.TUNING, *conditions: Condition, active: str = "") -> Record:
    run = Run(
        model="m", provider_type="local", base="b", fingerprint="f", attempt=1, dataset_digest="", outcome=outcome
    )
    slot = Slot(active, "f", 1, "Active") if active else None
    return Record(name="numbers", provider="local", runs=(run,), conditions=conditions, active=slot)


def true(kind: ConditionType, reason: Reason) -> Condition:
    return Condition(kind, Truth.TRUE, reason, "because")


def told(before: Record | None, after: Record) -> list[tuple[Grade, str]]:
    return [(n.grade, n.reason) for n in notices({"numbers": before} if before else {}, {"numbers": after})]


@pytest.mark.parametrize("outcome", [RunOutcome.FAILED, RunOutcome.CANCELLED, RunOutcome.DEADLINE_EXCEEDED])
def test_a_run_that_ends_badly_is_told_once(outcome: RunOutcome) -> None:
    assert told(record(), record(outcome)) == [(Grade.PROBLEM, outcome)]
    assert told(record(outcome), record(outcome)) == []


def test_a_model_that_comes_to_wait_on_a_person_is_told_and_again_for_another_reason() -> None:
    lost, drifted = (
        record(RunOutcome.SUCCEEDED, true(ConditionType.STALLED, r)) for r in (Reason.LOST, Reason.DRIFTED)
    )
    assert told(record(RunOutcome.SUCCEEDED), lost) == [(Grade.PROBLEM, Reason.LOST)]
    assert told(lost, lost) == []
    assert told(lost, drifted) == [(Grade.PROBLEM, Reason.DRIFTED)]


def test_a_model_that_serves_what_git_asks_for_is_told_and_so_is_the_next_one() -> None:
    ready = true(ConditionType.READY, Reason.UP_TO_DATE)
    one, two = (record(RunOutcome.SUCCEEDED, ready, active=name) for name in ("one", "two"))
    assert told(None, one) == [(Grade.GOOD, Reason.UP_TO_DATE)]
    assert told(one, one) == []
    assert told(one, two) == [(Grade.GOOD, Reason.UP_TO_DATE)]


def test_a_run_that_goes_on_is_not_news() -> None:
    assert told(None, record()) == []
    assert told(record(), record()) == []


NOTICE = Notice(Grade.PROBLEM, "numbers", "waits on a person", Reason.LOST, "<!channel> *gone* & lost", "m", "a" * 40)


def test_nothing_in_a_notice_is_a_mention_or_a_link_to_slack() -> None:
    body = as_body(NOTICE, NoticeFormat.SLACK)
    assert isinstance(body, dict)
    assert "&lt;!channel&gt;" in str(body["text"])
    assert "<" not in str(body["text"])


def test_a_notice_as_json_says_everything() -> None:
    body = as_body(NOTICE, NoticeFormat.JSON)
    assert isinstance(body, dict)
    assert (body["severity"], body["name"], body["reason"]) == ("problem", "numbers", "Lost")


class Post(BaseHTTPRequestHandler):
    """Keeps what was posted, answers as Slack does."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.append((self.path, json.loads(body)))  # type: ignore[attr-defined] # put there below
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Tests print nothing."""


@pytest.fixture
def post() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Post)
    server.taken = []  # type: ignore[attr-defined] # what was posted
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("only", "expected"), [(NoticeFilter.ALL, 2), (NoticeFilter.PROBLEMS, 1)])
async def test_notices_are_posted_to_the_address_in_the_file(
    post: HTTPServer, tmp_path: Path, only: NoticeFilter, expected: int
) -> None:
    file = tmp_path / "url"
    file.write_text(f"http://127.0.0.1:{post.server_address[1]}/services/T0/very-secret-path?x=1\n")
    notifier = Notifier(partial(read_url, file), SystemClock(), SystemChance(), NoticeFormat.SLACK, only)
    task = asyncio.create_task(notifier.run())
    notifier.put((NOTICE, Notice(Grade.GOOD, "numbers", "serves", Reason.UP_TO_DATE, "")))
    taken: list[tuple[str, object]] = post.taken  # type: ignore[attr-defined] # as above
    for _ in range(500):
        if len(taken) == expected:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [path for path, _ in taken] == ["/services/T0/very-secret-path?x=1"] * expected
    assert "very-secret-path" not in redact(f"a line with {file.read_text()}")


@pytest.mark.parametrize(
    ("script", "event"),
    [
        (answer({}), "notice.given"),
        (answer("no_service", 404), "notice.refused"),
        (answer({"error": {"code": 404, "status": "NOT_FOUND", "message": "no such space"}}, 404), "notice.refused"),
        (answer("later", 500), "notice.lost"),
    ],
)
async def test_the_log_says_given_only_of_what_was_taken(script: bytes, event: str) -> None:
    async with listening(script) as wire:
        notifier = Notifier(lambda: f"{wire.url}/x", SystemClock(), SystemChance())
        with capture_logs() as logs:
            task = asyncio.create_task(notifier.run())
            notifier.put((NOTICE,))
            while not logs:  # noqa: ASYNC110 - the notifier is another task of this loop
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [line["event"] for line in logs] == [event]


def test_a_notice_that_nobody_takes_stops_nothing() -> None:
    async def given() -> None:
        notifier = Notifier(lambda: "http://127.0.0.1:1/x", SystemClock(), SystemChance())
        for _ in range(300):
            notifier.put((NOTICE,))
        task = asyncio.create_task(notifier.run())
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(given())


@pytest.mark.parametrize("text", ["", "ftp://x", "two words", "https://a b"])
def test_a_file_without_an_address_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "url").write_text(text)
    with pytest.raises(ControllerError, match="holds no address"):
        read_url(tmp_path / "url")


def test_an_address_in_the_clear_to_another_machine_is_refused() -> None:
    with pytest.raises(Rejected):
        Notifier(lambda: "http://example.com/x", SystemClock(), SystemChance())
