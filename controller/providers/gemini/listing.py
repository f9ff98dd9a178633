"""Pages of ``tunedModels`` to one listing that says whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import NamedTuple

from controller.errors import ProviderError, Rejected, RejectedKind
from controller.providers.gemini.wire import Page, TunedModel, loosely, understood
from controller.providers.google.json_fields import as_text
from controller.rest import JSON, ApiCall, Repeat, Rest, parse_as
from controller.state.observed import RemoteModel

MOST_PAGES = 1000
# The API's own maximum first; smaller where an answer does not fit under the cap (a model carries all its snapshots).
PAGE_SIZES = (1000, 100, 10)
_ODD_HINT = "Nothing is taken for removed until a listing is whole again."


@dataclass(frozen=True, slots=True)
class Listing:
    """The models that were read, and what kept the listing from being whole ("" where nothing did).

    ``time`` is that of the first answer by the provider's clock (RFC 3339), "" where it tells none.
    """

    models: Mapping[str, RemoteModel] = field(default_factory=dict)
    error: str = ""
    hint: str = ""
    time: str = ""


@dataclass(slots=True)
class _Reading:
    """A listing in the making. Of the models that have ``ended`` less is read; ``sizes`` are those of a page to try."""

    ended: frozenset[str]
    models: dict[str, RemoteModel] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    odd: str = ""
    time: str = ""
    sizes: tuple[int, ...] = PAGE_SIZES


class _Part(NamedTuple):
    """The models of one page, and the token of the next one, "" where there is none."""

    models: Sequence[TunedModel]
    token: str


class _Expired(Exception):
    """A page token was refused: the listing has to start over."""


async def list_models(rest: Rest, ended: frozenset[str] = frozenset()) -> Listing:
    """All tuned models that the account owns, begun again once where a page token has expired.

    Without the filter those that others share are in it too, with whatever marks they were given. The losses of the
    models that have ``ended`` are left out.
    """
    try:
        return await _read(rest, ended, again=True)
    except _Expired:
        return await _read(rest, ended, again=False)


async def _read(rest: Rest, ended: frozenset[str], *, again: bool) -> Listing:
    reading, token = _Reading(ended), ""
    for _ in range(MOST_PAGES):
        try:
            page = await _page(rest, reading, token)
        except ProviderError as error:
            if again and token and isinstance(error, Rejected):
                raise _Expired from None
            return Listing(reading.models, error.message, error.hint, reading.time)
        _take(reading, page)
        token = page.token
        if not token:
            return Listing(reading.models, reading.odd, _ODD_HINT if reading.odd else "", reading.time)
        if token in reading.tokens:
            return Listing(
                reading.models, "the listing goes round in a circle: a page token came twice", _ODD_HINT, reading.time
            )
        reading.tokens.add(token)
    return Listing(reading.models, f"the listing has more than {MOST_PAGES} pages", _ODD_HINT, reading.time)


async def _page(rest: Rest, reading: _Reading, token: str) -> _Part:
    while len(reading.sizes) > 1:
        try:
            return await _ask(rest, reading, token, reading.sizes[0])
        except Rejected as error:
            if error.kind is not RejectedKind.RESPONSE:
                raise
            reading.sizes = reading.sizes[1:]  # what did not fit once does not the next time
    return await _ask(rest, reading, token, reading.sizes[0])


async def _ask(rest: Rest, reading: _Reading, token: str, size: int) -> _Part:
    query = {"pageSize": str(size), "filter": "owner:me", **({"pageToken": token} if token else {})}
    call = ApiCall(method="GET", path="/v1beta/tunedModels", query=query, repeat=Repeat.READ)
    answer = await rest.exchange_for(partial(parse_as, Page), call)
    reading.time = reading.time or _time(answer.headers.get("date", ""))
    page = answer.value
    return _Part(page.tuned_models, as_text(page.next_page_token)) if isinstance(page, Page) else _loosely(page)


def _loosely(page: JSON) -> _Part:
    """A page in which something is of another kind than it should be, as far as it can be read."""
    listed = page.get("tunedModels", []) if isinstance(page, Mapping) else None
    if not isinstance(page, Mapping) or not isinstance(listed, list):
        raise Rejected("a page of the listing is not what the API promises", kind=RejectedKind.RESPONSE)
    return _Part([loosely(item) for item in listed], as_text(page.get("nextPageToken")))


def _time(date: str) -> str:
    """The ``Date`` of an answer (RFC 9110) as RFC 3339; "" where it has none that can be read."""
    try:
        told = parsedate_to_datetime(date[:64])
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return told.isoformat() if told.tzinfo is not None else ""


def _take(reading: _Reading, page: _Part) -> None:
    for item in page.models:
        model = understood(item, reading.ended)
        if model is None:
            reading.odd = reading.odd or "the listing has an entry without a usable name"
        elif model.name in reading.models:
            reading.odd = reading.odd or f"the listing names {model.name} twice"
        else:
            reading.models[model.name] = model
