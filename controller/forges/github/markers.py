"""A text and what is to be remembered with it to the body of a comment, and back: it is the hidden first line."""

from __future__ import annotations

import re

from controller.errors import CodeHostError
from controller.ports.code_host import Said

_MEMORY = re.compile(r"\{(?:[!-,./-;=?-~ ]|-(?!-)){1,60000}\}")  # printable ASCII without < > and without --
_LINE = re.compile(rf"<!-- gitune: ({_MEMORY.pattern}) -->(?:\r?\n|$)")


def joined(said: Said) -> str:
    """The body: one HTML comment on a line of its own, which GitHub does not show, then the text.

    Raises `CodeHostError` for a memory that an HTML comment cannot hold.
    """
    if not said.memory:
        return said.body
    if not _MEMORY.fullmatch(said.memory):
        raise CodeHostError("what a comment is to remember cannot be hidden in it", hint="Please report it.")
    return f"<!-- gitune: {said.memory} -->\n{said.body}"


def split(body: str) -> Said:
    """The text of a body, and what it remembers, "" where its first line is no memory."""
    found = _LINE.match(body)
    return Said(body, "") if found is None else Said(body[found.end() :], found[1])
