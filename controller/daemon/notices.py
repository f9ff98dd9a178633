"""Two states of the ledger to notices of what a person wants to know, and these to somebody's webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import structlog

from controller.daemon.choices import NoticeFilter, NoticeFormat
from controller.errors import ControllerError, ProviderError, Rejected, RejectedKind
from controller.ports import Chance, Clock
from controller.report.formatting import terminal
from controller.report.model_state import condition
from controller.rest import JSON, ClientLimits, NoAuth, Repeat, Rest, Timing, know
from controller.state.conditions import ConditionType, Truth
from controller.state.reasons import traits_of
from controller.state.recorded import Record, RunOutcome

_LONGEST = 500


class Grade(StrEnum):
    """How much a notice matters."""

    PROBLEM = "problem"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Notice:
    """One change for the last time: a run ended, a model came to stall, or to serve what git asks for.

    ``repository`` is "" where one daemon follows one.
    """

    grade: Grade
    name: str
    event: str
    reason: str
    message: str
    model: str = ""
    revision: str = ""
    repository: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        todo = traits_of(self.reason).way_out
        where = f"{self.repository}/" if self.repository else ""
        return terminal(f"{where}{self.name}: {self.event} ({self.reason}). {self.message} {todo}".strip(), _LONGEST)


def notices(before: Mapping[str, Record], after: Mapping[str, Record], repository: str = "") -> tuple[Notice, ...]:
    """What became true between two records; a state that lasts is told once."""
    found = (notice for name in sorted(after) for notice in _of_one(before.get(name), after[name]))
    return tuple(replace(notice, repository=repository) for notice in found)


def _of_one(before: Record | None, after: Record) -> Iterator[Notice]:
    for run in after.runs:
        known = before.run(run.model) if before else None
        if run.outcome in {RunOutcome.TUNING, RunOutcome.SUCCEEDED} or (known and known.outcome is run.outcome):
            continue
        said = terminal(run.error, _LONGEST)
        yield Notice(Grade.PROBLEM, after.name, "a run ended badly", run.outcome, said, run.model, run.revision)
    for kind, grade, event in (
        (ConditionType.STALLED, Grade.PROBLEM, "waits on a person"),
        (ConditionType.READY, Grade.GOOD, "serves what git asks for"),
    ):
        now, news = condition(after, kind), _news(after, kind)
        if now is not None and news is not None and (before is None or news != _news(before, kind)):
            model = after.active.model if after.active else ""
            yield Notice(grade, after.name, event, now.reason, now.message, model, after.applied)


def _news(record: Record, kind: ConditionType) -> str | None:
    """What is told of a condition where it is true: Ready of another model is news, and stalled for another reason."""
    found = condition(record, kind)
    if found is None or found.status is not Truth.TRUE:
        return None
    if kind is ConditionType.READY:
        return record.active.model if record.active else ""
    return found.reason


log = structlog.stdlib.get_logger("gitune")

_MOST_WAITING: Final = 200
_LIMITS: Final = ClientLimits(deadline=15.0, connect=5.0, tries=3, requests_per_minute=60, at_once=1)
_LONGEST_URL: Final = 4096


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

    def __init__(
        self,
        url: Callable[[], str],
        clock: Clock,
        chance: Chance,
        form: NoticeFormat = NoticeFormat.JSON,
        only: NoticeFilter = NoticeFilter.ALL,
    ) -> None:
        """To ``url``, which is as good as a password and shown nowhere; it is asked for at each notice.

        Raises `ControllerError` where there is none, `Rejected` for one that is neither https nor on this machine.
        """
        self._timing = Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform)
        self._form, self._only = form, only
        self._read = url
        self._url = url()
        self._rest = self._connected(self._url)
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(_MOST_WAITING)

    def put(self, notices: tuple[Notice, ...]) -> None:
        """Take them for giving; where too many wait already the newest are dropped, and the log says so."""
        for notice in notices:
            if self._only is NoticeFilter.PROBLEMS and notice.grade is not Grade.PROBLEM:
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

    def _connected(self, url: str) -> Rest:
        parts = urlsplit(url)
        return Rest(f"{parts.scheme}://{parts.netloc}", NoAuth(), _LIMITS, None, self._timing)

    async def _renew(self) -> None:
        """Follow the address where it was changed. Raises `ControllerError`."""
        url = self._read()
        if url != self._url:
            fresh = self._connected(url)
            await self._rest.close()
            self._url, self._rest = url, fresh

    async def _give(self, notice: Notice) -> None:
        body = as_body(notice, self._form)
        try:
            await self._renew()
            parts = urlsplit(self._url)
            query = dict(parse_qsl(parts.query))
            await self._rest.request("POST", parts.path or "/", query, body, repeat=Repeat.HARMLESS)
        except Rejected as error:
            if error.kind is not RejectedKind.RESPONSE:  # Slack answers a plain "ok", which is no JSON
                log.warning("notice.refused", name=notice.name, notice=notice.event, kind=str(error.kind))
                return
        except ProviderError:
            log.warning("notice.lost", name=notice.name, notice=notice.event)
            return
        except ControllerError as error:
            log.warning("notice.lost", name=notice.name, notice=notice.event, said=error.message, hint=error.hint)
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
            names = ("name", "event", "reason", "message", "model", "revision")
            told = {name: getattr(notice, name) for name in names}
            return {"schemaVersion": 1, **where, "severity": notice.grade, **told}
