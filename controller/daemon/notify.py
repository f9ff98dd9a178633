"""Notices to somebody's webhook, as JSON or in Slack's form; a notice that cannot be given is logged and let go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import structlog

from controller.daemon.choices import NoticeFilter, NoticeFormat
from controller.daemon.notices import Grade, Notice
from controller.errors import ControllerError, ProviderError, Rejected, RejectedKind
from controller.ports import Chance, Clock
from controller.rest import JSON, Limits, NoAuth, Repeat, Rest, Timing, know

log = structlog.stdlib.get_logger("gitune")

_MOST_WAITING: Final = 200
_LIMITS: Final = Limits(deadline=15.0, connect=5.0, tries=3, requests_per_minute=60, at_once=1)
_LONGEST_URL: Final = 4096


@dataclass(frozen=True, slots=True)
class Wish:
    """Where notices go. ``url`` is as good as a password and shown nowhere."""

    url: str
    form: NoticeFormat = NoticeFormat.JSON
    only: NoticeFilter = NoticeFilter.ALL


def read_url(path: Path) -> str:
    """The address in a file; what is in it is kept out of every log. Raises `ControllerError`."""
    try:
        url = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ControllerError(f"the address in {path} cannot be read", hint="Put one https address in it.") from error
    if not url.startswith(("https://", "http://")) or len(url) > _LONGEST_URL or any(c.isspace() for c in url):
        raise ControllerError(f"{path} holds no address", hint="Put one https address in it, and nothing else.")
    know(url)
    know(urlsplit(url).path)
    return url


class Notifier:
    """Gives notices one after the other, in their order."""

    def __init__(self, wish: Wish, clock: Clock, chance: Chance) -> None:
        """Raises `Rejected` for an address that is neither https nor on this machine."""
        parts = urlsplit(wish.url)
        timing = Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform)
        self._wish = wish
        self._path, self._query = parts.path or "/", dict(parse_qsl(parts.query))
        self._rest = Rest(f"{parts.scheme}://{parts.netloc}", NoAuth(), _LIMITS, None, timing)
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(_MOST_WAITING)

    def put(self, notices: tuple[Notice, ...]) -> None:
        """Take them for giving; where too many wait already the newest are dropped, and the log says so."""
        for notice in notices:
            if self._wish.only is NoticeFilter.PROBLEMS and notice.grade is not Grade.PROBLEM:
                continue
            try:
                self._waiting.put_nowait(notice)
            except asyncio.QueueFull:
                log.warning("notice.dropped", name=notice.name, notice=notice.event)

    async def run(self) -> None:
        """Give what was put, until cancelled."""
        try:
            while True:
                await self._give(await self._waiting.get())
        finally:
            await self._rest.close()

    async def _give(self, notice: Notice) -> None:
        body = as_body(notice, self._wish.form)
        try:
            await self._rest.request("POST", self._path, self._query, body, repeat=Repeat.HARMLESS)
        except Rejected as error:
            if error.kind is not RejectedKind.RESPONSE:  # Slack answers a plain "ok", which is no JSON
                log.warning("notice.refused", name=notice.name, notice=notice.event, kind=str(error.kind))
                return
        except ProviderError:
            log.warning("notice.lost", name=notice.name, notice=notice.event)
            return
        log.info("notice.given", name=notice.name, notice=notice.event)


def as_body(notice: Notice, form: NoticeFormat) -> JSON:
    """What is sent: no rows, no secrets, and in Slack's form nothing that Slack takes for a mention or a link."""
    match form:
        case NoticeFormat.SLACK:
            sign = ":red_circle:" if notice.grade is Grade.PROBLEM else ":large_green_circle:"
            line = notice.line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return {"text": f"{sign} {line}"}
        case NoticeFormat.JSON:
            where: dict[str, JSON] = {"repository": notice.repository} if notice.repository else {}
            return {
                "schemaVersion": 1,
                **where,
                "severity": notice.grade,
                "name": notice.name,
                "event": notice.event,
                "reason": notice.reason,
                "message": notice.message,
                "model": notice.model,
                "revision": notice.revision,
            }
