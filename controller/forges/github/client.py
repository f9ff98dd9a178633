"""A repository's name and a token to what GitHub says and takes: pull requests, comments, checks, statuses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from controller.errors import (
    CodeHostError,
    ControllerError,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    RejectedKind,
    Transient,
)
from controller.forges.github.api import DIALECT, MOVED_HINT, Moved, Token
from controller.forges.github.fields import Object, at, flag, number, objects, text
from controller.ports.code_host import (
    Annotation,
    Authored,
    Check,
    CheckState,
    Comment,
    CommitStatus,
    Level,
    Pull,
    Said,
    Sign,
    StatusState,
)
from controller.rest import JSON, Answered, ApiCall, ClientLimits, Repeat, Rest, Secret, Timing, Transport

_MEMORY = re.compile(r"\{(?:[!-,./-;=?-~ ]|-(?!-)){1,60000}\}")  # printable ASCII without < > and without --
_LINE = re.compile(rf"<!-- gitune: ({_MEMORY.pattern}) -->(?:\r?\n|$)")


def joined(said: Said) -> str:
    """The body: one HTML comment on a line of its own, which GitHub does not show, then the text.

    Raises `CodeHostError` for a memory that an HTML comment cannot hold.
    """
    if not said.memory:
        return said.body
    if not _MEMORY.fullmatch(said.memory):
        raise CodeHostError("the data of a comment cannot be stored in an HTML comment", hint="Please report it.")
    return f"<!-- gitune: {said.memory} -->\n{said.body}"


def split(body: str) -> Said:
    """The text of a body, and what it remembers, "" where its first line is no memory."""
    found = _LINE.match(body)
    return Said(body, "") if found is None else Said(body[found.end() :], found[1])


PUBLIC = "https://api.github.com"
WORKFLOW_LOGIN = "github-actions[bot]"  # who a workflow's own token writes as; it may not ask GET /user
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?(?:_[A-Za-z0-9]{1,20})?")
_NEXT = re.compile(r'<[^>]{1,2000}>;\s*rel="next"')
_PAGE = 100
_MOST_PAGES = 50
_ANNOTATIONS = 50  # of one request
_PATIENCE = 90.0  # seconds
_DESCRIPTION = 140  # characters of a commit status
_WRITERS = frozenset({"admin", "maintain", "write"})
_COMMENT_LIMIT = 65_536  # characters; kept in bytes, which are never fewer
_MOST_COMMITS = 3  # pages of a hundred: GitHub lists 250 commits of a pull request
LIMITS = ClientLimits(deadline=150.0, reading=300.0, longest_backoff=20.0, at_once=4)

_REACTIONS = {Sign.SEEN: "eyes", Sign.DONE: "+1", Sign.FAILED: "-1", Sign.NOT_ALLOWED: "confused"}
_STATES = {StatusState.PENDING: "pending", StatusState.GOOD: "success", StatusState.BAD: "failure"}
_LEVELS = {Level.ERROR: "failure", Level.WARNING: "warning", Level.ADVICE: "notice"}
_CONCLUSIONS = {
    CheckState.PASSED: "success",
    CheckState.FAILED: "failure",
    CheckState.NOTHING: "neutral",
    CheckState.NEEDS_PERSON: "action_required",
}


class GitHub:
    """One repository on GitHub, or on a GitHub Enterprise Server by its ``…/api/v3``.

    ``login`` is who the token writes as, "" where that is to be found out.
    """

    def __init__(
        self,
        repository: str,
        token: Secret,
        timing: Timing,
        *,
        endpoint: str = PUBLIC,
        login: str = "",
        transport: Transport | None = None,
    ) -> None:
        if not _NAME.fullmatch(repository):
            raise CodeHostError(f"{repository[:200]!r} is not the name of a repository", hint="It is OWNER/NAME.")
        self._name = repository
        self._path = f"/repos/{repository}"
        self._login = login
        self._timing = timing
        self._rest = Rest(endpoint, Token(token), LIMITS, transport, timing, dialect=DIALECT)
        self._seen: dict[tuple[str, str], Answered[JSON]] = {}

    @property
    def comment_limit(self) -> int:
        """Bytes of a comment."""
        return _COMMENT_LIMIT

    async def login(self) -> str:
        """Who our comments are written by: what was said, else what GitHub says, else a workflow's own name."""
        if not self._login:
            try:
                self._login = text(await self._get("/user"), "login") or WORKFLOW_LOGIN
            except CodeHostError:
                self._login = WORKFLOW_LOGIN
        return self._login

    async def default_branch(self) -> str:
        """The repository's default branch."""
        return text(await self._get(self._path), "default_branch")

    async def tip(self, branch: str) -> str:
        """The commit a branch stands on."""
        found = await self._get(f"{self._path}/git/ref/heads/{quote(branch)}")
        return _checked(text(found, "object", "sha"))

    async def pull(self, number: int) -> Pull:
        """One pull request as it is now."""
        return _pull(await self._get(f"{self._path}/pulls/{number}"))

    async def pulls_of(self, commit: str) -> Sequence[Pull]:
        """The pull requests that a commit belongs to."""
        found = await self._all(f"{self._path}/commits/{_checked(commit)}/pulls", {})
        return tuple(_pull(item) for item in found)

    async def commits_of(self, pull: int) -> Sequence[Authored]:
        """The commits of a pull request, at most 250 of them."""
        found = await self._all(f"{self._path}/pulls/{pull}/commits", {}, _MOST_COMMITS)
        return tuple(_authored(item) for item in found)

    async def comment(self, number: int) -> Comment | None:
        """One comment as it is now; None where it is gone."""
        found = await self._get_if_there(f"{self._path}/issues/comments/{number}")
        return None if found is None else _comment(found)

    async def comments(self, pull: int) -> Sequence[Comment]:
        """Every comment of its conversation, the oldest first."""
        return tuple(_comment(item) for item in await self._all(f"{self._path}/issues/{pull}/comments", {}))

    async def latest_comments(self, pages: int) -> Sequence[Comment]:
        """The comments of the repository that were changed last, newest first."""
        query = {"sort": "updated", "direction": "desc"}
        return tuple(_comment(item) for item in await self._all(f"{self._path}/issues/comments", query, pages))

    async def create_comment(self, pull: int, said: Said) -> Comment:
        """Say something new, at most once; a rate limit that opens soon is waited for, since nothing was said then."""
        call = "POST", f"{self._path}/issues/{pull}/comments", {"body": joined(said)}, Repeat.ONCE
        try:
            return _comment(await self._send(*call))
        except CodeHostError as error:
            if error.lost or error.retry_after is None or error.retry_after > _PATIENCE:
                raise
            await self._timing.sleep(max(1.0, error.retry_after))
        return _comment(await self._send(*call))

    async def edit_comment(self, comment: int, said: Said) -> Comment:
        """Put another text in its place."""
        path = f"{self._path}/issues/comments/{comment}"
        return _comment(await self._send("PATCH", path, {"body": joined(said)}, Repeat.HARMLESS))

    async def delete_comment(self, comment: int) -> None:
        """Take a comment away; one that is gone already is no error."""
        try:
            await self._send("DELETE", f"{self._path}/issues/comments/{comment}", None, Repeat.HARMLESS)
        except CodeHostError as error:
            if not error.missing:
                raise

    async def answer(self, comment: int, sign: Sign) -> None:
        """Answer a comment with a reaction; GitHub keeps one of a kind."""
        path = f"{self._path}/issues/comments/{comment}/reactions"
        await self._send("POST", path, {"content": _REACTIONS[sign]}, Repeat.HARMLESS)

    async def may_write(self, login: str) -> bool:
        """Whether somebody may push. A login no person can have may not."""
        if not _LOGIN.fullmatch(login):
            return False
        found = await self._get_if_there(f"{self._path}/collaborators/{login}/permission")
        return text(found, "permission") in _WRITERS

    async def begin(self, check: str, head: str) -> bool:
        """Show that a check is being made; False where GitHub says that this token may not write."""
        try:
            await self._write_run(check, head, {"status": "in_progress"})
        except CodeHostError as error:
            if error.forbidden:
                return False
            raise
        return True

    async def publish(self, check: Check) -> None:
        """Show a check; one of ours with the same name is written over, annotations go out fifty at a time."""
        notes = check.annotations
        first, *others = [notes[i : i + _ANNOTATIONS] for i in range(0, len(notes), _ANNOTATIONS)] or [()]
        run = await self._write_run(check.name, check.head, _run(check, first))
        for batch in others:
            await self._send("PATCH", f"{self._path}/check-runs/{run}", _run(check, batch), Repeat.HARMLESS)

    async def _write_run(self, name: str, head: str, body: Mapping[str, JSON]) -> int:
        """Change our run of a check on a commit, or make one; its id."""
        path, body = f"{self._path}/check-runs", {**body, "external_id": name}
        ours = await self._ours(name, _checked(head))
        if ours:
            run = number(ours[0], "id")
            await self._send("PATCH", f"{path}/{run}", body, Repeat.HARMLESS)
            return run
        return number(await self._send("POST", path, {**body, "name": name, "head_sha": head}, Repeat.HARMLESS), "id")

    async def _ours(self, check: str, commit: str) -> list[Object]:
        found = await self._get(f"{self._path}/commits/{commit}/check-runs", {"check_name": check, "filter": "latest"})
        return [run for run in objects(at(found, "check_runs")) if text(run, "external_id") == check]

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        """Show a line beside a commit."""
        description = status.description[:_DESCRIPTION]
        body: JSON = {"state": _STATES[status.state], "context": status.context, "description": description}
        await self._send("POST", f"{self._path}/statuses/{_checked(commit)}", body, Repeat.HARMLESS)

    async def close(self) -> None:
        """Let go of connections."""
        await self._rest.close()

    async def _all(self, path: str, query: Mapping[str, str], pages: int = _MOST_PAGES) -> list[Object]:
        """Every item of a listing, page by page, at most so many pages."""
        items: list[Object] = []
        rest = self._rest.within(self._rest.limits.reading)
        for page in range(1, pages + 1):
            answer = await self._read(path, {**query, "per_page": str(_PAGE), "page": str(page)}, rest)
            items.extend(objects(answer.value))
            if not _NEXT.search(answer.headers.get("link", "")[:10_000]):
                break
        return items

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> JSON:
        return (await self._read(path, query or {})).value

    async def _get_if_there(self, path: str) -> JSON:
        try:
            return await self._get(path)
        except CodeHostError as error:
            if error.missing:
                return None
            raise

    async def _read(self, path: str, query: Mapping[str, str], rest: Rest | None = None) -> Answered[JSON]:
        """An answer; one that has not changed since it was last read costs nothing of the rate limit."""
        key = (path, repr(sorted(query.items())))
        known = self._seen.get(key)
        headers = {"if-none-match": known.headers["etag"]} if known else {}
        call = ApiCall(method="GET", path=path, query=query, headers=headers, repeat=Repeat.READ)
        answer = await self._ask(call, rest)
        if answer.code == 304 and known:  # noqa: PLR2004 - not modified
            return Answered(known.code, {**known.headers, **answer.headers}, known.value)
        if answer.headers.get("etag"):
            self._seen[key] = answer
        return answer

    async def _send(self, method: str, path: str, body: JSON, repeat: Repeat) -> JSON:
        return (await self._ask(ApiCall(method=method, path=path, body=body, repeat=repeat))).value

    async def _ask(self, call: ApiCall, rest: Rest | None = None) -> Answered[JSON]:
        try:
            return await (rest or self._rest).exchange(call)
        except Moved as error:
            raise await self._moved(error) from None
        except ProviderError as error:
            raise _ours(error) from None

    async def _moved(self, moved: Moved) -> CodeHostError:
        """What the repository is called now, which its own answer says. Nothing is asked anew under that name."""
        path = f"/repositories/{moved.number}"
        try:
            answer = await self._rest.exchange(ApiCall(method="GET", path=path, repeat=Repeat.READ))
        except ProviderError:
            return CodeHostError(moved.message, hint=moved.hint)
        name = text(answer.value, "full_name")
        if not _NAME.fullmatch(name):
            return CodeHostError(moved.message, hint=moved.hint)
        return CodeHostError(f"{self._name} is called {name} now; redirects are not followed", hint=MOVED_HINT)


