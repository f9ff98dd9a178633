"""Texts that may hold secrets to texts that hold none, and a remote's own words to a short, safe line.

Every `Secret` made in this process is known to `redact`, which also knows what keys and tokens look like.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHOWN = "***"
# A shorter secret would blot out ordinary words, and nobody hands out keys this short.
_SHORTEST = 6
_KNOWN: set[str] = set()

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,20000}"), SHOWN),
    (
        re.compile(r"://[^/\s@?#\"':]{0,500}(?::(?!\d{1,5}/)[^\s@\"']{0,500})?@"),
        f"://{SHOWN}@",
    ),  # a password may hold a /
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}"), rf"\1 {SHOWN}"),
    (
        re.compile(
            r"(?i)\b(key|api_?key|access_token|refresh_token|id_token|token|client_secret|password)"
            r"(=|%3d)[^&\s\"'<>]{1,5000}"
        ),
        rf"\1\2{SHOWN}",
    ),
    (
        re.compile(
            r"(?i)(\"?\b(?:x-goog-api-key|api_key|access_token|refresh_token|id_token|private_key|client_secret)"
            r"\"?\s{0,4}:\s{0,4})(\"[^\"]{1,5000}\"?|[^\s,}\"]{1,5000})"
        ),
        rf"\1{SHOWN}",
    ),
    (re.compile(r"\bAIza[0-9A-Za-z_-]{16,}"), SHOWN),
    (re.compile(r"\bya29\.[0-9A-Za-z_.-]{6,}"), SHOWN),
    # Looked for where a word begins: a text of nothing but beginnings would be gone through once for each.
    (re.compile(r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]{6,}(?:\.[0-9A-Za-z_-]{0,5000})?"), SHOWN),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_)[0-9A-Za-z_]{10,}"), SHOWN),
    (re.compile(r"\bsk-[0-9A-Za-z_-]{16,}"), SHOWN),
)


class Secret:
    """A text that only `reveal` shows; in a repr, a message or a log it is ``***``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        know(text)

    def reveal(self) -> str:
        """The text itself, for the one header it belongs in."""
        return self._text

    def __repr__(self) -> str:
        """``***``."""
        return SHOWN

    __str__ = __repr__

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self._text)

    def __reduce__(self) -> str:
        """Refused: a pickle would hold the text."""
        raise TypeError("a secret is not pickled")


def know(text: str) -> None:
    """Let `redact` blot out this text from now on, also as URLs, JSON, HTML, a repr and base64 write it."""
    if len(text) >= _SHORTEST:
        _KNOWN.update(_written(text))


def _written(text: str) -> Iterator[str]:
    """The forms in which libraries and servers quote a text back."""
    yield text
    for in_url in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield in_url
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), in_url)
        yield quote(in_url, safe="")  # an address within an address
    for quoted in (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text), repr(text.encode())[1:]):
        yield quoted[1:-1]
    yield html.escape(text)
    for encoded in (base64.b64encode(text.encode()), base64.urlsafe_b64encode(text.encode())):
        yield encoded.decode().rstrip("=")


def redact(text: str) -> str:
    """The text without any secret this process knows, and without anything that looks like one."""
    for secret in sorted(_KNOWN, key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


LONGEST = 300  # characters of a remote's message that are worth a person's time


def said(text: str, longest: int = LONGEST) -> str:
    """One line: secrets blotted out, control and direction characters escaped, cut to ``longest`` characters.

    Line ends become blanks, so that no remote can begin a line of its own in a log or a workflow.
    """
    # Redacted before it is cut, else half a secret would slip through.
    flat = " ".join(redact(text[: longest * 20]).split())
    safe = "".join(_visible(character) for character in flat)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the end of the basic plane
