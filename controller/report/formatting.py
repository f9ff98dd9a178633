"""Values to what is read of them: data that can only be read, numbers as short words, fields as JSON.

Whoever writes a spec, a dataset or a provider's answer may aim at the reader: escape sequences, text that runs right to
left, mentions, table breaks, workflow commands. Every renderer passes data through one of the functions for a terminal,
for Markdown or for XML.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence

from controller.state.recorded import Run, Score

SHORT_DIGEST = 12  # hex digits; git shows 7 to 12
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
# Cc: C0, DEL and C1. Cf: bidi controls, zero-width characters, tags. Cs: lone surrogates. Zl, Zp: line breaks by name.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0")  # invisible, yet not of those
_BACKTICKS = re.compile(r"`+")
# A runner obeys a line that begins with `::` (blanks before it skipped), and `##[` anywhere in a line.
_COMMAND = re.compile(r"(?:(?<=\s)|^)::")
_XML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


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


def share(value: float) -> str:
    """A score from 0 to 1 as specs write their bar: ``0.94``, rounded down so that 1.00 means all."""
    return f"{math.floor(value * 100 + 1e-9) / 100:.2f}"


def first_to_last(run: Run) -> str:
    """``3.981 → 0.0114``, ``3.981 → nan`` of one that diverged; a dash where no loss was reported."""
    if run.last_loss is None:
        return "–"
    return f"{figure(run.losses[0].mean_loss)} → {figure(run.last_loss)}" if run.losses else figure(run.last_loss)


def scored(score: Score) -> str:
    """``95 % (baseline 40 %)``; without the baseline where nobody counted it."""
    if score.baseline is None or not score.asked:
        return percent(score.value)
    return f"{percent(score.value)} (baseline {percent(score.baseline / score.asked)})"


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


def roughly(seconds: float) -> str:
    """``under a minute``, ``about 3 min``, ``about 2 h 10 min``: no more than an estimate can say."""
    if seconds < _MINUTE:
        return "under a minute"
    if seconds < _HOUR:
        return f"about {round(seconds / _MINUTE)} min"
    hours, minutes = divmod(round(seconds / _MINUTE / 10) * 10, 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


JsonObject = dict[str, object]


def fields_of(value: object, *names: str) -> JsonObject:
    """These fields of a value, in this order; an underscore in a name becomes camelCase."""
    return {re.sub("_(.)", lambda found: found[1].upper(), name): getattr(value, name) for name in names}


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def terminal(text: str, limit: int = 500) -> str:
    """One line that shows what is there and does nothing: hidden characters as escapes, at most ``limit`` characters.

    A text that is cut ends in ``…``. Neither a terminal nor the log of a CI runner finds a command in it.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    # Nearly every text is plain; of ASCII only control characters are not printable.
    shown = cut if cut.isascii() and cut.isprintable() else "".join(_visible(c) for c in cut)
    if ":" not in shown and "#" not in shown:
        return shown
    return _COMMAND.sub(r"\\x3a:", shown.replace("##[", "##\\x5b"))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN_CATEGORIES and char not in _FILLERS:
        return char
    return char.encode("unicode_escape").decode()


def code(text: str, limit: int = 500) -> str:
    """A Markdown code span of the text, "" for an empty one. No mention, link, image or tag can come out of it."""
    return _span(terminal(text, limit))


def cell(text: str, limit: int = 500) -> str:
    """A code span that fits into a cell of a GitHub table, where a bar ends the cell even between backticks."""
    shown = terminal(text, limit)
    # A backslash before the bar would take the bar's own escape away, so such a bar is written as its number.
    return _span(re.sub(r"(?<=\\)\|", r"x7c", shown).replace("|", "\\|"))


def _span(shown: str) -> str:
    if not shown.strip():
        return ""
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def html_name(name: str) -> str:
    """A name inside HTML, where code spans do not work: whatever could not be in a valid name becomes a dot."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else "·" for c in name[:80])


def xml(text: str, limit: int = 500) -> str:
    """Text for an XML element or attribute."""
    return "".join(_XML.get(c, c) for c in terminal(text, limit))


def json_text(value: object) -> str:
    """One JSON document in ASCII, indented, with no newline but its own and nothing a CI runner obeys."""
    written = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    return written.replace("##[", "#\\u0023[")
