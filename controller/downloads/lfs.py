"""A Git LFS pointer to its object: out of the clone's own store, else from the repository's remote, verified."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from controller.dataset.pointers import LfsPointer
from controller.downloads.fetching import AGAIN, Fetching, Way
from controller.downloads.kept import KeptFile, Part, verified
from controller.downloads.stores import StoreRequest, origin_of
from controller.errors import ProviderError, Transient, Unreadable
from controller.git.parsing import NetworkUrl
from controller.git.remote import authorization
from controller.rest import JSON, ApiCall, ClientLimits, Reach, RefusedDownload, Repeat, Rest, know, said
from controller.specs.data_uri import is_numeric

_PULL: Final = "Run `git lfs fetch` in the clone that Gitune reads, or `git lfs install` and fetch there."


@dataclass(frozen=True, slots=True)
class LfsRemote:
    """The LFS API of a repository's own remote; ``secret`` is for ``Authorization`` there, "" for nobody's."""

    endpoint: str
    secret: str = field(default="", repr=False)
    name: str = "the token of the repository"
    hint: str = "Set GITHUB_TOKEN to a token that may read the repository."
    renews: bool = False

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - a token does not renew
        """The token's header."""
        return {"authorization": self.secret} if self.secret else {}

    def leads_to(self, url: str) -> bool:
        """The remote itself, and over https whatever it names: bytes are known by their digest."""
        host = urlsplit(url).hostname or ""
        return origin_of(url) == origin_of(self.endpoint) or (url.startswith("https://") and not is_numeric(host))

    def reach(self, url: str, elsewhere: Reach) -> Reach:
        """Where the remote itself is, git goes too; elsewhere what may be reached in general."""
        return _EVERYWHERE if origin_of(url) == origin_of(self.endpoint) else elsewhere

    def advice(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - as stores have it
        """None."""
        return ""


_EVERYWHERE: Final = Reach((ip_network("0.0.0.0/0"), ip_network("::/0")))


def lfs_remote(url: NetworkUrl, environ: Mapping[str, str]) -> LfsRemote:
    """The LFS API of a remote, where git-lfs looks for it; of one behind ssh, at the same host over https."""
    path = url.path.strip("/").removesuffix(".git").rstrip("/")
    ssh = url.scheme == "ssh"
    port = "" if ssh or url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    secret = authorization(url, environ)
    know(secret)
    return LfsRemote(f"{'https' if ssh else url.scheme}://{host}{port}/{path}.git/info/lfs", secret)


@dataclass(frozen=True, slots=True)
class LfsObjects:
    """The objects of one repository: ``store`` is its clone's own folder of them, ``remote`` gives where more are.

    ``name`` is what this machine knows the repository by.
    """

    fetching: Fetching
    name: str
    remote: Callable[[], Awaitable[LfsRemote | None]]
    store: Path | None = None

    def open(self, pointer: LfsPointer, most: int) -> KeptFile | None:
        """The object, hashed anew; None where it is not on this machine. Raises `Unreadable` (GT403)."""
        _check_size(pointer, most)
        return self._of_clone(pointer) or self.fetching.kept.open(self._origin, pointer.oid, most)

    def has(self, pointer: LfsPointer) -> bool:
        """Whether the object is on this machine, unhashed."""
        own = self._place(pointer)
        return (own is not None and own.is_file()) or self.fetching.kept.has(self._origin, pointer.oid)

    async def fetch(self, pointer: LfsPointer, most: int) -> None:
        """Bring the object here. Raises `Unreadable` (GT403, GT425, GT427 to GT429)."""
        _check_size(pointer, most)
        remote = await self.remote()
        if remote is None:
            raise _missing("the object of this Git LFS pointer is not in the clone, which has no remote to ask", _PULL)
        try:
            async with asyncio.timeout(self.fetching.limits.deadline):
                return await self._fetched(remote, pointer, most)
        except TimeoutError:
            message = f"{remote.endpoint}: not the whole object within {self.fetching.limits.deadline:.0f} s"
        except ProviderError as error:
            message = error.message
            if not isinstance(error, Transient):
                raise _missing(message, f"{error.hint} {_PULL}".strip()) from None
        raise Unreadable(message, code="GT425", hint=AGAIN)

    @property
    def _origin(self) -> str:
        return f"{self.fetching.realm}\nlfs {self.name}"

    def _place(self, pointer: LfsPointer) -> Path | None:
        return self.store / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid if self.store is not None else None

    def _of_clone(self, pointer: LfsPointer) -> KeptFile | None:
        path = self._place(pointer)
        try:
            return verified(path, pointer.oid, pointer.size) if path is not None else None
        except (OSError, Unreadable):
            return None

    async def _fetched(self, remote: LfsRemote, pointer: LfsPointer, most: int) -> None:
        asked = await self._asked(remote, pointer)
        with self.fetching.kept.incoming() as part:
            way = Way(remote, "the object", lambda url: remote.reach(url, self.fetching.sources.reach(url)))
            refused = await self.fetching.follow(asked, way, part, min(most, pointer.size))
            _check(part, pointer, refused)
            await asyncio.to_thread(self.fetching.kept.publish, part, self._origin)

    async def _asked(self, remote: LfsRemote, pointer: LfsPointer) -> StoreRequest:
        """What the remote says brings the object. Raises `ProviderError`, `Unreadable`."""
        rest = Rest(remote.endpoint, remote, ClientLimits(), None, self.fetching.timing)
        body: JSON = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": pointer.oid, "size": pointer.size}],
            "hash_algo": "sha256",
        }
        kind = "application/vnd.git-lfs+json"
        call = ApiCall(
            method="POST",
            path="/objects/batch",
            headers={"accept": kind, "content-type": kind},
            body=body,
            repeat=Repeat.READ,
        )
        try:
            answer = (await rest.exchange(call)).value
        finally:
            await rest.close()
        return _action(answer, pointer, remote)


