"""A uri and its pin to the file on this machine: fetched under the rules, verified, published; or why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from controller.downloads.kept import Kept, Part
from controller.downloads.sources import DataSources
from controller.downloads.stores import Store, StoreRequest, origin_of
from controller.errors import ProviderError, Rejected, Transient, Unreadable
from controller.rest import Arrived, Download, Moved, Reach, RefusedDownload, Resolve, Timing, download, resolved, said
from controller.specs.data_uri import DataUri

_MOST_HOPS: Final = 5
_TRIES: Final = 3
_FIRST_WAIT: Final = 0.5
AGAIN: Final = "It is asked again on the next pass."
_SERVER_FAULTS: Final = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Times in seconds: ``deadline`` for one file with all its tries and redirects, ``idle`` between two pieces."""

    deadline: float = 600.0
    idle: float = 30.0
    connect: float = 10.0
    at_once: int = 4


class Leading(Protocol):
    """Who says how far a request may be led."""

    def leads_to(self, url: str) -> bool:
        """Whether a redirect to this address may be followed."""
        ...

    def advice(self, headers: Mapping[str, str]) -> str:
        """What the headers of an answer tell to do; "" for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """How a request goes: ``name`` is what is shown of it, ``reach`` gives the addresses a URL may stand for."""

    store: Leading
    name: str
    reach: Callable[[str], Reach]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """What it takes to fetch. ``stores`` by scheme; ``realm`` is whose data it is where several share a machine."""

    kept: Kept
    sources: DataSources
    stores: Mapping[str, Store]
    timing: Timing
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    resolve: Resolve = resolved
    realm: str = ""

    def origin(self, uri: DataUri) -> str:
        """Under what a digest of this uri is noted."""
        return f"{self.realm}\n{uri.text}"

    def check(self, uri: DataUri) -> None:
        """Raises `Unreadable` (GT422) for a uri that is not on the list."""
        if not self.sources.allows(uri):
            raise Unreadable(
                f"{shown(uri)} is not on the list of where data may be read from",
                code="GT422",
                hint=f"Whoever runs Gitune can add {suggested(uri)} to {self.sources.where}.",
            )

    async def fetch(self, uri: DataUri, pin: str | None, most: int) -> str:
        """Bring the file here and return its digest; ``pin`` None takes whatever is there.

        Raises `Unreadable` (GT403, GT422 to GT425, GT427, GT428).
        """
        self.check(uri)
        try:
            async with asyncio.timeout(self.limits.deadline):
                return await self._fetched(uri, pin, most)
        except TimeoutError:
            message = f"{shown(uri)}: not the whole file within {self.limits.deadline:.0f} s"
        raise Unreadable(message, code="GT425", hint=AGAIN)

    async def _fetched(self, uri: DataUri, pin: str | None, most: int) -> str:
        with self.kept.incoming() as part:
            await self._tries(uri, part, most)
            if part.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and part.digest != pin:
                raise Unreadable(
                    f"{shown(uri)}: a web page answered, not the file",
                    code="GT427",
                    hint="A proxy or a sign-in page may have answered: check the address.",
                )
            if pin is not None and part.digest != pin:
                raise changed(shown(uri), pin, part.digest)
            return await asyncio.to_thread(self.kept.publish, part, self.origin(uri))

    async def _tries(self, uri: DataUri, part: Part, most: int) -> None:
        store, fresh, number = self.stores[uri.scheme], False, 0
        while True:
            number += 1
            found = await self._try(store, uri, part, most, fresh=fresh)
            if found is None:
                return
            part.start_over()
            if isinstance(found, RefusedDownload) and found.code == HTTPStatus.UNAUTHORIZED and not fresh:
                fresh = True
            elif number >= _TRIES or not _passes(found):
                raise _as_unreadable(found, uri, store)
            else:
                wait = _FIRST_WAIT * 2.0 ** (number - 1)
                await self.timing.sleep(self.timing.uniform(wait / 2, wait))

    async def _try(
        self, store: Store, uri: DataUri, part: Part, most: int, *, fresh: bool
    ) -> ProviderError | RefusedDownload | None:
        """None where all of it arrived."""
        try:
            asked = await store.request(uri, fresh=fresh)
            return await self.follow(asked, Way(store, shown(uri), self.sources.reach), part, most)
        except ProviderError as error:
            return error

    async def follow(self, asked: StoreRequest, way: Way, part: Part, most: int) -> RefusedDownload | None:
        """One request and the redirects it leads through; None where all of it arrived.

        Raises `ProviderError`, `Unreadable`.
        """
        url, headers = asked.url, dict(asked.headers)
        for _ in range(_MOST_HOPS + 1):
            one = Download(
                url=url,
                shown=way.name if url == asked.url else f"{way.name}, at {said(origin_of(url))}",
                headers=headers,
                reach=way.reach(url),
                most=most,
                connect=self.limits.connect,
                idle=self.limits.idle,
            )
            match await download(one, part.write, self.resolve):
                case Arrived():
                    return None
                case RefusedDownload() as refused:
                    return refused
                case Moved(location, answered):
                    target = _target(url, location)
                    if target is None or not way.store.leads_to(target):
                        raise _elsewhere(way.name, target, way.store.advice(answered), self.sources.where)
                    if origin_of(target) != origin_of(url):
                        headers = {}
                    url = target
        raise Unreadable(f"{way.name}: more than {_MOST_HOPS} redirects", code="GT427", hint="Check the address.")


def _target(url: str, location: str) -> str | None:
    """Where a redirect leads; None for what is no plain address."""
    try:
        found = urljoin(url, location).partition("#")[0]
        parts = urlsplit(found)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    plain = found.isascii() and found.isprintable() and " " not in found and "\\" not in found
    return found if plain and parts.hostname and "@" not in parts.netloc and origin_of(found) else None


def _elsewhere(name: str, target: str | None, advice: str, where: str) -> Unreadable:
    # Of where it leads the origin alone is told: the rest may be a signature.
    there = said(origin_of(target), 120) if target else "what is no plain address"
    hint = advice or (f"Where that is meant, add {there} to {where}." if target else "Check the address.")
    return Unreadable(f"{name} redirects to {there}, where data may not be read from", code="GT422", hint=hint)


def _passes(found: ProviderError | RefusedDownload) -> bool:
    if isinstance(found, RefusedDownload):
        return found.code in _SERVER_FAULTS
    return isinstance(found, Transient)


def _as_unreadable(found: ProviderError | RefusedDownload, uri: DataUri, store: Store) -> Unreadable:
    if isinstance(found, Rejected):
        code = "GT427" if found.kind == "response" else "GT424"
        return Unreadable(found.message, code=code, hint=found.hint)
    if isinstance(found, ProviderError):
        return Unreadable(found.message, code="GT425", hint=found.hint or AGAIN)
    told = f"{found.code} {found.word}".strip()
    if found.code in _SERVER_FAULTS:
        return Unreadable(f"{shown(uri)}: the other side cannot answer now ({told})", code="GT425", hint=AGAIN)
    if found.code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        why, hint = "there is no such file, or it may not be seen", f"Check the address. {store.hint}"
    else:
        why, hint = "reading it is refused", store.hint
    return Unreadable(f"{shown(uri)}: {why} ({told})", code="GT424", hint=store.advice(found.headers) or hint)


def changed(name: str, pin: str, there: str) -> Unreadable:
    """That something else is there than what was reviewed."""
    return Unreadable(
        f"{name} is not what the spec pins: its sha256 is {there}, the spec says {pin}",
        code="GT423",
        hint="Nothing is tuned on it. Where the new content is meant, `gitune pin SPEC` writes its sha256: commit it.",
    )


def shown(uri: DataUri) -> str:
    """A uri for people: it has no user and no query, and what looks like a token is blotted out."""
    return said(uri.text, 300)


def suggested(uri: DataUri) -> str:
    """The narrowest entry of the list that would let this uri's folder be read."""
    if uri.scheme == "hf":
        return uri.root
    return "/".join((uri.root, *uri.quoted.split("/")[:-1]))
