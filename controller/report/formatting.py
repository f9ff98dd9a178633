"""Values to what is read of them: numbers to the short words of people, fields to the JSON of programs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

SHORT_DIGEST = 12  # hex digits; git shows 7 to 12
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 example``, ``1,234 examples``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def short(digest: str) -> str:
    """The first twelve digits of a fingerprint, digest or commit; "" stays ""."""
    return digest[:SHORT_DIGEST]


def figure(value: float, digits: int = 4) -> str:
    """A loss in few characters: ``3.981``, ``0.0114``, ``1.2e-05``."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    return f"{value:.{digits}g}"


def amount(money: float) -> str:
    """``1,234.50``; below a tenth two digits that count, so that little is not shown as nothing: ``0.0071``."""
    return f"{money:,.2f}" if money >= 0.1 or money == 0 else f"{money:.2g}"  # noqa: PLR2004 - said above


def percent(share: float) -> str:
    """``97.5 %``: one decimal where it says something, rounded down so that 100 % means all."""
    tenths = math.floor(share * 1000 + 1e-9)
    whole, rest = divmod(tenths, 10)
    return f"{whole}.{rest} %" if rest else f"{whole} %"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 05 s``, ``2 h 07 min``, ``3 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


JsonObject = dict[str, object]


def fields_of(value: object, *names: str) -> JsonObject:
    """These fields of a value, in this order; an underscore in a name becomes camelCase."""
    return {re.sub("_(.)", lambda found: found[1].upper(), name): getattr(value, name) for name in names}


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