def _ours(error: ProviderError) -> CodeHostError:
    match error:
        case Transient(retry_after=wait):
            return CodeHostError(error.message, hint=error.hint, retry_after=wait or 0.0)
        case OutcomeUnknown():
            return CodeHostError(error.message, hint=error.hint, lost=True)
        case Rejected(kind=kind):
            missing, forbidden = kind is RejectedKind.NOT_FOUND, kind is RejectedKind.FORBIDDEN
            return CodeHostError(error.message, hint=error.hint, missing=missing, forbidden=forbidden)
        case _:
            return CodeHostError(error.message, hint=error.hint)


def _checked(commit: str) -> str:
    if not _COMMIT.fullmatch(commit):
        raise CodeHostError(
            f"{commit[:80]!r} is not a whole commit id", hint="This is a fault of Gitune: please report it."
        )
    return commit


def _pull(item: JSON) -> Pull:
    return Pull(
        number=number(item, "number"),
        head=text(item, "head", "sha"),
        base=text(item, "base", "sha"),
        base_branch=text(item, "base", "ref"),
        head_repository=text(item, "head", "repo", "full_name"),
        merged=flag(item, "merged") or bool(text(item, "merged_at")),
        merged_at=text(item, "merged_at"),
        merged_by=text(item, "merged_by", "login"),
        merge_commit=text(item, "merge_commit_sha"),
        is_open=text(item, "state") == "open",
        commits=number(item, "commits"),
    )


