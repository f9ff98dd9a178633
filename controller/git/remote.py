"""A network address to what its branches stand on, their objects fetched into our keep, and a branch moved there."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from controller.errors import Rejected
from controller.git.awaited import run
from controller.git.failures import GitFailed, NotFound, SwapLost
from controller.git.mirror import Mirror
from controller.git.parsing import NetworkUrl, algorithm_of, is_commit_id, parse_location
from controller.git.process import NETWORK_SECONDS, Ask, GitOutput
from controller.network import authorities, proxy_for
from controller.spans import span
from controller.threads import in_thread

_SSH: Final = (
    "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ControlMaster=no -o ControlPath=none "
    "-o ForwardAgent=no -o ClearAllForwardings=yes"
)
_ALONE: Final = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
_FETCH: Final = ("fetch", "--quiet", *_ALONE)
_PUSH: Final = ("push", "--quiet", "--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no")
_FETCHED: Final = "refs/gitune/fetched"
_LOCK_SECONDS = 60.0
_ACCESS: Final = (
    "For https on GitHub set GITHUB_TOKEN to a token that may write contents; for ssh load a key into the agent and "
    "put the host into known_hosts. Gitune asks nobody for a password."
)

_PROTECTED: Final = (
    "A ruleset or a branch protection of the code host refuses this push: leave the ledger's branch out of it, or let "
    "what writes the ledger bypass it."
)
# What git says of a redirect, which it is told not to follow, and how its trace shows where that leads.
_REDIRECTED: Final = re.compile(r"returned error: 30[12378]\b")
_LOCATION: Final = re.compile(rb"<= Recv header: location: *([\x21-\x7e]{1,2000})", re.IGNORECASE)
_SERVICE: Final = re.compile(r"/info/refs(?:\?.*)?$")
_TRACED: Final = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}


class Remote:
    """One ref of a network repository, with a mirror to fetch it into.

    ``environ`` may hold GITHUB_TOKEN and GITHUB_SERVER_URL.
    """

    def __init__(self, url: NetworkUrl, ref: str, mirror: Mirror, environ: Mapping[str, str]) -> None:
        self.url = url
        self.ref = ref
        self.mirror = mirror
        self._environ = environ

    async def tip(self) -> str | None:
        """The commit the ref stands on there; None where there is no such ref. Raises `GitFailed`."""
        with span("git.look", ref=self.ref, host=self.url.host):
            # HEAD is there where our ref is not yet: any id tells by what that repository names its objects.
            answer = await self._well("ls-remote", "--end-of-options", self.url.url, self.ref, "HEAD")
        pairs = [line.partition("\t")[::2] for line in answer.text.splitlines()]
        ids = {name: oid for oid, name in pairs if is_commit_id(oid)}
        if ids:
            await self.agree(next(iter(ids.values())))
        return ids.get(self.ref)

    async def agree(self, oid: str) -> None:
        """Let the mirror name objects as this commit id does. Raises `GitFailed`."""
        if algorithm_of(oid) != self.mirror.algorithm:
            async with self._alone():
                await in_thread(self.mirror.turn_to, algorithm_of(oid))

    async def fetched(self) -> str | None:
        """The commit the ref stands on there, brought here unless it is. Raises `GitFailed`."""
        tip = await self.tip()
        return tip if tip is None or await in_thread(self.mirror.has, tip) else await self.fetch()

    async def fetch(self, *, history: bool = False) -> str:
        """The commit the ref stands on, brought here with its files. Raises `NotFound`, `GitFailed`."""
        depth = () if history else ("--depth=1",)
        words = (*_FETCH, *depth, "--end-of-options", self.url.url, f"+{self.ref}:{_FETCHED}")
        async with self._alone() as lock:
            with span("git.fetch", ref=self.ref, host=self.url.host):
                await self._well(*words, lock=lock)
            commit = await in_thread(self.mirror.ref, _FETCHED)
            await in_thread(self.mirror.tidy)
        if commit is None:
            raise NotFound(f"{self.url.url} has no {self.ref}")
        return commit

    async def swap(self, old: str | None, new: str) -> None:
        """Move the ref there from ``old`` (None: not there) to ``new``.

        An answer that was lost is looked for before anything is called failed. Raises `SwapLost`, `GitFailed`.
        """
        lease = f"--force-with-lease={self.ref}:{old or ''}"
        words = (*_PUSH, lease, "--end-of-options", self.url.url, f"{new}:{self.ref}")
        async with self._alone() as lock:
            try:
                with span("git.push", ref=self.ref, host=self.url.host):
                    answer = await run(self._asked(words, lock))
                if answer.code == 0:
                    return
                problem = _refusal(answer)
            except GitFailed as error:  # stopped on the way: it may have arrived
                problem = error.message
        there = await self.tip()
        if there == new:
            return
        if there != old:
            raise SwapLost(f"{self.ref} of {self.url.url} moved since it was read", hint="Read it again.")
        raise GitFailed(problem, hint=_way_out(problem))

    async def repair(self) -> bool:
        """Throw away what was fetched where some of it is damaged, and say whether it was: it can be fetched again."""
        async with self._alone():
            if (await in_thread(self.mirror.ask, "fsck", "--no-dangling", "--no-progress")).code == 0:
                return False
            self.mirror.close()
            for name in ("objects", "refs/gitune", "shallow"):
                await in_thread(_remove, self.mirror.path / name)
            for name in ("objects/info", "objects/pack"):
                (self.mirror.path / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        return True

    async def _well(self, *words: str, lock: int | None = None) -> GitOutput:
        answer = await run(self._asked(words, lock))
        if answer.code != 0 and _REDIRECTED.search(answer.err):
            raise await self._moved()
        if answer.code != 0:
            raise GitFailed(f"{answer.failure.message} ({self.url.url})", hint=_ACCESS)
        return answer

    async def _moved(self) -> GitFailed:
        """That the address leads elsewhere, and where to.

        It is not followed: whoever is there would be sent the token, and the name in owner marks would change.
        """
        words = ("ls-remote", "--end-of-options", self.url.url, self.ref)
        asked = self._asked(words, None)
        answer = await run(replace(asked, environment={**asked.environment, **_TRACED}))
        found = _LOCATION.findall(answer.log)
        there = _repository(self.url.url, found[-1].decode()) if found else None
        if there is None:
            message = f"{self.url.url} redirects to a place that is no repository, and redirects are not followed"
            return GitFailed(message, hint="A proxy or a sign-in page may have answered: check the address.")
        hint = (
            f"If it was renamed or transferred, follow {there.url} from now on (--repo, `repo:`, or `git remote "
            f"set-url`) and, unless gitune.yaml names an instance, write `instance: {self.url.identity}` into it: the "
            "owner marks of the models hold that."
        )
        return GitFailed(f"{self.url.url} has moved to {there.url}, and redirects are not followed", hint=hint)

    def _asked(self, words: tuple[str, ...], lock: int | None) -> Ask:
        more: dict[str, str] = {}
        if self.url.scheme == "ssh":
            more = {"GIT_SSH_COMMAND": _SSH, "GIT_SSH_VARIANT": "ssh"}
            more |= {name: self._environ[name] for name in ("HOME", "SSH_AUTH_SOCK") if name in self._environ}
        else:
            more = _authorities(self._environ)
        return Ask(
            words,
            self.mirror.path,
            seconds=NETWORK_SECONDS,
            protocols=self.url.scheme,
            settings=_credentials(self.url, self._environ) + _proxied(self.url, self._environ),
            environment=more,
            keep_open=() if lock is None else (lock,),
        )

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[int]:
        """Hold the mirror's lock. The git we start holds it too, so that it outlives us for as long as git does.

        Whoever holds it knows that no git is at work in the mirror: every lock file in there was left by a killed one.
        """
        descriptor = os.open(self.mirror.path / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + _LOCK_SECONDS
            while not _taken(descriptor):
                if time.monotonic() > until:
                    raise GitFailed("another process has been using the same mirror for a minute", hint="Try again.")
                await asyncio.sleep(0.02)
            for left in (*self.mirror.path.glob("*.lock"), *(self.mirror.path / "refs").rglob("*.lock")):
                left.unlink(missing_ok=True)
            yield descriptor
        finally:
            os.close(descriptor)


def _repository(here: str, address: str) -> NetworkUrl | None:
    """The repository whose refs an address asks for, seen from ``here``; None where it is another kind of address."""
    try:
        base, number = _SERVICE.subn("", urljoin(f"{here}/", address))
        found = parse_location(base) if number else None
    except (GitFailed, ValueError):
        return None
    return found if isinstance(found, NetworkUrl) and "@" not in base else None


def _way_out(message: str) -> str:
    """A protected branch is refused whatever the token may do: GitHub's codes, then what other hosts say."""
    if any(word in message for word in ("GH013", "GH006", "rule violations", "protected branch")):
        return _PROTECTED
    return _ACCESS


