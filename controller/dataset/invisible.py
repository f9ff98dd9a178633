"""A text to the form in which it is compared with others, and to the names of what cannot be seen in it."""

from __future__ import annotations

import re
import unicodedata

# Default_Ignorable_Code_Point of https://www.unicode.org/Public/16.0.0/ucd/DerivedCoreProperties.txt: drawn as nothing.
# A no-break space is none of them: it is white space, which is seen and compared as such.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")  # of a region, as an emoji
_ARABIC = re.compile("[\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")  # Persian parts words by a non-joiner
_INDIC = re.compile("[\u0900-\u109f\u1780-\u17ff\u1800-\u18af\ua8e0-\ua8ff]")  # a joiner chooses the form of a letter
_EMOJI_STYLE = "\ufe0f"
_KEYCAP = "\u20e3"
_MARKS = frozenset("\u203c\u2049\u2139\u3030\u303d")  # emoji that are punctuation or a letter elsewhere
_NAMED = 3  # so many kinds of one text are named


def comparable(text: str) -> str:
    """The text in NFC, without invisible characters: equal for texts that look the same to a reader."""
    return text if text.isascii() else unicodedata.normalize("NFC", _IGNORABLE.sub("", text))


def folded(text: str) -> str:
    """A text as it is compared, case and white space aside."""
    return " ".join(comparable(text).split()).casefold()


def written_apart(text: str) -> bool:
    """Whether NFC would join letters to the accents behind them."""
    return not text.isascii() and len(unicodedata.normalize("NFC", text)) < len(text)


def invisible(text: str) -> tuple[str, ...]:
    """The kinds of invisible characters in a text, by name, without those that belong to an emoji or a script."""
    if text.isascii() or not _IGNORABLE.search(text):
        return ()
    text = _FLAG.sub("\U0001f3f4", text)
    kinds = (_kind(found[0]) for found in _IGNORABLE.finditer(text) if not _belongs(text, found.start()))
    return tuple(dict.fromkeys(kinds))[:_NAMED]


def _kind(character: str) -> str:
    """Its name; of those that could spell out a text, the name of all."""
    code = ord(character)
    if 0xE0000 <= code <= 0xE007F:  # noqa: PLR2004 - the block
        return "a tag character (U+E0000 to U+E007F)"
    if 0xE0100 <= code <= 0xE01EF:  # noqa: PLR2004 - the block
        return "a variation selector (U+E0100 to U+E01EF)"
    return f"{unicodedata.name(character, 'an invisible character')} (U+{code:04X})"


def _belongs(text: str, at: int) -> bool:
    """Whether the character has a use where it stands."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    match text[at]:
        case "\u200c" | "\u200d" if _INDIC.match(before) or (_ARABIC.match(before) and _ARABIC.match(after)):
            return True
        case "\u200d":
            return (before == _EMOJI_STYLE or _is_picture(before)) and _is_picture(after)
        case "\ufe0e" | "\ufe0f":
            return after == _KEYCAP or _is_picture(before) or before in _MARKS
        case "\u180b" | "\u180c" | "\u180d" | "\u180f":
            return "\u1820" <= before <= "\u18aa"  # the forms of a Mongolian letter
        case selector if "\ufe00" <= selector <= "\ufe0d" or selector >= "\U000e0100":
            return before != "" and (_is_picture(before) or _is_ideograph(before))
        case _:
            return False


def _is_picture(character: str) -> bool:
    return character != "" and not character.isascii() and unicodedata.category(character)[0] == "S"


def _is_ideograph(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("CJK UNIFIED", "CJK COMPATIBILITY"))
