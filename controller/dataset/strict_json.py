"""One JSON text to its value or to what is wrong with it, more strictly than the standard library judges.

No repeated keys, no NaN, a depth that is capped before anything is parsed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Final, NoReturn

from controller.dataset.problems import Fault, shown

DEPTH = 64
BLANK = " \t\r\n"
_DIGITS = 20

# A string, closed or running to the end of the text (so that no quote is ever looked at twice), or a bracket.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|[\[\]{}]', re.DOTALL)
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|-?(?:NaN|Infinity)', re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]*+")
_WORD = re.compile(r"None|True|False|undefined")


class Number:
    """Stands for a number: hardly any is ever used, and a million digits are not worth converting."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        """A few digits are kept: a weight has one."""
        self._digits = digits[:_DIGITS]

    def __str__(self) -> str:
        """The first digits, as written."""
        return self._digits


class _RepeatedKey(ValueError):
    """An object has the key that is the argument twice."""


class _Constant(ValueError):
    """NaN or Infinity."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _RepeatedKey(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return made


def _constant(_name: str) -> NoReturn:
    raise _Constant


_decode: Callable[[str, int], tuple[object, int]] = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_constant
).raw_decode


def parse(text: str, start: int, expected: tuple[str, ...]) -> tuple[object, int] | Fault:
    """The value that starts at an offset and where it ends. ``expected`` are names a message may show.

    The caller has asked `too_deep` first, so the library's recursion stays below DEPTH.
    """
    try:
        return _decode(text, start)
    except json.JSONDecodeError as error:
        return _explain(text, error.pos, error.msg)
    except _RepeatedKey as error:
        return _repeated(text, start, error.args[0], expected)
    except _Constant:
        return Fault("GT249", "NaN and Infinity are not JSON", "leave the value out", _constant_at(text, start))


def too_deep(text: str) -> Fault | None:
    """The fault of the bracket that opens one level too many, before anything is parsed."""
    if text.count("[") + text.count("{") <= DEPTH:
        return None
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > DEPTH:
                hint = "an example is one flat object of texts"
                return Fault("GT254", f"the JSON is nested deeper than {DEPTH} levels", hint, token.start())
        elif first != '"':
            depth = max(0, depth - 1)
    return None


def skip_blank(text: str, start: int) -> int:
    """The offset of the next character that is not white space."""
    blank = _BLANKS.match(text, start)
    return blank.end() if blank else start


def _repeated(text: str, start: int, key: str, expected: tuple[str, ...]) -> Fault:
    name = shown([key], expected)
    # A key written with escapes is not found again: the place is then the object's own.
    keys = re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text[start:])
    again = next((m.start() for number, m in enumerate(keys) if number == 1), 0)
    message = f"the key {name} is given twice in one object" if name.startswith("'") else "a key is given twice"
    return Fault("GT248", message, "keep one of the two", start + again)


def _constant_at(text: str, start: int) -> int:
    found = (m.start() for m in _CONSTANT.finditer(text, start) if text[m.start()] != '"')
    return next(found, start)


def _explain(text: str, at: int, library: str) -> Fault:
    if library.startswith("Invalid control character"):
        hint = r"write it as an escape: \n, \t or \u00XX"
        return Fault("GT246", "a control character in a text is not escaped", hint, at)
    here = skip_blank(text, at)
    if library.startswith("Unterminated string"):
        return Fault("GT265", "the JSON ends too early", "a text is not closed", here)
    if (comma := _trailing_comma(text, here)) is not None:
        return Fault("GT247", "there is a comma before the end of an object or array", "remove the comma", comma)
    if here >= len(text):
        return Fault("GT265", "the JSON ends too early", "the object, array or text is not closed", min(at, len(text)))
    message, hint = _syntax(text, here)
    return Fault("GT246", message, hint, here)


def _trailing_comma(text: str, here: int) -> int | None:
    # Python 3.13 points at the comma, 3.11 and 3.12 behind it.
    if text[here : here + 1] == ",":
        return here if text[skip_blank(text, here + 1) :][:1] in ("}", "]") else None
    if text[here : here + 1] not in ("}", "]"):
        return None
    before = here - 1
    while before >= 0 and text[before] in BLANK:
        before -= 1
    return before if before >= 0 and text[before] == "," else None


def _syntax(text: str, here: int) -> tuple[str, str]:
    first = text[here]
    if first == "'":
        return "not valid JSON: a single quote", 'texts and keys are in double quotes: "…"'
    if first == "\\":
        return "not valid JSON: a backslash that escapes nothing", r"a backslash is written \\"
    if first == '"':
        return "not valid JSON", 'a comma or colon is missing before this, or a quote inside a text is not written \\"'
    if first in "#/":
        return "not valid JSON: a comment", "JSON has no comments: remove it"
    if first == "\ufeff":
        return "not valid JSON: a byte-order mark in mid-file", "two files were joined: remove the mark"
    if _WORD.match(text, here):
        return "not valid JSON: a word of another language", "JSON writes null, true and false"
    return "not valid JSON", "check quotes, commas and brackets here; write the file with a JSON library"


_KINDS: Final[dict[type[object], str]] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    Number: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}


def kind(value: object) -> str:
    """What a value of JSON is, in words."""
    return _KINDS.get(type(value), "a date, bytes or another value")
