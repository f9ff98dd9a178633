"""Pages of ``tunedModels`` to one listing that says whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from controller.errors import ProviderError, Rejected, RejectedKind
from controller.providers.gemini.wire import read_model
from controller.providers.google.json_fields import an_object, text
from controller.rest import JSON, ApiCall, Repeat, Rest
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
    """A listing in the making."""

    models: dict[str, RemoteModel] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    odd: str = ""
    time: str = ""


class _Expired(Exception):
    """A page token was refused: the listing has to start over."""


async def list_models(rest: Rest) -> Listing:
    """All tuned models that the account owns, begun again once where a page token has expired.

    Without the filter those that others share are in it too, with whatever marks they were given.
    """
    try:
        return await _read(rest, again=True)
    except _Expired:
        return await _read(rest, again=False)


async def _read(rest: Rest, *, again: bool) -> Listing:
    reading, token = _Reading(), ""
    for _ in range(MOST_PAGES):
        try:
            page = await _page(rest, reading, token)
        except ProviderError as error:
            if again and token and isinstance(error, Rejected):
                raise _Expired from None
            return Listing(reading.models, error.message, error.hint, reading.time)
        _take(reading, page)
        token = text(an_object(page), "nextPageToken")
        if not token:
            return Listing(reading.models, reading.odd, _ODD_HINT if reading.odd else "", reading.time)
        if token in reading.tokens:
            return Listing(
                reading.models, "the listing goes round in a circle: a page token came twice", _ODD_HINT, reading.time
            )
        reading.tokens.add(token)
    return Listing(reading.models, f"the listing has more than {MOST_PAGES} pages", _ODD_HINT, reading.time)


async def _page(rest: Rest, reading: _Reading, token: str) -> JSON:
    for size in PAGE_SIZES[:-1]:
        try:
            return await _ask(rest, reading, token, size)
        except Rejected as error:
            if error.kind is not RejectedKind.RESPONSE:
                raise
    return await _ask(rest, reading, token, PAGE_SIZES[-1])


async def _ask(rest: Rest, reading: _Reading, token: str, size: int) -> JSON:
    query = {"pageSize": str(size), "filter": "owner:me", **({"pageToken": token} if token else {})}
    answer = await rest.exchange(ApiCall(method="GET", path="/v1beta/tunedModels", query=query, repeat=Repeat.READ))
    reading.time = reading.time or _time(answer.headers.get("date", ""))
    page = answer.value
    if not isinstance(page, Mapping) or not isinstance(page.get("tunedModels", []), list):
        raise Rejected("a page of the listing is not what the API promises", kind=RejectedKind.RESPONSE)
    return page


def _time(date: str) -> str:
    """The ``Date`` of an answer (RFC 9110) as RFC 3339; "" where it has none that can be read."""
    try:
        told = parsedate_to_datetime(date[:64])
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return told.isoformat() if told.tzinfo is not None else ""


def _take(reading: _Reading, page: JSON) -> None:
    listed = an_object(page).get("tunedModels")
    for item in listed if isinstance(listed, list) else ():
        model = read_model(item)
        if model is None:
            reading.odd = reading.odd or "the listing has an entry without a usable name"
        elif model.name in reading.models:
            reading.odd = reading.odd or f"the listing names {model.name} twice"
        else:
            reading.models[model.name] = model