def _refusal(answer: GitOutput) -> str:
    """What ``push --porcelain`` says of the ref, beside git's last words."""
    said = [line.split("\t")[-1] for line in answer.text.splitlines() if line.startswith("!")]
    return f"{answer.failure.message} {' '.join(said)}".strip()[:1000]


def _taken(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def authorization(url: NetworkUrl, environ: Mapping[str, str]) -> str:
    """What proves to this server who asks, "" where the token is not for it: one for ``Authorization``."""
    token = environ.get("GITHUB_TOKEN", "")
    server = _server(environ)
    if (
        not token
        or url.scheme == "ssh"
        or (server.scheme, server.hostname, server.port) != (url.scheme, url.host, url.port)
    ):
        return ""
    return f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


def _server(environ: Mapping[str, str]) -> SplitResult:
    return urlsplit(environ.get("GITHUB_SERVER_URL") or "https://github.com")


def _credentials(url: NetworkUrl, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The token as a header for this server alone: never in an address and never among the words of a command."""
    if not (value := authorization(url, environ)):
        return ()
    server = _server(environ)
    return ((f"http.{server.scheme}://{server.netloc}/.extraHeader", f"Authorization: {value}"),)


def _proxied(url: NetworkUrl, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxy that the environment names for this server; its password is never among the words of a command."""
    if url.scheme == "ssh":
        return ()
    try:
        proxy = proxy_for(url.url, environ)
    except Rejected as error:
        raise GitFailed(error.message, hint=error.hint) from None
    return () if proxy is None else (("http.proxy", proxy.url),)


def _authorities(environ: Mapping[str, str]) -> dict[str, str]:
    """Git's own variable, else those of OpenSSL in git's words. Raises `GitFailed` for what cannot be read."""
    if "GIT_SSL_CAINFO" in environ:
        return {"GIT_SSL_CAINFO": environ["GIT_SSL_CAINFO"]}
    found = authorities(environ)
    if found is None:
        return {}
    try:
        found.context()
    except Rejected as error:
        raise GitFailed(error.message, hint=error.hint) from None
    file = {} if found.file is None else {"GIT_SSL_CAINFO": found.file, "GIT_PROXY_SSL_CAINFO": found.file}
    return file | ({"GIT_SSL_CAPATH": os.pathsep.join(found.folders)} if found.folders else {})
