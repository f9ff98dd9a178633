"""Words found in a file to those that may be shown: a dataset without a header has a row where its names should be."""

from __future__ import annotations

from collections.abc import Iterable

# A file's own words are only ever repeated when they are one of these or of the spec's: anything else may be a row.
FAMILIAR = frozenset(
    (
        *("answer", "answers", "category", "class", "completion", "content", "context", "document", "expected"),
        *("input", "inputs", "instruction", "instructions", "label", "labels", "messages", "output", "outputs"),
        *("prompt", "prompts", "query", "question", "questions", "response", "responses", "summary", "target"),
        *("text", "text_input", "text_output", "textinput"),
    )
)

NAMED = 6


def shown(words: Iterable[str], expected: Iterable[str]) -> str:
    """The familiar and the expected ones among the words, quoted, and how many others there are; "" for no words."""
    wanted = {plain(name) for name in expected} | FAMILIAR
    found = list(words)
    named = [f"'{word.strip()}'" for word in found if plain(word) in wanted][:NAMED]
    others = len(found) - len(named)
    if not others:
        return ", ".join(named)
    rest = f"{others:,} other name{'s' if others > 1 else ''}"
    return f"{', '.join(named)} and {rest}" if named else rest


def plain(word: str) -> str:
    """A name without case and outer white space."""
    return word.strip().casefold()
