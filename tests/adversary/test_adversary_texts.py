"""Attacks on what is printed: a secret in every form in which something on the way may quote it back."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

import pytest

from controller.rest.redaction import Secret, redact, said

# As people hand them out: plain, with what URLs, JSON and HTML each write otherwise, and with letters beyond ASCII.
SECRETS = (
    "canary-51d0c2-plain",
    "can/ary+51=d0&c2",
    'can"ary\\51d0c2',
    "canäry-51d0c2 x",
    "canary%2F51d0c2",
    "<canary>51d0c2",
)
QUOTED: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "in a path": quote,
    "in a query": lambda text: quote(text, safe=""),
    "in a form": quote_plus,
    "in a URL within a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON of UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "in a repr": lambda text: repr(text)[1:-1],
    "in the repr of bytes": lambda text: repr(text.encode())[2:-1],
    "in HTML": html.escape,
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}
AROUND = (
    "the server said {}, and closed",
    '{{"error": {{"message": "key {} is not valid"}}}}',
    "https://host.test/v1?q={}&alt=json",
    "<p>{}</p>",
)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("way", QUOTED)
def test_a_known_secret_is_printed_in_no_form(way: str, around: str) -> None:
    for text in SECRETS:
        quoted = QUOTED[way](text)
        whole = around.format(quoted)
        assert quoted in whole, "the attack is in the text"
        Secret(text)
        assert quoted not in redact(whole)
        assert quoted not in said(whole)


@pytest.mark.parametrize("way", QUOTED)
def test_what_is_no_secret_is_printed_in_every_form(way: str) -> None:
    quoted = QUOTED[way]("an ordinary-word/with=signs & more")
    assert quoted in redact(f"the server said {quoted}, and closed")


CUT = 300


@pytest.mark.parametrize("at", range(CUT - 24, CUT + 24, 3))
def test_half_a_secret_is_not_printed_where_a_message_is_cut(at: int) -> None:
    Secret("canary-0123456789-0123456789")
    line = said("x" * at + " canary-0123456789-0123456789 and so on" + " y" * 400, CUT)
    assert "canary-0" not in line
    assert len(line) <= CUT


# What would begin a line of its own in a log, a workflow command, or turn the reading direction of what follows.
LINES = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
TURNS = ("\u202e", "\u2066", "\u200f", "\x1b[2K", "\x1b]0;", "\x08", "\x00", "\ufeff")


@pytest.mark.parametrize("sign", [*LINES, *TURNS], ids=lambda sign: sign.encode("unicode_escape").decode())
def test_a_remote_begins_no_line_and_turns_no_text(sign: str) -> None:
    line = said(f"all is well{sign}::set-output name=x::y")
    assert sign not in line
    assert len(line.splitlines()) == 1
    assert not any(ord(character) < ord(" ") for character in line)
