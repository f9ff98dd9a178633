"""Data from files and providers to text that is only ever read: by a terminal, a Markdown renderer or an XML parser.

Whoever writes a spec, a dataset or a provider's answer may aim at the reader: escape sequences, text that runs right to
left, mentions, table breaks, workflow commands. Every renderer passes data through one of these functions.
"""

from __future__ import annotations

import json
import re
import unicodedata

# Cc: C0, DEL and C1. Cf: bidi controls, zero-width characters, tags. Cs: lone surrogates. Zl, Zp: line breaks by name.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0")  # invisible, yet not of those
_BACKTICKS = re.compile(r"`+")
# A runner obeys a line that begins with `::` (blanks before it skipped), and `##[` anywhere in a line.
_COMMAND = re.compile(r"(?:(?<=\s)|^)::")
_XML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def terminal(text: str, limit: int = 500) -> str:
    """One line that shows what is there and does nothing: hidden characters as escapes, at most ``limit`` characters.

    A text that is cut ends in ``…``. Neither a terminal nor the log of a CI runner finds a command in it.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    shown = "".join(_visible(c) for c in cut)
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
