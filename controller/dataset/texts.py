"""One text of a row to what is wrong with it by itself: never a word of it, only what kind of thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.dataset.invisible import comparable, invisible, written_apart
from controller.dataset.problems import Fault

# C0 and C1 without tab and line breaks, DEL; U+FFFD is what a failed conversion leaves.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def text_faults(text: str, subject: str) -> Iterator[Fault]:
    """What is wrong with a text, whose ``subject`` is how a message calls it: ``column 'output'``."""
    if not (seen := comparable(text)) or seen.isspace():
        word = (
            "empty" if not text else "blank" if text.isspace() else "made of nothing but characters that cannot be seen"
        )
        yield Fault("GT202", f"{subject} is {word}", "fill it in, or remove the example")
        return
    if odd := _ODD.search(text):
        yield _odd(text, odd[0], subject)
    if text.isascii():
        return
    for name in invisible(text):
        hint = "remove it: a model learns it as part of the text, and nobody sees why an answer is wrong"
        yield Fault("GT224", f"{subject} holds {name}, which cannot be seen", hint)
    if written_apart(text):
        message = f"{subject} is not in Unicode's NFC: letters and their accents are written apart"
        hint = "write the file in NFC, as nearly every program sends texts: a model takes the two for different words"
        yield Fault("GT225", message, hint)


def _odd(text: str, first: str, subject: str) -> Fault:
    if "\x00" in text:
        return Fault("GT215", f"{subject} holds a NUL character", "remove it: no service accepts it")
    if first == "\ufffd":
        hint = "an earlier conversion lost the character: restore it from the source"
        return Fault("GT216", f"{subject} holds the replacement character U+FFFD", hint)
    return Fault("GT214", f"{subject} holds control characters", "remove them; only tabs and line breaks are text")