def _authored(item: JSON) -> Authored:
    author = f"{text(item, 'commit', 'author', 'name')} <{text(item, 'commit', 'author', 'email')}>"
    return Authored(author, text(item, "commit", "author", "date"), text(item, "commit", "message").strip())


def _comment(item: JSON) -> Comment:
    pull, said = text(item, "issue_url").rpartition("/")[2], split(text(item, "body"))
    return Comment(
        id=number(item, "id"),
        author=text(item, "user", "login"),
        body=said.body,
        memory=said.memory,
        updated=text(item, "updated_at"),
        url=text(item, "html_url"),
        pull=int(pull) if pull.isascii() and pull.isdigit() else 0,
    )


def _run(check: Check, annotations: Sequence[Annotation]) -> dict[str, JSON]:
    written: list[JSON] = [
        {
            "path": note.path,
            "start_line": max(1, note.line),
            "end_line": max(1, note.line),
            "annotation_level": _LEVELS[note.level],
            "message": note.message,
            **({"title": note.title[:255]} if note.title else {}),
        }
        for note in annotations
    ]
    output: dict[str, JSON] = {"title": check.title, "summary": check.summary, "annotations": written}
    return {"status": "completed", "conclusion": _CONCLUSIONS[check.result], "output": output}


def open_github(repository: str, environ: Mapping[str, str], timing: Timing, login: str) -> GitHub:
    """GitHub, or the server in GITHUB_API_URL, for one repository, with the token in GITHUB_TOKEN.

    ``login`` is who that token writes as, "" to find out. Raises `ControllerError` where there is no token.
    """
    token = environ.get("GITHUB_TOKEN", "")
    if not token:
        hint = "In a workflow pass `github-token: ${{ github.token }}`, or use `comment: off`."
        raise ControllerError("there is no GITHUB_TOKEN to speak to GitHub with", hint=hint)
    return GitHub(repository, Secret(token), timing, endpoint=environ.get("GITHUB_API_URL") or PUBLIC, login=login)