def _action(answer: JSON, pointer: LfsPointer, remote: LfsRemote) -> StoreRequest:
    objects = answer.get("objects") if isinstance(answer, Mapping) else None
    for one in objects if isinstance(objects, list) else ():
        if not isinstance(one, Mapping) or one.get("oid") != pointer.oid:
            continue
        error = one.get("error")
        if isinstance(error, Mapping):
            raise _missing(
                f"{remote.endpoint} does not have the object: {said(str(error.get('message', '')), 120)}", _PULL
            )
        match one.get("actions"):
            case {"download": {"href": str(href), **more}}:
                return _request(href, more.get("header"), remote)
            case _:
                pass
    raise _missing(f"{remote.endpoint} does not say where the object is", _PULL)


_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_NOT_THEIRS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "range", "te", "upgrade"}
)


def _request(href: str, said_headers: object, remote: LfsRemote) -> StoreRequest:
    """What the remote says to ask, as far as it may say so. Raises `Unreadable`."""
    plain = href.isascii() and href.isprintable() and not {" ", "\\", "#"} & set(href) and len(href) <= _LARGEST_HREF
    try:
        allowed = plain and bool(origin_of(href)) and remote.leads_to(href)
    except ValueError:
        allowed = False
    if not allowed:
        raise _missing(f"{remote.endpoint} names an address for the object that is not followed", _PULL)
    headers: dict[str, str] = {}
    for name, value in said_headers.items() if isinstance(said_headers, Mapping) else ():
        if not isinstance(name, str) or not isinstance(value, str) or not _HEADER_NAME.fullmatch(name):
            continue
        if name.lower() not in _NOT_THEIRS and value.isascii() and value.isprintable():
            headers[name.lower()] = value
    know(headers.get("authorization", ""))
    return StoreRequest(href, headers)


_LARGEST_HREF: Final = 8192


def _check_size(pointer: LfsPointer, most: int) -> None:
    if pointer.size > most:
        raise Unreadable(
            f"the object has {pointer.size:,} bytes, more than the {most:,} allowed",
            code="GT403",
            hint="Make it smaller.",
        )


def _check(part: Part, pointer: LfsPointer, refused: RefusedDownload | None) -> None:
    if refused is not None:
        raise _missing(f"the object of this Git LFS pointer is refused ({refused.code} {refused.word})".rstrip(), _PULL)
    if (part.digest, part.size) != (pointer.oid, pointer.size):
        raise _missing(
            "what the remote has is not the object that this Git LFS pointer names", "Push the object again."
        )


def _missing(message: str, hint: str) -> Unreadable:
    return Unreadable(message, code="GT429", hint=hint)
