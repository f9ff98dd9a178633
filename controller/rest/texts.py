"""A remote's own words to a short, safe line of text."""

from __future__ import annotations

from controller.rest.secrets import redact

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
