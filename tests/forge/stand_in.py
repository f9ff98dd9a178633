"""A code host that answers as GitHub's description says, keeps what it is told, and fails where a test asks it to."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.forge.described import check_exchange, filled
from tests.loopback import answering

REPOSITORY = "acme/models"
BOT = "github-actions[bot]"
BODY_LIMIT = 65_536


@dataclass
class Failure:
    """How the next matching requests fail: a status, a body and headers, ``times`` times; ``after`` carrying it out."""

    pattern: str
    status: int
    message: str = "made to fail"
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False


@dataclass
class StandIn:
    """The state of one repository."""

    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    reactions: list[tuple[int, str]] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    edits: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what the description does not allow
    tokens: set[str] = field(default_factory=set)
    read_only: bool = False  # the token of a fork's or Dependabot's job
    commits: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # of a pull request, where a test says them
    tip_of: Callable[[str], str] = lambda _: ""
    seconds: int = 0  # of the host's own clock
    count: int = 999  # the last comment's id
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    # what a test says

    def open_pull(self, number: int, head: str, base: str, repository: str = REPOSITORY, branch: str = "main") -> None:
        self.pulls[number] = {
            "number": number,
            "state": "open",
            "merged_at": None,
            "merge_commit_sha": None,
            "head": {"sha": head, "ref": f"change-{number}", "repo": {"full_name": repository}},
            "base": {"sha": base, "ref": branch, "repo": {"full_name": REPOSITORY}},
        }

    def push(self, number: int, head: str) -> None:
        self.pulls[number]["head"]["sha"] = head

    def merge(self, number: int, commit: str, by: str = "jane") -> None:
        """``commit`` is the last one that the merge put on the base branch."""
        merged = {"merged_at": self.time(), "merge_commit_sha": commit, "merged_by": {"login": by}}
        self.pulls[number] |= {"state": "closed", **merged}

    def say(self, pull: int, author: str, body: str) -> int:
        """A comment, as somebody writes it; its id."""
        self.count += 1
        self.said.append({"id": self.count, "pull": pull, "author": author, "body": body, "updated": self.time()})
        return self.count

    def time(self) -> str:
        """The next second of the host's clock."""
        self.seconds += 1
        return f"2026-11-02T{12 + self.seconds // 3600:02}:{self.seconds // 60 % 60:02}:{self.seconds % 60:02}Z"

    def bodies(self, pull: int, author: str = BOT) -> list[str]:
        return [c["body"] for c in self.said if (c["pull"], c["author"]) == (pull, author)]

    # what the API does

    def answer(self, method: str, address: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(address)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        for pattern, serve in ROUTES:
            found = re.fullmatch(rf"{method} {pattern}", f"{method} {parts.path}") if pattern[0] == "/" else None
            if found and serve[0] == method:
                answered: Answered = serve[1](self, found.groups(), query, body)
                return answered
        return 404, {"message": "Not Found"}, {}

    @contextmanager
    def running(self) -> Iterator[StandIn]:
        with answering(_handler(self)) as self.url:
            yield self


Answered = tuple[int, Any, dict[str, str]]


def _user(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    return 403, {"message": "Resource not accessible by integration"}, {}


def _pull(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    pull = stand.pulls.get(int(found[0]))
    if pull is None:
        return 404, {"message": "Not Found"}, {}
    by = pull.get("merged_by")
    given = {**pull, "merged": pull["merged_at"] is not None, "draft": False, "commits": pull.get("commits", 1)}
    return 200, filled("pull-request", {**given, "merged_by": filled("simple-user", by) if by else None}), {}


def _pulls_of(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    commit = found[0]
    mine = [p for p in stand.pulls.values() if commit in {p["merge_commit_sha"], p["head"]["sha"]}]
    mine = [{key: value for key, value in p.items() if key not in {"merged_by", "commits"}} for p in mine]
    return _paged(stand, [filled("pull-request-simple", p) for p in mine], query, f"commits/{commit}/pulls")


def _shown(comment: dict[str, Any]) -> dict[str, Any]:
    given = {
        "id": comment["id"],
        "body": comment["body"],
        "html_url": f"https://github.com/{REPOSITORY}/pull/{comment['pull']}#issuecomment-{comment['id']}",
        "issue_url": f"https://api.github.com/repos/{REPOSITORY}/issues/{comment['pull']}",
        "user": filled("simple-user", {"login": comment["author"]}),
        "updated_at": comment["updated"],
    }
    return filled("issue-comment", given)


def _comments(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    mine = [c for c in stand.said if c["pull"] == int(found[0])]
    return _paged(stand, [_shown(c) for c in mine], query, f"issues/{found[0]}/comments")


def _latest(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    order = {number: at for at, number in enumerate([*(c["id"] for c in stand.said), *stand.edits])}
    mine = sorted(stand.said, key=lambda c: order[c["id"]], reverse=query.get("direction") == "desc")
    return _paged(stand, [_shown(c) for c in mine], query, "issues/comments")


def _say(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    if len(body["body"]) > BODY_LIMIT:
        return 422, {"message": f"Body is too long (maximum is {BODY_LIMIT} characters)"}, {}
    number = stand.say(int(found[0]), BOT, body["body"])
    return 201, _shown(next(c for c in stand.said if c["id"] == number)), {}


def _edit(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    comment = next((c for c in stand.said if c["id"] == int(found[0])), None)
    if comment is None:
        return 404, {"message": "Not Found"}, {}
    if len(body["body"]) > BODY_LIMIT:
        return 422, {"message": f"Body is too long (maximum is {BODY_LIMIT} characters)"}, {}
    comment |= {"body": body["body"], "updated": stand.time()}
    stand.edits.append(comment["id"])
    return 200, _shown(comment), {}


def _comment(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    comment = next((c for c in stand.said if c["id"] == int(found[0])), None)
    return (200, _shown(comment), {}) if comment is not None else (404, {"message": "Not Found"}, {})


def _delete(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    there = [c for c in stand.said if c["id"] == int(found[0])]
    stand.said = [c for c in stand.said if c["id"] != int(found[0])]
    return (204, None, {}) if there else (404, {"message": "Not Found"}, {})


def _repository(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    return 200, filled("full-repository", {"full_name": REPOSITORY, "default_branch": "main"}), {}


def _branch(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    name = unquote(found[0])
    tip = stand.tip_of(name)
    if not tip:
        return 404, {"message": "Not Found"}, {}
    target = {"type": "commit", "sha": tip, "url": "https://example.com/"}
    return 200, filled("git-ref", {"ref": f"refs/heads/{name}", "object": target}), {}


def _commits_of(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    shown = [filled("commit", one) for one in stand.commits.get(int(found[0]), [])]
    return _paged(stand, shown, query, f"pulls/{found[0]}/commits")


def _react(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    stand.reactions.append((int(found[0]), body["content"]))
    return 201, filled("reaction", {"content": body["content"], "user": filled("simple-user", {"login": BOT})}), {}


def _permission(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    kind = stand.permissions.get(found[0])
    if kind is None:
        return 404, {"message": "Not Found"}, {}
    return 200, filled("repository-collaborator-permission", {"permission": kind}), {}


def _run_shown(run: dict[str, Any]) -> dict[str, Any]:
    output = {"annotations_count": len(run["notes"]), "annotations_url": "https://example.com/"}
    kept = ("id", "name", "head_sha", "status", "conclusion", "external_id")
    shown = {key: run[key] for key in kept}
    shown["conclusion"] = run["conclusion"] or "neutral"  # null before the end, which the description's list lacks
    return filled("check-run", {**shown, "output": output, "pull_requests": []})


def _runs(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    mine = [r for r in stand.checks if (r["head_sha"], r["name"]) == (found[0], query.get("check_name", r["name"]))]
    return 200, {"total_count": len(mine), "check_runs": [_run_shown(r) for r in mine]}, {}


def _write_run(stand: StandIn, run: dict[str, Any], body: Any) -> Answered:
    if len(body.get("output", {}).get("annotations", ())) > 50:
        return 422, {"message": "Annotations exceed the limit of 50"}, {}
    run |= {key: body[key] for key in ("status", "conclusion", "external_id") if key in body}
    if body["status"] != "completed":
        run["conclusion"] = None
    if "output" not in body:
        return 200, _run_shown(run), {}
    run |= {"title": body["output"]["title"], "summary": body["output"]["summary"]}
    run["notes"] = [*run["notes"], *body["output"].get("annotations", ())]
    return 200, _run_shown(run), {}


def _new_run(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    run = {
        "id": 1 + len(stand.checks),
        "name": body["name"],
        "head_sha": body["head_sha"],
        "external_id": "",
        "status": "queued",
        "conclusion": None,
        "notes": [],
    }
    stand.checks.append(run)
    _, shown, headers = _write_run(stand, run, body)
    return 201, shown, headers


def _old_run(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    return _write_run(stand, stand.checks[int(found[0]) - 1], body)


def _status(stand: StandIn, found: Any, query: Any, body: Any) -> Answered:
    stand.statuses.append({**body, "commit": found[0]})
    given = {"state": body["state"], "context": body["context"], "creator": filled("simple-user", {"login": BOT})}
    return 201, filled("status", given), {}


def _paged(stand: StandIn, items: list[Any], query: dict[str, str], path: str) -> Answered:
    size, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
    part = items[(page - 1) * size : page * size]
    more = page * size < len(items)
    link = f'<{stand.url}/repos/{REPOSITORY}/{path}?page={page + 1}>; rel="next"'
    return 200, part, {"link": link} if more else {}


_R = f"/repos/{REPOSITORY}"
ROUTES: tuple[tuple[str, tuple[str, Any]], ...] = (
    ("/user", ("GET", _user)),
    (_R, ("GET", _repository)),
    (rf"{_R}/git/ref/heads/(.+)", ("GET", _branch)),
    (rf"{_R}/pulls/(\d+)/commits", ("GET", _commits_of)),
    (rf"{_R}/issues/comments/(\d+)", ("GET", _comment)),
    (rf"{_R}/issues/comments/(\d+)", ("DELETE", _delete)),
    (rf"{_R}/pulls/(\d+)", ("GET", _pull)),
    (rf"{_R}/commits/([0-9a-f]+)/pulls", ("GET", _pulls_of)),
    (rf"{_R}/commits/([0-9a-f]+)/check-runs", ("GET", _runs)),
    (rf"{_R}/issues/(\d+)/comments", ("GET", _comments)),
    (rf"{_R}/issues/(\d+)/comments", ("POST", _say)),
    (rf"{_R}/issues/comments", ("GET", _latest)),
    (rf"{_R}/issues/comments/(\d+)", ("PATCH", _edit)),
    (rf"{_R}/issues/comments/(\d+)/reactions", ("POST", _react)),
    (rf"{_R}/collaborators/([^/]+)/permission", ("GET", _permission)),
    (rf"{_R}/check-runs", ("POST", _new_run)),
    (rf"{_R}/check-runs/(\d+)", ("PATCH", _old_run)),
    (rf"{_R}/statuses/([0-9a-f]+)", ("POST", _status)),
)


def _handler(stand: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            with stand.lock:
                status, value, headers = self._carried_out(raw)
            written = b"" if status in {204, 304} else json.dumps(value).encode()
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def _carried_out(self, raw: bytes) -> tuple[int, Any, dict[str, str]]:
            self.path = self.path.removeprefix("/api/v3")  # as a GitHub Enterprise Server has it
            stand.requests.append((self.command, self.path))
            stand.tokens.add(self.headers.get("authorization", ""))
            if stand.read_only and self.command != "GET":
                return 403, {"message": "Resource not accessible by integration"}, {}
            failure = self._failure()
            if failure is not None and not failure.after:
                return failure.status, {"message": failure.message}, failure.headers
            status, value, headers = stand.answer(self.command, self.path, json.loads(raw or b"null"))
            try:
                check_exchange(self.command, self.path, raw, status, json.dumps(value).encode())
            except Exception as error:  # noqa: BLE001 - whatever the judge raises is kept for the test to read
                cause = error.__cause__ or error
                details = [str(e) for e in getattr(cause, "schema_errors", ())]
                stand.refused.append(f"{self.command} {self.path} ({status}): {error!r} {cause!r} {details}")
            if failure is not None:
                return failure.status, {"message": failure.message}, failure.headers
            etag = '"' + hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32] + '"'
            if self.command == "GET" and self.headers.get("if-none-match") == etag:
                return 304, {}, {"etag": etag, **headers}
            return status, value, {"etag": etag, **headers} if self.command == "GET" else headers

        def _failure(self) -> Failure | None:
            for failure in stand.failures:
                if failure.times > 0 and re.search(failure.pattern, f"{self.command} {self.path}"):
                    failure.times -= 1
                    return failure
            return None

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names are the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
            """Tests print nothing."""

    return Handler
